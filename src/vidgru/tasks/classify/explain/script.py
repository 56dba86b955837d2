"""Style and script of the page of an explanation; the script alone may run on it."""

STYLE = """
.player{position:relative;max-width:40rem;background:#000}
.player img{display:block;width:100%;height:auto}
.player .heat{position:absolute;left:0;top:0;height:100%;mix-blend-mode:screen}
.player.hot .frame{filter:grayscale(1) brightness(.65)}
.player:not(.hot) .heat{visibility:hidden}
.controls{display:flex;gap:.8rem;align-items:center;max-width:40rem;flex-wrap:wrap}
.controls input[type=range]{flex:1;min-width:9rem}
.controls button{font:inherit;min-width:4.5rem}
.near{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(13rem,45%),1fr));gap:.6rem}
.near figure{margin:0}
.near img{display:block;height:96px;max-width:100%;object-fit:contain}
.strip.wide img{width:auto;height:96px;max-width:100%}
@media (max-width:30rem){.strip.wide img{width:calc(50% - 2px);height:auto}}
.line.three{stroke:#1a7f37}.line.four{stroke:#8250df}.line.five{stroke:var(--dim)}
.line.kept{stroke:var(--ink);stroke-width:3}
.key.three{background:#1a7f37}.key.four{background:#8250df}.key.five{background:var(--dim)}
.key.kept{background:var(--ink)}
.cursor{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 3}
"""

SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent).player;
const find = (name) => document.getElementById(name);
const slider = find("slider"), play = find("play"), player = find("player");
let timer = null;
function show() {
  const n = Number(slider.value);
  find("frame").src = "data:image/jpeg;base64," + data.frames[n];
  find("heat").src = "data:image/jpeg;base64," + data.heats[n];
  const text = data.seconds[n].toFixed(2) + " s";
  find("time").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  const share = (data.seconds[n] - data.begin) / (data.end - data.begin);
  for (const line of document.querySelectorAll(".cursor")) {
    const left = Number(line.dataset.left), right = Number(line.dataset.right);
    line.setAttribute("transform", "translate(" + (left + share * (right - left)) + " 0)");
  }
}
function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
}
slider.addEventListener("input", () => { stop(); show(); });
find("hot").addEventListener("change", (event) => {
  player.classList.toggle("hot", event.target.checked);
});
play.addEventListener("click", () => {
  if (timer !== null) { stop(); return; }
  play.textContent = "Stop";
  timer = setInterval(() => {
    slider.value = (Number(slider.value) + 1) % data.frames.length;
    show();
  }, data.step);
});
show();
"""
