// One video: the times of its frames, and its pictures, fetched ahead and kept within bounds.

import { SIZES, frames, get } from "./api.js";
import { Motion } from "./motion.js";

const MOST_BYTES = 48e6; // of pictures as they come
const MOST_PIXELS = 40e6; // of decoded ones, 4 bytes each

export class Film {
  constructor(number) {
    this.number = number;
    this.times = new Float64Array(0);
    this.motion = new Motion();
    this.loading = Promise.resolve();
    this.facts = null;
    this.blobs = new Map();
    this.bytes = 0;
    this.bitmaps = new Map();
    this.pixels = 0;
    this.size = 960;
    this.damaged = new Set();
    this.aheads = new Set();
  }

  // Take over what the server knows by now; one call at a time, since each adds to what is there.
  load() {
    this.loading = this.loading.catch(() => {}).then(() => this.fetchFacts());
    return this.loading;
  }

  async fetchFacts() {
    this.facts = await (await get(`/videos/${this.number}`)).json();
    if (this.facts.frames > this.times.length || this.facts.complete) {
      const first = this.times.length;
      const more = new Float64Array(
        await (await get(`/videos/${this.number}/times?first=${first}`)).arrayBuffer(),
      );
      const all = new Float64Array(first + more.length);
      all.set(this.times);
      all.set(more, first);
      this.times = all;
    }
    const { fps, known } = this.facts.activity;
    const first = this.motion.energy.length;
    if (known > first) {
      const answer = await get(`/videos/${this.number}/energy?first=${first}`);
      this.motion.add(fps, new Float32Array(await answer.arrayBuffer()));
    }
    return this.facts;
  }

  // Whether the server still finds out more.
  get growing() {
    return this.facts && !this.facts.error && !(this.facts.complete && this.facts.activity.complete);
  }

  get length() {
    return this.times.length;
  }

  get seconds() {
    const known = this.times.length ? this.endOf(this.times.length - 1) : 0;
    return this.facts?.complete ? known : Math.max(this.facts?.seconds ?? 0, known);
  }

  // The number of the frame that is shown at a time.
  at(time) {
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  // When a frame is followed by the next one.
  endOf(number) {
    if (number + 1 < this.times.length) return this.times[number + 1];
    const between = this.times.length - 1;
    const last = this.times[between] ?? 0;
    return last + (between > 0 ? last / between : 1 / (this.facts?.fps || 25));
  }

  choose(width) {
    const longest = Math.max(this.facts?.width ?? 960, this.facts?.height ?? 0);
    const wanted = Math.min(width, longest);
    const size = SIZES.find((one) => one >= wanted) ?? SIZES.at(-1);
    if (size === this.size) return;
    this.size = size;
    this.forget();
  }

  forget() {
    this.stop();
    for (const bitmap of this.bitmaps.values()) bitmap.close();
    this.bitmaps.clear();
    this.blobs.clear();
    this.bytes = this.pixels = 0;
  }

  stop() {
    for (const one of this.aheads) one.abort();
    this.aheads.clear();
  }

  keep(number, blob) {
    if (blob === null) {
      this.damaged.add(number);
      return;
    }
    if (!this.blobs.has(number)) this.bytes += blob.size;
    this.blobs.set(number, blob);
    for (const [old, one] of this.blobs) {
      if (this.bytes <= MOST_BYTES || old === number) break;
      this.blobs.delete(old);
      this.bytes -= one.size;
    }
  }

  // The decoded picture of a frame that is there already, or null.
  async bitmap(number) {
    const ready = this.bitmaps.get(number);
    if (ready) return ready;
    const blob = this.blobs.get(number);
    if (!blob) return null;
    const bitmap = await createImageBitmap(blob);
    if (this.bitmaps.has(number)) {
      bitmap.close();
      return this.bitmaps.get(number);
    }
    this.bitmaps.set(number, bitmap);
    this.pixels += bitmap.width * bitmap.height;
    for (const [old, one] of this.bitmaps) {
      if (this.pixels <= MOST_PIXELS || old === number) break;
      this.bitmaps.delete(old);
      this.pixels -= one.width * one.height;
      one.close();
    }
    return bitmap;
  }

  has(number) {
    return this.blobs.has(number) || this.damaged.has(number);
  }

  async want(number, signal) {
    if (this.has(number)) return;
    const size = this.size;
    await frames(this.number, { first: number, count: 1 }, size, { signal }, (n, blob) => {
      if (size === this.size) this.keep(n, blob);
    });
  }

  // Fetch what the next keys are likely to ask for: the nearest neighbours, jumps, more neighbours.
  async ahead(number, jumps) {
    this.stop();
    const stop = new AbortController();
    this.aheads.add(stop);
    const last = this.times.length - 1;
    const beside = (count) => [
      { first: number + 1, count: Math.min(count, last - number), step: 1 },
      { first: number - 1, count: Math.min(count, number), step: -1 },
    ];
    const runs = [...beside(3), ...jumps.map((first) => ({ first, count: 1, step: 1 })), ...beside(12)];
    for (const run of runs) {
      while (run.count > 0 && this.has(run.first)) {
        run.first += run.step;
        run.count -= 1;
      }
      if (run.count <= 0) continue;
      if (run.step < 0) run.first -= run.count - 1; // decoders go forward only
      const size = this.size;
      try {
        const numbers = { ...run, step: 1 };
        await frames(this.number, numbers, size, { ahead: 1, signal: stop.signal }, (n, blob) => {
          if (size === this.size) this.keep(n, blob);
        });
      } catch {
        return; // nobody waits for these
      }
    }
  }

  // Fetch frames in order while they are played, until take() returns false.
  async stream(first, step, signal, take) {
    const last = this.times.length - 1;
    for (let number = first; number <= last; ) {
      if (this.has(number)) {
        if ((await take(number)) === false) return;
        number += step;
        continue;
      }
      const count = Math.min(60, Math.floor((last - number) / step) + 1);
      let stopped = false;
      await frames(this.number, { first: number, count, step }, this.size, { signal }, async (n, blob) => {
        this.keep(n, blob);
        number = n + step;
        stopped = (await take(n)) === false;
        return !stopped;
      });
      if (stopped) return;
    }
  }
}
