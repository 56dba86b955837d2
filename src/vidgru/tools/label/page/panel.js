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

function about(seconds) {
  if (seconds < 10) return "Some seconds";
  if (seconds < 90) return `About ${10 * Math.round(seconds / 10)} seconds`;
  return `About ${Math.round(seconds / 60)} minutes`;
}

// What the last training reached, and what the labels since the one before changed.
function accuracyOf(last, before) {
  if (!last) return "";
  const sides = last.grouped ? "other videos" : "the same videos, so probably too high";
  const how = last.folds ? "Cross-validated" : "Held-out";
  const [low, high] = last.interval;
  const text = `${how} accuracy ${percent(last.accuracy)} of ${last.clips} segments of ${sides} (95 %: ${percent(low)} to ${percent(high)}), learned from ${last.segments} labels.`;
  if (!before) return text;
  const change = 100 * (last.accuracy - before.accuracy);
  const points = `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} points`;
  const minutes = Math.max(Math.round(last.minutes - before.minutes), 1);
  const more = `${minutes} more ${minutes === 1 ? "minute" : "minutes"} of labelling (${before.segments} labels before) changed it by ${points}`;
  const chance = Math.abs(last.accuracy - before.accuracy) < (high - low) / 2;
  return `${text} ${more}${chance ? ", which may be chance" : ""}.`;
}

export function drawJob(app) {
  const { job, doubtful, suggestions } = app.state;
  if (!job) return;
  $("learn").disabled = job.running;
  $("cancel").hidden = !job.running;
  const bar = $("progress");
  bar.hidden = !job.running;
  if (job.running && job.share > 0) {
    bar.max = 1;
    bar.value = job.share;
  } else bar.removeAttribute("value");
  const words = job.running ? `${job.stage} …` : job.error;
  if ($("job").textContent !== words) $("job").textContent = words;
  $("job").classList.toggle("warn", !job.running && job.error !== "");
  $("left").textContent = job.left === null ? "" : `${about(job.left)} left`;
  $("accuracy").textContent = accuracyOf(...job.results.slice(-2).reverse());
  $("helping").hidden = !app.state.suggested || (!suggestions.length && !doubtful.length);
  $("doubtful").textContent = doubtful.length ? `${doubtful.length} suggestions in all videos have no label yet.` : "";
}
