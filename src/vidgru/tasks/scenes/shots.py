"""Shots from clips, and clips joined to one video with known boundaries."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np

from vidgru.data.augment import Frames
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.transitions import SHORTEST
from vidgru.video.cuts import mark_cuts
from vidgru.video.read import Frame

TOO_SHORT = "Clips left out: %d. They have fewer than the %d frames of a scene; the first is %s."


def shots_of(segments: Iterable[Frames]) -> list[Frames]:
    """Return the parts between hard cuts of a clip's segments, but none of less than SHORTEST."""
    shots = []
    for segment in segments:
        frames = (Frame(rgb, float(number), number) for number, rgb in enumerate(segment))
        starts = [frame.index for frame, new in mark_cuts(frames) if new]
        shots += [segment[start:end] for start, end in pairwise([*starts, len(segment)])]
    return [shot for shot in shots if len(shot) >= SHORTEST]


def joined(clips: Sequence[Frames], over: int) -> Iterator[Frames]:
    """Yield the frames uint8 (S, S, 3) of clips in order, each dissolved into the next.

    over: frames of a dissolve, in which both clips continue; 0 for hard cuts. Clips are longer than
    two dissolves. Linear, as assumed by `boundaries_of`.
    """
    before: Frames | None = None
    for number, clip in enumerate(clips):
        if before is not None:
            for step in range(over):
                share = np.float32((step + 1) / (over + 1))
                mixed = before[step] + share * (clip[step].astype(np.float32) - before[step])
                yield np.rint(mixed).astype(np.uint8)
        stop = len(clip) - (over if number < len(clips) - 1 else 0)
        yield from clip[over if before is not None else 0 : stop]
        before = clip[stop:]


def boundaries_of(lengths: Sequence[int], over: int) -> list[Boundary]:
    """Return where `joined` goes from one clip to the next; lengths: frames of each."""
    kind = "dissolve" if over else "cut"
    ends = list(accumulate(length - over for length in lengths[:-1]))
    return [Boundary(end + (over + 1) // 2, kind, 1.0, end, end + over) for end in ends]
