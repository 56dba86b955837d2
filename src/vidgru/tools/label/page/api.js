// Requests to the server, which alone knows files; all that comes from it is text or pictures.

export const SIZES = [160, 320, 640, 960, 1280, 1920];
const tab = crypto.randomUUID();

export class Refused extends Error {}

async function sentenceOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text;
  }
}

export async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Refused(await sentenceOf(response));
  return response;
}

export async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ by: tab, ...body }),
  });
  if (!response.ok) throw new Refused(await sentenceOf(response));
  return response.json();
}

export function isOwn(by) {
  return by === tab || by === "";
}

// Calls take(number, blob) for frames first, first + step ...; a damaged one has no blob.
export async function frames(video, numbers, size, { ahead = 0, key = 0, signal } = {}, take) {
  const { first, count, step = 1 } = numbers;
  const query = new URLSearchParams({ first, count, step, size, ahead, key });
  const response = await fetch(`/videos/${video}/frames?${query}`, { signal });
  if (!response.ok) throw new Refused(await sentenceOf(response));
  const reader = response.body.getReader();
  let rest = new Uint8Array(0);
  let number = first;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest);
    joined.set(value, rest.length);
    rest = joined;
    while (rest.length >= 4) {
      const length = new DataView(rest.buffer, rest.byteOffset).getUint32(0, true);
      if (rest.length < 4 + length) break;
      const data = rest.slice(4, 4 + length);
      rest = rest.subarray(4 + length);
      const blob = length ? new Blob([data], { type: "image/jpeg" }) : null;
      if ((await take(number, blob)) === false) {
        await reader.cancel();
        return;
      }
      number += step;
    }
  }
}
