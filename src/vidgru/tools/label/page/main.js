// The page: what is labelled, what is chosen, and what each key does.

import { Refused, get, isOwn, post } from "./api.js";
import { Film } from "./film.js";
import { listen } from "./keys.js";
import { drawJob, drawLists } from "./panel.js";
import { Player } from "./player.js";
import { Timeline, clock } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const POLL = 1000; // milliseconds between looks at what others changed
const MOST_ITEMS = 1000; // suggestions that one request accepts

const app = {
  state: { revision: -1, suggested: -1, names: [], classes: [], rows: [], suggestions: [], summary: [], lengths: [], doubtful: [] },
  video: 0,
  film: null,
  selected: null, // number of a row
  picked: null, // place of a suggestion
  from: null, // first frame that is marked
  until: null, // last frame that is marked
  holding: null, // class whose key is held
  whole: false,
};
const player = new Player(() => {
  if (app.film?.length) timeline.follow(app.film.times[player.number]);
  showPlace();
});
const timeline = new Timeline({
  seek: (number) => player.go(number),
  select: (number) => choose(number),
  pick: (number) => pick(number),
  colour,
  busy: () => player.playing,
  view: () => ({
    rows: app.dragged ? app.state.rows.map((row) => (row[0] === app.dragged[0] ? [row[0], row[1], ...app.dragged[1]] : row)) : app.state.rows,
    suggestions: app.suggestions ?? [],
    selected: app.selected,
    picked: app.picked,
  }),
  head,
  dragging: (number, span) => { app.dragged = [number, span]; timeline.redraw(); },
  dragged: (number, span) => { app.dragged = null; change("edit", { number, start: span[0], end: span[1] }); },
});

function colour(label) {
  if (label === app.state.background) return 0;
  const place = app.state.classes.indexOf(label);
  return place < 0 ? 0 : 1 + (place % 9);
}

function head() {
  const film = app.film;
  const time = film.times[player.number] ?? 0;
  const from = app.holding ? app.holding.from : app.from;
  const until = app.holding ? player.number : app.until ?? player.number;
  if (from === null) return { time, from: null };
  return { time, from: film.times[Math.min(from, until)], until: film.endOf(Math.max(from, until)) };
}

function say(text, warn = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("warn", warn);
}

function showPlace() {
  const film = app.film;
  if (!film?.facts) return;
  const time = film.times[player.number] ?? 0;
  $("time").textContent = `${clock(time, 3)} / ${clock(film.seconds, 3)} · frame ${player.number}`;
  $("play").firstChild.data = player.playing ? "Pause " : "Play ";
  const seek = $("seek");
  seek.max = Math.max(film.length - 1, 0);
  seek.value = player.number;
  seek.setAttribute("aria-valuetext", clock(time, 3));
  const range = app.holding ? `marking ${app.holding.label}` : app.from === null ? "" : `marked from ${clock(film.times[app.from])}` + (app.until === null ? "" : ` to ${clock(film.endOf(app.until))}`);
  $("marked").textContent = range;
  timeline.drawHead();
}

// The suggestions of the video, each with whether all of its time has a label.
function openSuggestions() {
  const spans = app.state.rows.map(([, , start, end]) => [start ?? 0, end ?? Infinity]).sort((a, b) => a[0] - b[0]);
  let place = 0;
  return app.state.suggestions.map(([start, end, label, confidence]) => {
    let free = 0;
    let at = start;
    while (place < spans.length && spans[place][1] <= start) place += 1;
    for (let n = place; n < spans.length && spans[n][0] < end; n++) {
      free += Math.max(spans[n][0] - at, 0);
      at = Math.max(at, spans[n][1]);
    }
    free += Math.max(end - at, 0);
    return [start, end, label, confidence, free <= 0.1];
  });
}

function draw() {
  app.suggestions = openSuggestions();
  if (app.selected !== null && !app.state.rows.some((row) => row[0] === app.selected)) app.selected = null;
  drawLists(app, { open, mark });
  drawJob(app);
  $("undo").disabled = !app.state.last;
  $("undo").title = app.state.last ? `Undo: ${app.state.last}` : "Nothing to undo";
  timeline.redraw();
  showPlace();
}

