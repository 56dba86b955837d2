"""The few fixed views of a picture that a picture encoder gets, in place of random ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidgru.engine.looks import Pixels
from vidgru.video.read import shrink

CROP = 0.8  # share of width and height
# Mirrored or not, and the corner that a crop keeps (0 at the left or top, 1 at the other end).
VIEWS: tuple[tuple[bool, tuple[int, int] | None], ...] = (
    (False, None),
    (True, None),
    (False, (0, 0)),
    (True, (1, 1)),
)
CLOSE = 0.95  # a random view that shows less of the picture than this times the usual is a crop


def fixed_view(images: Sequence[Pixels], number: int) -> list[Pixels]:
    """Return one of VIEWS of pictures uint8 (S, S, 3)."""
    mirrored, corner = VIEWS[number]
    if corner is not None:
        images = [_cropped(image, corner) for image in images]
    return [np.ascontiguousarray(image[:, ::-1]) if mirrored else image for image in images]


def _cropped(image: Pixels, corner: tuple[int, int]) -> Pixels:
    side = len(image)
    kept = round(CROP * side)
    left, top = ((side - kept) * place for place in corner)
    part = image[top : top + kept, left : left + kept]
    return shrink(part, (side, side))


def nearest_view(view: NDArray[np.float32], usual: float) -> int:
    """Return which of VIEWS is most like a random view (2, 3), as `data.augment` has them.

    usual: the share of width and height that a straight view shows.
    """
    area = float(np.linalg.det(view[:, :2]))
    return int(area < 0) + 2 * int(abs(area) ** 0.5 < CLOSE * usual)
