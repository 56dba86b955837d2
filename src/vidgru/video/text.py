"""Draw a line of text in any script, as far as the installed fonts allow."""

import warnings
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LONGEST = 200  # characters; longer text is never readable on a picture
ELLIPSIS = "…"


@lru_cache(256)
def draw_text(text: str, height: int, width: int) -> NDArray[np.uint8]:
    """Return a line of text as its opacity, uint8 (H, W), for capitals of `height` pixels.

    H is 1.7 times that, for ascenders and descenders. Text wider than `width`
    pixels ends with an ellipsis. Line breaks and other invisible characters show as U+FFFD, and
    characters that no installed font has as boxes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = "".join(c if c.isprintable() else "�" for c in text[: LONGEST + 1])
    rows, base = round(1.7 * height), round(0.35 * height)
    figure = Figure(figsize=(width / 100, rows / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    # Never parsed as mathematics. In this font, capitals are about 0.73 of its size.
    line = figure.text(
        0,
        base / rows,
        shown,
        parse_math=False,
        usetex=False,
        fontsize=0.72 * height / 0.73,
        va="baseline",
    )
    line.set_fontfamily(_families(shown))
    # A missing glyph is drawn as a box and needs no warning on stderr.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")

        def is_narrow(count: int) -> bool:
            line.set_text(shown if count == len(shown) else shown[:count].rstrip() + ELLIPSIS)
            return bool(line.get_window_extent(canvas.get_renderer()).x1 <= width)  # type: ignore[no-untyped-call]

        if len(text) > LONGEST or not is_narrow(len(shown)):
            low, high = 0, min(len(shown) - 1, LONGEST)
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if is_narrow(middle) else (low, middle - 1)
            is_narrow(low)
        end = line.get_window_extent(canvas.get_renderer()).x1  # type: ignore[no-untyped-call]
        figure.patch.set_alpha(0)
        canvas.draw()  # type: ignore[no-untyped-call]
    opacity = np.asarray(canvas.buffer_rgba())[..., 3]  # type: ignore[no-untyped-call]
    return opacity[:, : max(1, min(round(end) + 1, width))].copy()


def _families(text: str) -> list[str]:
    """Return matplotlib's own font, and installed ones with the characters that it lacks."""
    from matplotlib.font_manager import fontManager, get_font

    families, missing = ["DejaVu Sans"], set(text)
    fonts = sorted(fontManager.ttflist, key=lambda font: (_rank(font.name), font.name, font.fname))
    for font in fonts:
        if not missing or len(families) > 8:
            break
        if font.weight in (400, "normal", "regular") and font.style == "normal":
            try:
                charmap = get_font(font.fname).get_charmap()
            except (OSError, RuntimeError):
                continue
            if found := {c for c in missing if ord(c) in charmap}:
                missing -= found
                families += [] if font.name in families else [font.name]
    return families


def _rank(name: str) -> int:
    """Order fonts: matplotlib's own, others without serifs, others, and last that of boxes."""
    if name == "DejaVu Sans":
        return 0
    return 3 if "Last Resort" in name else 1 if "Sans" in name else 2
