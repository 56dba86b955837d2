"""Clips that a model was not trained on, to evaluate it."""

import logging
import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.core.results import Failure, Progress
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.annotations.read import is_more_background
from vidgru.data.cache import Sampling, content_of
from vidgru.data.dataset import read_all
from vidgru.data.decode import Decoded, readings_of, say_problems
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.engine.model_file import SHIPPED
from vidgru.engine.run_folder import FIRST_FOLD, KnownClips, read_split

log = logging.getLogger("vidgru")


@dataclass(frozen=True)
class HeldOut:
    """Decoded clips of one part of a folder, those left out, and those that could not be read."""

    part: str
    clips: tuple[Decoded, ...]
    trained_on: int | None
    validated_on: int
    skipped: tuple[Failure, ...]


def choose_part(
    clips: Sequence[Clip],
    config: AnnotationConfig = AnnotationConfig(),  # noqa: B008
) -> tuple[str, list[Clip]]:
    """Return the part of a folder to evaluate on, "all" if it has none, and its clips.

    The videos of --background-videos, which lie elsewhere, are always among them.
    """
    part = next((p for p in ("test", "val") if any(clip.part == p for clip in clips)), None)
    chosen = [c for c in clips if part in (None, c.part) or is_more_background(c, config)]
    return part or "all", chosen


def decode_held_out(
    part: str, clips: list[Clip], folder: Path, model: Path, sampling: Sampling
) -> Generator[Progress, None, HeldOut]:
    """Decode clips, and leave out those that a model was trained on; raises DataError."""
    # The models that come with vidgru learned from generated videos only.
    own = model.parent == SHIPPED
    split = KnownClips({}, {}) if own else read_split(model.parent)
    if split is None:
        log.warning(
            "There is no split.csv beside %s: which clips it was trained on is unknown, and these "
            "are not left out.",
            model,
        )
    results = yield from read_all(clips, sampling)
    say_problems(results)
    skipped = readings_of(results).skipped
    readable = [result for result in results if result.segments is not None]
    if not readable:
        raise DataError(f"No clip in {folder} can be read. The first problem: {skipped[0].error}")
    was = [part_of(split, result) for result in readable]
    held_out = [result for result, where in zip(readable, was, strict=True) if where != "train"]
    trained_on = len(readable) - len(held_out)
    if not held_out:
        other = model.parent / FIRST_FOLD
        advice = (
            f", or --model {shlex.quote(str(other))}, which held some out" if other.is_dir() else ""
        )
        raise DataError(
            f"The model was trained on all clips in {folder} ({trained_on}): give other clips"
            f"{advice}."
        )
    if trained_on:
        log.warning(
            "Left out %d of %d clips: the model was trained on them.", trained_on, len(readable)
        )
    if chosen_on := was.count("val"):
        log.warning(
            "These clips (%d of %d) validated the training, so the figures may be too optimistic.",
            chosen_on,
            len(held_out),
        )
    if split is not None and (
        near := sum("train" in split.parts(result.video) for result in held_out)
    ):
        log.warning(
            "%d of %d clips are cut from videos that the model was trained on, at other times: the"
            " figure is too optimistic.",
            near,
            len(held_out),
        )
    known = None if split is None else trained_on
    return HeldOut(part, tuple(held_out), known, chosen_on, skipped)


def decode_held_out_videos(
    folder: Path, model: Path, sampling: Sampling
) -> Generator[Progress, None, HeldOut]:
    """Like `decode_held_out`, for the part to evaluate on of a folder without classes."""
    part, clips = choose_part(read_source(folder, labelled=False))
    return (yield from decode_held_out(part, clips, folder, model, sampling))


def part_of(split: KnownClips | None, result: Decoded) -> str | None:
    """Return the part of a training that a clip was in; None where that is unknown."""
    if split is None:
        return None
    clip = result.clip
    return split.part(content_of(result.key), result.video, clip.start, clip.end)
