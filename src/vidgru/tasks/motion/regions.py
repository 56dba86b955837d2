"""The parts of a picture that flow alike apart from the camera, and their boxes.

Positions and velocities are complex numbers, x + y i, in pixels of the source.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLURRED = 0.35  # of a neighbour's speed: flow at the border of a thing is a mix
LINKED = 2  # cells: parts of a thing that are no farther apart are one
ALIKE = 0.7  # cosine of the angle between flows of one thing
SMALLEST = 3.0  # cells
FITS = 3  # of a thing's motion to its cells, in turns with which of them show it:
CORE = 0.8  # from this share of it on
ROUND = 1.0  # cells: a part of this radius is taken to spin half as fast as it seems to
EXPLAINED = 0.5  # of its flow: less is no motion in one piece
SHARPER = 1.5  # times: how fast a thing ends, for how fast its flow does, which is blurred


class RestFlow(NamedTuple):
    """Flow apart from the camera on a fine grid, where things may be, and where known ones may."""

    rest: NDArray[np.complex128]  # (F, F), pixels/s
    camera: NDArray[np.complex128]
    there: Mask
    faint: Mask
    clear: bool  # whether it shows what moves
    width: int
    height: int

    @property
    def side(self) -> int:
        """Cells of the grid a side."""
        return len(self.rest)

    def places(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.complex128]:
        """Return the middles of cells (N,), in pixels."""
        x, y = (columns + 0.5) * self.width, (rows + 0.5) * self.height
        return np.asarray((x + 1j * y) / self.side)

    def cells(self, pixels: complex) -> tuple[float, float]:
        """Return pixels as numbers of cells across and down."""
        return pixels.real * self.side / self.width, pixels.imag * self.side / self.height


class Part(NamedTuple):
    """What is measured of a thing in one frame: its box's corners, motion, and area in cells.

    The velocity is that of the middle of its box, about which it spins, in rad/s.
    """

    low: complex
    high: complex
    velocity: complex
    spin: float
    area: float

    @property
    def centre(self) -> complex:
        """The middle of its box."""
        return (self.low + self.high) / 2


def as_complex(vectors: Map) -> NDArray[np.complex128]:
    """Return vectors (..., 2) as complex numbers (...)."""
    return np.asarray(vectors[..., 0] + 1j * vectors[..., 1])


def measure_part(flow: RestFlow, mask: Mask) -> Part:
    """Return what the cells of a mask show, to parts of a cell."""
    rest, places = flow.rest[mask], flow.places(*np.nonzero(mask))
    weights, along = np.abs(rest), np.ones(len(rest))
    for _ in range(FITS):
        middle, velocity, spin = _fit(rest, places, weights, flow)
        expected = velocity + 1j * spin * (places - middle)
        along = (rest * expected.conjugate()).real / np.maximum(np.abs(expected) ** 2, 1e-9)
        weights = np.abs(rest) * ((along >= CORE) & (along <= 1 / CORE))
        if not weights.any():
            break
    # What does not move in one piece, as what grows, fills its cells.
    if np.abs(expected).mean() < EXPLAINED * np.abs(rest).mean():
        along = np.ones(len(rest))
    filled = np.zeros(mask.shape)
    filled[mask] = np.clip(1 - SHARPER * (1 - along), 0, 1)
    left, right = _ends(filled.max(0))
    top, bottom = _ends(filled.max(1))
    scale_x, scale_y = flow.width / flow.side, flow.height / flow.side
    low, high = complex(left * scale_x, top * scale_y), complex(right * scale_x, bottom * scale_y)
    velocity += 1j * spin * ((low + high) / 2 - middle)
    return Part(low, high, velocity, spin, float(filled.sum()))


def _fit(
    rest: NDArray[np.complex128], places: NDArray[np.complex128], weights: Map, flow: RestFlow
) -> tuple[complex, complex, float]:
    """Return the middle of cells, their velocity there, and how they spin about it, in rad/s.

    By least squares, with spins of small parts near zero.
    """
    total = weights.sum()
    middle, velocity = complex(weights @ places / total), complex(weights @ rest / total)
    off = places - middle
    cell = abs(complex(flow.width, flow.height)) / flow.side
    square = weights @ np.abs(off) ** 2 + total * (ROUND * cell) ** 2
    return middle, velocity, float(((weights * off.conjugate()) @ rest).imag / square)


def _ends(filled: Map) -> tuple[float, float]:
    """Return where a row of partly filled cells begins and ends."""
    places = np.flatnonzero(filled)
    first, last = int(places[0]), int(places[-1])
    return first + 1 - float(filled[first]), last + float(filled[last])


def at_border(part: Part, flow: RestFlow) -> bool:
    """Return whether a part reaches the picture's border, which may cut it."""
    cell = complex(flow.width, flow.height) / flow.side
    return (
        part.low.real < cell.real or part.low.imag < cell.imag
        or part.high.real > flow.width - cell.real or part.high.imag > flow.height - cell.imag
    )  # fmt: skip


def find_parts(flow: RestFlow) -> list[Mask]:
    """Return the parts of a picture whose cells flow alike and lie together."""
    there, rest = flow.there, flow.rest
    count = there.size
    if not there.any():
        return []
    labels = np.where(there, np.arange(count).reshape(there.shape), count)
    speed = np.maximum(np.abs(rest), 1e-9)
    links = []
    for down in range(LINKED + 1):
        for across in range(-LINKED if down else 1, LINKED + 1):
            a, b = _shifted(down, across)
            cosine = (rest[a] * rest[b].conjugate()).real / (speed[a] * speed[b])
            ratio = np.minimum(speed[a], speed[b]) / np.maximum(speed[a], speed[b])
            linked = there[a] & there[b] & (cosine >= ALIKE) & (ratio >= BLURRED)
            links.append((a, b, linked))
    while True:
        before = labels.copy()
        for a, b, linked in links:
            lowest = np.where(linked, np.minimum(labels[a], labels[b]), count)
            np.minimum(labels[a], lowest, out=labels[a])
            np.minimum(labels[b], lowest, out=labels[b])
        if (labels == before).all():
            break
    numbers, counts = np.unique(labels[there], return_counts=True)
    return [labels == number for number in numbers[counts >= SMALLEST]]


def _shifted(down: int, across: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the cells of a grid, and those so far from them, where both lie in it."""
    rows = slice(None, -down or None), slice(down, None)
    left, right = slice(None, -abs(across) or None), slice(abs(across), None)
    a, b = (left, right) if across >= 0 else (right, left)
    return (rows[0], a), (rows[1], b)
