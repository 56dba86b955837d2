"""How many copies of clips are found, and which pairs of a set count as the same footage.

    python benchmarks/duplicates.py FOLDER... [--kinds half,mirrored] [--pairs pairs/]

Of every clip of a set, copies of each kind are encoded into a temporary folder; a kind's copies are
searched together with the originals. Then what all clips of a set may share (a black first frame, a
fade-in, a title) is put before, over or after each of them, where no pair may be reported. With
--pairs, those of the sets themselves are drawn, one picture a pair, for inspection.
"""

import argparse
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.core.results import run_to_end
from vidgru.data.cache import Segments
from vidgru.data.dataset import read_all
from vidgru.data.decode import Readings, readings_of
from vidgru.data.duplicates import Duplicate, find_duplicates
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.nn.choices import stored_side
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.video.read import open_video

Pixels = NDArray[np.uint8]
Kind = Callable[[Pixels, float], tuple[Pixels, float]]


def resized(frames: Pixels, across: float, down: float) -> Pixels:
    """Return frames with both sides scaled, and even, as codecs require."""
    height, width = frames.shape[1:3]
    size = max(16, int(width * across) // 2 * 2), max(16, int(height * down) // 2 * 2)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def brighter(frames: Pixels, fps: float) -> tuple[Pixels, float]:
    """Add contrast and brightness; the brightest is cut off."""
    return np.clip(frames * 1.15 + 12, 0, 255).astype(np.uint8), fps


COPIES: dict[str, Kind] = {
    "half": lambda frames, fps: (resized(frames, 0.5, 0.5), fps),
    "codec": lambda frames, fps: (frames, fps),
    "aspect": lambda frames, fps: (resized(frames, 4 / 3, 1), fps),
    "rate": lambda frames, fps: (frames[np.arange(0, len(frames), 1.5).astype(int)], fps / 1.5),
    "start cut": lambda frames, fps: (frames[len(frames) // 5 :], fps),
    "end cut": lambda frames, fps: (frames[: len(frames) - len(frames) // 5], fps),
    "brighter": brighter,
    "mirrored": lambda frames, fps: (frames[:, :, ::-1], fps),
    "turned": lambda frames, fps: (frames.transpose(0, 2, 1, 3)[:, :, ::-1], fps),
    "turned back": lambda frames, fps: (frames.transpose(0, 2, 1, 3)[:, ::-1], fps),
}


def fade_in(frames: Pixels, fps: float) -> tuple[Pixels, float]:
    """Come up from black within half a second."""
    gain = np.clip(np.arange(len(frames)) / (0.5 * fps), 0, 1)
    return (frames * gain[:, None, None, None]).astype(np.uint8), fps


def card(frames: Pixels, fps: float, text: str) -> Pixels:
    """Return a second of a title."""
    height, width = frames.shape[1:3]
    picture = np.full((height, width, 3), (90, 40, 20), np.uint8)
    cv2.putText(picture, text, (width // 8, height // 2), 0, width / 300, (255, 255, 255), 1)
    return picture[None].repeat(max(1, round(fps)), axis=0)


def pillarbox(frames: Pixels, fps: float) -> tuple[Pixels, float]:
    """Put bars at both sides of the first frame."""
    boxed = frames.copy()
    edge = frames.shape[2] // 6
    boxed[0, :, :edge] = boxed[0, :, -edge:] = 0
    return boxed, fps


def stamped(frames: Pixels, fps: float) -> tuple[Pixels, float]:
    """Write the running time into a corner."""
    done = frames.copy()
    scale = frames.shape[2] / 400
    for number, frame in enumerate(done):
        place = 4, frames.shape[1] - 6
        cv2.putText(frame, f"{number / fps:07.2f}", place, 0, scale, (255, 255, 255), 2)
    return done, fps


SHARED: dict[str, Kind] = {
    "black first frame": lambda frames, fps: (np.concatenate([frames[:1] * 0, frames]), fps),
    "fade-in": fade_in,
    "title": lambda f, fps: (np.concatenate([card(f, fps, "Experiment"), f]), fps),
    "end card": lambda f, fps: (np.concatenate([f, card(f, fps, "The end")]), fps),
    "pillarboxed first frame": pillarbox,
    "running time": stamped,
}


def decode(clip: Clip) -> tuple[Pixels, float]:
    """Return all bgr frames of a clip and its frames/s."""
    with open_video(clip.path) as video:
        return np.stack([frame.rgb for frame in video])[..., ::-1], video.fps


def encode(path: Path, frames: Pixels, fps: float, codec: str = "mp4v") -> None:
    """Write bgr frames as a video."""
    height, width = (length // 2 * 2 for length in frames.shape[1:3])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    for frame in frames[:, :height, :width]:
        writer.write(np.ascontiguousarray(frame))
    writer.release()


def read(clips: list[Clip]) -> Readings:
    """Read clips as `check` does."""
    sampling = choose_sampling(
        clips, ClassifyTrainConfig(), stored_side(ClassifyTrainConfig().side)
    )
    return readings_of(run_to_end(read_all(clips, sampling)))


def search(data: Readings) -> tuple[list[Duplicate], float]:
    """Return the pairs found and the CPU seconds of the search."""
    start = time.process_time()
    found = find_duplicates(list(data.frames), data.frames, data.keys)
    return found, time.process_time() - start


def copies(clips: list[Clip], kind: str, make: Kind, folder: Path) -> list[Clip]:
    """Encode a copy of each clip and return them; they are kept for the next run."""
    codec, suffix = ("VP80", ".webm") if kind == "codec" else ("mp4v", ".mp4")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for clip in clips:
        path = folder / f"{clip.name.replace('/', '_')}{suffix}"
        if not path.exists():
            encode(path, *make(*decode(clip)), codec)
        made.append(Clip(path, f"{kind}/{clip.name}", clip.label))
    return made


def draw(path: Path, pair: Duplicate, frames: dict[Clip, Segments]) -> None:
    """Write frames of both clips, one row each."""
    rows = []
    for clip in (pair.first, pair.second):
        every = frames[clip].reshape(-1, *frames[clip].shape[2:])
        rows.append(np.concatenate(list(every[np.linspace(0, len(every) - 1, 10).astype(int)]), 1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def measure(source: Path, args: argparse.Namespace, work: Path) -> None:
    """Print a set's own pairs, and those found among copies of each kind."""
    folders = any(path.is_dir() for path in source.iterdir())
    clips = read_source(source, labelled=folders)
    clips = clips[:: max(1, len(clips) // args.most)]
    data = read(clips)
    itself, seconds = search(data)
    print(f"\n{source.name}: {len(data.frames)} clips, {len(itself)} pairs, {seconds:.2f} s")
    for number, pair in enumerate(itself):
        print(f"    {pair.first.name} = {pair.second.name}{', certain' if pair.certain else ''}")
        if args.pairs:
            args.pairs.mkdir(parents=True, exist_ok=True)
            draw(args.pairs / f"{source.name}_{number}.png", pair, dict(data.frames))
    known = {frozenset((p.first.name, p.second.name)) for p in itself}
    for kind in args.kinds:
        make = COPIES.get(kind) or SHARED[kind]
        made = copies(clips, kind, make, work / source.name / kind)
        data = read(made if kind in SHARED else [*clips, *made])
        pairs, seconds = search(data)
        names = {clip.name: clip.name.removeprefix(f"{kind}/") for clip in data.frames}
        mine = [p for p in pairs if names[p.first.name] == names[p.second.name]]
        sure = sum(pair.certain for pair in mine)
        rest = {frozenset((names[p.first.name], names[p.second.name])) for p in pairs} - known
        new = len(rest - {frozenset((clip.name,)) for clip in clips})
        share = "" if kind in SHARED else f"found {len(mine)} of {len(made)}, {sure} certain; "
        print(f"  {kind:24s}{share}false pairs {new}; {seconds:.2f} s", flush=True)


def main() -> None:
    """Measure the sets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--kinds", type=lambda t: t.split(","), default=[*COPIES, *SHARED])
    parser.add_argument("--most", type=int, default=1000, help="clips of a set, evenly taken")
    parser.add_argument("--work", type=Path, help="where copies are kept for the next run")
    parser.add_argument("--pairs", type=Path, help="folder for pictures of the sets' own pairs")
    args = parser.parse_args()
    logging.getLogger("vidgru").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        work = args.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for folder in args.folders:
            measure(folder.resolve(), args, work)


if __name__ == "__main__":
    main()
