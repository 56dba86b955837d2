"""Write the files of an explanation."""

import json
from collections.abc import Generator
from pathlib import Path

from vidgru.core.errors import OutputError
from vidgru.core.files import write_bytes
from vidgru.core.results import Progress
from vidgru.tasks.classify.explain.figure import write_figure, write_summary_figure
from vidgru.tasks.classify.explain.heat import HeatVideo
from vidgru.tasks.classify.explain.report import STRIP, shown_frames, write_page
from vidgru.tasks.classify.explain.results import Explanation, Summary
from vidgru.video.info import VideoInfo
from vidgru.video.read import Image, shrink
from vidgru.video.redraw import redraw
from vidgru.video.sample import sample_frames

NAME = "explanation"
SUFFIXES = (".json", ".html", ".png", ".mp4")
SIDE = 480  # pixels of the longer side of pictures that are kept


def paths_in(folder: Path) -> list[Path]:
    """Return the files of an explanation in a folder."""
    return [folder / f"{NAME}{suffix}" for suffix in SUFFIXES]


def summary_paths_in(folder: Path) -> list[Path]:
    """Return the files of a summary in a folder."""
    return [folder / "summary.json", folder / "summary.png"]


def save_steps(
    found: Explanation,
    source: Path,
    folder: Path,
    model: Path,
    fps: float,
    end: float | None = None,
) -> Generator[Progress, None, list[Path]]:
    """Write explanation.json, .html, .png and .mp4 into a folder; return their paths.

    end: where, in seconds, the explained stretch ends, None for the end of the source. A source of
    one frame has no video. Raises VideoError, OutputError.
    """
    paths = paths_in(folder)
    write_bytes(paths[0], (json.dumps(found.to_dict()) + "\n").encode())
    numbers = shown_frames(len(found.seconds))
    pictures = []
    start = found.seconds[0]
    frames = sample_frames(source, fps, start=start, end=end, report=_reported)
    for number, frame in enumerate(frames):
        if number in numbers:
            pictures.append(_fitted(frame.rgb))
        yield Progress("Saving", number, 2 * len(found.seconds))
    if len(pictures) != len(numbers):
        raise OutputError(f"Cannot write {paths[1]}: {source} has changed while it was read.")
    write_page(paths[1], found, model, pictures)
    few = len(pictures) - 1
    chosen = sorted({round(n * few / max(STRIP - 1, 1)) for n in range(STRIP)})
    write_figure(paths[2], found, [pictures[n] for n in chosen], [numbers[n] for n in chosen])
    if len(found.seconds) == 1:
        paths[3].unlink(missing_ok=True)  # an earlier one would be of another source
        return paths[:3]
    video = HeatVideo(found, fps)
    seconds = found.seconds[-1] + 1 / fps - start
    yield from redraw(source, paths[3], lambda size: video.draw, seconds, start, end)
    return paths


def _reported(info: VideoInfo) -> None:
    """Problems of the source were reported when it was explained."""


def _fitted(picture: Image) -> Image:
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    return shrink(picture, (max(round(width * scale), 1), max(round(height * scale), 1)))


def save_summary(found: Summary, folder: Path) -> list[Path]:
    """Write summary.json and summary.png into a folder; return their paths. Raises OutputError."""
    paths = summary_paths_in(folder)
    write_bytes(paths[0], (json.dumps(found.to_dict()) + "\n").encode())
    write_summary_figure(paths[1], found)
    return paths
