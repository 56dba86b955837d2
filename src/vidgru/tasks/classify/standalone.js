"use strict";

const LATE = 0.001; // seconds by which a frame may be late, as containers round times
const KINDS = { int64: BigInt64Array, float32: Float32Array };
const at = (id) => document.getElementById(id);
const info = JSON.parse(at("data").textContent);
const { labels, fps, frames: window_ } = info.spec;
const video = at("video");
const view = at("view");
const pen = view.getContext("2d", { willReadFrequently: true });
let ort, session;
let run = null; // what is being classified: { going, ended }

/** Return untrusted text with what a page would hide or be misled by written as an escape. */
function visible(text) {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) =>
    "\u200c\u200d".includes(c) ? c : `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
}

function made(tag, text) {
  const element = document.createElement(tag);
  if (text !== undefined) element.append(text);
  return element;
}

function named(text) {
  return made("bdi", visible(text));
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

// The model.

function bytesOf(id) {
  const text = atob(at(id).textContent);
  at(id).remove();
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < bytes.length; n++) bytes[n] = text.charCodeAt(n);
  return bytes;
}

/** Return a part of onnxruntime-web: of this page, or from its address if its hash is right. */
async function part(id) {
  if (!info.runtime) return bytesOf(id);
  const [url, integrity] = info.runtime[id];
  const answer = await fetch(url, { integrity, mode: "cors", credentials: "omit" });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function load() {
  const code = URL.createObjectURL(new Blob([await part("code")], { type: "text/javascript" }));
  ort = await import(code);
  URL.revokeObjectURL(code);
  ort.env.wasm.numThreads = 1; // more need headers of a server
  ort.env.wasm.wasmBinary = (await part("wasm")).buffer;
  session = await ort.InferenceSession.create(bytesOf("model"), { executionProviders: ["wasm"] });
}

/** Return the state before the first frame. */
function zeros() {
  return Object.fromEntries(info.state.map(([name, kind, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, new ort.Tensor(kind, new KINDS[kind](size), shape)];
  }));
}

/** Return the outputs after one more frame, and the next state. */
async function step(frame, state) {
  const pixels = new ort.Tensor("uint8", frame, [info.side, info.side, 3]);
  const found = await session.run({ frame: pixels, ...state });
  const next = Object.fromEntries(Object.keys(state).map((name) => [name, found[`next_${name}`]]));
  return { logits: Array.from(found.logits.data), shares: Array.from(found.probabilities.data), next };
}

function softmax(values) {
  const most = Math.max(...values);
  const shares = values.map((value) => Math.exp(value - most));
  const sum = shares.reduce((a, b) => a + b);
  return shares.map((share) => share / sum);
}

/** Windows that begin every `stride` frames; `add` returns those that a frame is the last of. */
class Windows {
  count = 0;
  open = []; // { start, state, logits, shares }, oldest first

  async add(frame) {
    if (this.count % info.stride === 0) this.open.push({ start: this.count, state: zeros() });
    this.count++;
    for (const one of this.open) {
      const { logits, shares, next } = await step(frame, one.state);
      Object.assign(one, { logits, shares, state: next });
    }
    this.now = this.open[0].shares;
    return this.open[0].start + window_ === this.count ? [this.open.shift()] : [];
  }

  /** Return a shorter window of the remaining frames, if long enough or the only one. */
  finish() {
    if (!this.open.length) return [];
    const { start } = this.open[0];
    const covered = this.count <= start - info.stride + window_;
    return start && (covered || 2 * (this.count - start) < window_) ? [] : [this.open[0]];
  }
}

/** Return a clip's probabilities: the mean over its windows, scaled. */
function mean(windows) {
  const rows = windows.map((one) => softmax(one.logits));
  const shares = labels.map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
  const heat = info.confidence.temperature;
  return softmax(shares.map((share) => Math.log(Math.max(share, 1e-12)) / heat));
}

// Pictures, as OpenCV makes them smaller.

/** Return, for each of `to` pixels, the pixels of `from` that it covers, and their shares of it. */
function covered(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, n) => {
    const low = n * scale, high = Math.min(low + scale, from), found = [];
    for (let p = Math.floor(low); p < high - 1e-9; p++) {
      found.push([p, (Math.min(p + 1, high) - Math.max(p, low)) / (high - low)]);
    }
    return found;
  });
}

/** Return, for each of `to` pixels, the two of `from` that it lies between, and their shares. */
function between(from, to) {
  return Array.from({ length: to }, (_, n) => {
    const place = Math.min(Math.max((n + 0.5) * from / to - 0.5, 0), from - 1);
    const first = Math.floor(place);
    return [[first, 1 - place + first], [Math.min(first + 1, from - 1), place - first]];
  });
}

/** Resize pixels (height, width, 3) by shares of columns and rows. */
function resize({ width, data }, columns, rows) {
  const sums = new Float64Array(columns.length * 3);
  const out = new Uint8ClampedArray(rows.length * sums.length); // rounds to the nearest
  rows.forEach((parts, y) => {
    sums.fill(0);
    for (const [row, tall] of parts) {
      for (let x = 0, to = 0; x < columns.length; x++, to += 3) {
        for (const [column, wide] of columns[x]) {
          const from = 3 * (row * width + column), share = tall * wide;
          sums[to] += share * data[from];
          sums[to + 1] += share * data[from + 1];
          sums[to + 2] += share * data[from + 2];
        }
      }
    }
    out.set(sums, y * sums.length);
  });
  return { width: columns.length, height: rows.length, data: out };
}

/** Return a picture with half the sides. */
function halved({ width, height, data }) {
  const out = new Uint8ClampedArray(width * height * 3 / 4);
  for (let y = 0, to = 0, row = 3 * width; y < height; y += 2) {
    for (let from = y * row; from < (y + 1) * row; from += 6) {
      for (let c = from; c < from + 3; c++) {
        out[to++] = (data[c] + data[c + 3] + data[c + row] + data[c + row + 3] + 2) >> 2;
      }
    }
  }
  return { width: width / 2, height: height / 2, data: out };
}

/** Return what the model reads of a video or picture now shown: rgb (side, side, 3). */
function look(source, width, height) {
  if (!width || !height) throw new Error("it has no picture");
  if (view.width !== width || view.height !== height) Object.assign(view, { width, height });
  pen.clearRect(0, 0, width, height); // where it is transparent, the one before would stay
  pen.drawImage(source, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return new Uint8Array(shrunk({ width, height, data: rgb }).data.buffer);
}

/** Resize to a square: area averaging down, bilinear up. */
function shrunk(image) {
  const { side } = info;
  while (Math.min(image.width, image.height) > 3.5 * side
    && image.width * image.height > 16 * side * side && !(image.width % 2 || image.height % 2)) {
    image = halved(image);
  }
  if (image.width === side && image.height === side) return image;
  const how = side <= image.width && side <= image.height ? covered : between;
  return resize(image, how(image.width, side), how(image.height, side));
}

// Sources.

/** Wait for an event of the video; fails where it cannot be played. */
function until(name) {
  return new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.onerror = () => reject(new Error("this browser cannot play it"));
  });
}

async function seek(time) {
  const done = until("seeked");
  video.currentTime = time;
  await done;
}

/** Yield the picture shown at each k / fps seconds of a file, and how much of it was read. */
async function* picturesOf(file) {
  if (file.type.startsWith("image/")) {
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new Error("this browser cannot show it");
    });
    yield [look(bitmap, bitmap.width, bitmap.height), 1];
    return;
  }
  const url = URL.createObjectURL(file);
  try {
    const ready = until("loadeddata");
    video.src = url;
    await ready;
    if (!Number.isFinite(video.duration)) await seek(1e9); // a recording of a browser
    for (let k = 0; !k || k / fps + LATE < video.duration; k++) {
      await seek(k / fps + LATE);
      yield [look(video, video.videoWidth, video.videoHeight), k / fps / video.duration];
    }
  } finally {
    video.onerror = null;
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}

async function classify(file, mine) {
  const windows = new Windows(), done = [];
  for await (const [frame, share] of picturesOf(file)) {
    done.push(...await windows.add(frame));
    if (!mine.going) return null;
    at("progress").value = share;
    show(windows.now);
  }
  return mean([...done, ...windows.finish()]);
}

async function classifyAll(files, mine) {
  for (const file of files) {
    at("status").replaceChildren(named(file.name), " is read …");
    at("progress").hidden = false;
    const row = made("tr");
    try {
      const found = await classify(file, mine);
      if (!found) {
        at("status").textContent = "Stopped.";
        return;
      }
      show(found);
      const best = found.indexOf(Math.max(...found));
      row.append(made("td", named(labels[best])), made("td", percent(found[best])));
      row.dataset.probabilities = JSON.stringify(found);
    } catch (error) {
      row.append(made("td", `Not classified: ${error.message}.`), made("td", "–"));
    }
    const head = made("th", named(file.name));
    head.scope = "row";
    row.prepend(head);
    at("done").hidden = false;
    document.querySelector("#done tbody").append(row);
  }
  at("status").textContent = files.length === 1 ? "The file is read." : `${files.length} files are read.`;
}

async function watch(mine) {
  if (!navigator.mediaDevices) {
    throw new Error("A browser gives the camera only to a page that is a file, or comes by https or from localhost.");
  }
  at("status").textContent = "The browser asks for the camera …";
  const stream = await navigator.mediaDevices.getUserMedia({ video: true }).catch((error) => {
    throw new Error(`The camera cannot be used: ${error.message || error.name}.`);
  });
  try {
    video.srcObject = stream;
    await video.play();
    at("status").textContent = "The camera is read.";
    const windows = new Windows(), start = performance.now();
    for (let slot = 0; mine.going;) {
      if (stream.getVideoTracks()[0].readyState === "ended") throw new Error("The camera is gone.");
      await windows.add(look(video, video.videoWidth, video.videoHeight));
      show(windows.now);
      // Where the model is slower than the camera, samples are left out.
      slot = Math.max(slot + 1, Math.ceil((performance.now() - start) / 1000 * fps));
      const rest = start + 1000 * slot / fps - performance.now();
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    at("status").textContent = "The camera is off.";
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

// What the page shows.

function show(found) {
  at("now").hidden = false;
  const best = found.indexOf(Math.max(...found));
  at("answer").replaceChildren(named(labels[best]), ` ${percent(found[best])}`);
  document.querySelectorAll("#classes tr").forEach((row, k) => {
    row.querySelector("meter").value = found[k];
    row.lastChild.textContent = percent(found[k]);
  });
}

for (const label of labels) {
  const row = made("tr"), head = made("th", named(label)), meter = made("meter");
  head.scope = "row";
  meter.setAttribute("aria-label", visible(label));
  row.append(head, made("td", meter), made("td", ""));
  document.querySelector("#classes tbody").append(row);
}

/** Run `work` when what runs now has ended. */
async function begin(work) {
  while (run) {
    run.going = false;
    await run.ended;
  }
  const mine = { going: true };
  run = mine;
  at("stop").hidden = false;
  mine.ended = (async () => {
    try {
      await work(mine);
    } catch (error) {
      at("status").textContent = error.message;
    }
    at("progress").hidden = true;
    run = null;
    at("stop").hidden = true;
  })();
}

at("camera").onclick = () => begin(watch);
at("stop").onclick = () => {
  if (run) run.going = false;
  at("camera").focus();
};
at("files").onchange = () => {
  const files = [...at("files").files];
  at("files").value = ""; // so that the same ones can be chosen again
  if (files.length) begin((mine) => classifyAll(files, mine));
};
document.ondragover = (event) => {
  event.preventDefault();
  document.body.classList.add("over");
};
document.ondragleave = (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
};
document.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const files = [...event.dataTransfer.files];
  if (files.length && session) begin((mine) => classifyAll(files, mine));
};

load().then(
  () => {
    at("status").textContent = "Ready.";
    at("camera").disabled = at("files").disabled = false;
  },
  (error) => {
    at("status").textContent = `The model cannot be loaded: ${error.message}`;
  },
);
