"""Videos of textured layers and shapes whose motion is known for every pixel, from a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.video.read import Image

Numbers = NDArray[np.float64]
Matrix = Numbers  # (3, 3), homogeneous
Place = Callable[[float], Matrix]  # where a layer is at a time

KINDS = ("constant", "accelerating", "bouncing", "turning", "stopping")
CAMERAS = ("still", "pan", "zoom", "turn", "shake")
PATTERNS = ("noise", "fine", "stripes", "checks", "blots")
STAGES = 8  # of a shape that stops and goes on
SPRITE = 160  # pixels a side of a shape's picture


@dataclass(frozen=True)
class Layer:
    """A picture with opacity, and the matrix that brings it into the frame at each time.

    rgba: uint8 (h, w, 4). `place(t)` maps its coordinates, from -1 to 1, to those of the frame: x
    from 0 to 1 and y from 0 to the height, both in frame widths.
    """

    rgba: NDArray[np.uint8]
    place: Place


@dataclass(frozen=True)
class Scene:
    """Layers, the farthest first; `kinds` are the motions of the shapes, `camera` that of all."""

    layers: tuple[Layer, ...]
    aspect: float  # height / width
    camera: str
    kinds: tuple[str, ...]


def _noise(rng: np.random.Generator, side: int, slope: float) -> Numbers:
    """Return noise (side, side) with a spectrum that falls with frequency ** -slope, 0 to 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * frequency**-slope
    values = np.fft.irfft2(spectrum, (side, side))
    low, high = np.quantile(values, [0.02, 0.98])
    scaled: Numbers = ((values - low) / (high - low)).clip(0, 1)
    return scaled


def _color(rng: np.random.Generator) -> Numbers:
    color = rng.uniform(0, 255, 3)
    grey = color.mean()
    # Most objects are not very colourful.
    mixed: Numbers = grey + (color - grey) * rng.uniform(0.1, 1)
    return mixed


