"""Charts of the report are drawn as their numbers say, and carry them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_page import as_json, at, curves, evaluation, report

from vidgru.tasks.classify.charts import Axis


def test_bars_and_cells_are_drawn_as_their_numbers_say(tmp_path: Path) -> None:
    result = replace(evaluation(("a", "b", "c", "d"), 30, 0.3), top={})
    page = report(tmp_path, result)
    cues = result.shortcuts
    scores, shares = result.scores, [cue.accuracy for cue in cues]
    wanted = [scores.accuracy, result.majority, 1 / 4, scores.balanced, *shares]
    widths = [attributes["style"] for tag, attributes in page.elements if tag == "i" and attributes]
    assert widths == [f"width:{100 * share:.2f}%" for share in wanted]
    spans = [attributes for tag, attributes in page.elements if tag == "span"]
    cells = [span for span in spans if span["class"].startswith("cell")]
    for i, row in enumerate(scores.confusion):
        for j, count in enumerate(row):
            cell = cells.pop(0)
            kind = ("hit" if i == j else "miss") if count else "none"
            assert cell["class"] == f"cell {kind}"
            assert cell.get("style") == (f"--s:{count / sum(row):.3f}" if count else None)
    assert cells == []


def test_charts_carry_their_numbers(tmp_path: Path) -> None:
    result, rows = evaluation(), curves(9)
    page = report(tmp_path, result, rows)
    circles = [attributes for tag, attributes in page.elements if tag == "circle"]
    points = [circle for circle in circles if "data-row" in circle]
    assert len(points) == 4 * len(rows)
    for point in points:
        number, key = point["data-row"].split(".")
        assert json.loads(point["data-value"]) == rows[int(number)][key]
    # 360 x 240 pixels, of which the axes leave 62 to 340 across and 198 to 10 up.
    place = next(point for point in points if point["data-row"] == "8.val_accuracy")
    assert float(place["cx"]) == 340
    assert float(place["cy"]) == pytest.approx(198 - 188 * rows[8]["val_accuracy"], abs=0.01)
    colors = {point["data-row"].split(".")[1]: point["class"] for point in points}
    assert colors == {
        "train_loss": "dot one",
        "val_loss": "dot two",
        "val_accuracy": "dot one",
        "val_balanced": "dot two",
    }
    assert all(10 <= float(point["cy"]) <= 198 for point in points)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert f"<title>epoch 22.5: training loss {rows[8]['train_loss']:.3f}</title>" in html
    assert (
        f"<title>epoch 22.5: validation accuracy {rows[8]['val_accuracy']:.1%}".replace("%", " %")
        in html
    )
    # A first loss of 2.3 ends between two ticks: the axis goes on to the next, 2.5.
    assert ">2.5</text>" in html
    content = as_json(result)
    columns = [attributes for tag, attributes in page.elements if tag == "rect"]
    for marks in (columns, [circle for circle in circles if "data-bin" in circle]):
        assert len(marks) == 12, "six of ten bins hold answers, twice"
        for mark in marks:
            part = at(content, mark["data-bin"])
            assert {k: json.loads(mark[f"data-{k}"]) for k in part} == part
    assert float(columns[-1]["height"]) == pytest.approx(
        188 * result.calibration.bins[-1].accuracy, abs=0.01
    )
    assert (
        len([tag for tag, attributes in page.elements if tag == "svg" and attributes["role"]]) == 4
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 37, [0, 10, 20, 30]), (0, 0.0021, 6), (0, 1e9, 6)],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float] | int) -> None:
    found = Axis("x", low, high).ticks()
    if isinstance(ticks, int):
        assert 3 <= len(found) <= ticks
        assert all(low <= tick <= high for tick in found)
    else:
        assert found == pytest.approx(ticks)
