"""Tables of forecast errors. Untrusted names are made harmless first."""

from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.data.results import counted
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
from vidgru.terminal.tables import fits_width, open_console

# Names and formats, by title.
MEASURES = {
    "MSE": ("mse", ".1f"),
    "MAE": ("mae", ".1f"),
    "SSIM": ("ssim", ".3f"),
    "PSNR": ("psnr", ".2f"),
}
CONSTANTS = (
    "MSE and MAE: sums over a frame's pixels and channels, from 0 to 1. SSIM: 7x7 windows, K1 "
    "0.01, K2 0.03, range 2. PSNR: peak 1, at most 58.9. Baselines: copy, the last frame repeated; "
    "linear, each pixel changing on linearly."
)


def show(result: ForecastTrainResult | ForecastEvaluation) -> None:
    """Print the result of a training or an evaluation."""
    if isinstance(result, ForecastTrainResult):
        show_forecast_training(result)
    else:
        show_forecast_evaluation(result)


def show_forecast_training(result: ForecastTrainResult) -> None:
    """Print the forecast errors, the path of the model, and the next commands."""
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
    """Print the forecast errors on clips that were not trained on."""
    print_tables([scores_table(result.scores, PARTS[result.part])], result.skipped)
    for sentence in (_usefulness(result.scores, PARTS[result.part]), CONSTANTS):
        if sentence:
            open_console().print(Text(sentence))


def _usefulness(scores: ForecastScores, what: str) -> str:
    """Return whether and where a model beats the baselines; "" where it always does."""
    baseline = {"copy": "the last frame repeated", "linear": "pixels changing on linearly"}
    name = scores.best_baseline
    own, best = (figure(scores.mean(one).mse) for one in ("model", name))
    return worth(
        scores.useful,
        "MSE",
        f"its mean MSE on {what}, {own}, is not below that of {baseline[name]}, {best}",
        {f"+{horizon.frame}": horizon.useful for horizon in scores.horizons},
    )


def scores_table(scores: ForecastScores, what: str) -> Table:
    """Return a table with a row for each frame ahead, and one for all.

    On a narrow terminal, it has MSE and SSIM only.
    """
    whole = _table(scores, what, MEASURES)
    if fits_width(open_console(), whole):
        return whole
    return _table(scores, what, {title: MEASURES[title] for title in ("MSE", "SSIM")})


def _table(scores: ForecastScores, what: str, measures: Mapping[str, tuple[str, str]]) -> Table:
    subject = f"{counted(scores.windows, 'forecast')} of {what}"
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(f"Error of {subject} (model / copy / linear)"),
        title_justify="left",
        show_footer=True,
    )
    means = [scores.mean(baseline) for baseline in BASELINES]
    table.add_column("frame", footer="all")
    table.add_column("seconds", justify="right")
    for title, foot in zip(measures, _cells(measures, *means), strict=True):
        table.add_column(title, foot, justify="right")
    for horizon in scores.horizons:
        cells = _cells(measures, horizon.model, horizon.copy, horizon.linear)
        table.add_row(f"+{horizon.frame}", f"{horizon.seconds:.2f}", *cells)
    return table


def _cells(measures: Mapping[str, tuple[str, str]], *errors: FrameErrors) -> list[str]:
    """Return the cells of a row: each metric, of the model and of both baselines."""
    return [
        " / ".join(f"{getattr(error, name):{form}}" for error in errors)
        for name, form in measures.values()
    ]