async function refresh(all = false) {
  const { video } = app;
  const { revision, suggested } = app.state;
  const query = new URLSearchParams({ revision, suggested, video, all: all ? 1 : 0 });
  const state = await (await get(`/state?${query}`)).json();
  if (video !== app.video || state.revision < app.state.revision) return; // a newer one was quicker
  const changed = state.names !== undefined;
  const known = revision >= 0 && state.revision !== revision;
  Object.assign(app.state, state);
  $("saved").textContent = state.problem ? "" : `All changes are in ${app.state.out}`;
  if (state.problem) say(state.problem, true);
  else if (app.problem) say("The list can be read again.");
  app.problem = state.problem;
  if (changed && known && !isOwn(state.by)) {
    const words = state.by === "another program" ? state.notice : "Another tab changed the labels. They are shown here now.";
    say(words, true);
  }
  if (changed) draw();
  else drawJob(app);
}

// Take over what the server has found out about a video since.
async function grow(film) {
  const before = film.seconds;
  const indexed = film.facts.complete;
  await film.load();
  if (film !== app.film) return;
  if (film.facts.error) say(film.facts.error, true);
  // What can be clicked is not made anew for that.
  if (indexed) return timeline.drawMotion();
  if (film.seconds !== before && timeline.high >= before - 1e-6) timeline.high = film.seconds;
  timeline.redraw();
  showPlace();
}

async function poll() {
  try {
    await refresh();
    if (app.film?.growing) await grow(app.film);
    if (app.gone) say("The server answers again.");
    app.gone = false;
  } catch (error) {
    lost(error);
  }
  setTimeout(poll, app.film?.facts?.complete ? POLL : 250);
}

function lost(error) {
  if (error instanceof Refused) say(error.message, true);
  else {
    app.gone = true;
    say(`vidgru label has ended, so nothing can be saved. All labels so far are in ${app.state.out}: start it again to continue.`, true);
  }
}

// One change at a time, in the order of the keys; the page is drawn anew after the last of a burst.
let queue = Promise.resolve();
let waiting = 0;
function change(kind, body = {}) {
  waiting += 1;
  const posted = queue.then(() => post(`/change/${kind}`, body)).finally(() => { waiting -= 1; });
  queue = posted.catch(() => {});
  return posted.then(
    async ({ result }) => {
      if (!waiting) await refresh(true).catch(lost);
      return result;
    },
    async (error) => {
      lost(error);
      if (error instanceof Refused) await refresh(true).catch(lost);
      return undefined;
    },
  );
}

async function load(video) {
  app.video = video;
  app.selected = app.picked = app.from = app.until = app.holding = null;
  const film = new Film(video);
  app.film = film;
  player.use(film);
  app.state.rows = app.state.suggestions = [];
  try {
    await Promise.all([film.load(), refresh(true)]);
    for (let tries = 0; !film.length && !film.facts.error && tries < 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await film.load();
      if (film !== app.film) return;
    }
  } catch (error) {
    if (film === app.film) {
      lost(error);
      film.facts = { fps: 25, width: 16, height: 9, complete: true, seconds: 0, error: error.message, activity: { known: 0 } };
    }
  }
  if (film !== app.film) return;
  if (film.facts.slow) say("Frames of this file can only be reached from its start: going back takes longer.");
  player.fit();
  timeline.use(film);
  draw();
}

// Go to a time of a video; what was asked for last counts, also while a video is loading.
let opened = 0;
async function open(video, time = 0) {
  const turn = (opened += 1);
  if (video !== app.video || !app.film) app.loading = load(video);
  await app.loading;
  const { film } = app;
  while (turn === opened && !film.facts.complete && !film.facts.error && !(film.times.at(-1) >= time)) {
    player.say("Looking for the place …");
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (!(await film.load().catch(lost))) return;
  }
  if (turn !== opened) return;
  if (app.film.length) await player.show(app.film.at(time + 1e-4));
  if (app.whole && app.film.length) player.play();
}

function choose(number) {
  app.selected = app.selected === number ? null : number;
  app.picked = null;
  const row = app.state.rows.find((one) => one[0] === app.selected);
  if (row) player.go(app.film.at((row[2] ?? 0) + 1e-4));
  timeline.redraw();
}

