"""What `vidgru label` takes: exact frames, time from a key to its picture, memory, keys a segment.

    python benchmarks/label.py exact
    python benchmarks/label.py keys VIDEO
    python benchmarks/label.py memory FOLDER
    python benchmarks/label.py person [--seconds 600]

`exact` writes films whose frames show their numbers and asks for 200 random frames of each. `keys`
measures in Chromium, for steps of a frame, a second and ten, and counts what playing drops.
`memory` sends 10,000 requests about the videos of a folder. `person` draws two videos of events,
lets a script label 30 in the first by keys, trains, and accepts suggestions in the second.
"""

import argparse
import csv
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import made_events
import numpy as np
from playwright.sync_api import Page, sync_playwright

from vidgru.tools.label.frames import FrameSource
from vidgru.tools.label.options import LabelConfig
from vidgru.tools.label.serve import serving
from vidgru.video.find import find_videos
from vidgru.video.seek import FrameIndex, open_frames

COUNT, BITS, ASKED = 900, 10, 200
PRESS = """async ([key, shiftKey, ctrlKey]) => {
  const picture = document.getElementById("picture");
  const begun = performance.now();
  const shown = new Promise((done) => {
    picture.addEventListener("shown", () => done(performance.now() - begun), { once: true });
    setTimeout(() => done(null), 10000);
  });
  const event = new KeyboardEvent("keydown", { key, shiftKey, ctrlKey, bubbles: true });
  document.body.dispatchEvent(event);
  return await shown;
}"""
UNTIL = """(frame) => new Promise((done) => {
  const picture = document.getElementById("picture");
  const look = () =>
    Number(picture.dataset.frame) >= frame ? done() : requestAnimationFrame(look);
  look();
})"""


def numbered(number: int) -> Any:
    """Return a frame that shows its number as black and white blocks."""
    frame = np.full((48, 32 * BITS, 3), 90, np.uint8)
    for bit in range(BITS):
        frame[:, 32 * bit : 32 * bit + 32] = 235 if number >> bit & 1 else 20
    frame[36:, number % 300 : number % 300 + 12] = 128
    return frame


def number_in(image: Any) -> int:
    """Return the number that a frame shows."""
    means = image[:24].reshape(24, BITS, 32, 3).mean((0, 2, 3))
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 128)


def write(path: Path, codec: str, *, even: bool = True, **options: str) -> Path:
    """Write a film of numbered frames; not `even`: at a variable rate."""
    rng, stamp = random.Random(0), 0
    with av.open(path, "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 32 * BITS, 48, "yuv420p"
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(numbered(number)).reformat(format="yuv420p")
            frame.pts, stamp = stamp, stamp + (1 if even else rng.randint(1, 4))
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def exact() -> None:
    """Ask for random frames of several kinds of sources."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in range(COUNT):
            cv2.imwrite(str(folder / "images" / f"{number}.png"), numbered(number))
        sources = [
            write(folder / "b-frames.mp4", "libx264", bf="3", g="120"),
            write(folder / "vp9.webm", "libvpx-vp9", deadline="realtime", g="120"),
            write(folder / "variable.mkv", "libx264", even=False, bf="3", g="120"),
            write(folder / "mpeg4.avi", "mpeg4", bf="2", qscale="2"),
            write(folder / "h264.avi", "libx264", bf="3", g="120"),
            folder / "images",
        ]
        for source in sources:
            index, rng = FrameIndex(source), random.Random(7)
            for _ in index.read():
                pass
            reader = open_frames(index)
            numbers = [rng.randrange(COUNT) for _ in range(ASKED)]
            right = sum(number_in(reader.image(number)) == number for number in numbers)
            reader.close()
            print(f"{source.name}: {right} of {ASKED}, {len(index.times)} frames", flush=True)


@contextmanager
def opened(source: Path, out: Path, classes: str = "a") -> Iterator[Page]:
    """Open the page of some videos in Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    config = LabelConfig(out=str(out), classes=classes)
    with serving(find_videos(source), config) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program)
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        begun = time.monotonic()
        page.goto(address)
        page.wait_for_selector("#picture[data-frame]")
        print(f"first picture after {time.monotonic() - begun:.2f} s")
        yield page
        chromium.close()


