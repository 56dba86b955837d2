"""Make up evaluations, and read their reports as a browser would."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.results import Failure
from vidgru.data.results import Shortcut
from vidgru.tasks.classify.report import write_report
from vidgru.tasks.classify.results import Bin, Calibration, Scores, SelectiveScores
from vidgru.tasks.classify.scores import Answer, Evaluation


def bins(seed: int) -> tuple[Bin, ...]:
    rng = np.random.default_rng(seed)
    found = [Bin(n / 10, (n + 1) / 10, 0, None, None) for n in range(4)]
    for n in range(4, 10):
        confidence, accuracy = (n + rng.random()) / 10, float(rng.random())
        found.append(Bin(n / 10, (n + 1) / 10, int(rng.integers(1, 90)), confidence, accuracy))
    return tuple(found)


def evaluation(
    labels: tuple[str, ...] = ("left", "right hand", "up"), clips: int = 60, errors: float = 0.2
) -> Evaluation:
    """Make up a model's predictions; counts, recall and accuracy agree with them."""
    rng = np.random.default_rng(1)
    answers, confusion = [], np.zeros((len(labels), len(labels)), int)
    for n in range(clips):
        true = n % len(labels)
        said = int(rng.integers(len(labels))) if rng.random() < errors else true
        confusion[true, said] += 1
        confidence = float(rng.uniform(1 / len(labels), 1))
        clip = f"{labels[true]}/clip_{n:03}.avi"
        answers.append(Answer(clip, labels[true], labels[said], confidence, f"group {n % 7}"))
    count, called = confusion.sum(1), confusion.sum(0)
    right = np.diag(confusion)
    recall = [float(r / n) if n else None for r, n in zip(right, count, strict=True)]
    precision = [float(r / n) if n else None for r, n in zip(right, called, strict=True)]
    accuracy = float(right.sum() / clips)
    scores = Scores(
        labels=labels,
        accuracy=accuracy,
        balanced=float(np.mean([share for share in recall if share is not None])),
        loss=0.51234,
        recall=dict(zip(labels, recall, strict=True)),
        count=dict(zip(labels, map(int, count), strict=True)),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )
    return Evaluation(
        model=Path("runs/clips-1/model.safetensors"),
        folder=Path("clips"),
        part="test",
        scores=scores,
        interval=(accuracy - 0.0812, min(accuracy + 0.0571, 1.0)),
        groups=7,
        precision=dict(zip(labels, precision, strict=True)),
        f1=dict(zip(labels, precision, strict=True)),
        macro_f1=0.87654,
        top={1: accuracy, 2: 0.95, 3: 1.0},
        calibration=Calibration(1.337, 0.0312, 0.0876, bins(2), bins(3)),
        answered=SelectiveScores(0.05, 0.62, 41, 41 / 60, 2 / 41),
        majority=1 / 3,
        shortcuts=(
            Shortcut("aspect ratio", 0.55, 1 / 3, True),
            Shortcut("duration", 0.31, 0.34, False),
        ),
        answers=tuple(answers),
        trained_on=1234,
        validated_on=17,
        skipped=(
            Failure("broken.mp4", "Cannot read broken.mp4: not a video."),
            Failure("lost.avi", "No frame came out."),
        ),
        report=Path("report.html"),
    )


def bare() -> Evaluation:
    """Give one clip, correct, of one class, and nothing known beyond that."""
    empty = (Bin(0.0, 1.0, 0, None, None),)
    return replace(
        evaluation(("a", "b"), 1, 0),
        part="val",
        groups=None,
        precision={"a": 1.0, "b": None},
        f1={"a": 1.0, "b": None},
        calibration=Calibration(1.0, 0.0, 0.0, empty, empty),
        answered=SelectiveScores(0.05, None, 0, 0.0, None),
        shortcuts=(),
        skipped=(Failure("lost.avi", "No frame came out."),),
        trained_on=None,
        validated_on=0,
    )


def curves(count: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": 2.5 * n + 2.5,
            "step": 32.0 * n + 32,
            "train_loss": 2 * math.exp(-n / 9) + 0.1,
            "val_loss": 2 * math.exp(-n / 7) + 0.3,
            "val_accuracy": 0.95 - 0.7 * math.exp(-n / 5),
            "val_balanced": 0.93 - 0.7 * math.exp(-n / 5),
            "seconds": 3.5 * n,
        }
        for n in range(count)
    ]


def strips_of(result: Evaluation, count: int = 6) -> dict[str, list[NDArray[np.uint8]]]:
    """Give frames of a gradient that moves, of the first mistakes by confidence."""
    wrong = sorted((a for a in result.answers if not a.right), key=lambda a: -a.confidence)
    ramp = np.broadcast_to(np.arange(96, dtype=np.uint8)[:, None] * 2, (96, 96, 3))
    return {
        answer.clip: [np.roll(ramp, (9 * t, t), (0, 2)).astype(np.uint8) for t in range(6)]
        for answer in wrong[:count]
    }


class Page(HTMLParser):
    """What a browser would see: elements, visible texts, and the embedded JSON."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.numbers: list[tuple[dict[str, str], str]] = []
        self.names: list[str] = []
        self.open: list[tuple[str, dict[str, str]]] = []
        self.other, self.embedded, self.style = "", "", ""
        self.feed(path.read_text("utf-8"))
        self.close()
        assert [tag for tag, _ in self.open] == [], "elements that are not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pairs = {key: value or "" for key, value in attrs}
        assert len(pairs) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, pairs))
        if tag not in ("meta", "link", "img", "input"):
            self.open.append((tag, pairs))
        if tag == "data":
            self.numbers.append((pairs, ""))
        if tag == "bdi":
            self.names.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if "data" in tags:
            self.numbers[-1] = self.numbers[-1][0], self.numbers[-1][1] + data
        elif "bdi" in tags:
            self.names[-1] += data
        elif "script" in tags:
            self.embedded += data
        elif "style" in tags:
            self.style += data
        elif "svg" not in tags and "head" not in tags:
            self.other += data


def report(
    path: Path, result: Evaluation, rows: list[dict[str, float]] | None = None, strips: Any = None
) -> Page:
    write_report(path / "report.html", result, curves(9) if rows is None else rows, strips or {})
    return Page(path / "report.html")


def at(content: Any, path: str) -> Any:
    """Follow a dotted path, in which keys with other characters stand as JSON strings."""
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[^.]+', path):
        key = json.loads(part) if part[0] == '"' else part
        if isinstance(content, list):
            content = len(content) if key == "length" else content[int(key)]
        else:
            content = content[key]
    return content


def as_json(result: Evaluation) -> Any:
    return json.loads(json.dumps(result.to_dict()))
