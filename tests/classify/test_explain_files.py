"""The files of an explanation: a page that fetches nothing, a figure, a video, and JSON."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Done, Opened
from helpers import moving_squares, noise
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from report_page import Page

import vidgru
from vidgru import TrainResult
from vidgru.tasks.classify.explain import figure as figures
from vidgru.tasks.classify.explain.figure import write_figure
from vidgru.tasks.classify.explain.heat import stretched, with_heat
from vidgru.tasks.classify.explain.report import shown_frames, write_page
from vidgru.tasks.classify.explain.results import Explanation
from vidgru.tasks.classify.page import visible
from vidgru.video.read import open_video
from vidgru.video.write import write_image

NASTY = ("<script>alert(1)</script>", "</script><!-- $x^2$ \u202e", '_"><img src=x onerror=a()>')


@pytest.fixture(scope="module")
def found(trained: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    path = moving_squares(tmp_path_factory.mktemp("clip") / "a.avi", 2, 31, count=24)
    explanation: Explanation = vidgru.load(trained.run).explain(path)
    return explanation


def nasty(found: Explanation) -> Explanation:
    said = replace(found.prediction, labels=NASTY[:2])
    return replace(
        found, prediction=said, label=NASTY[0], against=NASTY[1], source=NASTY[2], pictures=0.25
    )


def test_the_command_writes_all(
    trained: TrainResult, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    clip = moving_squares(tmp_path / "=1+1.avi", -2, 8)
    shutil.copy(clip, tmp_path / "b.avi")
    words = ("--model", trained.run, "-o", tmp_path / "out")
    done = vidgru("explain", clip, *words, "--class", "right", "--against", "left")
    assert done.code == 0, done.err
    assert done.out.startswith(f"{clip}: right ")
    assert "  with the most relevant tenth held still: " in done.out
    names = ["explanation.html", "explanation.json", "explanation.mp4", "explanation.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert done.err.count("Saved: ") == 4
    content = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert (content["label"], content["against"]) == ("right", "left")
    assert sum(content["contributions"]["left"]) == pytest.approx(content["logits"]["left"])
    with open_video(tmp_path / "out" / "explanation.mp4") as video:
        assert len(list(video)) == 14
    assert cv2.imread(str(tmp_path / "out" / "explanation.png")).shape[1] == 1440
    both = ("explain", clip, tmp_path / "b.avi", "--model", trained.run, "-o", tmp_path / "two")
    done = vidgru(*both, "--json", "-q")
    assert done.code == 0, done.err
    assert [json.loads(line)["source"] for line in done.out.splitlines()] == [*map(str, both[1:3])]
    assert len(list((tmp_path / "two").glob("*/explanation.html"))) == 2
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--class", "up"), 2, "does not know the class 'up'"),
        (("--summary", "--class", "left"), 2, "--summary is of all classes: leave out --class"),
        (("--method", "magic"), 2, "is not one of"),
        (("-o", "why.png"), 2, "--out why.png looks like a file: give a folder, for several"),
    ],
)
def test_wrong_usage(
    trained: TrainResult,
    found: Explanation,
    tmp_path: Path,
    vidgru: Callable[..., Done],
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    out = tmp_path / "out"
    done = vidgru("explain", found.source, "--model", trained.run, "-o", out, *words)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert not out.exists()


def test_of_a_picture_there_is_no_video_and_it_is_not_written_over(
    trained: TrainResult, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    out = tmp_path / "out"
    clip = moving_squares(tmp_path / "a.avi", 2, 8)
    picture = tmp_path / "explanation.png"
    with open_video(clip) as video:
        assert video.grab() == 0
        write_image(picture, video.retrieve())
    before = picture.read_bytes()
    for source in (clip, picture):
        done = vidgru("explain", source, "--model", trained.run, "-o", out)
        assert done.code == 0, done.err
        assert (out / "explanation.mp4").exists() == (source == clip)
    done = vidgru("explain", picture, "--model", trained.run, "-o", tmp_path)
    assert (done.code, "cannot be read and written at once" in done.err) == (2, True)
    assert picture.read_bytes() == before
    assert not (tmp_path / "explanation.json").exists()


def test_names_from_strangers_do_nothing(found: Explanation, tmp_path: Path) -> None:
    path, numbers = tmp_path / "a.html", shown_frames(len(found.seconds))
    pictures = [frame for frame in noise(len(numbers), 48, 64)]
    write_page(path, nasty(found), Path(NASTY[1]), pictures)
    page = Page(path)
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "form", "base", "a", "audio", "video")
        assert not [key for key in attributes if key.startswith("on")]
        for key in {"src", "href"} & attributes.keys():
            assert attributes[key].startswith("data:")
    assert {visible(name) for name in NASTY} <= {*page.names}
    raw = path.read_text("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", raw)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert re.search(r"default-src 'none'.*; script-src 'sha256-[\w+/=]+'$", policy)
    write_figure(tmp_path / "a.png", nasty(found), pictures[:3], [0, 1, 2])
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_names_of_a_figure_are_whole_and_hide_no_curve(
    found: Explanation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("somebody hands a parcel to somebody else", "somebody takes a parcel from somebody")
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: drawn.append(figure))
    said = replace(found.prediction, labels=names)
    long = replace(found, prediction=said, label=names[0], against=names[1])
    write_figure(tmp_path / "a.png", long, [*noise(3, 48, 64)], [0, 1, 2])
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    assert [text.get_text() for text in legends[0].get_texts()][:2] == [*names]
    assert len(legends) == 2
    for text in (*figure.texts, *(text for legend in legends for text in legend.get_texts())):
        whole = text.get_window_extent()
        assert figure.bbox.x0 <= whole.x0 <= whole.x1 <= figure.bbox.x1
    for legend in legends:
        inside = [axes for axes in figure.axes if axes.bbox.overlaps(legend.get_window_extent())]
        assert inside == []


def test_a_page_of_a_long_clip_stays_small(found: Explanation, tmp_path: Path) -> None:
    long = replace(
        found,
        seconds=tuple(n / 15 for n in range(400)),
        contributions=found.contributions[:1] * 400,
        relevance=(1 / 400,) * 400,
        gates={name: values[:1] * 400 for name, values in found.gates.items()},
        maps=found.maps[:1].repeat(400, axis=0),
    )
    numbers = shown_frames(400)
    assert (len(numbers), numbers[-1]) == (134, 399)
    # Noise is the worst that there is for JPEG.
    write_page(tmp_path / "a.html", long, Path("m"), [*noise(1, 360, 480)] * len(numbers))
    assert 1e6 < (tmp_path / "a.html").stat().st_size < 5e6


def test_heat_lies_where_the_relevance_is() -> None:
    grid = np.zeros((4, 4), np.float32)
    grid[0, 3] = 1
    whole = stretched(grid, (200, 100), 0.9)
    assert whole.shape == (100, 200)
    row, column = divmod(int(whole.argmax()), 200)
    assert row == 5  # the first one that the network sees
    assert 165 < column < 170
    whole[5:95, 10:190] = 0
    assert not whole.any()
    rgb = np.full((100, 200, 3), 120, np.uint8)
    drawn = with_heat(rgb, grid, 0.9)
    assert (drawn[80, 20] == drawn[80, 20, 0]).all()  # grey
    assert drawn[10, 185, 0] > 150 > drawn[10, 185, 2]


def test_in_a_browser_it_plays_and_fetches_nothing(
    found: Explanation, tmp_path: Path, browse: Callable[..., Opened]
) -> None:
    numbers = shown_frames(len(found.seconds))
    pictures = [*noise(len(numbers), 48, 64)]
    for name, explanation in (("plain", found), ("nasty", nasty(found))):
        path = tmp_path / f"{name}.html"
        write_page(path, explanation, Path("run"), pictures)
        for width, dark in ((360, True), (1200, False)):
            page, requests, complaints = browse(path, width, dark)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert requests == [path.as_uri()]
            assert complaints == []
            first = page.get_attribute("#frame", "src")
            page.focus("#slider")
            page.keyboard.press("ArrowRight")
            assert page.text_content("#time") == f"{found.seconds[1]:.2f} s"
            assert page.get_attribute("#frame", "src") != first
            assert page.evaluate("document.getElementById('heat').naturalWidth") == 96
            page.keyboard.press("End")
            moved = page.evaluate("document.querySelector('.cursor').transform.baseVal[0].matrix.e")
            right = page.get_attribute(".cursor >> nth=0", "data-right")
            assert moved == pytest.approx(float(str(right)), abs=0.1)
            page.uncheck("#hot")
            assert not page.is_visible("#heat")
