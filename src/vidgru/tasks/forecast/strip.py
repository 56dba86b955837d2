"""Draw a forecast as a filmstrip: what was seen, what came, what was forecast, where it erred."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.forecast.results import Forecast, Pixels
from vidgru.video.panel import GROUND, ORANGE, WHITE, put, write
from vidgru.video.read import Image, shrink
from vidgru.video.text import draw_text

MAX_CONTEXT, MAX_PREDICTED = 4, 10  # columns
SIDE, LARGEST = 128, 160  # of a square picture in the strip, about and at most, in pixels
WIDEST = 4.0  # sides of other shapes, one to the other, at most
LARGEST_ERROR = 0.5  # of the range of pixels: from there on, one colour
PAD, TEXT = 6, 12  # between pictures; height of capitals


def film_strip(forecast: Forecast) -> Image:
    """Return a filmstrip of a forecast, rgb uint8 (H, W, 3).

    To the left are the last frames seen; beyond the gap, below each other, what really came, as
    far as that is known, what was forecast, and where that was off: black where it was right, and
    through red to pale yellow where pixels are off by half their range or more. Above each column
    stands its time from the last frame seen. Pictures have the source's shape, but sides of 1 to 4
    at most; small ones are enlarged without smoothing. Where there are many frames, some are
    picked evenly, always the last one seen, and the first and the last one forecast.
    """
    size = _cell(forecast)
    context = _pick(len(forecast.shown), MAX_CONTEXT)
    predicted = _pick(len(forecast.predicted), MAX_PREDICTED)
    known = [number for number in predicted if number < len(forecast.ground_truth)]
    rows = [("forecast", [_shown(forecast.predicted[n], size) for n in predicted])]
    if known:
        off = [np.abs(forecast.predicted[n] - forecast.ground_truth[n]).mean(axis=-1) for n in known]
        rows.insert(0, ("came", [_shown(forecast.ground_truth[n], size) for n in known]))
        rows.append(("error", [enlarge(error_colors(each), size) for each in off]))
    labels = [draw_text(name, TEXT, 20 * TEXT) for name, _ in rows]
    first = draw_text("seen", TEXT, 20 * TEXT)
    gap = max(label.shape[1] for label in labels) + 5 * PAD
    width, height = size[0] + PAD, size[1] + PAD
    left, top = first.shape[1] + 2 * PAD, round(1.7 * TEXT) + PAD
    middle = left + len(context) * width + gap
    shape = top + len(rows) * height, middle + len(predicted) * width, 3
    sheet: Image = np.full(shape, GROUND, np.uint8)
    times = [forecast.context[n] - forecast.at for n in context]
    times += [forecast.frames[n].seconds - forecast.at for n in predicted]
    starts = [left + n * width for n in range(len(context))]
    starts += [middle + n * width for n in range(len(predicted))]
    for number, (x, caption) in enumerate(zip(starts, _captions(times, forecast.fps), strict=True)):
        text = draw_text(caption, TEXT, width)
        color = WHITE if number < len(context) else ORANGE
        write(sheet, text, x + (size[0] - text.shape[1]) // 2, PAD // 2, color)
    write(sheet, first, PAD, top + (size[1] - first.shape[0]) // 2)
    for n, x in zip(context, starts, strict=False):
        put(sheet, _shown(forecast.shown[n], size), x, top)
    for row, ((name, pictures), label) in enumerate(zip(rows, labels, strict=True)):
        y = top + row * height
        color = ORANGE if name == "forecast" else WHITE
        x = middle - label.shape[1] - 2 * PAD
        write(sheet, label, x, y + (size[1] - label.shape[0]) // 2, color)
        for picture, x in zip(pictures, starts[len(context) :], strict=False):
            put(sheet, picture, x, y)
    line = middle - gap + PAD
    sheet[top:-PAD, line : line + 2] = ORANGE
    if known:
        y = top + 2 * height + (size[1] - first.shape[0]) // 2
        _write_legend(sheet[y : y + first.shape[0], left : line - PAD])
    return sheet


def _write_legend(sheet: Image) -> None:
    """Write what the colours of errors stand for, where there is room."""
    words = [draw_text(text, TEXT, 20 * TEXT) for text in ("0", "half the range")]
    bar = 10 * TEXT
    room = sheet.shape[1] - sum(word.shape[1] for word in words) - bar - 2 * PAD
    if room < 0:
        return
    x = room + words[0].shape[1] + PAD
    scale = np.broadcast_to(np.linspace(0, LARGEST_ERROR, bar), (TEXT, bar))
    put(sheet, error_colors(scale), x, (sheet.shape[0] - TEXT) // 2)
    write(sheet, words[0], room, 0)
    write(sheet, words[1], x + bar + PAD, 0)


def to_rgb(pixels: Pixels) -> Image:
    """Return pixels (..., C) from 0 to 1, with one or three channels, as rgb uint8 (..., 3)."""
    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(levels, (*levels.shape[:-1], 3))


def error_colors(off: NDArray[np.floating]) -> Image:
    """Return the colours (H, W, 3) of errors (H, W), from 0: inferno, up to half the range."""
    levels = np.rint(np.clip(off / LARGEST_ERROR, 0, 1) * 255).astype(np.uint8)
    colors: Image = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]  # blue first
    return colors


def enlarge(picture: Image, size: tuple[int, int]) -> Image:
    """Resize a small picture to (width, height) so that its pixels stay to be seen as squares."""
    height, width = picture.shape[:2]
    across, down = math.ceil(size[0] / width), math.ceil(size[1] / height)
    return shrink(picture.repeat(down, axis=0).repeat(across, axis=1), size)


def _cell(forecast: Forecast) -> tuple[int, int]:
    """Return (width, height) of pictures: the area of the model's, times a whole number."""
    side = forecast.predicted.shape[1]
    side = min(side * max(round(SIDE / side), 1), LARGEST)
    shape = min(max(forecast.width / forecast.height, 1 / WIDEST), WIDEST)
    return round(side * math.sqrt(shape)), round(side / math.sqrt(shape))


def _pick(count: int, most: int) -> list[int]:
    """Return up to so many of the numbers below count, evenly, with the first and the last."""
    return [int(n) for n in np.linspace(0, count - 1, min(count, most)).round()]


def _captions(seconds: Sequence[float], fps: float) -> list[str]:
    """Return times from the last frame seen, with as many digits as a tenth of a frame takes."""
    digits = 1
    while digits < 3 and any(abs(round(s, digits) - s) > 0.1 / fps for s in seconds):
        digits += 1
    return [f"{s:+.{digits}f} s" if s else "0 s" for s in seconds]


def _shown(pixels: Pixels, size: tuple[int, int]) -> Image:
    return enlarge(to_rgb(pixels), size)
