// The list of videos, the classes, and what the model does.

import { clock } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const DONE = 0.98; // share of a video with labels from which on it is done

function element(name, values = {}, ...inside) {
  const made = Object.assign(document.createElement(name), values);
  made.append(...inside);
  return made;
}

export function drawLists(app, { open, mark }) {
  const { names, summary, lengths, classes, background, rows } = app.state;
  let done = 0;
  const items = names.map((name, number) => {
    const [count, seconds] = summary[number];
    const length = number === app.video && app.film?.facts?.complete ? app.film.seconds : lengths[number];
    const share = seconds < 0 ? 1 : length ? Math.min(seconds / length, 1) : 0;
    done += share >= DONE;
    const words = [count === 1 ? "1 label" : `${count} labels`];
    if (length) words.push(`${clock(length, 0)}`);
    if (share >= DONE) words.push("done");
    const note = element("span", { className: "note", textContent: words.join(" · ") });
    const bar = element("progress", { max: 1, value: share, ariaLabel: "Share with labels" });
    const button = element("button", { type: "button", textContent: name }, note, bar);
    button.setAttribute("aria-current", number === app.video);
    button.addEventListener("click", () => open(number));
    return element("li", {}, button);
  });
  const top = $("videos").parentElement.scrollTop;
  $("videos").replaceChildren(...items);
  $("videos").parentElement.scrollTop = top;
  $("videos-done").textContent = `${done} of ${names.length} done`;
  const all = [...classes.map((label, place) => [label, place + 1]), [background, 0]];
  $("classes").replaceChildren(
    ...all.map(([label, digit]) => {
      const swatch = element("span", { className: `swatch c${digit === 0 ? 0 : 1 + ((digit - 1) % 9)}` });
      const button = element("button", { type: "button" }, swatch, label === background ? `${label} (background)` : label);
      if (digit < 10) button.prepend(element("kbd", { textContent: digit }));
      button.addEventListener("click", () => mark(label));
      const count = rows.filter((row) => row[1] === label).length;
      return element("li", {}, button, element("span", { className: "count", textContent: count || "", title: "in this video" }));
    }),
  );
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

export function drawJob(app) {
  const { job, doubtful, suggestions } = app.state;
  if (!job) return;
  $("learn").disabled = job.running;
  $("cancel").hidden = !job.running;
  const bar = $("progress");
  bar.hidden = !job.running;
  if (job.running && job.total) {
    bar.max = job.total;
    bar.value = job.done;
  } else bar.removeAttribute("value");
  const words = job.running ? `${job.stage} …` : job.error;
  if ($("job").textContent !== words) $("job").textContent = words;
  $("job").classList.toggle("warn", !job.running && job.error !== "");
  const last = job.results.at(-1);
  const before = job.results.at(-2);
  let text = "";
  if (last) {
    const sides = last.grouped ? "other videos" : "the same videos, so probably too high";
    text = `Held-out accuracy ${percent(last.accuracy)} of ${last.clips} segments of ${sides} (95 %: ${percent(last.interval[0])} to ${percent(last.interval[1])}), learned from ${last.segments} labels.`;
    if (before) text += ` The training before: ${percent(before.accuracy)}, with ${before.segments} labels.`;
  }
  $("accuracy").textContent = text;
  $("helping").hidden = !app.state.suggested || (!suggestions.length && !doubtful.length);
  $("doubtful").textContent = doubtful.length ? `${doubtful.length} suggestions in all videos have no label yet.` : "";
}
