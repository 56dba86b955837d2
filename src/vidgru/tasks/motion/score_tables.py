"""Tables of a motion model's errors. Untrusted names are made harmless first."""

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.engine.results import PARTS
from vidgru.tasks.motion.scores import MotionEvaluation, MotionScores, MotionTrainResult
from vidgru.terminal.results import (
    figure,
    held_out,
    print_end,
    print_tables,
    splitting,
    trained,
    worth,
)
from vidgru.terminal.tables import open_console, percent


def show(result: MotionTrainResult | MotionEvaluation) -> None:
    """Print the result of a training or an evaluation."""
    if isinstance(result, MotionTrainResult):
        show_motion_training(result)
    else:
        show_motion_evaluation(result)


def show_motion_training(result: MotionTrainResult) -> None:
    """Print the errors of motion, the path of the model, and the next commands."""
    parts = held_out(result.validation, result.test)
    print_tables((_table(*part) for part in parts), result.skipped)
    sentences = (
        _usefulness(*parts[-1]),
        splitting(result.split),
        _sure(result.validation),
        _spread(result.validation),
        _now(result.validation),
        trained(result, f", starting from {result.initial_weights}"),
    )
    print_end(sentences, result, "motion")


def show_motion_evaluation(result: MotionEvaluation) -> None:
    """Print the errors of motion on clips that were not trained on."""
    scores, what = result.scores, PARTS[result.part]
    print_tables([_table(scores, what)], result.skipped)
    for sentence in (_usefulness(scores, what), _sure(scores), _spread(scores), _now(scores)):
        if sentence:
            open_console().print(Text(sentence))


def _table(scores: MotionScores, what: str) -> Table:
    """Return a table with a row for each field."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"Mean error of velocities on {what}, in pixels/s (and % of the width per s)",
        title_justify="left",
    )
    table.add_column("")
    for title in ("model", "zero", "persistence", "acceleration", "model /\nbest", "CRPS /\nbest"):
        table.add_column(title, justify="right")
    for field in scores.fields:
        name = f"+{field.seconds:g} s" if field.seconds else "now"
        cells = ["-"] * 6
        if field.pixels is not None and field.widths is not None:
            cells = [
                "-" if pixels is None or share is None else f"{pixels:.1f} ({100 * share:.1f})"
                for pixels, share in (
                    (getattr(field.pixels, baseline), getattr(field.widths, baseline))
                    for baseline in ("model", "zero", "persistence", "acceleration")
                )
            ]
            ratios = (field.ratio, field.crps_ratio)
            cells += ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        table.add_row(name, *cells)
    return table


def _usefulness(scores: MotionScores, what: str) -> str:
    """Return whether and where a model beats the baselines; "" where it always does."""
    mean = scores.mean_ahead
    if mean is None:
        return ""
    baseline = {
        mean.acceleration: "constant acceleration",
        mean.persistence: "persistence",
        mean.zero: "zero motion",  # last, so that of equals it is named
    }[mean.best_baseline]
    own, best = (figure(100 * error) for error in (mean.model, mean.best_baseline))
    when = "ahead" if any(scores.ahead) else "now"
    return worth(
        mean.useful,
        "error",
        f"its mean error {when} on {what}, {own} % of the width per s, is not below that of "
        f"{baseline}, {best} %",
        {f"+{seconds:g} s": errors.useful for seconds, errors in scores.ahead.items()},
    )


def _sure(scores: MotionScores) -> str:
    """Return where the model expects to be better than no motion, in a sentence."""
    sure = [field for field in scores.fields if field.seconds and field.sure_ratio is not None]
    if not sure:
        return ""
    times = ", ".join(f"+{field.seconds:g} s" for field in sure)
    shares = ", ".join(percent(field.sure) for field in sure)
    ratios = ", ".join(f"{field.sure_ratio:.2f}" for field in sure)
    return (
        f"Of cells that move, it is sure of {shares} at {times}: there its mean error is {ratios} "
        "of the best baseline's."
    )


def _spread(scores: MotionScores) -> str:
    """Return how well the spread predicts the error, in a sentence."""
    predicted = [field for field in scores.fields if field.covered is not None]
    if not predicted:
        return ""
    shares = ", ".join(percent(field.covered) for field in predicted)
    means = ", ".join(f"{field.spread:.2f}" for field in predicted)
    return f"Errors below the predicted spread: {shares}; mean error / mean spread: {means}."


def _now(scores: MotionScores) -> str:
    """Return the errors of directions and speeds, in a sentence."""
    if scores.angle is None:
        return ""
    return (
        f"Where things move now, the median error of the direction is {scores.angle:.1f} degrees, "
        f"that of the speed {percent(scores.speed)}."
    )
