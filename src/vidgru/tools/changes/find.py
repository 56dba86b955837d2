"""Detect lasting changes in front of a fixed camera."""

import logging
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from vidgru.core.errors import OutputError, VideoError
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.engine.inference import each
from vidgru.tools.changes.detect import MAX_LOOKS, SIDE, ChangeDetector
from vidgru.tools.changes.persistence import LAST, Region
from vidgru.tools.changes.results import Box, Change, Changes
from vidgru.video.heat import Marked, mark_picture, read_picture, save_heat
from vidgru.video.read import Image, Source, Video, open_video, shrink
from vidgru.video.sample import log_warnings
from vidgru.video.write import write_image

log = logging.getLogger("vidgru")

SLOWEST = 4.0  # looks/s at least in a long video; a short one has MAX_LOOKS, or all frames
STAGE = "looking for changes"
STEP = 16  # looks between two reports of progress
HEAT = 256  # cells of the heat map's longer side
PICTURES = "{number:03d}-{kind}-{when}.jpg"


def detect_changes(source: Source, progress: OnProgress | None = None) -> Changes:
    """Return what changed for good in a video or folder of images, as `change_steps` finds it."""
    return run_to_end(change_steps(source), progress)


def change_steps(source: Source) -> Generator[Progress, None, Changes]:
    """Detect what changed for good before a fixed camera, yielding Progress.

    A change is for good when it lasts until the end, six looks at least, or for twelve looks (for
    a tenth of them where that is less, and eight at least). What somebody seems to bring and take
    must stay for a tenth of them, from 8 to 32, and what comes and goes bit by bit for a quarter,
    from 8 to 80. Of what was there at the beginning, four looks do. All
    pictures of a folder are looked at; of a video's frames so many that there are 320 looks, or
    four a second where that is more. A change is reported at the first look that shows it. Frames
    are read once, in order, in constant memory. Raises VideoError, OptionError.
    """
    detector = ChangeDetector()
    looked: dict[int, tuple[int, float]] = {}  # frame and time of the last looks
    changes: list[Change] = []
    looks = 0
    with open_video(source) as video:
        every = _every(video)
        # Where frames come more slowly than is declared, time decides.
        longest = (every - 0.5) / video.fps
        last, seen = -every, 0.0  # frame and time of the last look
        wanted = round((video.seconds or 0) * video.fps)
        size: tuple[int, int] | None = None
        width = height = 0

        def report(items: Iterator[Region | int]) -> None:
            for item in items:
                if isinstance(item, Region):
                    changes.append(_change(item, looked, (width, height), size or (1, 1)))
                else:
                    frame, time = looked[item]
                    log.warning(
                        "%s: the camera moves or the scene changes at frame %d (%.2f s); changes"
                        " are detected before and after it, not across.", source, frame, time,
                    )  # fmt: skip

        while (time := video.grab()) is not None:
            if video.frames_read - 1 - last < every and time - seen < longest:
                continue
            last, seen = video.frames_read - 1, time
            if size is None:
                first = video.retrieve()
                height, width = first.shape[:2]
                scale = min(SIDE / max(width, height), 1)
                size = max(round(width * scale), 1), max(round(height * scale), 1)
                look = shrink(first, size)
            else:
                look = _fitting(video, size, (width, height))
            looked[looks] = last, time
            looked.pop(looks - 2 * MAX_LOOKS, None)
            looks += 1
            report(detector.push(look))
            if looks % STEP == 0:
                yield Progress(STAGE, video.frames_read, max(wanted, video.frames_read))
        if looks < 2 * LAST:
            frames = f"{looks} frame" + "s" * (looks != 1)
            raise VideoError(
                f"{source} has only {frames}: at least {2 * LAST} are needed to detect changes."
            )
        report(detector.finish())
        info = video.info()
    log_warnings(info)
    changes.sort(key=lambda change: change.frame)
    fps = info.frames / info.seconds
    if abs(info.fps / fps - 1) < 0.01:  # times are rounded
        fps = info.fps
    if looks > -(-info.frames // every):
        every = max(1, round(info.frames / looks))
    return Changes(str(source), info.frames, fps, width, height, every, tuple(changes))


def _every(video: Video) -> int:
    """Return N, where every Nth frame is examined."""
    if Path(video.source).is_dir() or video.seconds is None:
        return max(1, round(video.fps / SLOWEST)) if not Path(video.source).is_dir() else 1
    frames = video.seconds * video.fps
    return max(1, min(int(frames / MAX_LOOKS), int(video.fps / SLOWEST)))


def _fitting(video: Video, size: tuple[int, int], whole: tuple[int, int]) -> Image:
    """Return the next look; pictures of another size than the first are stretched."""
    if not Path(video.source).is_dir():
        return video.retrieve(size)
    picture = video.retrieve()
    height, width = picture.shape[:2]
    if (width, height) != whole:
        text = f"{video.source}: the pictures differ in size, and are stretched to the first one's."
        if text not in video.warnings:
            video.warnings.append(text)
    return shrink(picture, size)


def _change(
    region: Region,
    looked: dict[int, tuple[int, float]],
    whole: tuple[int, int],
    size: tuple[int, int],
) -> Change:
    frame, time = looked[region.look]
    across, down = whole[0] / size[0], whole[1] / size[1]

    def scaled(box: tuple[int, int, int, int]) -> Box:
        x, y = round(box[0] * across), round(box[1] * down)
        right, low = round((box[0] + box[2]) * across), round((box[1] + box[3]) * down)
        return Box(x, y, max(right - x, 1), max(low - y, 1))

    before = None if region.before is None else scaled(region.before)
    sure = round(region.confidence, 3)
    return Change(frame, round(time, 3), region.kind, sure, scaled(region.box), before)


def changes_each(sources: Sequence[Path | Failure]) -> Iterator[Progress | Changes | Failure]:
    """Yield the changes in each source, or the Failure, with progress in between."""
    return each(sources, change_steps)


def save_heatmap(found: Changes, path: Path) -> Failure | None:
    """Write a picture of where changes are, or return the Failure."""
    scale = HEAT / max(found.width, found.height)
    heat = np.zeros((max(round(found.height * scale), 1), max(round(found.width * scale), 1)))
    for change in found.changes:
        for box in _boxes(change):
            x, y = int(box.x * scale), int(box.y * scale)
            heat[y : y + int(box.height * scale) + 1, x : x + int(box.width * scale) + 1] += 1
    marks = [_marked(found, change, number) for number, change in enumerate(found.changes, 1)]
    try:
        picture = read_picture(found.source, found.frames / found.fps)
        flat = [mark for both in marks for mark in both]
        save_heat(path, picture, heat, "changes", "no lasting change", flat)
    except (VideoError, OutputError) as error:
        return Failure(found.source, str(error))
    return None


def _boxes(change: Change) -> list[Box]:
    return [box for box in (change.before, change.box) if box is not None]


def _marked(found: Changes, change: Change, number: int) -> list[Marked]:
    """Return the boxes of a change; an object's old place has no label, and dashed edges."""
    return [
        Marked(
            box.x / found.width, box.y / found.height,
            box.width / found.width, box.height / found.height,
            "" if box is change.before else f"{number} {change.kind}", box is change.before,
        )
        for box in _boxes(change)
    ]  # fmt: skip


def save_images(found: Changes, folder: Path) -> Failure | None:
    """Write the last examined frame before each change and its own, with its boxes, as pictures.

    They are named <number>-<kind>-before.jpg and -after.jpg. Returns a Failure, if any.
    """
    wanted: dict[int, list[tuple[int, Change, str]]] = {}
    for number, change in enumerate(found.changes, 1):
        for frame, when in ((change.frame - found.every, "before"), (change.frame, "after")):
            wanted.setdefault(max(frame, 0), []).append((number, change, when))
    try:
        with open_video(found.source) as video:
            while wanted and video.grab() is not None:
                jobs = wanted.pop(video.frames_read - 1, ())
                picture = video.retrieve() if jobs else None
                for number, change, when in jobs:
                    if picture is not None:
                        drawn = mark_picture(picture, _marked(found, change, number))
                        name = PICTURES.format(number=number, kind=change.kind, when=when)
                        write_image(folder / name, drawn)
    except (VideoError, OutputError) as error:
        return Failure(found.source, str(error))
    return None
