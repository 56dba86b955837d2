"""Write an evaluation as one self-contained web page, for any screen."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidgru.core.files import write_bytes
from vidgru.engine.results import PARTS
from vidgru.tasks.classify.charts import Axis, Chart, legend
from vidgru.tasks.classify.page import (
    Numbers,
    as_section,
    as_table,
    counted,
    named,
    shortened,
    shown,
    visible,
    whole_page,
)
from vidgru.tasks.classify.scores import Evaluation
from vidgru.video.write import encode_image

MISTAKES = 12  # at most, unless there are more strips
CUES = 3
NAMES = {
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "val_balanced": "balanced",
    "seconds": "seconds",
}


def write_report(
    path: Path,
    evaluation: Evaluation,
    rows: Sequence[dict[str, float]],
    strips: Mapping[str, Sequence[NDArray[np.uint8]]],
) -> None:
    """Write a page that shows how good a model is.

    `rows` are those of metrics.csv; `strips` gives frames, rgb uint8 (H, W, 3), by clip, of
    confident mistakes. The page contains the evaluation as JSON, and each displayed number
    its path in it (see `Numbers`). Raises OutputError.
    """
    numbers = Numbers(evaluation)
    title = f"Evaluation of {evaluation.model}"
    sections = (
        _headline(numbers),
        _baselines(numbers),
        _scores(numbers),
        _classes(numbers),
        _confusion(numbers),
        _calibration(numbers),
        _answered(numbers),
        _mistakes(numbers, strips),
        _curves(rows),
        _left_out(numbers),
    )
    page = whole_page(title, sections, numbers.embedded())
    write_bytes(path, page.encode())


def _headline(numbers: Numbers) -> str:
    part = PARTS[numbers["part",]]
    if numbers["answers", "length"] == 1:
        part = part.removesuffix("s")
    over = "clips, counted one by one"
    if numbers["groups",] is not None:
        over = f"{counted(numbers, 'groups', noun='independent group')} of clips"
    learned = "It was not trained on these clips."
    if numbers["trained_on",] is None:
        learned = "Whether it was trained on these clips is unknown."
    flattering = (
        f"<p>Of these, {counted(numbers, 'validated_on')} validated the training, so the figures "
        "may be too optimistic.</p>\n"
    )
    return (
        f'<header id="headline">\n<h1>{numbers("scores", "accuracy")} of '
        f"{numbers('answers', 'length')} {part} correct</h1>\n"
        f"<p>Model {named(numbers['model',])} on the {PARTS[numbers['part',]]} of "
        f"{named(numbers['folder',])}. {learned}</p>\n"
        f"<p>Accuracy, 95 % interval: {numbers('interval', 0)} to {numbers('interval', 1)}, over "
        f"{over}.</p>\n{flattering if numbers['validated_on',] else ''}</header>\n"
    )


def _bar(share: float | None, kind: str = "") -> str:
    return (
        f'<span class="bar"><i class="{kind}" style="width:{100 * (share or 0):.2f}%"></i></span>'
    )


def _baselines(numbers: Numbers) -> str:
    own = "This model"
    plain = [
        (own, _bar(numbers["scores", "accuracy"], "own"), numbers("scores", "accuracy")),
        ("Always the most frequent class", _bar(numbers["majority",]), numbers("majority")),
        (
            "Guessing",
            _bar(1 / len(numbers.labels)),
            f"one in {numbers('scores', 'labels', 'length')}",
        ),
    ]
    parts = [as_table("accuracy beside baselines", ["accuracy", "", ""], plain, "bars")]
    cues = numbers.content["shortcuts"]
    best = sorted(range(len(cues)), key=lambda n: -(cues[n]["accuracy"] or 0))[:CUES]
    if best:
        balanced = numbers("scores", "balanced")
        rows = [(own, _bar(numbers["scores", "balanced"], "own"), balanced)]
        for n in best:
            said, chance = (numbers("shortcuts", n, key) for key in ("accuracy", "chance"))
            name = named(cues[n]["cue"]) + (", a shortcut" if cues[n]["found"] else "")
            rows.append((f"Only from {name} (chance {chance})", _bar(cues[n]["accuracy"]), said))
        head = ["balanced accuracy", "", ""]
        parts.append(as_table("balanced accuracy beside shortcuts", head, rows, "bars"))
    if any(cue["found"] for cue in cues):
        parts.append(
            '<p class="warn">The classes differ in something that should not matter, and part of '
            "this model's accuracy may come from it.</p>\n"
        )
    return as_section("baselines", "Baselines", *parts)


def _scores(numbers: Numbers) -> str:
    rows = [
        ("Accuracy", numbers("scores", "accuracy")),
        ("Balanced accuracy: mean recall of the classes", numbers("scores", "balanced")),
        ("Macro-F1: mean F1 of the classes", numbers("macro_f1")),
    ]
    rows += [
        (f"Top-{k}: the class is among the {k} likeliest", numbers("top", k))
        for k in numbers.content["top"]
        if k != "1"
    ]
    rows.append(("Loss: mean of -log p(true class)", numbers("scores", "loss")))
    return as_section("scores", "Scores", as_table("scores", ["", ""], rows))


def _classes(numbers: Numbers) -> str:
    rows = [
        (
            named(label),
            numbers("scores", "count", label),
            numbers("scores", "recall", label),
            numbers("precision", label),
            numbers("f1", label),
        )
        for label in numbers.labels
    ]
    head = ["class", "clips", "recall", "precision", "F1"]
    note = (
        '<p class="dim">Recall: of the clips of a class, the share correct. Precision: of the '
        "clips predicted as a class, the share correct. F1: their harmonic mean.</p>\n"
    )
    return as_section("classes", "Scores by class", as_table("classes", head, rows), note)


def _confusion(numbers: Numbers) -> str:
    rows = []
    for i, label in enumerate(numbers.labels):
        counts = numbers["scores", "confusion", i]
        cells = [shortened(label)]
        for j, count in enumerate(counts):
            kind = "none" if not count else "hit" if i == j else "miss"
            share = f' style="--s:{count / sum(counts):.3f}"' if count else ""
            number = numbers("scores", "confusion", i, j)
            cells.append(f'<span class="cell {kind}"{share}>{number}</span>')
        rows.append(cells)
    head = ["true, predicted", *map(shortened, numbers.labels)]
    note = (
        '<p class="dim">Clips by true class (rows) and predicted class (columns). The more of a '
        "row, the stronger the colour: blue is correct, orange is wrong.</p>\n"
    )
    table = as_table("confusion matrix", head, rows, "matrix")
    return as_section("confusion", "Confusion matrix", note, table)


def _calibration(numbers: Numbers) -> str:
    figures, tables = [], []
    for key, error, when in (
        ("bins_before", "ece_before", "before temperature scaling"),
        ("bins", "ece", "after temperature scaling"),
    ):
        figures.append(
            f"<figure>{_reliability(numbers, key, when)}<figcaption>{when.capitalize()}: expected "
            f"calibration error {numbers('calibration', error)}</figcaption></figure>\n"
        )
        rows = []
        for n in range(numbers["calibration", key, "length"]):
            at = ("calibration", key, n)
            span = f"{numbers(*at, 'low')} to {numbers(*at, 'high')}"
            rows.append([span, *(numbers(*at, k) for k in ("count", "confidence", "accuracy"))])
        head = [when, "clips", "mean confidence", "correct"]
        tables.append(as_table(f"calibration {when}", head, rows))
    return as_section(
        "calibration",
        "Calibration",
        '<p class="dim">Each column holds predictions of similar confidence. On the dashed line, '
        "accuracy equals confidence; below it, the model is overconfident.</p>\n",
        f'<div class="charts">\n{"".join(figures)}</div>\n',
        f"<p>Temperature: {numbers('calibration', 'temperature')}.</p>\n",
        f"<details><summary>The numbers of these charts</summary>\n{''.join(tables)}</details>\n",
    )


def _reliability(numbers: Numbers, key: str, when: str) -> str:
    x, y = Axis("confidence", 0, 1, share=True), Axis("correct", 0, 1, share=True)
    chart = Chart(f"Reliability {when}", x, y)
    for n, part in enumerate(numbers["calibration", key]):
        if part["confidence"] is None or part["accuracy"] is None:
            continue
        texts = {k: shown(k, part[k]) for k in part}
        title = "{low} to {high}: {count} clips, confidence {confidence}, {accuracy} correct"
        data = {"bin": f"calibration.{key}.{n}"} | {k: json.dumps(part[k]) for k in part}
        chart.bar(part["low"], part["high"], part["accuracy"], title.format(**texts), data)
        chart.dot(part["confidence"], part["accuracy"], "one", title.format(**texts), data)
    chart.line([(0, 0), (1, 1)], "even")
    return chart.svg()


def _answered(numbers: Numbers) -> str:
    wanted = numbers("answered", "max_error")
    if numbers["answered", "threshold"] is None:
        said = f"On validation clips, no threshold keeps the error at or below {wanted}."
    else:
        said = (
            f"Predictions below a confidence of {numbers('answered', 'threshold')} become "
            f"<i>unsure</i>: on validation clips, at most {wanted} of the others are wrong."
        )
    rows = [
        ("Answered clips", numbers("answered", "answered")),
        ("Share of all clips", numbers("answered", "share")),
        ("Wrong among the answers", numbers("answered", "error")),
    ]
    table = as_table("answered", ["on these clips", ""], rows)
    return as_section("answered", "Answering only when sure", f"<p>{said}</p>\n", table)


def _mistakes(numbers: Numbers, strips: Mapping[str, Sequence[NDArray[np.uint8]]]) -> str:
    answers = numbers.content["answers"]
    wrong = [n for n, answer in enumerate(answers) if answer["label"] != answer["predicted"]]
    wrong.sort(key=lambda n: -answers[n]["confidence"])
    worst = wrong[: max(MISTAKES, len(strips))]
    figures = []
    for rank, n in enumerate(worst, 1):
        answer = answers[n]
        images = "".join(
            f'<img alt="" src="data:image/jpeg;base64,{_jpeg(frame)}">'
            for frame in strips.get(answer["clip"], ())
        )
        page, link = Path("mistakes", str(rank)), ""
        if any(Path(folder).parts[-2:] == page.parts for folder in numbers.content["explained"]):
            link = f': <a href="{page.as_posix()}/explanation.html">why?</a>'
        label = escape(f"Frames of {visible(answer['clip'])}")
        strip = f'<div class="strip" role="img" aria-label="{label}">{images}</div>'
        figures.append(
            f"<figure><div>True <b>{named(answer['label'])}</b>, predicted "
            f"<b>{named(answer['predicted'])}</b> with {numbers('answers', n, 'confidence')}</div>"
            f"{strip if images else ''}<figcaption>{named(answer['clip'])}{link}</figcaption>"
            "</figure>\n"
        )
    if not wrong:
        figures.append("<p>None: every clip was correct.</p>\n")
    if len(worst) < len(wrong):
        figures.append('<p class="dim">There are more; these are the most confident.</p>\n')
    return as_section("mistakes", "Most confident mistakes", *figures)


def _jpeg(frame: NDArray[np.uint8]) -> str:
    return base64.b64encode(encode_image(frame, ".jpg", 85)).decode()


def _curves(rows: Sequence[dict[str, float]]) -> str:
    if not rows:
        text = "<p>There is no metrics.csv beside the model.</p>\n"
        return as_section("curves", "Training", text)
    loss, accuracy = (
        # A model that was trained on all clips has no validation.
        [key for key in keys if key in rows[0]]
        for keys in (("train_loss", "val_loss"), ("val_accuracy", "val_balanced"))
    )
    highest = max((row[key] for row in rows for key in loss if math.isfinite(row[key])), default=0)
    figures = [_curve("Loss over epochs", rows, loss, Axis("loss", 0, highest or 1).rounded())]
    if accuracy:
        share = Axis("accuracy", 0, 1, share=True)
        figures.append(_curve("Accuracy over epochs", rows, accuracy, share))
    keys = (*loss, *accuracy, "seconds")
    cells = [
        [_row_number(n, key, row[key]) for key in ("epoch", *keys)] for n, row in enumerate(rows)
    ]
    head = ["epoch", *(NAMES[key] for key in keys)]
    table = as_table("training", head, cells)
    return as_section(
        "curves",
        "Training",
        f'<div class="charts">\n{"".join(figures)}</div>\n',
        f"<details><summary>The numbers of these charts</summary>\n{table}</details>\n",
    )


def _curve(title: str, rows: Sequence[dict[str, float]], keys: Sequence[str], y: Axis) -> str:
    epochs = [row["epoch"] for row in rows]
    chart = Chart(title, Axis("epoch", min(0, *epochs), max(1, *epochs)), y)
    # The thin line is drawn over the thick one.
    kinds = dict(zip(keys, ("one", "two"), strict=False))
    for key, kind in reversed(kinds.items()):
        points = [
            (n, row["epoch"], row[key]) for n, row in enumerate(rows) if math.isfinite(row[key])
        ]
        chart.line([(epoch, value) for _, epoch, value in points], kind)
        for n, epoch, value in points:
            text = f"epoch {epoch:g}: {NAMES[key]} {_row_text(key, value)}"
            chart.dot(epoch, value, kind, text, {"row": f"{n}.{key}", "value": json.dumps(value)})
    entries = [(kind, NAMES[key]) for key, kind in kinds.items()]
    return f"<figure>{chart.svg()}{legend(entries)}</figure>\n"


def _row_text(key: str, value: float) -> str:
    if not math.isfinite(value):
        return shown(key, None)
    plain = {"epoch": "g", "train_loss": ".3f", "val_loss": ".3f", "seconds": ".0f"}
    return format(value, plain[key]) if key in plain else shown(key, value)


def _row_number(n: int, key: str, value: float) -> str:
    raw = json.dumps(value if math.isfinite(value) else None)
    return f'<data value="{raw}" data-row="{n}.{key}">{_row_text(key, value)}</data>'


def _left_out(numbers: Numbers) -> str:
    parts = []
    if numbers["trained_on",] is not None:
        learned = counted(numbers, "trained_on")
        parts.append(f"<p>Because the model was trained on them: {learned}.</p>\n")
    parts.append(
        f"<p>Because they could not be read: {counted(numbers, 'skipped', 'length')}.</p>\n"
    )
    skipped = numbers.content["skipped"]
    if skipped:
        lines = "".join(
            f"<li>{'' if source in error else f'{named(source)}: '}{named(error)}</li>\n"
            for source, error in ((each["source"], each["error"]) for each in skipped)
        )
        opened = " open" if len(skipped) <= MISTAKES else ""
        parts.append(
            f"<details{opened}><summary>Their names</summary>\n<ul>\n{lines}</ul></details>\n"
        )
    return as_section("left-out", "Clips left out", *parts)
