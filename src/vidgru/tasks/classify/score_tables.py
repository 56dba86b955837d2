"""Tables of classifiers' scores, on stdout."""

from statistics import fmean, stdev

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.text import printable
from vidgru.data.results import counted
from vidgru.engine.results import PARTS, RANDOM
from vidgru.tasks.classify.results import (
    ENOUGH_TO_CHOOSE,
    Calibration,
    LooksChoice,
    SelectiveScores,
    TrainResult,
)
from vidgru.tasks.classify.scores import Comparison, Evaluation
from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
from vidgru.tasks.classify.timeline_tables import show_timelines
from vidgru.terminal.results import as_typed, print_end, splitting
from vidgru.terminal.tables import open_console, percent, points, shown


def show(result: TrainResult | Evaluation | TimelineEvaluation) -> None:
    """Print the result of a training or an evaluation."""
    if isinstance(result, TrainResult):
        show_training(result)
    elif isinstance(result, TimelineEvaluation):
        show_timelines(result)
    else:
        show_evaluation(result)


def show_training(result: TrainResult) -> None:
    """Print accuracy, per-class recall, the path of the model, and the next commands."""
    console = open_console()
    if result.folds:
        console.print(_folds(result))
    parts = [("held-out" if result.folds else "validation", result.validation)]
    if result.test is not None:
        parts.append(("test", result.test))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    for name, _ in parts:
        table.add_column(f"{name} clips", justify="right")
        table.add_column("recall", justify="right")
    for label in result.labels:
        cells = [
            cell
            for _, scores in parts
            for cell in (str(scores.count[label]), percent(scores.recall[label]))
        ]
        table.add_row(shown(label), *cells)
    table.add_section()
    for title, pick in (("accuracy", "accuracy"), ("balanced accuracy", "balanced")):
        cells = [
            cell
            for _, scores in parts
            for cell in (str(sum(scores.count.values())), percent(getattr(scores, pick)))
        ]
        table.add_row(Text(title, style="bold"), *cells)
    console.print(table)
    if result.skipped:
        console.print(Text(f"Unreadable clips, skipped (see above): {len(result.skipped)}."))
    kept = ""
    if not result.folds:
        why = "best on validation clips" if result.chosen else "the last"
        kept = f", kept epoch {result.best_epoch} ({why})"
    ended = " (ended early: the training clips were learned)" if result.ended_early else ""
    begun = "" if result.initial_weights == RANDOM else f", starting from {result.initial_weights}"
    where = "held-out clips" if result.folds else "the validation clips"
    sentences = (
        splitting(result.split, len(result.folds)),
        _few(result),
        _measured(result),
        _mirroring(result),
        _turning(result),
        _calibrated(result.calibration, where),
        _answering(result),
        _looks(result.looks),
        f"Trained on {counted(result.train_clips, 'clip')} for {counted(result.epochs, 'epoch')}"
        f"{ended}{kept}{begun}; "
        f"{result.parameters:,} parameters; {result.seconds:.0f} s in all.",
    )
    print_end(sentences, result, "predict")


def _folds(result: TrainResult) -> Table:
    """Return a table with a row for each fold, and their mean and spread."""
    table = Table(box=box.SIMPLE_HEAD)
    grouped = any(fold.groups for fold in result.folds)
    table.add_column("fold")
    for title in ("held-out clips", *(["groups"] if grouped else []), "accuracy", "balanced"):
        table.add_column(title, justify="right")
    table.add_column("time", justify="right")
    for number, fold in enumerate(result.folds, 1):
        groups = [str(fold.groups)] if grouped else []
        shares = [percent(fold.accuracy), percent(fold.balanced)]
        table.add_row(str(number), str(fold.clips), *groups, *shares, f"{fold.seconds:.0f} s")
    table.add_section()
    found = [[fold.accuracy for fold in result.folds], [fold.balanced for fold in result.folds]]
    means = [f"{percent(fmean(values))} +- {100 * stdev(values):.1f}" for values in found]
    counts = [str(sum(fold.clips for fold in result.folds)), *([""] if grouped else [])]
    table.add_row(Text("mean", style="bold"), *counts, *means, "")
    return table


def _few(result: TrainResult) -> str:
    """Return the uncertainty of the accuracy, in a sentence, and how to reduce it."""
    low, high = result.interval
    clips = sum(result.validation.count.values())
    which = "held-out" if result.folds else "validation"
    text = (
        f"Accuracy: {percent(result.validation.accuracy)} of {counted(clips, f'{which} clip')}"
        f" (95 % interval: {percent(low)} to {percent(high)})"
    )
    if clips < FEW_CLIPS and not result.folds and not result.split.given:  # then no folds can be
        text += ". For a better estimate: --folds 4"
    return f"{text}."