def keys(video: Path) -> None:
    """Measure the time from a key to its picture, and what playing drops."""
    with tempfile.TemporaryDirectory() as folder, opened(video, Path(folder) / "l.csv") as page:
        page.wait_for_timeout(2000)
        rng, taken = random.Random(3), list[float]()
        for _ in range(200):
            how = rng.choice([(False, False), (False, False), (True, False), (False, True)])
            key = "ArrowLeft" if rng.random() < 0.3 else "ArrowRight"
            taken.append(page.evaluate(PRESS, [key, *how]))
            page.wait_for_timeout(300)
        print(f"key to picture: median {statistics.median(taken):.0f} ms, worst {max(taken):.0f}")
        page.keyboard.press("Space")
        page.wait_for_timeout(20_000)
        page.keyboard.press("Space")
        found = page.evaluate("({...document.getElementById('picture').dataset})")
        print(f"20 s of playing: {found['drawn']} drawn, {found['dropped']} dropped")


def memory(folder: Path) -> None:
    """Ask for 10,000 frames of all videos, and print the most memory held meanwhile."""
    videos = [path for path in find_videos(folder) if isinstance(path, Path)]
    frames, rng = FrameSource(videos), random.Random(0)
    video = 0
    for number in range(10_001):
        video = rng.randrange(len(videos)) if number % 10 == 0 else video
        count = max(frames.describe(video)["frames"], 1)
        frames.picture(video, rng.randrange(count), rng.choice([160, 640, 960]))
        if number % 2000 == 0:
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{number} requests: at most {held:.0f} MB", flush=True)
    frames.close()


def person(seconds: float) -> None:
    """Label 30 events by keys, train, and accept suggestions in a second video."""
    home = Path(tempfile.mkdtemp())
    os.chdir(home)
    Path("films").mkdir()
    for number, long in enumerate((seconds, seconds / 3)):
        made_events.draw(Path(f"films/{number}.mp4"), (5, number), long, (2.0, 4.0))
    with open("films/events.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in made_events.CLASSES]
    first = [row for row in rows if row["path"] == "0.mp4"][:30]
    Path("films/events.csv").unlink()
    with opened(Path("films"), Path("labels.csv"), ",".join(made_events.CLASSES)) as page:
        page.select_option("#speed", "2")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Space")
        pressed = 1
        for row in first:
            page.evaluate(UNTIL, round(25 * float(row["start"])))
            digit = str(1 + made_events.CLASSES.index(row["label"]))
            page.keyboard.down(digit)
            page.evaluate(UNTIL, round(25 * float(row["end"])))
            page.keyboard.up(digit)
            pressed += 1
        page.keyboard.press("Space")
        page.wait_for_timeout(500)
        page.keyboard.press("f")
        pressed += 2
        print(f"{pressed / len(first):.2f} keys a segment in the first video")
        begun = time.monotonic()
        page.click("#learn")
        page.wait_for_selector("#cancel:not([hidden])")
        page.wait_for_selector("#cancel", state="hidden", timeout=3_600_000)
        print(f"{time.monotonic() - begun:.0f} s to train and suggest: {home}")
        print(page.inner_text("#accuracy"), page.inner_text("#job"))
        page.keyboard.press("PageDown")
        page.wait_for_selector("#suggested .suggestion")
        page.keyboard.press("a")
        page.wait_for_timeout(1500)
        pressed = 2
        while page.locator("#suggested .suggestion").count() and pressed < 1000:
            page.keyboard.press("Enter")
            page.wait_for_timeout(300)
            pressed += 1
    with open("labels.csv", newline="") as file:
        second = [row for row in csv.DictReader(file) if row["path"] == "films/1.mp4"]
    wanted = sum(row["path"] == "1.mp4" for row in rows)
    named = sum(row["label"] != "none" for row in second)
    print(f"{pressed / max(named, 1):.2f} keys a segment in the second video: {named} of {wanted}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["exact", "keys", "memory", "person"])
    parser.add_argument("source", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    if options.what in ("keys", "memory") and options.source is None:
        parser.error(f"{options.what} needs a video or folder")
    if options.what == "exact":
        exact()
    elif options.what == "person":
        person(options.seconds)
    else:
        (keys if options.what == "keys" else memory)(options.source)


if __name__ == "__main__":
    main()
