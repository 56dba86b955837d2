"""The camera's motion, from the motion of the picture's contents."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.results import Camera, Heading

Array = NDArray[np.float64]

STILL = 0.015  # widths/s: slower mean motion of the picture is not the camera's
SLACK = 0.4  # of the camera's speed, by which a cell may be off and yet move with it,
SPREAD = 1.0  # and of the cell's spread, likewise
UNSURE = 0.02  # minimum spread of a cell, widths/s
BORDER = 2.0  # weight of a cell at the border
AGREE = 0.5  # of the picture that a motion of the camera explains, at least;
CLEARLY = 0.35  # this much is enough where it is twice what stands still
EXPLAINED = 0.7  # of the motion there, that it explains
# Or that share of the picture moves at all, that share of it alike,
WIDELY, ALIKE, CLOSELY = 0.2, 0.5, 0.4  # to this share of the speed,
LONG, BROAD = 0.82, 0.35  # and it extends so far in both directions, of the whole side
TIGHT = 0.15  # in place of SLACK, to choose between motions
PAIRS, ROUNDS = 96, 6


class Similarity(NamedTuple):
    """Motion of a picture's contents about its centre, for each of some frames: (frames,) each.

    x, y: pixels/s; zoom: growth a second, as a natural logarithm; turn: radians/s clockwise.
    """

    x: Array
    y: Array
    zoom: Array
    turn: Array


@lru_cache(maxsize=8)
def _pairs(grid: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells of some pairs that lie far apart, always the same."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, grid * grid, (2, 8 * PAIRS))
    distance = np.hypot(a // grid - b // grid, a % grid - b % grid)
    far = np.flatnonzero(distance >= grid / 2)[:PAIRS]
    return a[far], b[far]


class View(NamedTuple):
    """Positions of a grid's cells from the picture's centre, in pixels, and their weights."""

    grid: int
    width: int
    height: int
    x: Array  # (cells,)
    y: Array
    border: Array

    @classmethod
    def of(cls, grid: int, width: int, height: int) -> "View":
        """Return the view for `grid` cells a side over a picture of such a size."""
        middles = (np.arange(grid) + 0.5) / grid - 0.5
        y, x = np.meshgrid(height * middles, width * middles, indexing="ij")
        border = np.full((grid, grid), BORDER)
        border[1:-1, 1:-1] = 1
        return cls(grid, width, height, x.ravel(), y.ravel(), border.ravel())

    def flow(self, moved: Similarity) -> Array:
        """Return the velocity (..., cells, 2) of each cell under a motion (...)."""
        px, py, zoom, turn = (part[..., None] for part in moved)
        return np.stack(
            [px + zoom * self.x - turn * self.y, py + zoom * self.y + turn * self.x], -1
        )


def lengths(vectors: Array) -> Array:
    """Return the lengths (...) of vectors (..., 2)."""
    # Not np.hypot, which takes twice as long: speeds are far from overflow.
    return np.asarray(np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2))


def _through_pairs(view: View, velocity: Array) -> Similarity:
    """Return the motions (frames, pairs) that explain the velocities of two cells each."""
    a, b = _pairs(view.grid)
    dx, dy = view.x[a] - view.x[b], view.y[a] - view.y[b]
    dv = velocity[:, a] - velocity[:, b]
    square = dx**2 + dy**2
    zoom = (dv[..., 0] * dx + dv[..., 1] * dy) / square
    turn = (dv[..., 1] * dx - dv[..., 0] * dy) / square
    px = velocity[:, a, 0] - zoom * view.x[a] + turn * view.y[a]
    py = velocity[:, a, 1] - zoom * view.y[a] - turn * view.x[a]
    return Similarity(px, py, zoom, turn)


def _fit(view: View, velocity: Array, weight: Array) -> Similarity:
    """Return the motion (frames,) with the least weighted squares, in closed form."""
    total = weight.sum(-1)
    share = weight / np.maximum(total, 1e-12)[:, None]  # (F, cells)
    mx, my = share @ view.x, share @ view.y
    mean = (share[..., None] * velocity).sum(1)  # (F, 2)
    x, y = view.x - mx[:, None], view.y - my[:, None]
    v = velocity - mean[:, None]
    square = np.maximum((share * (x**2 + y**2)).sum(-1), 1e-12)
    zoom = (share * (v[..., 0] * x + v[..., 1] * y)).sum(-1) / square
    turn = (share * (v[..., 1] * x - v[..., 0] * y)).sum(-1) / square
    return Similarity(mean[:, 0] - zoom * mx + turn * my, mean[:, 1] - zoom * my - turn * mx,
                      zoom, turn)  # fmt: skip


def fit_camera(view: View, velocity: Array, spread: Array) -> tuple[Similarity, NDArray[np.bool_]]:
    """Return how the contents of a picture move as a whole in each frame, and which cells do.

    velocity (frames, cells, 2) and spread (frames, cells) are in pixels/s. Either most of the
    picture moves alike, or what moves at all does so and extends far over the picture: plain areas
    show no motion, whatever the camera does.
    """
    trust = view.border / (spread + UNSURE * view.width)
    trust = trust / trust.sum(-1, keepdims=True)
    slack = STILL * view.width + SPREAD * spread  # (F, cells)
    moved, agrees = _common(view, velocity, trust, slack)
    left = (agrees * lengths(view.flow(moved) - velocity) ** 2).sum(-1)
    there = (agrees * lengths(velocity) ** 2).sum(-1)
    agreeing, still = agrees.sum(-1), (trust * (lengths(velocity) <= slack)).sum(-1)
    most = (agreeing > AGREE) | (agreeing > np.maximum(CLEARLY, 2 * still))
    moves = most & (left < (1 - EXPLAINED) * there)
    going = lengths(velocity) > STILL * view.width + 0.5 * spread
    enough = going.mean(-1) >= WIDELY
    if not (enough & ~moves).any():
        return moved, moves
    share = going / np.maximum(going.sum(-1, keepdims=True), 1)
    other, _ = _common(view, velocity, share, slack)
    expected = view.flow(other)
    agrees = share * (lengths(expected - velocity) <= CLOSELY * lengths(expected))
    across, down = _extent(view.x, agrees, view.width), _extent(view.y, agrees, view.height)
    wide = (np.maximum(across, down) >= LONG) & (np.minimum(across, down) >= BROAD)
    wide &= enough & ~moves & (agrees.sum(-1) >= ALIKE)
    wide &= lengths(np.stack([other.x, other.y], -1)) >= STILL * view.width
    moved = Similarity(*(np.where(wide, o, m) for o, m in zip(other, moved, strict=True)))
    return moved, moves | wide


def _extent(places: Array, weight: Array, side: int) -> Array:
    """Return the extent of weights (F, cells), 1 for that of cells all over a side."""
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-9)
    mean = weight @ places
    apart = np.sqrt(np.maximum(weight @ places**2 - mean**2, 0))
    return np.asarray(apart * np.sqrt(12) / side)


def _common(view: View, velocity: Array, trust: Array, slack: Array) -> tuple[Similarity, Array]:
    """Return the motion that most cells agree with, by trust, and the trust (F, cells) of those.

    Of the motions through pairs of cells, the one with which most agrees (Fischler and Bolles,
    RANSAC, 1981, always with the same pairs) is refined by least squares with Tukey's weights.
    """
    tried = _through_pairs(view, velocity)
    tried = Similarity(*(np.pad(part, ((0, 0), (1, 0))) for part in tried))  # first: still
    expected = view.flow(tried)  # (F, pairs + 1, cells, 2)
    off = lengths(expected - velocity[:, None])
    bound = slack[:, None] + TIGHT * lengths(expected)  # or fast motions would agree with all
    score = (trust[:, None] * np.maximum(1 - (off / bound) ** 2, 0)).sum(-1)
    best = score.argmax(1)[:, None]
    moved = Similarity(*(np.take_along_axis(part, best, 1)[:, 0] for part in tried))
    for _ in range(ROUNDS):
        expected = view.flow(moved)
        off = lengths(expected - velocity)
        bound = slack + SLACK * lengths(expected)
        # Where cells agree well, what is off by much more is an object.
        usual = _medians(off, (off < bound) & (trust > 0))
        bound = np.clip(6 * usual, STILL * view.width / 4, bound)
        moved = _fit(view, velocity, trust * np.maximum(1 - (off / bound) ** 2, 0) ** 2)
    expected = view.flow(moved)
    off = lengths(expected - velocity)
    return moved, trust * (off <= slack + SLACK * lengths(expected))


def _medians(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the medians (F, 1) of the chosen values of rows (F, N), 0 where none are.

    `np.nanmedian` gives the same, and takes a third of the time of all that follows decoding.
    """
    ordered = np.sort(np.where(chosen, values, np.inf), -1)
    count = chosen.sum(-1, keepdims=True)
    low, high = (
        np.take_along_axis(ordered, n, -1) for n in (np.maximum(count - 1, 0) // 2, count // 2)
    )
    return np.where(count > 0, (low + high) / 2, 0)


def heading(x: float, y: float, width: int) -> Heading:
    """Return the direction of a velocity in pixels/s, in a picture of such a width."""
    speed = float(np.hypot(x, y))
    degrees = float(np.degrees(np.arctan2(x, -y))) % 360
    return Heading(degrees % 360, speed, speed / width)


def camera_motion(view: View, moved: Similarity) -> Camera:
    """Return the camera's motion, from that of the contents; components too slow are none."""
    x, y, zoom, turn = (float(part.mean()) for part in moved)
    least, radius = STILL * view.width, float(np.hypot(view.x, view.y).mean())
    pan = heading(-x, -y, view.width) if np.hypot(x, y) >= least else None
    factor = float(np.exp(np.clip(zoom, -20, 20))) if abs(zoom) * radius >= least else 1.0
    return Camera(pan, factor, -float(np.degrees(turn)) if abs(turn) * radius >= least else 0.0)