def _measured(result: TrainResult) -> str:
    """Return which model the figures are of where it is not the one to use, in a sentence."""
    if result.measured is None:
        return ""
    return (
        f"These figures are of the model in {as_typed(result.measured)}, trained without the "
        f"validation clips; the model itself then learned from all {result.train_clips} clips. "
        "To train once: --folds 1."
    )


def _calibrated(calibration: Calibration, where: str) -> str:
    """Return how far confidence is off, in a sentence."""
    text = f"Stated confidence differs from accuracy by {points(calibration.ece)} on average"
    text += f" on {where}" if where else ""
    if calibration.temperature != 1:
        text += f" ({points(calibration.ece_before)} before temperature scaling by "
        text += f"{calibration.temperature:.2f})"
    return f"{text}."


def _answering(result: TrainResult) -> str:
    """Return what is left of the folds' answers when some may be `unsure`, in a sentence."""
    if (answered := result.answered) is None:
        return ""
    text = f"With --max-error {answered.max_error:g}, {answered.answered} of "
    text += f"{counted(sum(result.validation.count.values()), 'held-out clip')} get a label"
    text += f", {percent(answered.error)} of them a wrong one" if answered.answered else ""
    return f"{text}; the others are 'unsure'."


def _mirroring(result: TrainResult) -> str:
    """Return which classes were mirrored, in a sentence or two."""
    if result.mirrored is None:
        return ""
    left_out = [label for label, used in result.mirrored.items() if not used]
    if len(left_out) == len(result.mirrored):
        text = "Mirror images are not used"
    else:
        text = f"Mirror images are used{', but not of ' if left_out else ''}{', '.join(left_out)}"
    undo = "" if left_out else " If wrong: --no-flip."
    return text + _because("mirror", "--flip", result) + undo


def _looks(found: LooksChoice | None) -> str:
    """Return how a picture encoder's features do without training, in a sentence."""
    if found is None:
        return ""
    nearest = f"Nearest class mean of looks: {percent(found.nearest_mean)} balanced"
    if found.changes is None or found.both is None:
        return f"{nearest} (cross-validated on the training clips)."
    used = {"changes": "changes alone are", "looks": "looks alone are", "both": "both are"}
    return (
        f"Without training, changes classify {percent(found.changes)}, looks "
        f"{percent(found.looks)}, both {percent(found.both)} of the training clips "
        "(balanced, cross-validated): "
        f"{used[found.input]} trained on. {nearest}."
    )


def _turning(result: TrainResult) -> str:
    """Return by how many degrees clips were rotated, in a sentence."""
    if result.rotation <= 0:
        return ""
    less = [f"{name} {turn:.3g}" for name, turn in result.turned.items() if turn < result.rotation]
    text = f"Clips are rotated by up to {result.rotation:.3g} degrees"
    text += f", less for: {', '.join(less)}" if less else ""
    return text + _because("turn", f"--rotation {result.rotation:g}", result)


def _because(transform: str, option: str, result: TrainResult) -> str:
    """Return why a transform was restricted, and how to allow it; or the end of the sentence."""
    pairs = [pair for pair in result.confused if pair.transform == transform]
    if not pairs:
        used = all((result.mirrored or {}).values())
        if transform == "turn":
            used = min(result.turned.values()) == result.rotation
        if used:
            return "."
        return f" (not tested in so short a training). If wrong: {option}."
    shares = ", ".join(
        f"{pair.first} and {pair.second} {percent(pair.with_it)} ({percent(pair.without)} without)"
        for pair in pairs
        if not pair.by_name
    )
    named = ", ".join(f"{pair.first} and {pair.second}" for pair in pairs if pair.by_name)
    reasons = []
    if shares:
        reasons.append(
            f"classes would become inseparable (accuracy on held-out training clips: {shares})"
        )
    if named:
        reasons.append(f"by their names {named} are mirror images, which these clips did not show")
    return f": {'; '.join(reasons)}. If wrong: {option}."


SUREST = 5  # mistakes to name


