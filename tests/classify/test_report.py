"""The report: one page that shows the evaluation, and does nothing else."""

import base64
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Opened
from helpers import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from report_page import Page, as_json, at, bare, curves, evaluation, report, strips_of

from vidgru.core.results import Failure
from vidgru.data.results import Shortcut
from vidgru.tasks.classify.page import visible
from vidgru.tasks.classify.report import write_report
from vidgru.tasks.classify.scores import Evaluation

NASTY = (
    "<script>alert(1)</script>",
    "</script><!--",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "قفزة كبيرة",
    "手を振る 👩‍👩‍👧",
    "\u202egnp.exe",
    "tab\tline\nbell\x07\x1b[31m\r\0",
    "v1.0",
    "count",
    "surrogate \udcff",
    "&lt;b&gt;&amp;",
    "https://example.org/x.js",
    "W" * 200,
)
SECTIONS = (
    "headline",
    "baselines",
    "scores",
    "classes",
    "confusion",
    "calibration",
    "answered",
    "mistakes",
    "curves",
    "left-out",
)


def check_numbers(page: Page, result: Evaluation, rows: list[dict[str, float]]) -> None:
    """Hold every number that is shown against the evaluation; find numbers of no known place."""
    content = as_json(result)
    assert json.loads(page.embedded) == content
    for attributes, text in page.numbers:
        raw = json.loads(attributes["value"])
        if "data-row" in attributes:
            number, key = attributes["data-row"].split(".")
            assert raw == rows[int(number)][key]
            continue
        path = attributes["data-path"]
        assert raw == at(content, path), path
        assert type(raw) is type(at(content, path)), path
        if raw is None:
            assert text == "–"  # noqa: RUF001
        elif isinstance(raw, int):
            assert text == f"{raw:,}"
        elif path in ("scores.loss", "calibration.temperature"):
            assert text == f"{raw:.3f}"
        else:
            assert text == f"{raw:.1%}".replace("%", " %")
    loose = re.sub(
        r"95 % interval|F1|Top-\d+: the class is among the \d+ likeliest", "", page.other
    )
    assert not re.search(r"\d", loose), re.findall(r".*\d.*", loose)


def check_harmless(page: Page) -> None:
    """See that nothing is fetched and nothing runs."""
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "form", "base", "a", "audio", "video")
        assert not [key for key in attributes if key.startswith("on")]
        for key in {"src", "href", "srcset", "data", "action", "xlink:href"} & attributes.keys():
            assert attributes[key].startswith("data:"), attributes
        assert "url(" not in attributes.get("style", "")
    assert not re.search(r"url\(|@import|//|expression", page.style)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}]
    policy = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    sections = [a["id"] for t, a in page.elements if t in ("header", "section")]
    assert tuple(sections) == SECTIONS


def test_every_number_is_one_of_the_evaluation(tmp_path: Path) -> None:
    result = evaluation()
    page = report(tmp_path, result, strips=strips_of(result))
    check_numbers(page, result, curves(9))
    check_harmless(page)
    paths = [attributes.get("data-path") for attributes, _ in page.numbers]
    wanted = """
        scores.accuracy interval.0 interval.1 groups answers.length majority scores.balanced
        shortcuts.0.accuracy shortcuts.0.chance macro_f1 top.2 top.3 scores.loss
        scores.recall.left scores.recall."right#hand" scores.count.up precision.up f1.up
        scores.confusion.2.2 calibration.ece calibration.ece_before calibration.temperature
        calibration.bins.9.count calibration.bins_before.9.accuracy answered.max_error
        answered.threshold answered.answered answered.share answered.error trained_on
        skipped.length
    """
    missing = {path.replace("#", " ") for path in wanted.split()} - set(paths)
    assert missing == set()
    texts = {attributes.get("data-path"): text for attributes, text in page.numbers}
    assert texts["trained_on"] == "1,234"
    assert texts["calibration.ece"] == "3.1 %"
    assert texts["calibration.temperature"] == "1.337"


def test_the_page_says_in_words_what_the_numbers_are(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", evaluation(), [], {})
    text = re.sub(r"<[^>]+>", "", (tmp_path / "report.html").read_text("utf-8"))
    assert "88.3 % of 60 test clips correct" in text
    assert "Model runs/clips-1/model.safetensors on the test clips of clips." in text
    assert "95 % interval: 80.2 % to 94.0 %, over 7 independent groups of clips." in text
    assert "Only from aspect ratio, a shortcut (chance 33.3 %)55.0 %\n" in text
    assert "Only from duration (chance 34.0 %)31.0 %\n" in text
    assert "The classes differ in something that should not matter, and part of" in text
    assert "Predictions below a confidence of 62.0 % become unsure" in text
    assert "\nCannot read broken.mp4: not a video.\nlost.avi: No frame came out.\n" in text
    assert "they could not be read: 2 clips" in text
    assert "Because the model was trained on them: 1,234 clips." in text
    assert "There is no metrics.csv beside the model." in text
    assert (
        "Of these, 17 clips validated the training, so the figures may be too optimistic." in text
    )
    assert "It was not trained on these clips." in text


def test_what_is_unknown_or_empty_is_shown_so(tmp_path: Path) -> None:
    result = bare()
    check_numbers(report(tmp_path, result, []), result, [])
    text = re.sub(r"<[^>]+>", "", (tmp_path / "report.html").read_text("utf-8"))
    assert "100.0 % of 1 validation clip correct" in text
    assert "over clips, counted one by one." in text
    assert "optimistic" not in text
    assert "Whether it was trained on these clips is unknown." in text
    assert "None: every clip was correct." in text
    assert "On validation clips, no threshold keeps the error at or below 5.0 %." in text
    assert "Because the model was trained on them" not in text
    assert "Because they could not be read: 1 clip." in text
    assert "balanced accuracy beside" not in (tmp_path / "report.html").read_text("utf-8")


def test_names_from_strangers_are_shown_and_do_nothing(tmp_path: Path) -> None:
    result = evaluation(NASTY, 90, 0.4)
    result = replace(
        result,
        model=Path(NASTY[0]),
        folder=Path(NASTY[2]),
        shortcuts=(Shortcut(NASTY[1], 0.9, 0.1, True),),
        skipped=tuple(Failure(name, f"Cannot read {name}.") for name in NASTY),
    )
    page = report(tmp_path, result, strips=strips_of(result))
    check_numbers(page, result, curves(9))
    check_harmless(page)
    for name in NASTY:
        assert visible(name) in page.names
    assert visible("\u202egnp.exe") == r"\u202egnp.exe"
    assert visible("tab\tline\nbell\x07\x1b[31m\r\0") == r"tab\tline\nbell\x07\x1b[31m\r\x00"
    assert visible("surrogate \udcff") == r"surrogate \udcff"
    assert visible("手を振る 👩‍👩‍👧") == "手を振る 👩‍👩‍👧"
    raw = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", raw)
    assert raw.count("<script") == raw.count("</script") == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=2, max_size=4, unique=True))
