"""Draw a contact sheet: a small picture of each scene, with its number and time."""

import math
from collections.abc import Sequence

import numpy as np

from vidgru.core.text import timecode
from vidgru.video.panel import GROUND, ORANGE, WHITE, put, write
from vidgru.video.read import Image
from vidgru.video.text import draw_text

MAX_SCENES = 120  # scenes of a sheet
SHAPE = 16 / 9  # of the sheet, about, as far as it has many scenes
AREA = 240 * 135  # pixels of a picture, about,
MIN_WIDTH = 144  # and pixels across, for a number and a time under it
NARROWEST, WIDEST = 0.4, 4.0  # shapes of pictures, width to height
PAD, TEXT = 8, 12  # between pictures; height of capitals
ROW = round(1.7 * TEXT) + PAD  # of text


def pick(count: int) -> list[int]:
    """Return which of so many scenes a sheet shows: all, or 120 evenly from first to last."""
    return [int(n) for n in np.linspace(0, count - 1, min(count, MAX_SCENES)).round()]


def thumbnail_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of small pictures of a source, about as many pixels for all."""
    shape = min(max(width / height, NARROWEST), WIDEST)
    across = max(math.sqrt(AREA * shape), MIN_WIDTH)
    return round(across), round(across / shape)


def contact_sheet(
    pictures: Sequence[Image], captions: Sequence[tuple[int, float]], title: str, note: str
) -> Image:
    """Return pictures of one size in a grid, rgb uint8 (H, W, 3).

    Under each stand its number, in orange, and its time from (number, seconds). Above all stand the
    title, which is cut where it is too long, and a note.
    """
    height, width = pictures[0].shape[:2]
    across, down = width + PAD, height + ROW + PAD
    columns = min(max(round(math.sqrt(len(pictures) * SHAPE * down / across)), 1), len(pictures))
    rows = math.ceil(len(pictures) / columns)
    words = draw_text(note, TEXT, 60 * TEXT)
    # Room for the note at least, and for a word of the title.
    total = max(columns * across + PAD, words.shape[1] + 14 * TEXT)
    sheet: Image = np.full((ROW + PAD + rows * down, total, 3), GROUND, np.uint8)
    room = total - words.shape[1] - 4 * PAD
    write(sheet, draw_text(title, TEXT, room), PAD, PAD)
    write(sheet, words, total - words.shape[1] - PAD, PAD)
    for index, (picture, (number, seconds)) in enumerate(zip(pictures, captions, strict=True)):
        x = PAD + index % columns * across
        y = ROW + PAD + index // columns * down
        put(sheet, picture, x, y)
        label = draw_text(f"{number}", TEXT, width)
        write(sheet, label, x, y + height + 2, ORANGE)
        time = draw_text(timecode(seconds), TEXT, width)
        write(sheet, time, x + width - time.shape[1], y + height + 2, WHITE)
    return sheet