def show_evaluation(result: Evaluation) -> None:
    """Print a row for each class, accuracy with its interval, and the calibration."""
    console, scores, clips = open_console(), result.scores, len(result.answers)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    for title in ("clips", "recall", "precision", "F1"):
        table.add_column(title, justify="right")
    for label, count in scores.count.items():
        shares = (scores.recall[label], result.precision[label], result.f1[label])
        table.add_row(shown(label), str(count), *map(percent, shares))
    table.add_section()
    means = percent(scores.balanced), "", percent(result.macro_f1)
    table.add_row(Text("mean of the classes", style="bold"), str(clips), *means)
    console.print(table)
    wrong = sorted((a for a in result.answers if not a.right), key=lambda a: -a.confidence)
    low, high = result.interval
    over = f", by {counted(result.groups, 'group')}" if result.groups is not None else ""
    console.print(
        Text(
            f"Accuracy: {percent(scores.accuracy)}, {clips - len(wrong)} of "
            f"{counted(clips, PARTS[result.part].removesuffix('s'))} (95 % interval: "
            f"{percent(low)} to {percent(high)}{over})."
        )
    )
    tops = [f" Top-{k} accuracy: {percent(share)}." for k, share in result.top.items() if k > 1]
    text = f"Baseline, always the most frequent class: {percent(result.majority)}.{''.join(tops)}"
    console.print(Text(text))
    found = [f"{cue.cue} {percent(cue.accuracy)}" for cue in result.shortcuts if cue.found]
    if found:
        text = f"Shortcuts, balanced accuracy by them alone: {', '.join(found)}."
        console.print(Text(text))
    console.print(Text(_calibrated(result.calibration, "")))
    console.print(Text(_answered(result.answered, clips)))
    for answer in wrong[:SUREST]:
        said = f"{answer.clip} predicted as {answer.predicted}, {percent(answer.confidence)}"
        console.print(Text(f"Wrong: {printable(said)}", overflow="fold"))
    if len(wrong) > SUREST:
        console.print(Text(f"and {len(wrong) - SUREST} more, of lower confidence."))
    for folder in result.explained:
        console.print(Text(f"Explained: {printable(str(folder))}", overflow="fold"))
    if result.report is not None:
        console.print(Text(f"Report: {printable(str(result.report))}", overflow="fold"))


def _answered(answered: SelectiveScores, clips: int) -> str:
    """Return what is left of answers at a maximum error, in a sentence."""
    wanted = f"With an error limit of {100 * answered.max_error:.3g} %"
    if answered.threshold is None:
        return f"{wanted}, every answer is 'unsure'."
    text = f"{wanted} (confidence of at least {percent(answered.threshold)}), "
    text += f"{answered.answered} of {counted(clips, 'clip')} get a label"
    return text + (
        f", {percent(answered.error)} of them a wrong one." if answered.answered else "."
    )


def show_comparison(comparison: Comparison) -> None:
    """Print a row for each variant, best first, and how to judge a difference between two."""
    console, rows, measured = open_console(), comparison.rows, comparison.measured
    inputs, seeds = {row.input for row in rows}, len(rows[0].seeds)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("core")
    if len(inputs) > 1:
        table.add_column("input")
    for title in ("parameters", "ms a\nstep", f"{measured}\naccuracy"):
        table.add_column(title, justify="right", no_wrap=True)
    if seeds > 1:
        table.add_column("min - max", justify="right", no_wrap=True)
    table.add_column("last\nepoch", justify="right", no_wrap=True)
    for row in rows:
        spread = "" if row.spread is None else f" +- {100 * row.spread:.1f}"
        low, high = min(row.accuracies), max(row.accuracies)
        table.add_row(
            row.core,
            *([row.input] if len(inputs) > 1 else []),
            f"{row.parameters:,}",
            f"{1000 * row.step_seconds:.1f}",
            percent(row.mean) + spread,
            *([f"{100 * low:.1f} - {100 * high:.1f}"] if seeds > 1 else []),
            percent(fmean(row.last)),
        )
    console.print(table)
    sentences = [
        f"{counted(comparison.clips, f'{measured} clip')}: one clip is "
        f"{percent(1 / comparison.clips)}."
    ]
    if seeds > 1:
        sentences.append(f"+- is the standard deviation over {seeds} seeds, all on the same split.")
    else:
        sentences.append("One seed says nothing about chance: give more --seeds.")
    console.print(Text(" ".join(sentences)))
    if measured != "validation":
        console.print(Text("The accuracy of the last epoch is on the validation clips."))
    elif comparison.clips >= ENOUGH_TO_CHOOSE:
        text = "The best epoch was chosen with these clips, so the accuracy is too optimistic."
        console.print(Text(text))
    console.print(
        Text(
            f"Runs, comparison.png and comparison.json: {printable(str(comparison.folder))}",
            overflow="fold",
        )
    )


FEW_CLIPS = 30  # to validate with: an interval of 30 points and more