function pick(number) {
  app.picked = number;
  app.selected = null;
  if (number !== null) player.go(app.film.at(app.suggestions[number][0] + 1e-4));
  timeline.redraw();
}

function labelOf(digit) {
  return digit === 0 ? app.state.background : app.state.classes[digit - 1];
}

// A class is chosen, by its key or with the mouse.
function mark(label) {
  if (app.whole) return markClip(label);
  if (app.from !== null) return markFrames(label, app.from, app.until ?? player.number);
  if (app.selected !== null) return change("edit", { number: app.selected, label });
  say("Mark a stretch first: I where it begins, O where it ends. Or hold the key while playing.");
  return undefined;
}

function markFrames(label, a, b) {
  const film = app.film;
  app.from = app.until = null;
  say("");
  const span = { start: film.times[Math.min(a, b)], end: film.endOf(Math.max(a, b)) };
  return change("put", { video: film.number, label, ...span });
}

async function markClip(label) {
  const video = app.video;
  await change("clip", { video, label });
  await nextClip();
}

async function nextClip() {
  const count = app.state.names.length;
  for (let n = 1; n < count; n++) {
    const video = (app.video + n) % count;
    if (app.state.summary[video][0] === 0) return open(video);
  }
  return say("All clips have a label.");
}

// The suggestion that is picked, or under the playhead, or the next one.
function current() {
  const time = app.film.times[player.number] ?? 0;
  const list = app.suggestions;
  if (app.picked !== null && list[app.picked] && !list[app.picked][4]) return app.picked;
  let found = list.findIndex(([start, end, , , taken]) => !taken && end > time + 1e-6 && start <= time + 1e-6);
  if (found < 0) found = list.findIndex(([start, , , , taken]) => !taken && start > time);
  return found < 0 ? list.findIndex((one) => !one[4]) : found;
}

