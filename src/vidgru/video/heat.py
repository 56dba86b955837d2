"""Draw where things moved, as colours on a picture of the video."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import OptionError, VideoError
from vidgru.core.files import replacing
from vidgru.video.panel import DARK, WHITE, Panel, text_height
from vidgru.video.read import Image, shrink
from vidgru.video.sample import sample_frames
from vidgru.video.text import draw_text

SUFFIX = ".png"
LATEST = 10.0  # seconds
SMALLEST, LARGEST = 480, 1280  # pixels across
HIGHEST = 2560  # pixels
OPAQUE = 0.85  # at most


class Marked(NamedTuple):
    """A box to draw, its corner and sides as shares of the picture's sides, and words for it.

    `dashed` are the edges of a place that something left.
    """

    x: float
    y: float
    width: float
    height: float
    words: str
    dashed: bool = False


def check_picture(path: Path) -> None:
    """Raise OptionError unless a picture can be written to a path of this name."""
    if path.suffix.lower() != SUFFIX:
        raise OptionError(f"Cannot write {path}: the name of the picture must end with {SUFFIX}.")


def read_picture(source: str | Path, seconds: float) -> Image:
    """Return the frame in the middle of a source of so many seconds, as rgb uint8 (H, W, 3).

    The first one is often black or a title. Of more than 20 s it is the one at 10 s, since all
    before it is read. It has at most 1280 x 2560 pixels. Raises VideoError.
    """
    start = min(seconds / 2, LATEST)
    for time in (start, 0.0):  # the length that is told may be wrong
        for frame in sample_frames(
            source, 1.0, start=time, end=time + 0.5, report=lambda info: None
        ):
            return _fitted(frame.rgb, 1)
    raise VideoError(f"Cannot read {source}: it has no frames.")


def _fitted(picture: Image, least: int) -> Image:
    """Return a picture that is at least so many pixels wide, but not too large."""
    height, width = picture.shape[:2]
    scale = min(max(least / width, 1), LARGEST / width, HIGHEST / height)
    if scale == 1:
        return picture
    return shrink(picture, (max(round(width * scale), 1), max(round(height * scale), 1)))


def save_heat(
    path: Path,
    picture: Image,
    heat: NDArray[np.floating],
    unit: str = "px/s",
    nothing: str = "nothing moves",
    boxes: Sequence[Marked] = (),
) -> None:
    """Write a PNG of a picture with colours for how fast what moves in it.

    `picture` is rgb uint8 (H, W, 3); `heat` (rows, columns) is the speed in each cell of a grid
    over it, in pixels/s of the source, and 0 where nothing moves. Colours (matplotlib's inferno,
    even for the eye and safe for colour-blind people) are the more opaque the faster it is, and a
    bar beside the picture tells their speeds. Where all is 0, it is the plain picture and says so.
    The picture has its own size, but 480 to 1280 pixels across and at most 2560 high, and lies in
    the upper left corner. Heat of something else has another `unit`, and other words for
    `nothing`; `boxes` are drawn upon it. Raises OptionError for another suffix, and OutputError.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    check_picture(path)
    shown = _fitted(picture, SMALLEST)
    down, across = shown.shape[:2]
    text = text_height((across, down))
    heat = np.nan_to_num(heat.astype(np.float32), nan=0, posinf=0, neginf=0)
    most = float(heat.max())
    # Below a very flat picture, white.
    rows, columns = max(down, 9 * text), max(across + (8 * text if most > 0 else 0), 9 * text)
    # Half a pixel more, since matplotlib rounds down.
    figure = Figure(figsize=((columns + 0.5) / 100, (rows + 0.5) / 100), dpi=100)
    sheet: Image = np.full((rows, columns, 3), 255, np.uint8)
    if most > 0:
        colors = colormaps["inferno"](np.linspace(0, 1, 256))
        colors[:, 3] = OPAQUE * np.linspace(0, 1, 256) ** 0.5
        scale, table = Normalize(0, most), ListedColormap(colors)
        smooth = cv2.resize(heat, (across, down), interpolation=cv2.INTER_CUBIC)
        layer = table(scale(smooth))  # (H, W, 4)
        grey = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY)[..., None]
        opacity = layer[..., 3:]
        sheet[:down, :across] = np.rint(grey * (1 - opacity) + 255 * layer[..., :3] * opacity)
        # In pixels: room for the unit above, and for half a number below.
        left, low, thick = (across + text) / columns, text / rows, 1.2 * text / columns
        bar = figure.add_axes((left, low, thick, 1 - 4 * text / rows))
        bar.set_facecolor("0.5")
        ticks = MaxNLocator(min(rows // (4 * text), 5), steps=[1, 2, 5, 10])
        figure.colorbar(ScalarMappable(scale, table), cax=bar, ticks=ticks, format="%g")
        font = 0.72 * text / 0.73
        bar.set_title(unit, fontsize=font, loc="left", pad=0.72 * text)
        bar.tick_params(labelsize=font)
    else:
        sheet[:down, :across] = shown
        band = Panel(columns, round(1.8 * text))
        band.write(draw_text(nothing, text, columns), text // 2)
        band.seal().put(sheet, 0, 0)
    for mark in boxes:
        _draw_box(sheet[:down, :across], mark, text)
    figure.figimage(sheet, zorder=-1)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _draw_box(picture: Image, mark: Marked, text: int) -> None:
    """Draw a box and its words, which stand above it, or in it where there is no room."""
    down, across = picture.shape[:2]
    left, right = (round(x * across) for x in (mark.x, mark.x + mark.width))
    top, low = (round(y * down) for y in (mark.y, mark.y + mark.height))
    thick = max(text // 8, 1)
    corners = (left, top), (right - 1, low - 1)
    cv2.rectangle(picture, *corners, DARK, 3 * thick)
    light = np.zeros((down, across), np.uint8)
    cv2.rectangle(light, *corners, 1, thick)
    if mark.dashed:
        light &= np.add.outer(np.arange(down), np.arange(across)) // (4 * thick) % 2 == 0
    picture[light > 0] = WHITE
    if not mark.words:
        return
    letters = draw_text(mark.words, text, across)
    panel = Panel(min(letters.shape[1] + text // 2, across), min(round(1.5 * text), down))
    panel.write(letters, text // 4)
    high, wide = panel.color.shape[:2]
    panel.seal().put(
        picture,
        max(min(left, across - wide), 0),
        max(top - high - thick if top - high - thick >= 0 else min(top, down - high), 0),
    )


def mark_picture(picture: Image, marks: Sequence[Marked]) -> Image:
    """Return a copy of rgb uint8 (H, W, 3) with boxes drawn on it."""
    drawn = picture.copy()
    for mark in marks:
        _draw_box(drawn, mark, text_height((picture.shape[1], picture.shape[0])))
    return drawn
