// How much moves, and where scenes begin: a strip of the timeline, as far as the server knows it.

const strip = document.getElementById("motion");
const FULL = 0.99; // share of the samples that lie below the top of the strip

export class Motion {
  constructor() {
    this.energy = new Float32Array(0); // less than 0 where a scene begins
    this.fps = 0;
    this.top = 0;
  }

  add(fps, more) {
    const all = new Float32Array(this.energy.length + more.length);
    all.set(this.energy);
    all.set(more, this.energy.length);
    this.energy = all;
    this.fps = fps;
    const moves = all.filter((one) => one >= 0).sort();
    this.top = Math.max(moves[Math.floor(FULL * (moves.length - 1))] ?? 0, 1e-3);
  }

  // Draw what lies between two times, in seconds.
  draw(low, high) {
    const scale = Math.min(devicePixelRatio, 2);
    const width = Math.max(Math.round(strip.clientWidth * scale), 1);
    const height = Math.round(strip.clientHeight * scale);
    if (strip.width !== width) strip.width = width;
    if (strip.height !== height) strip.height = height;
    const context = strip.getContext("2d");
    const style = getComputedStyle(strip);
    context.clearRect(0, 0, width, height);
    context.fillStyle = style.color;
    const step = ((high - low) * this.fps) / width; // samples a pixel
    let scenes = 0;
    for (let x = 0; x < width; x++) {
      const at = low * this.fps + x * step;
      const first = Math.floor(at);
      const end = Math.max(Math.floor(at + step), first + 1);
      let most = 0;
      let cut = false;
      for (let n = first; n < Math.min(end, this.energy.length); n++) {
        most = Math.max(most, this.energy[n]);
        cut ||= this.energy[n] < 0 && n > Math.floor(at - step);
      }
      const tall = Math.min(most / this.top, 1) * height;
      context.fillRect(x, height - tall, 1, tall);
      if (cut) {
        context.fillStyle = style.borderTopColor;
        context.fillRect(x, 0, scale, height);
        context.fillStyle = style.color;
        scenes += 1;
      }
    }
    strip.ariaLabel = `Motion${scenes ? `; ${scenes} new ${scenes === 1 ? "scene" : "scenes"} in view` : ""}`;
    strip.dataset.known = this.energy.length;
  }
}
