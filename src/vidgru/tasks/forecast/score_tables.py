"""Tables of how good forecast frames are. Names from strangers are made harmless first."""

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.engine.results import PARTS
from vidgru.tasks.forecast.scores import (
    BASELINES,
    ForecastEvaluation,
    ForecastScores,
    ForecastTrainResult,
    FrameErrors,
)
from vidgru.terminal.results import (
    figure,
    held_out,
    print_end,
    print_tables,
    splitting,
    trained,
    worth,
)
from vidgru.terminal.tables import open_console

CONSTANTS = (
    "MSE and MAE: sums over a frame's pixels and channels, from 0 to 1. SSIM: 7x7 windows, K1 "
    "0.01, K2 0.03, range 2. PSNR: peak 1, at most 58.9. copy: the last frame stays; linear: "
    "each pixel goes on to change."
)


def show(result: ForecastTrainResult | ForecastEvaluation) -> None:
    """Print what a training or an evaluation came to."""
    if isinstance(result, ForecastTrainResult):
        show_forecast_training(result)
    else:
        show_forecast_evaluation(result)


def show_forecast_training(result: ForecastTrainResult) -> None:
    """Print how good frames are forecast, where the model lies, and what to type next."""
    parts = held_out(result.validation, result.test)
    print_tables((scores_table(*part) for part in parts), result.skipped)
    how = f": from {result.frames} frames, the next {result.ahead}, at {result.fps:.4g} frames/s"
    how += f"; {result.size}x{result.size} pixels{' in grey' if result.channels == 1 else ''}"
    sentences = (
        _usefulness(*parts[-1]),
        CONSTANTS,
        splitting(result.split),
        trained(result, how),
    )
    print_end(sentences, result, "forecast")


def show_forecast_evaluation(result: ForecastEvaluation) -> None:
    """Print how good frames are forecast of clips that were not learned from."""
    print_tables([scores_table(result.scores, PARTS[result.part])], result.skipped)
    for sentence in (_usefulness(result.scores, PARTS[result.part]), CONSTANTS):
        if sentence:
            open_console().print(Text(sentence))


def _usefulness(scores: ForecastScores, what: str) -> str:
    """Return whether and where a model is better than the guesses; "" where it always is."""
    baseline = {"copy": "the last frame repeated", "linear": "pixels that go on to change"}
    own, best = (figure(scores.mean(name).mse) for name in ("model", scores.best_baseline))
    return worth(
        scores.useful,
        "MSE",
        f"its mean MSE on {what}, {own}, is not below that of {baseline[scores.best_baseline]}, {best}",
        {f"+{horizon.frame}": horizon.useful for horizon in scores.horizons},
    )


def scores_table(scores: ForecastScores, what: str) -> Table:
    """Return a table with a row for each frame ahead, and one for all."""
    subject = f"{scores.windows} forecasts of {what} are"
    if scores.windows == 1:
        subject = f"the forecast of {what} is"
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(f"how good {subject} (model / copy / linear)"),
        title_justify="left",
        show_footer=True,
    )
    means = [scores.mean(baseline) for baseline in BASELINES]
    table.add_column("frame", footer="all")
    table.add_column("seconds", justify="right")
    for title, foot in zip(("MSE", "MAE", "SSIM", "PSNR"), _cells(*means), strict=True):
        table.add_column(title, foot, justify="right")
    for horizon in scores.horizons:
        cells = _cells(horizon.model, horizon.copy, horizon.linear)
        table.add_row(f"+{horizon.frame}", f"{horizon.seconds:.2f}", *cells)
    return table


def _cells(*errors: FrameErrors) -> list[str]:
    """Return what stands in a row: each measure, of the model and of both guesses."""
    return [
        " / ".join(f"{getattr(error, name):{form}}" for error in errors)
        for name, form in (("mse", ".1f"), ("mae", ".1f"), ("ssim", ".3f"), ("psnr", ".2f"))
    ]
