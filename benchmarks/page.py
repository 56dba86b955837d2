"""Compare the page of `vidgru export --standalone --ort-web` with `vidgru predict`, in Chromium.

Each clip is stored as .webm and .mp4, which a browser plays; both read the same files. It prints
how far the probabilities are apart, and for how many files the classes are the same. It needs
ffmpeg, Chromium, the extra `test`, and the npm package onnxruntime-web.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import vidgru
from vidgru.data.folder import read_folder

CODECS = {
    ".webm": ["-c:v", "libvpx", "-b:v", "4M"],
    ".mp4": ["-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"],
}
READ = """() => [...document.querySelectorAll("#done tbody tr")].map((row) => [
  ...[...row.cells].map((cell) => cell.textContent), row.dataset.probabilities ?? null])"""


def converted(clips: list[Path], folder: Path) -> list[Path]:
    """Store clips as a browser plays them, with even sides."""
    found = []
    for number, clip in enumerate(clips):
        for suffix, codec in CODECS.items():
            path = folder / f"{number}{suffix}"
            command = ["ffmpeg", "-v", "error", "-i", str(clip), "-an"]
            even = ["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2"]
            subprocess.run([*command, *even, *codec, str(path)], check=True)
            found.append(path)
    return found


def answers_of(page: Path, videos: list[Path]) -> list[dict[str, str | list[float]]]:
    """Return what the page, opened as a file without a network, shows for each video."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, timeout=120_000)
        opened = browser.new_context(offline=True).new_page()
        opened.set_default_timeout(600_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(page.as_uri())
        opened.wait_for_selector("#files:enabled")
        opened.set_input_files("#files", [str(video) for video in videos])
        opened.wait_for_selector("#stop", state="hidden")
        rows = opened.evaluate(READ)
        browser.close()
    if complaints:
        sys.exit("\n".join(complaints))
    return [
        {"label": label, "probabilities": json.loads(shares or "[]")}
        for _, label, _, shares in rows
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run folder of a classifier")
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("ort_web", type=Path, help="folder of the npm package onnxruntime-web")
    parser.add_argument("--count", type=int, default=20, help="clips")
    given = parser.parse_args()
    clips = [clip.path for clip in read_folder(given.clips)]
    clips = clips[:: max(1, len(clips) // given.count)][: given.count]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = folder / "place"
        command = [sys.executable, "-m", "vidgru", "export", str(given.run)]
        command += ["--standalone", str(place), "--ort-web", str(given.ort_web)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        videos = converted(clips, folder)
        found = answers_of(place / "classify.html", videos)
        model, same, apart = vidgru.load(given.run), 0, 0.0
        for video, answer in zip(videos, found, strict=True):
            wanted = model.predict(video)
            same += answer["label"] == wanted.label
            pairs = zip(answer["probabilities"], wanted.probabilities, strict=True)
            difference = max(abs(a - b) for a, b in pairs)
            print(f"{clips[int(video.stem)]} {video.suffix}: {answer['label']} {difference:.4f}")
            apart = max(apart, difference)
    print(f"{same} of {len(videos)} classes the same, probabilities up to {apart:.4f} apart")
    if same < len(videos):
        sys.exit(1)


if __name__ == "__main__":
    main()
