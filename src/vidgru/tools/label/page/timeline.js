// The timeline of a video: time, labels, suggestions, edges that can be dragged.

import { frames } from "./api.js";

const $ = (id) => document.getElementById(id);
const STEPS = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
const SHORTEST = 0.5; // seconds in view at least

export function clock(seconds, digits = 2) {
  const whole = Math.max(seconds, 0);
  const minutes = Math.floor(whole / 60 + 1e-9);
  const hours = Math.floor(minutes / 60);
  const rest = (whole - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const left = hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}` : `${minutes}`;
  return `${left}:${rest}`;
}

export class Timeline {
  constructor(actions) {
    this.actions = actions;
    this.low = 0;
    this.high = 1;
    this.film = null;
    this.element = $("timeline");
    this.element.addEventListener("pointerdown", (event) => this.press(event));
    this.element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.redraw()).observe(this.element);
  }

  use(film) {
    this.film = film;
    this.low = 0;
    this.high = Math.max(film.seconds, 0.04);
    this.pictures = "";
    $("thumbs").replaceChildren();
  }

  place(time) {
    return ((time - this.low) / (this.high - this.low)) * 100;
  }

  timeOf(event) {
    const box = this.element.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return this.low + share * (this.high - this.low);
  }

  zoom(factor, around) {
    const all = Math.max(this.film.seconds, 0.04);
    const width = Math.min(Math.max((this.high - this.low) * factor, Math.min(SHORTEST, all)), all);
    const share = (around - this.low) / (this.high - this.low);
    this.low = Math.min(Math.max(around - share * width, 0), all - width);
    this.high = this.low + width;
    this.redraw();
  }

  // Keep the playhead in view.
  follow(time) {
    const width = this.high - this.low;
    if (time >= this.low && time <= this.high) return;
    const all = Math.max(this.film.seconds, 0.04);
    this.low = Math.min(Math.max(time - 0.1 * width, 0), Math.max(all - width, 0));
    this.high = this.low + width;
    this.redraw();
  }

  wheel(event) {
    if (!this.film) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const moved = ((event.deltaX || event.deltaY) / 1000) * (this.high - this.low);
      const all = Math.max(this.film.seconds, 0.04);
      const width = this.high - this.low;
      this.low = Math.min(Math.max(this.low + moved, 0), all - width);
      this.high = this.low + width;
      this.redraw();
    } else {
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.timeOf(event));
    }
  }

  press(event) {
    if (!this.film || event.button !== 0) return;
    if (event.target.closest(".segment, .handle")) return;
    const move = (one) => this.actions.seek(this.film.at(this.timeOf(one)));
    move(event);
    this.drag(event, move, () => {});
  }

  drag(event, move, end) {
    event.preventDefault();
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener("pointermove", move, { signal });
    for (const kind of ["pointerup", "pointercancel"]) {
      document.addEventListener(kind, (one) => { stop.abort(); end(one); }, { signal });
    }
  }

  redraw() {
    if (!this.film) return;
    this.drawRuler();
    this.drawMotion();
    this.drawTracks();
    this.drawHead();
    this.drawPictures();
  }

  drawMotion() {
    this.film.motion.draw(this.low, this.high);
  }

  drawRuler() {
    const span = this.high - this.low;
    const step = STEPS.find((one) => span / one <= 10) ?? 7200;
    const marks = [];
    for (let time = Math.ceil(this.low / step) * step; time <= this.high; time += step) {
      const mark = document.createElement("span");
      mark.textContent = clock(time, step < 1 ? 2 : 0);
      mark.style.left = `${this.place(time)}%`;
      marks.push(mark);
    }
    $("ruler").replaceChildren(...marks);
  }

  drawTracks() {
    const { rows, suggestions, selected, picked } = this.actions.view();
    const focused = document.activeElement?.dataset?.key;
    const labels = [];
    for (const [number, label, start, end] of rows) {
      const whole = end === null;
      const last = whole ? this.film.seconds : end;
      if (last < this.low || (start ?? 0) > this.high) continue;
      const item = this.segment(label, start ?? 0, last, `r${number}`);
      item.classList.add(`c${this.actions.colour(label)}`);
      item.classList.toggle("selected", number === selected);
      item.setAttribute("aria-pressed", number === selected);
      item.addEventListener("click", () => this.actions.select(number));
      labels.push(item);
      if (number === selected && !whole) {
        labels.push(this.handle(number, start, last, true), this.handle(number, start, last, false));
      }
    }
    $("labels").replaceChildren(...labels);
    const found = [];
    suggestions.forEach(([start, end, label, confidence, taken], number) => {
      if (taken || end < this.low || start > this.high) return;
      const words = `${label} ${Math.round(100 * confidence)} %`;
      const item = this.segment(words, start, end, `s${number}`);
      item.classList.add("suggestion", `s${this.actions.colour(label)}`);
      item.classList.toggle("weak", confidence < 0.6);
      item.classList.toggle("selected", number === picked);
      item.setAttribute("aria-pressed", number === picked);
      item.addEventListener("click", () => this.actions.pick(number));
      found.push(item);
    });
    $("suggested").replaceChildren(...found);
    if (focused) {
      const same = [...labels, ...found].find((item) => item.dataset.key === focused);
      same?.focus({ preventScroll: true });
    }
  }

  segment(words, start, end, key) {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "segment";
    item.dataset.key = key;
    item.textContent = words;
    item.title = item.ariaLabel = `${words}, ${clock(start)} to ${clock(end)}`;
    const left = this.place(start);
    item.style.left = `${left}%`;
    item.style.width = `${this.place(end) - left}%`;
    return item;
  }

  handle(number, start, end, first) {
    const item = document.createElement("div");
    item.className = "handle";
    item.style.left = `calc(${this.place(first ? start : end)}% - ${first ? 0 : 10}px)`;
    item.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      let span = [start, end];
      const move = (one) => {
        // Edges lie where a frame begins; the last one may end with the video.
        const film = this.film;
        const time = this.timeOf(one);
        let edge = film.times[film.at(time)];
        if (!first && time > film.times[film.length - 1]) edge = film.seconds;
        if (first ? edge >= end : edge <= start) return;
        span = first ? [edge, end] : [start, edge];
        this.actions.dragging(number, span);
        this.magnify(first ? film.at(edge) : film.at(edge - 1e-4));
      };
      this.magnify(this.film.at(first ? start : end - 1e-4));
      this.drag(event, move, () => {
        $("magnifier").hidden = true;
        this.actions.dragged(number, span);
      });
    });
    return item;
  }

  // Show the frames around an edge: the segment's own frame there has a border.
  async magnify(number) {
    const film = this.film;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const first = Math.max(number - 2, 0);
    const count = Math.min(5, film.length - first);
    const figures = new Map();
    for (let n = first; n < first + count; n++) {
      const figure = document.createElement("figure");
      const canvas = document.createElement("canvas");
      const text = document.createElement("figcaption");
      text.textContent = `${n} · ${clock(film.times[n])}`;
      figure.classList.toggle("edge", n === number);
      figure.append(canvas, text);
      figures.set(n, figure);
    }
    const found = new Map();
    await frames(film.number, { first, count }, 320, {}, async (n, blob) => {
      if (blob) found.set(n, await createImageBitmap(blob));
      return turn === this.turn;
    }).catch(() => {});
    if (turn !== this.turn) return;
    for (const [n, bitmap] of found) {
      const canvas = figures.get(n).firstChild;
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
    }
    $("magnifier").replaceChildren(...figures.values());
    $("magnifier").hidden = !found.size;
  }

  drawHead() {
    const { time, from, until } = this.actions.head();
    $("head").style.left = `${this.place(time)}%`;
    const box = $("selection");
    box.hidden = from === null;
    if (from !== null) {
      const left = Math.max(this.place(from), 0);
      box.style.left = `${left}%`;
      box.style.width = `${Math.max(Math.min(this.place(until), 100) - left, 0)}%`;
    }
  }

  // Pictures of key frames, which are quick to decode, once the view stands still.
  drawPictures() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.fetchPictures(), 350);
  }

  async fetchPictures() {
    const film = this.film;
    const { width = 16, height = 9, slow, complete } = film?.facts ?? {};
    if (!film?.length || slow || !complete || this.actions.busy()) return;
    const across = Math.max(Math.round((44 * width) / height), 20);
    const count = Math.max(Math.floor(this.element.clientWidth / across), 1);
    const key = [film.number, this.low, this.high, count].join();
    if (key === this.pictures) return;
    this.pictures = key;
    const span = this.high - this.low;
    const items = [];
    for (let n = 0; n < count; n++) {
      const number = film.at(this.low + ((n + 0.5) / count) * span);
      const run = { first: number, count: 1 };
      await frames(film.number, run, 160, { ahead: 1, key: 1 }, async (_, blob) => {
        if (!blob || key !== this.pictures) return;
        const bitmap = await createImageBitmap(blob);
        const canvas = document.createElement("canvas");
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        canvas.style.left = `${(n / count) * 100}%`;
        canvas.style.width = `${100 / count}%`;
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        bitmap.close();
        items.push(canvas);
      }).catch(() => {});
      if (key !== this.pictures) return;
      if (this.actions.busy()) {
        this.pictures = "";
        return;
      }
    }
    $("thumbs").replaceChildren(...items);
  }
}