const actions = {
  play: () => (player.playing ? player.pause() : player.play()),
  step: (frames) => player.go(player.number + frames),
  seconds: (seconds) => player.go(player.beside(app.film.times[player.number] ?? 0, seconds)),
  speed: (way) => {
    const select = $("speed");
    select.selectedIndex = Math.min(Math.max(select.selectedIndex + way, 0), select.options.length - 1);
    select.dispatchEvent(new Event("change"));
  },
  begin: () => { player.pause(); app.from = player.number; app.until = null; app.selected = app.picked = null; draw(); },
  end: () => {
    player.pause();
    if (app.from === null) return say("Press I first, where it begins.");
    app.until = player.number;
    return draw();
  },
  edge: (first) => {
    const row = app.state.rows.find((one) => one[0] === app.selected);
    if (!row) return say("Select a segment first, with ↑ or ↓.");
    const { times } = app.film;
    const start = first ? times[player.number] : row[2] ?? 0;
    const end = first ? row[3] ?? app.film.seconds : app.film.endOf(player.number);
    if (end <= start) return say("A segment must end after it begins.", true);
    return change("edit", { number: row[0], start, end });
  },
  digit: (digit, down) => {
    const label = labelOf(digit);
    if (label === undefined) return down ? say(`There is no class ${digit} yet: add it on the right.`) : undefined;
    if (down && player.playing && !app.whole) {
      app.selected = app.picked = null;
      app.holding = { label, digit, from: Math.max(player.shown, 0) };
      return showPlace();
    }
    if (!down && app.holding?.digit === digit) {
      const { from } = app.holding;
      app.holding = null;
      return markFrames(label, from, Math.max(player.shown, from));
    }
    return down ? mark(label) : undefined;
  },
  fill: () => {
    const number = player.number;
    return change("fill", { video: app.video, until: app.film.endOf(number) });
  },
  walk: (way) => {
    const rows = app.state.rows.filter((row) => row[2] !== null || row[3] !== null);
    const at = rows.findIndex((row) => row[0] === app.selected);
    const time = app.film.times[player.number] ?? 0;
    let next = at + way;
    if (at < 0) {
      next = way > 0 ? rows.findIndex((row) => (row[2] ?? 0) >= time - 1e-6) : rows.findLastIndex((row) => (row[2] ?? 0) <= time + 1e-6);
    }
    if (rows[next]) choose(rows[next][0]);
  },
  remove: () => {
    if (app.selected === null) return say("Select a segment first, with ↑ or ↓.");
    return change("delete", { number: app.selected });
  },
  undo: async () => {
    const words = await change("undo");
    if (words !== undefined) say(`Undone: ${words}.`);
  },
  accept: async () => {
    if (app.whole) return;
    const number = current();
    if (number < 0) return say("There is no suggestion without a label in this video.");
    const [start, end, label] = app.suggestions[number];
    await change("accept", { items: [{ video: app.video, start, end, label }] });
    app.picked = null;
    say("");
    const next = current();
    if (next >= 0) pick(next);
  },
  acceptAll: async () => {
    const least = Number($("least").value) / 100;
    const items = app.suggestions
      .filter((one) => !one[4] && one[3] >= least)
      .map(([start, end, label]) => ({ video: app.video, start, end, label }));
    if (!items.length) return say("No suggestion of this video is that sure.");
    for (let first = 0; first < items.length; first += MOST_ITEMS) {
      const made = await change("accept", { items: items.slice(first, first + MOST_ITEMS) });
      if (made === undefined) return undefined;
    }
    return say(`Accepted ${items.length} suggestions.`);
  },
  next: async () => {
    if (app.whole) return nextClip();
    const here = app.film.times[player.number] ?? 0;
    const near = (one) => one[0] === app.video && Math.abs(one[1] - here) < 0.05;
    const list = app.state.doubtful;
    const at = list.findIndex(near);
    const found = list[at + 1] ?? list[0];
    if (!found) return say("No suggestion is left without a label.");
    await open(found[0], found[1]);
    const place = app.suggestions.findIndex(([start, end, , , taken]) => !taken && start <= found[1] + 1e-6 && end > found[1]);
    if (place >= 0) {
      app.picked = place;
      app.selected = null;
      timeline.redraw();
    }
    const [, , sure, label, other] = found;
    if (other) return say(`The model suggests ${label} here, the one before ${other}.`);
    return say(`The model is ${Math.round(100 * sure)} % sure here.`);
  },
  video: (way) => {
    const next = app.video + way;
    if (next >= 0 && next < app.state.names.length) return open(next);
    return undefined;
  },
  zoom: (factor) => timeline.zoom(factor, app.film.times[player.number] ?? 0),
  whole: () => {
    $("whole").checked = app.whole = !app.whole;
    say(app.whole ? "A digit labels the whole clip, and the next one appears." : "");
    if (app.whole) player.play();
    else player.pause();
  },
  escape: () => {
    app.from = app.until = app.selected = app.picked = app.holding = null;
    say("");
    draw();
  },
  help: () => $("help").showModal(),
};

player.onEnd = () => {
  if (app.whole) player.show(0).then(() => app.whole && player.play());
};
$("speed").addEventListener("change", (event) => {
  player.speed = Number(event.target.value);
  if (player.playing) {
    player.pause();
    player.play();
  }
});
$("seek").addEventListener("input", (event) => player.go(Number(event.target.value)));
$("whole").addEventListener("change", () => { app.whole = !$("whole").checked; actions.whole(); });
$("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = $("new-class");
  const label = field.value.trim();
  if (!label) return;
  await change("class", { label });
  if (app.state.classes.includes(label)) {
    field.value = "";
    field.blur();
  }
});
$("learn").addEventListener("click", async () => {
  try {
    await post("/learn", {});
    await refresh(true);
  } catch (error) {
    lost(error);
  }
});
$("cancel").addEventListener("click", () => post("/learn", { cancel: true }).catch(lost));
const clicks = { play: actions.play, back: () => actions.step(-1), forward: () => actions.step(1), undo: actions.undo, fill: actions.fill, accept: actions.accept, next: actions.next, "accept-all": actions.acceptAll, "help-open": actions.help, "zoom-in": () => actions.zoom(0.5), "zoom-out": () => actions.zoom(2) };
for (const [id, run] of Object.entries(clicks)) $(id).addEventListener("click", () => run());
new ResizeObserver(() => {
  if (!app.film?.facts) return;
  const before = app.film.size;
  player.fit();
  if (app.film.size !== before && !player.playing) player.show(player.number);
}).observe($("screen"));
listen(actions);
open(0).then(poll, lost);
