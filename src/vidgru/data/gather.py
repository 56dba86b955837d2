"""Bring a folder's clips to where training can use them: read, decoded, and split."""

import hashlib
import logging
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from vidgru.config import TrainConfig
from vidgru.data.cache import Sampling, Segments
from vidgru.data.decode import Decoded, decode_clips, in_order
from vidgru.data.folder import Clip, read_folder
from vidgru.data.split import split_clips
from vidgru.data.suit import FEWEST, suit
from vidgru.errors import DataError, VideoError
from vidgru.results import Failure, Progress
from vidgru.video.facts import Facts
from vidgru.video.read import IMAGE_FOLDER_FPS, IMAGE_SUFFIXES, open_video

log = logging.getLogger("vidgru")

PROBED_CLIPS = 64

Parts = dict[str, list[Clip]]


@dataclass(frozen=True)
class Gathered:
    """Clips by part (train, val, test), what is known of each, and those that cannot be read.

    `keys` are equal for clips of equal content.
    """

    parts: Parts
    frames: dict[Clip, Segments]
    facts: dict[Clip, Facts]
    keys: dict[Clip, str]
    skipped: tuple[Failure, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted."""
        return tuple(sorted({clip.label for clip in self.parts["train"]}))


def fingerprint(data: Gathered) -> str:
    """Return a hash of which clips there are, how they are split, and each one's first frame."""
    digest = hashlib.blake2b(digest_size=20)
    for part, clips in data.parts.items():
        for clip in clips:
            segments = data.frames[clip]
            digest.update(repr((part, clip.name, clip.label, segments.shape)).encode())
            digest.update(segments[0, 0].tobytes())
    return digest.hexdigest()


def read_clips(folder: Path, config: TrainConfig) -> list[Clip]:
    """Return the clips of the folder, and of the validation folder if there is one.

    Raises DataError when there are less than two classes, or no way to split them.
    """
    clips = read_folder(folder, config.group_by)
    if config.val_folder is not None:
        held = read_folder(Path(config.val_folder))
        clips = [c if c.part == "test" else replace(c, part="train") for c in clips]
        clips += [replace(clip, part="val") for clip in held if clip.part in (None, "val")]
    labels = {clip.label for clip in clips if clip.part in (None, "train")}
    if len(labels) < 2:
        raise DataError(
            f"{folder} has only one class ({min(labels, default='')!r}); at least two are needed."
        )
    if strange := sorted({clip.label for clip in clips} - labels):
        raise DataError(
            f"The class {strange[0]!r} is validated or tested but has no training clips."
        )
    _divide(clips, config)
    return clips


def _divide(clips: list[Clip], config: TrainConfig) -> Parts:
    """Return the clips by part, as the folder says or else split now."""
    learn = [clip for clip in clips if clip.part in (None, "train")]
    held = [clip for clip in clips if clip.part == "val"]
    if not held:
        learn, held = split_clips(learn, config.val, config.seed)
    return {"train": learn, "val": held, "test": [clip for clip in clips if clip.part == "test"]}


def choose_sampling(clips: list[Clip], config: TrainConfig, side: int) -> Sampling:
    """Return frame rate and window length, asking some of the clips for what is not given.

    The window is one frame where the network reads each frame by itself, or clips have no more.
    """
    fps, frames = config.fps, config.frames
    pictures = all(clip.path.suffix.lower() in IMAGE_SUFFIXES for clip in clips)
    if config.encoder == "rows" or (pictures and frames is None and config.input in (None, "rgb")):
        frames = 1
    if pictures:
        return Sampling(fps or IMAGE_FOLDER_FPS, side, frames or FEWEST)
    if fps is None or frames is None:
        rates, seconds = [], []
        for clip in clips[:: -(-len(clips) // PROBED_CLIPS)]:
            try:
                with open_video(clip.path) as video:
                    if video.seconds is not None:
                        rates.append(video.fps)
                        seconds.append(video.seconds)
            except VideoError:
                continue  # decoding will name it
        fps, frames = suit(rates or [25.0], seconds or [2.0], fps, frames)
    return Sampling(fps, side, frames)


def gather(
    clips: list[Clip], sampling: Sampling, config: TrainConfig, quiet: bool = False
) -> Generator[Progress, None, Gathered]:
    """Decode all clips and split those that could be read.

    Raises DataError when a class has none left. What is wrong with a clip, and which are skipped,
    is told in warnings, unless `quiet`.
    """
    results: list[Decoded] = []
    for result in decode_clips(clips, sampling):
        results.append(result)
        note = f"{sum(r.from_cache for r in results)} from the cache"
        yield Progress("reading clips", len(results), len(clips), note)
    results = in_order(results)
    for result in [] if quiet else results:
        for warning in result.facts.warnings if result.facts else ():
            log.warning("%s", warning)
        if result.error:
            log.warning("Skipped: %s", result.error)
    frames = {result.clip: result.segments for result in results if result.segments is not None}
    skipped = tuple(Failure(str(r.clip.path), r.error) for r in results if r.error)
    lost = {clip.label for clip in clips} - {clip.label for clip in frames}
    if lost:
        raise DataError(
            f"No clip of the class {min(lost)!r} can be read: mend or remove them. "
            f"The first problem: {skipped[0].error}"
        )
    facts = {result.clip: result.facts for result in results if result.facts is not None}
    keys = {result.clip: result.key for result in results if result.facts is not None}
    gathered = Gathered(_divide(list(frames), config), frames, facts, keys, skipped)
    unchecked = set(gathered.labels) - {clip.label for clip in gathered.parts["val"]}
    if unchecked and not quiet:
        log.warning("No clip of the class %r is left to validate with.", min(unchecked))
    return gathered
