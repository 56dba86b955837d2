"""Draw things into pictures, blobs and letters over blotches: for benchmarks/made_sets.py."""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.float32]
Vector = NDArray[np.float64]
Thing = tuple[Image, Image]  # its colours, and a soft mask of where it is

SCALE = 2  # pictures are drawn this much larger, then averaged down: smooth sub-pixel motion
HALF, REACH = 60, 48  # half the side of an object's own canvas, and its radius there


def texture(rng: Generator, height: int, width: int, cells: int, contrast: float) -> Image:
    """Return smooth random blotches around zero, in grey with some colour."""
    shape = max(3, round(cells * height / width)), cells
    grid = rng.uniform(-contrast, contrast, (*shape, 1)) + rng.normal(0, contrast / 4, (*shape, 3))
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def seen_against(rng: Generator, light: float) -> list[float]:
    """Return a colour that stands out from a ground of that mean."""
    bright = light < 105 or (light < 140 and rng.uniform() < 0.5)
    mean = rng.uniform(light + 75, 245) if bright else rng.uniform(0, light - 70)
    return [float(value) for value in np.clip(mean + rng.uniform(-35, 35, 3), 0, 255)]


def soft(colours: Image, mask: Image) -> Thing:
    """Return both, the mask with a soft edge."""
    return colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)[..., None]


def blob(rng: Generator) -> Thing:
    """Return a random polygon or blob in two very different colours, so that its turning shows."""
    around = np.linspace(0, 2 * math.pi, rng.choice([3, 4, 5, 6, 90, 90]), endpoint=False)
    radius = np.ones_like(around)
    for waves in (2, 3, 4):
        radius += rng.uniform(0.02, 0.18) * np.cos(waves * around + rng.uniform(0, 2 * math.pi))
    corners = np.stack([np.cos(around), np.sin(around)], axis=1) * (radius / radius.max())[:, None]
    mask = np.zeros((2 * HALF, 2 * HALF), np.float32)
    cv2.fillPoly(mask, [np.rint(corners * REACH + HALF).astype(np.int32)], 1.0)
    patches = texture(rng, *mask.shape, int(rng.integers(4, 6)), 100)[..., :1]
    share = 1 / (1 + np.exp((np.median(patches[mask > 0.5]) - patches) / 12))
    light, dark = rng.uniform(170, 250, 3), rng.uniform(5, 80, 3)
    return soft((share * light + (1 - share) * dark).astype(np.float32), mask)


def letter(rng: Generator, text: str, light: float) -> Thing:
    """Return a letter in a random font and weight."""
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
    font, weight = fonts[rng.integers(len(fonts))], int(rng.integers(5, 13))
    (wide, high), _ = cv2.getTextSize(text, font, 1.0, 1)
    zoom = 1.6 * REACH / high
    mask = np.zeros((2 * HALF, 2 * HALF), np.float32)
    corner = round(HALF - wide * zoom / 2), round(HALF + high * zoom / 2)
    cv2.putText(mask, text, corner, font, zoom, 1.0, weight)
    colour = np.array(seen_against(rng, light), np.float32)
    return soft(texture(rng, *mask.shape, 5, 25) + colour, mask)


def lay(picture: Image, thing: Thing, at: Vector, size: float, angle: float) -> None:
    """Draw an object of that radius in pixels, turned clockwise by an angle, on the picture."""
    zoom = SCALE * size / REACH
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([turn, SCALE * at - turn @ (HALF, HALF)])
    shape = picture.shape[1], picture.shape[0]
    colours = cv2.warpAffine(thing[0], matrix, shape, borderMode=cv2.BORDER_REPLICATE)
    picture += (colours - picture) * cv2.warpAffine(thing[1], matrix, shape)[..., None]
