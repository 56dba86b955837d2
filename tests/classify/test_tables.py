"""Tables of answers as CSV, whatever the classes and files are called."""

import csv
from pathlib import Path

import numpy as np

from vidgru.core.results import Failure
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.tables import csv_columns, rows_of
from vidgru.terminal.source_loop import CsvFile, Output, print_items


def keep(items: list[Prediction | Failure], labels: tuple[str, ...], table: Path) -> None:
    columns = csv_columns(labels, False)
    print_items(items, Output(table=CsvFile(str(table), columns, {Prediction: rows_of})))


def test_csv_with_words_that_a_spreadsheet_would_compute(tmp_path: Path) -> None:
    words = ("=1+1", "-0.5", "\t@x", "a=b")
    answers = [
        Prediction("+1.avi", words, tuple(shares), (), 8, 1.0)
        for shares in np.eye(len(words)).tolist()
    ]
    keep([*answers, Failure("-2.avi", "-2.avi is no video.")], words, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert [row[0] for row in rows] == ["./+1.avi"] * 4 + ["./-2.avi"]
    # What is a number is one, whatever it is called.
    assert [row[1] for row in rows] == ["'=1+1", "-0.5", "'\t@x", "a=b", ""]
    assert rows[-1][-1] == "'-2.avi is no video."
    assert not [cell for cell in head if cell.startswith(("=", "\t"))]


def test_csv_with_classes_called_as_its_columns(tmp_path: Path) -> None:
    labels = ("error", "source", "label", "confidence", "p_error")
    answer = Prediction("a.avi", labels, (0.1, 0.2, 0.3, 0.25, 0.15), (), 8, 1.0)
    keep([answer], labels, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        head, row = csv.reader(file)
    assert len(set(head)) == len(head)
    found = dict(zip(head, row, strict=True))
    assert (found["source"], found["label"], found["error"]) == ("a.avi", "label", "")
    assert [float(found[f"p_{label}"]) for label in labels] == [0.1, 0.2, 0.3, 0.25, 0.15]
