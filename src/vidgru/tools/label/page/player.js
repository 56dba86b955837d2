// Shows frames: one by one, exactly, or in time.

const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const wait = document.getElementById("wait");
const RATE = 30; // pictures a second that are shown at most while playing
const READY = 6; // frames that are there before playing begins

export class Player {
  constructor(onFrame) {
    this.film = null;
    this.number = 0; // the frame that is wanted
    this.shown = -1; // the frame that is on the screen
    this.playing = false;
    this.speed = 1;
    this.onFrame = onFrame;
    this.stats = { drawn: 0, dropped: 0, stalls: 0 }; // of the last time of playing
    this.asked = null;
    this.jumps = 0;
  }

  use(film) {
    this.pause();
    this.film?.forget();
    this.film = film;
    this.number = 0;
    this.shown = -1;
    context.clearRect(0, 0, canvas.width, canvas.height);
  }

  draw(number, bitmap) {
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    context.drawImage(bitmap, 0, 0);
    this.shown = number;
    wait.hidden = true;
    canvas.dataset.frame = number;
    canvas.dispatchEvent(new CustomEvent("shown", { detail: number }));
  }

  fit() {
    const { clientWidth, clientHeight } = canvas.parentElement;
    const { width = 16, height = 9 } = this.film?.facts ?? {};
    const scale = Math.min(clientWidth / width, clientHeight / height);
    this.film?.choose(Math.max(width, height) * scale * Math.min(devicePixelRatio, 2));
  }

  // Go to a frame; it is drawn as soon as it is there, unless another one is wanted by then.
  async go(number) {
    this.pause();
    await this.show(number);
  }

  async show(number) {
    const film = this.film;
    const wanted = Math.min(Math.max(number, 0), Math.max(film.length - 1, 0));
    const before = this.number;
    this.number = wanted;
    this.onFrame();
    this.asked?.abort();
    const stop = (this.asked = new AbortController());
    if (!film.has(wanted)) film.stop(); // its decoder may be the nearest one
    const late = setTimeout(() => this.say("Decoding …"), 400);
    try {
      await film.want(wanted, stop.signal);
      const bitmap = await film.bitmap(wanted);
      if (film !== this.film || stop.signal.aborted) return;
      if (bitmap) this.draw(wanted, bitmap);
      else this.say(`Frame ${wanted} is damaged.`);
      this.lookAhead(wanted, wanted - before);
    } catch (error) {
      if (!stop.signal.aborted && film === this.film) this.say(error.message);
    } finally {
      clearTimeout(late);
    }
  }

  lookAhead(number, moved) {
    const film = this.film;
    const time = film.times[number];
    const far = Math.abs(moved) > 1 ? [number + moved] : [];
    const places = [...far, ...[1, 10, -1, -10].map((seconds) => this.beside(time, seconds))];
    const jumps = places.filter((n) => n >= 0 && n < film.length && n !== number);
    clearTimeout(this.jumps);
    this.jumps = setTimeout(() => film === this.film && !this.playing && film.ahead(number, jumps), 30);
  }

  // The frame so many seconds from a time.
  beside(time, seconds) {
    return this.film.at(Math.max(time + seconds, 0) + 1e-4);
  }

  say(text) {
    wait.textContent = text;
    wait.hidden = false;
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.streaming?.abort();
    Object.assign(canvas.dataset, this.stats);
    this.number = Math.max(this.shown, 0);
    this.onFrame();
  }

  async play() {
    const film = this.film;
    if (this.playing || !film.length) return;
    if (this.number >= film.length - 1) await this.show(0);
    this.playing = true;
    this.stats = { drawn: 0, dropped: 0, stalls: 0 };
    clearTimeout(this.jumps);
    film.stop();
    this.asked?.abort();
    const step = Math.max(1, Math.round((film.facts.fps * this.speed) / RATE));
    const first = this.number;
    const stop = (this.streaming = new AbortController());
    const ahead = Math.max(16, READY);
    let newest = first; // the last frame that has come
    let at = first; // the frame on the screen
    let base = null; // when the frame `from` was shown
    let from = first;
    const room = [];
    this.onFrame();
    film
      .stream(first, step, stop.signal, async (number) => {
        newest = number;
        await film.bitmap(number);
        while (newest - at > ahead * step && !stop.signal.aborted) {
          await new Promise((resolve) => room.push(resolve));
        }
        return !stop.signal.aborted;
      })
      .catch((error) => {
        if (stop.signal.aborted) return;
        this.pause();
        this.say(error.message);
      });
    const last = first + Math.floor((film.length - 1 - first) / step) * step;
    const tick = (now) => {
      if (stop.signal.aborted || film !== this.film) return;
      if (base === null) {
        if (newest < Math.min(first + READY * step, last)) {
          requestAnimationFrame(tick);
          return;
        }
        base = now;
      }
      const time = film.times[from] + ((now - base) / 1000) * this.speed;
      let wanted = first + Math.floor((film.at(time) - first) / step) * step;
      if (wanted > newest) {
        // What is not there yet is waited for: nothing is left out.
        this.stats.stalls += newest < last;
        wanted = newest;
        from = newest;
        base = now;
      }
      if (wanted !== this.shown) {
        const bitmap = film.bitmaps.get(wanted);
        if (bitmap) {
          if (at !== first) this.stats.dropped += Math.max((wanted - at) / step - 1, 0);
          this.stats.drawn += 1;
          this.draw(wanted, bitmap);
        }
        at = wanted;
        this.number = wanted;
        while (room.length) room.pop()();
        this.onFrame();
      }
      if (at >= last && now - base >= ((film.endOf(last) - film.times[from]) / this.speed) * 1000) {
        this.pause();
        this.onEnd?.();
        return;
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    stop.signal.addEventListener("abort", () => {
      while (room.length) room.pop()();
    });
  }
}
