"""What is drawn on saved videos: strips, marks and text, pixel by pixel."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import noise
from saving import LABELS, segment, timeline

from vidgru.tasks.classify.overlay import GREY, PALETTE, Overlay, label_color
from vidgru.tasks.classify.timeline import Segment, Timeline
from vidgru.video.panel import WHITE
from vidgru.video.text import draw_text

# Drawing


def test_outside_of_band_strip_and_mark_nothing_is_touched() -> None:
    picture = noise(1, 240, 320)[0]
    overlay = Overlay((320, 240), timeline(8))
    drawn = overlay.draw(picture, 1.0)
    changed = (drawn != picture).any(axis=2)
    rows = np.flatnonzero(changed.any(axis=1))
    assert (overlay.band, overlay.strip) == (20, 7)
    assert changed[:20].mean() > 0.95
    assert changed[233:].mean() > 0.95
    # The mark stands out of the strip a little.
    assert set(rows) - set(range(20)) - set(range(233, 240)) == {231, 232}
    assert changed[231:233].sum(axis=1).max() <= 7
    assert np.array_equal(picture, noise(1, 240, 320)[0])


def test_the_strip_has_each_labels_colour_where_it_is_and_the_mark_moves() -> None:
    overlay = Overlay((320, 240), timeline(8))
    picture = np.zeros((240, 320, 3), np.uint8)
    places = []
    for time in (0.0, 2.5, 4.0, 7.9, 99.0):
        row = overlay.draw(picture, time)[-2]
        white = np.flatnonzero((row == WHITE).all(axis=1))
        places.append(round(white.mean()))
        for x in set(range(320)) - set(range(white[0] - 2, white[-1] + 3)):
            wanted = PALETTE[0] if x < 80 else GREY if x < 160 else PALETTE[2]
            assert tuple(row[x]) == wanted, (time, x)
    assert places == [0, 100, 160, 315, 318]


def test_the_bar_is_as_long_as_the_confidence_and_the_patch_shows_the_label() -> None:
    lengths = []
    for sure in (0.4, 0.5, 1.0):
        one = Timeline("clip", LABELS, (segment(0, 4, 2, sure),), 9, 4.0)
        drawn = Overlay((640, 480), one).draw(np.zeros((480, 640, 3), np.uint8), 1.0)
        overlay = Overlay((640, 480), one)
        assert tuple(drawn[overlay.band // 2, overlay.text]) == label_color(one, one.segments[0])
        line = drawn[overlay.band // 2, 200:]
        ends = np.flatnonzero((line == (90, 90, 90)).all(axis=1))
        first = np.flatnonzero((line == WHITE).all(axis=1))[0]
        full = np.flatnonzero((line[first:] != WHITE).any(axis=1))[0]
        lengths.append(full)
        assert len(ends) in (0, 136 - full)
    assert lengths == [54, 68, 136]


def test_labels_have_colours_of_their_own() -> None:
    labels = tuple(f"label {n}" for n in range(21))
    one = Segment(0, 1, labels, (0.0,) * 21)
    shares = np.eye(21)
    whole = Timeline("clip", labels, (one,), 1, 1.0)
    colors = [label_color(whole, replace(one, probabilities=tuple(row))) for row in shares]
    assert len(set(colors)) == 21
    assert GREY not in colors


@pytest.mark.parametrize(
    ("size", "band", "strip"),
    [((64, 48), 0, 3), ((16, 16), 0, 0), ((1, 1), 0, 0), ((64, 480), 0, 3), ((160, 120), 20, 3)],
)
def test_what_cannot_be_read_is_left_out(size: tuple[int, int], band: int, strip: int) -> None:
    overlay = Overlay(size, timeline(8))
    assert (overlay.band, overlay.strip) == (band, strip)
    picture = noise(1, size[1], size[0])[0]
    drawn = overlay.draw(picture, 3.0)
    assert drawn.shape == picture.shape
    changed = (drawn != picture).any(axis=2).mean()
    assert changed <= 1 / 6 + 0.08
    assert (changed > 0) == bool(band or strip)


def test_very_many_segments_and_labels_take_no_memory_each() -> None:
    parts = tuple(segment(n / 10, (n + 1) / 10, n % 3) for n in range(2000))
    overlay = Overlay((320, 240), Timeline("clip", LABELS, parts, 9, 200.0))
    for n in range(0, 2000, 100):
        overlay.draw(np.zeros((240, 320, 3), np.uint8), n / 10)
    assert overlay._layer.cache_info().currsize <= 4


# Text


def test_text_comes_out_verbatim() -> None:
    plain, mathematics = draw_text("x", 20, 400), draw_text("$x$", 20, 400)
    assert mathematics.shape[1] > 2.5 * plain.shape[1]
    assert draw_text("a_b^2", 20, 400).shape[1] > draw_text("ab2", 20, 400).shape[1] + 15
    assert draw_text(r"\frac{$", 20, 400).max() > 200
    assert not np.array_equal(draw_text("Ж", 20, 400), draw_text("Ω", 20, 400))
    assert not np.array_equal(draw_text("é", 20, 400), draw_text("e", 20, 400))


def test_text_is_one_line_of_a_bounded_width(capfd: pytest.CaptureFixture[str]) -> None:
    long = draw_text("a long label " * 1000, 20, 200)
    assert long.shape[0] == 34
    assert 180 <= long.shape[1] <= 200
    assert long[:, -30:].max() > 200
    assert draw_text("x\ny\x1b[31m\udcff", 20, 400).shape[0] == 34
    strange = draw_text("日本 \U0001f600 \U0010ffff \u0378", 20, 400)
    assert strange.max() > 100
    assert draw_text("wide", 20, 1).shape == (34, 1)
    assert draw_text("", 20, 100).max() == 0
    assert capfd.readouterr() == ("", "")


def test_letters_stay_within_their_line() -> None:
    letters = draw_text("ÅgjpqÇ|", 40, 900)
    rows = np.flatnonzero(letters.max(axis=1) > 128)
    assert rows[0] > 0
    assert rows[-1] < 67


def test_labels_are_never_latex(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    plain = draw_text("a_b $x^2$ \\input{x}", 21, 400)
    draw_text.cache_clear()
    with mpl.rc_context({"text.usetex": True}):
        assert (draw_text("a_b $x^2$ \\input{x}", 21, 400) == plain).all()
