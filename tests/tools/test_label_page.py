"""The page of `vidgru label` in a real browser."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import Opened
from helpers import write_clip
from page_checks import CONTRAST, NAMES, until
from tools.label_page import Client, labelling

from vidgru.data.csv_list import read_list
from vidgru.tools.label.helper import Helper

if TYPE_CHECKING:
    from playwright.sync_api import Page

STEPS = {"left": -2, "right": 2}
EVENTS = [("left", 10, 24), ("right", 40, 54), ("left", 70, 84), ("right", 100, 114)]  # frames
QUICK = {"epochs": 2, "size": 16, "batch_size": 4, "frames": 8, "threads": 1, "flip": False}
HOSTILE = "<img src=x onerror=document.title=1>"


def film(path: Path, seed: int) -> Path:
    """Write a square that stands still over noise, but for the events."""
    rng, x = np.random.default_rng(seed), 0
    frames = rng.integers(60, 120, (1, 40, 48, 3), dtype=np.uint8).repeat(130, axis=0)
    for number, frame in enumerate(frames):
        x += sum(STEPS[label] for label, start, end in EVENTS if start <= number < end)
        frame[14:26, (x + np.arange(12)) % 48] = 230
    return write_clip(path, frames, 10)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.chdir(tmp_path)
    videos = [film(tmp_path / "films" / f"{name}.avi", n) for n, name in enumerate(("a", "b"))]
    with labelling(videos, Path("labels.csv"), QUICK, classes="left,right") as client:
        yield client


def start(browse: Callable[..., Opened], client: Client, dark: bool = False) -> Opened:
    opened = browse(client.address, 1100, dark)
    opened.page.wait_for_selector("#picture[data-frame='0']")
    until(opened.page, "document.querySelector('#seek').max === '129'")
    return opened


def rows(count: int | None = None) -> list[list[str]]:
    with open("labels.csv", newline="") as file:
        found = list(csv.reader(file))[1:]
    assert count in (None, len(found)), found
    return found


def test_all_suggestions_are_accepted_however_many(
    server: Client, browse: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(n / 4, n / 4 + 0.2, "right", 1.0) for n in range(1500)]
    monkeypatch.setattr(Helper, "suggestions", lambda self, video: found[: 1500 * (video == 0)])
    page = start(browse, server).page
    page.keyboard.press("a")
    until(page, "document.querySelector('#notice').textContent === 'Accepted 1500 suggestions.'")
    rows(1500)


def go(page: "Page", frame: int) -> None:
    """Go to a frame by keys."""
    at = int(page.get_attribute("#picture", "data-frame") or 0)
    way = "ArrowRight" if frame > at else "ArrowLeft"
    tens, ones = divmod(abs(frame - at), 10)
    for key in [f"Shift+{way}"] * tens + [way] * ones:
        page.keyboard.press(key)
    page.wait_for_selector(f"#picture[data-frame='{frame}']")


def mark(page: "Page", first: int, last: int, digit: str) -> None:
    segments = page.locator("#labels .segment").count()
    for frame, key in ((first, "i"), (last, "o")):
        go(page, frame)
        page.keyboard.press(key)
    page.keyboard.press(digit)
    until(page, f"document.querySelectorAll('#labels button').length > {segments}")


def test_label_learn_and_accept_with_keys_only(
    server: Client, browse: Callable[..., Opened]
) -> None:
    page, requests, complaints = start(browse, server)
    for label, first, end in EVENTS[:3]:
        mark(page, first, end - 1, {"left": "1", "right": "2"}[label])
    assert rows(3)[0] == ["films/a.avi", "left", "1", "2.4"]
    # The last one by holding its key while the video plays.
    go(page, 97)
    page.keyboard.press("Space")
    until(page, "Number(document.querySelector('#picture').dataset.frame) >= 100")
    page.keyboard.down("2")
    until(page, "Number(document.querySelector('#picture').dataset.frame) >= 112")
    page.keyboard.up("2")
    page.keyboard.press("Space")
    until(page, "document.querySelectorAll('#labels button').length === 4")
    held = rows(4)[3]
    assert held[1] == "right"
    assert 10.0 <= float(held[2]) < 11.2 <= float(held[3])
    go(page, 129)
    page.keyboard.press("f")
    until(page, "document.querySelectorAll('#labels .c0').length > 2")
    assert read_list(Path("labels.csv"))
    assert "done" in (page.text_content("#videos li") or "")
    while page.evaluate("document.activeElement.id") != "learn":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cancel:not([hidden])")
    page.wait_for_selector("#cancel", state="hidden", timeout=300_000)
    assert (page.text_content("#job"), page.is_visible("#job.warn")) == ("", False)
    assert re.search(r"Held-out accuracy \d+\.\d % of \d+ segments", page.inner_text("#accuracy"))
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("PageDown")
    before = len(rows())
    page.keyboard.press("n")  # while the video is still loading
    page.wait_for_selector("#suggested .selected")
    assert "% sure here" in page.inner_text("#notice")
    assert page.get_attribute("#picture", "data-frame") == page.input_value("#seek")
    span = re.search(
        r"(\d+):(\d+\.\d+) to", page.get_attribute("#suggested .selected", "title") or ""
    )
    assert span is not None
    assert page.input_value("#seek") == f"{10 * float(span[2]):.0f}"
    page.keyboard.press("Enter")
    page.wait_for_selector("#labels .segment")
    assert len(rows()) == before + 1
    page.fill("#least", "0")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_selector("#suggested .suggestion", state="detached")
    own = [row for row in rows() if row[0] == "films/b.avi"]
    assert (float(own[0][2]), float(own[-1][3])) == (0.0, 13.0)
    assert [a[3] for a in own[:-1]] == [b[2] for b in own[1:]]
    assert {re.match(r"http://127\.0\.0\.1:\d+/|blob:", url) is not None for url in requests} == {
        True
    }
    assert complaints == []
    until(page, "document.querySelector('#motion').dataset.known === '130'")
    assert page.evaluate(STRIP) == [False, True] * 4 + [False]


def test_segments_are_changed_by_keys_and_dragged(
    server: Client, browse: Callable[..., Opened]
) -> None:
    page = start(browse, server).page
    mark(page, 10, 23, "1")
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("#labels .selected")
    page.keyboard.press("2")
    page.wait_for_selector("#labels .c2")
    page.keyboard.press("ArrowUp")
    go(page, 30)
    page.keyboard.press("Shift+O")
    page.wait_for_selector("#labels [aria-label='right, 0:01.00 to 0:03.10']")
    page.keyboard.press("ArrowUp")
    handle = page.locator(".handle").first.bounding_box()
    assert handle is not None
    x, y = handle["x"] + 3, handle["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.wait_for_selector("#magnifier:not([hidden]) .edge")
    page.mouse.up()
    for _ in range(600):  # the page shows the new edge while it is dragged, before it is saved
        if rows(1)[0][2] != "1":
            break
        page.wait_for_timeout(50)
    page.wait_for_selector("#labels :not([aria-label*=' 0:01.00 ']).segment")
    assert 1.0 < float(rows(1)[0][2]) < 3.0
    assert rows()[0][3] == "3.1"
    page.keyboard.press("z")
    page.wait_for_selector("#labels [aria-label*=' 0:01.00 ']")
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("#labels .selected")
    page.keyboard.press("Backspace")
    page.wait_for_selector("#labels .segment", state="detached")
    rows(0)
    for _ in range(4):
        page.keyboard.press("z")
    until(page, "document.querySelector('#undo').disabled")
    rows(0)


def test_whole_clips_take_one_key_each(server: Client, browse: Callable[..., Opened]) -> None:
    page = start(browse, server).page
    page.keyboard.press("w")
    page.keyboard.press("1")
    page.wait_for_selector("#videos li:nth-child(2) [aria-current=true]")
    page.keyboard.press("2")
    until(page, "document.querySelector('#notice').textContent.includes('All clips')")
    assert rows(2) == [["films/a.avi", "left", "", ""], ["films/b.avi", "right", "", ""]]
    assert page.inner_text("#videos-done") == "2 of 2 done"


def test_what_others_change_is_shown_and_kept(
    server: Client, browse: Callable[..., Opened]
) -> None:
    page = start(browse, server).page
    with page.expect_popup() as popup:  # a tab that shares the cookie
        page.evaluate("() => { open('/') }")
    second = popup.value
    second.wait_for_selector("#picture[data-frame='0']")
    mark(page, 10, 23, "1")
    second.wait_for_selector("#labels .segment")
    assert "Another tab changed the labels" in second.inner_text("#notice")
    with open("labels.csv", "a") as file:
        file.write("films/a.avi,right,4,5\n")
    for one in (page, second):
        until(one, "document.querySelectorAll('#labels .segment').length === 2")
        assert "labels.csv was changed by another program: 1 rows" in one.inner_text("#notice")
    rows(2)
    text = Path("labels.csv").read_text()
    Path("labels.csv").write_text("nonsense\n")
    page.wait_for_selector("#notice.warn:has-text('no list with the columns')")
    with page.expect_response(lambda answer: answer.url.endswith("/change/fill")) as refused:
        page.keyboard.press("f")
    assert refused.value.status == 422
    assert Path("labels.csv").read_text() == "nonsense\n"
    Path("labels.csv").write_text(text)
    until(page, "document.querySelector('#notice').textContent.includes('again')")
    # A reload shows what is in the file.
    page.reload()
    until(page, "document.querySelectorAll('#labels .segment').length >= 2")


STRIP = """() => {
  const strip = document.getElementById("motion");
  const { data } = strip.getContext("2d").getImageData(0, strip.height - 1, strip.width, 1);
  const drawn = (time) => data[4 * Math.round((time / 13) * strip.width) + 3] > 0;
  return [0.5, 1.7, 3, 4.7, 6, 7.7, 9, 10.7, 12].map(drawn);
}"""
JOB = """async ([job, doubtful]) => {
  const { drawJob } = await import("/page/panel.js");
  drawJob({ state: { job, doubtful, suggestions: [], suggested: 0 } });
}"""


def test_the_panel_tells_the_time_left_and_what_more_labels_changed(
    server: Client, browse: Callable[..., Opened]
) -> None:
    page = start(browse, server).page
    first = {
        "accuracy": 0.5, "interval": [0.3, 0.7], "clips": 20, "folds": 4, "grouped": True,
        "segments": 20, "minutes": 4.0,
    }  # fmt: skip
    job = {"running": False, "stage": "", "share": 0, "left": None, "error": "", "results": [first]}

    def shown(**values: object) -> tuple[str, str]:
        page.evaluate(JOB, [job | values, []])
        return page.inner_text("#accuracy"), page.inner_text("#left")

    assert shown() == (
        "Cross-validated accuracy 50.0 % of 20 segments of other videos (95 %: 30.0 % to 70.0 %), "
        "learned from 20 labels.",
        "",
    )
    second = {**first, "accuracy": 0.9, "interval": [0.8, 1.0], "segments": 60, "minutes": 14.2}
    more = "10 more minutes of labelling (20 labels before) changed it by +40.0 points."
    assert shown(results=[first, second])[0].endswith(f"learned from 60 labels. {more}")
    worse = {**second, "accuracy": 0.46, "minutes": 4.5}
    assert "by \N{MINUS SIGN}4.0 points, which may be chance." in shown(results=[first, worse])[0]
    assert shown(running=True, share=0.4, left=47.0)[1] == "About 50 seconds left"
    assert page.get_attribute("#progress", "value") == "0.4"
    assert shown(running=True, share=0.4, left=400.0)[1] == "About 7 minutes left"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_has_a_name_contrast_and_a_focus(
    dark: bool, server: Client, browse: Callable[..., Opened]
) -> None:
    page = start(browse, server, dark).page
    page.fill("#new-class", HOSTILE)
    page.keyboard.press("Enter")
    page.wait_for_selector("#classes li:nth-child(4)")
    mark(page, 10, 23, "3")
    assert page.locator("img").count() == 0
    assert HOSTILE in page.inner_text("#classes")
    assert page.title() == "vidgru label"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    assert page.evaluate(CONTRAST) == []
    page.keyboard.press("Escape")
    assert page.evaluate(NAMES) == []
    focused = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        focused.add(page.evaluate("document.activeElement.id"))
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(f"document.activeElement === document.body || {style} !== 'none'")
    assert focused >= {"play", "speed", "new-class", "learn", "seek", "help-open", "fill", "whole"}


def test_a_server_that_has_ended_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browse: Callable[..., Opened]
) -> None:
    monkeypatch.chdir(tmp_path)
    with labelling([film(tmp_path / "a.avi", 0)], Path("labels.csv"), classes="left") as client:
        page = start(browse, client).page
        mark(page, 10, 23, "1")
    page.wait_for_selector("#notice:has-text('vidgru label has ended')")
    assert rows(1) == [["a.avi", "left", "1", "2.4"]]