def test_any_names_at_all(tmp_path_factory: pytest.TempPathFactory, labels: list[str]) -> None:
    result = evaluation(tuple(labels), 12, 0.5)
    page = report(tmp_path_factory.mktemp("page"), result)
    check_numbers(page, result, curves(9))
    check_harmless(page)


def test_no_number_that_is_none_gets_into_the_json(tmp_path: Path) -> None:
    result = evaluation()
    lost = replace(result, scores=replace(result.scores, loss=math.inf), macro_f1=math.nan)
    rows = [{**row, "val_loss": math.nan} for row in curves(3)]
    page = report(tmp_path, lost, rows)
    content = json.loads(page.embedded, parse_constant=pytest.fail)
    assert (content["scores"]["loss"], content["macro_f1"]) == (None, None)
    texts = {attributes.get("data-path"): text for attributes, text in page.numbers}
    assert texts["scores.loss"] == texts["macro_f1"] == "–"  # noqa: RUF001
    drawn = [a["data-row"] for t, a in page.elements if t == "circle" and "data-row" in a]
    drawn_keys = ("train_loss", "val_accuracy", "val_balanced")
    assert sorted(drawn) == [f"{n}.{key}" for n in range(3) for key in drawn_keys]


def test_the_most_confident_mistakes_come_first_with_their_frames(tmp_path: Path) -> None:
    result = evaluation(errors=0.9)
    wrong = [n for n, answer in enumerate(result.answers) if not answer.right]
    wrong.sort(key=lambda n: -result.answers[n].confidence)
    assert len(wrong) > 12
    frames = noise(6, 96, 96)
    frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 6) for frame in frames])
    frames[..., 2] //= 3
    second = result.answers[wrong[1]].clip
    page = report(tmp_path, result, strips={second: list(frames)})
    shown = [
        a["data-path"] for a, _ in page.numbers if a.get("data-path", "").endswith("confidence")
    ]
    shown = [path for path in shown if path.startswith("answers")]
    assert shown == [f"answers.{n}.confidence" for n in wrong[:12]]
    assert "There are more" in page.other
    images = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(images) == 6
    for image, frame in zip(images, frames, strict=True):
        kind, data = image.split(",")
        assert kind == "data:image/jpeg;base64"
        seen = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert seen.shape == (96, 96, 3)
        assert np.abs(seen[..., ::-1].astype(int) - frame).mean() < 4
    page = report(tmp_path, result, strips=strips_of(result, 14))
    assert len([tag for tag, _ in page.elements if tag == "img"]) == 6 * 14
    label = next(a["aria-label"] for _, a in page.elements if a.get("class") == "strip")
    assert label == f"Frames of {result.answers[wrong[0]].clip}"


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    result = evaluation()
    for name in ("a", "b"):
        report(tmp_path / name, result, strips=strips_of(result))
    pages = [(tmp_path / name / "report.html").read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]


def test_in_a_browser_the_page_fetches_nothing_and_fits_a_phone(
    tmp_path: Path, browse: Callable[..., Opened]
) -> None:
    nasty, many = (
        evaluation(NASTY, 90, 0.4),
        evaluation(tuple(f"class {n}" for n in range(50)), 200),
    )
    pages = {"nasty": nasty, "many": many, "plain": evaluation(), "bare": bare()}
    for name, result in pages.items():
        path = tmp_path / name / "report.html"
        report(path.parent, result, [] if name == "bare" else None, strips_of(result))
        for width, dark in ((360, False), (1200, True)):
            page, requests, complaints = browse(path, width, dark)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.locator("script").count() == 1
            assert requests == [path.as_uri()]
            assert complaints == []
        assert json.loads(page.locator("#data").text_content()) == as_json(result)
        images = "[...document.images].map(image => image.naturalWidth)"
        assert page.evaluate(images) == [96] * 6 * len(strips_of(result))
    # The looking itself must see what it looks for.
    broken = path.read_text("utf-8").replace("<h1>", '<img src="http://vidgru.test/a.png"><h1>')
    path.write_text(broken, "utf-8")
    _, _, complaints = browse(path, 360)
    assert "violates the following Content Security Policy" in "".join(complaints)
    path.write_text(re.sub("<meta http-equiv[^>]*>", "", broken), "utf-8")
    _, requests, _ = browse(path, 360)
    assert "http://vidgru.test/a.png" in requests