def texture(rng: np.random.Generator, side: int) -> Image:
    """Return a random texture, rgb uint8 (side, side, 3): noise, stripes, checks, blots or plain.

    Two random colours are mixed by a pattern; a second pattern of less contrast lies over it.
    """
    pattern: Numbers = np.zeros((side, side))
    y, x = np.mgrid[:side, :side] / side
    for weight in (1.0, rng.uniform(0, 0.5)):
        kind = rng.choice(PATTERNS, p=[0.4, 0.2, 0.1, 0.1, 0.2])
        if kind in ("noise", "fine"):
            layer = _noise(rng, side, rng.uniform(0.9, 1.8) if kind == "noise" else 0.5)
        elif kind == "stripes":
            angle, waves = rng.uniform(0, math.pi), rng.uniform(3, 12)
            bent = 0.3 * _noise(rng, side, 1.8)
            layer = 0.5 + 0.5 * np.sin(
                2 * math.pi * waves * (x * math.cos(angle) + y * math.sin(angle) + bent)
            )
        elif kind == "checks":
            count = rng.integers(3, 12)
            layer = ((x * count // 1 + y * count // 1) % 2).astype(np.float64)
        else:
            blots = _noise(rng, side, rng.uniform(1.2, 2)) > rng.uniform(0.3, 0.7)
            layer = blots.astype(np.float64)
        pattern += weight * layer
    pattern = (pattern - pattern.min()) / max(float(np.ptp(pattern)), 1e-9)
    first, second = _color(rng), _color(rng)
    mixed = first + (second - first) * pattern[..., None]
    mixed = (mixed + rng.normal(0, 2, mixed.shape)).clip(0, 255)
    return mixed.astype(np.uint8)


def shape(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random textured shape, rgba uint8: an ellipse, a polygon or a wavy blob."""
    kind = rng.choice(["ellipse", "polygon", "blob"])
    angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    if kind == "polygon":
        count = int(rng.integers(3, 8))
        corners = (
            np.sort(rng.uniform(0, 2 * math.pi, count))
            if rng.random() < 0.5
            else (np.arange(count) * 2 * math.pi / count)
        )
        points = np.stack([np.cos(corners), np.sin(corners)], 1) * rng.uniform(0.7, 1, (count, 1))
    else:
        radius = np.full(64, 0.95)
        if kind == "blob":
            for wave in range(2, 6):
                radius += rng.normal(0, 0.12) * np.cos(wave * angles + rng.uniform(0, 6.3))
        points = np.stack([radius * np.cos(angles), radius * np.sin(angles)], 1)
    points[:, 1] *= rng.uniform(0.5, 1)
    points /= np.abs(points).max() * 1.05
    alpha = np.zeros((SPRITE, SPRITE), np.uint8)
    corners_px = np.round((points + 1) / 2 * SPRITE * 16).astype(np.int32)
    cv2.fillPoly(alpha, [corners_px], 255, cv2.LINE_AA, 4)
    painted = texture(rng, SPRITE)
    if rng.random() < 0.3:  # nearly plain, as many objects are
        painted = (painted * 0.15 + painted.mean((0, 1)) * 0.85).astype(np.uint8)
    return np.dstack([painted, alpha])


def _affine(x: float, y: float, scale: float, angle: float = 0.0) -> Matrix:
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1.0]])


def _path(
    rng: np.random.Generator, kind: str, radius: float, aspect: float, seconds: float
) -> Callable[[float], tuple[float, float]]:
    """Return the path of a shape's middle, as (x, y) by time, in frame widths."""
    x0, y0 = rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85) * aspect
    speed = math.exp(rng.uniform(math.log(0.04), math.log(0.7)))
    angle = rng.uniform(0, 2 * math.pi)
    vx, vy = speed * math.cos(angle), speed * math.sin(angle)
    if kind == "turning":
        turn = rng.choice([-1, 1]) * math.exp(rng.uniform(math.log(0.6), math.log(4)))  # rad/s
        bend = min(speed / abs(turn), 0.4)
        return lambda t: (
            x0 + bend * (math.cos(angle + turn * t) - math.cos(angle)),
            y0 + bend * (math.sin(angle + turn * t) - math.sin(angle)),
        )
    if kind == "stopping":  # and going on, or back
        times = np.cumsum([0, *rng.uniform(0.3, 1.5, STAGES)])
        pace = [1, *rng.choice([0, 1, -1], STAGES - 1, p=[0.5, 0.25, 0.25])]
        way = np.cumsum([0, *(np.diff(times) * pace)])
        return lambda t: (
            x0 + vx * float(np.interp(t, times, way)),
            y0 + vy * float(np.interp(t, times, way)),
        )
    if kind == "accelerating":
        gain = rng.uniform(0.3, 1.0) * rng.choice([-1, 1])
        away = rng.uniform(0, 2 * math.pi) if rng.random() < 0.5 else angle
        ax, ay = gain * speed * math.cos(away), gain * speed * math.sin(away)
        x0, y0 = x0 - vx * seconds / 3, y0 - vy * seconds / 3
        return lambda t: (x0 + vx * t + ax * t * t / 2, y0 + vy * t + ay * t * t / 2)
    if kind == "bouncing":
        left, right = radius * 0.9, 1 - radius * 0.9
        top, bottom = radius * 0.9, max(aspect - radius * 0.9, radius * 0.9 + 0.05)
        return lambda t: (_bounce(x0 + vx * t, left, right), _bounce(y0 + vy * t, top, bottom))
    x0, y0 = x0 - vx * seconds / 3, y0 - vy * seconds / 3
    return lambda t: (x0 + vx * t, y0 + vy * t)


def _bounce(value: float, low: float, high: float) -> float:
    way = (value - low) % (2 * (high - low))
    return low + min(way, 2 * (high - low) - way)


def _camera(rng: np.random.Generator, kind: str, aspect: float) -> Place:
    """Return where the world is in the frame at a time: the inverse of the camera's own motion."""
    middle, back = _affine(0.5, aspect / 2, 1), _affine(-0.5, -aspect / 2, 1)
    speed = math.exp(rng.uniform(math.log(0.03), math.log(0.5)))
    angle = rng.uniform(0, 2 * math.pi)
    share = {"pan": 1.0, "shake": 1.0, "still": 0.0}.get(kind, 0.3 * (rng.random() < 0.3))
    vx, vy = share * speed * math.cos(angle), share * speed * math.sin(angle)
    rate = rng.uniform(0.03, 0.3) * rng.choice([-1, 1]) if kind == "zoom" else 0.0
    turn = rng.uniform(0.05, 0.6) * rng.choice([-1, 1]) if kind == "turn" else 0.0
    waves = rng.uniform(0.2, 0.8)

    def place(t: float) -> Matrix:
        along = math.sin(2 * math.pi * waves * t) / (2 * math.pi * waves) if kind == "shake" else t
        moved = _affine(vx * along, vy * along, math.exp(rate * t), turn * t)
        matrix: Matrix = middle @ moved @ back
        return matrix

    return place


def make_scene(
    rng: np.random.Generator,
    seconds: float,
    *,
    kinds: tuple[str, ...] = KINDS,
    camera: str | None = None,
    aspect: float | None = None,
    most: int | None = None,
) -> Scene:
    """Return a random scene: a background, up to four shapes (or `most`) that move in `kinds`.

    Left out, the camera is still two times in five, and does one of `CAMERAS` else.
    """
    if aspect is None:
        aspect = float(rng.choice([0.5625, 0.75, 1.0, 1.7778], p=[0.45, 0.3, 0.15, 0.1]))
    if camera is None:
        camera = str(rng.choice(CAMERAS, p=[0.45, 0.25, 0.1, 0.1, 0.1]))
    world = _camera(rng, camera, aspect)
    # The ground is mirrored beyond its borders, so that no camera reaches its end.
    extent = rng.uniform(0.7, 1.6)
    ground = texture(rng, 384)
    layers = [
        Layer(
            np.dstack([ground, np.full(ground.shape[:2], 255, np.uint8)]),
            lambda t: world(t) @ _affine(0.5, aspect / 2, extent),
        )
    ]
    count = int(rng.integers(1, 5)) if camera == "still" else int(rng.integers(0, 4))
    count = count if most is None else min(count, most)
    moves = []
    for _ in range(count):
        kind = str(rng.choice(kinds))
        radius = math.exp(rng.uniform(math.log(0.06), math.log(0.28)))
        way = _path(rng, kind, min(radius, 0.45 * min(1, aspect)), aspect, seconds)
        spin = rng.uniform(-1.5, 1.5) if rng.random() < 0.25 else 0.0
        start = rng.uniform(0, 2 * math.pi)
        # Shapes bounce off the frame's borders in the moving picture, not in the world.
        seen = (lambda t: np.eye(3)) if kind == "bouncing" else world

        def place(
            t: float,
            way: Callable[[float], tuple[float, float]] = way,
            radius: float = radius,
            spin: float = spin,
            start: float = start,
            seen: Place = seen,
        ) -> Matrix:
            matrix: Matrix = seen(t) @ _affine(*way(t), radius, start + spin * t)
            return matrix

        layers.append(Layer(shape(rng), place))
        moves.append(kind)
    return Scene(tuple(layers), aspect, camera, tuple(moves))


@dataclass(frozen=True)
class Shot:
    """Frames uint8 (T, H, W, 3) and, for each pixel except in the first, where it came from.

    velocity: float32 (T, H, W, 2), in widths/s and heights/s, since the frame before.
    """

    frames: Image
    velocity: NDArray[np.float32]


def render(scene: Scene, fps: float, frames: int, size: tuple[int, int], fine: int = 1) -> Shot:
    """Return a scene as frames of `size` (width, height) with the true motion of every pixel.

    A frame's motion is that of its contents, from their place one frame before. Pictures
    are drawn `fine` times as large, and averaged.
    """
    width, height = size
    to_pixels = np.diag([width, height / scene.aspect, 1.0])
    pictures = np.empty((frames, height, width, 3), np.uint8)
    velocity = np.zeros((frames, height, width, 2), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    here = np.stack([x.ravel(), y.ravel(), np.ones(x.size, np.float32)]).astype(np.float64)
    scale = np.array([width, height]) / fps
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    for k in range(frames):
        now, before = k / fps, (k - 1) / fps
        drawn = np.zeros((fine * height, fine * width, 3), np.float32)
        for number, layer in enumerate(scene.layers):
            rows, columns = layer.rgba.shape[:2]
            # From the layer's pixels, whose middles are at halves, to its own coordinates.
            own = np.diag([2 / columns, 2 / rows, 1.0])
            own[:2, 2] = 1 / columns - 1, 1 / rows - 1
            matrix = to_pixels @ layer.place(now)
            enlarged = shift @ np.diag([fine, fine, 1.0]) @ matrix @ own
            border = cv2.BORDER_CONSTANT if number else cv2.BORDER_REFLECT_101
            seen = _warp(layer.rgba, enlarged[:2], (fine * width, fine * height), border)
            alpha = seen[..., 3:].astype(np.float32) / 255
            drawn += (seen[..., :3] - drawn) * alpha
            if k:
                back = to_pixels @ layer.place(before) @ np.linalg.inv(matrix)
                moved = (here - back @ here)[:2].T / scale  # in shares of the frame a second
                covers = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).ravel() > 0.5
                velocity[k].reshape(-1, 2)[covers] = moved[covers]
        small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        pictures[k] = np.clip(np.rint(small), 0, 255)
    return Shot(pictures, velocity)


def _warp(picture: NDArray[np.uint8], matrix: Matrix, size: tuple[int, int], border: int) -> Image:
    """Return a picture brought into the frame; where it shrinks, it is averaged first."""
    shrink = 1 / max(math.sqrt(abs(np.linalg.det(matrix[:, :2]))), 1e-6)
    if shrink > 1.5:
        rows, columns = picture.shape[:2]
        small = max(int(columns / shrink), 1), max(int(rows / shrink), 1)
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        back = np.diag([columns / small[0], rows / small[1], 1.0])
        back[:2, 2] = (back[0, 0] - 1) / 2, (back[1, 1] - 1) / 2
        matrix = matrix @ back
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)  # type: ignore[return-value]
