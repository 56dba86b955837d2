"""Tables of how good foreseen frames are. Names from strangers are made harmless first."""

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.cli.render import quoted, splitting
from vidgru.cli.tables import open_console
from vidgru.cli.text import printable
from vidgru.findings import PARTS
from vidgru.forecast_scores import (
    GUESSES,
    ForecastEvaluation,
    ForecastScores,
    ForecastTrainResult,
    FrameErrors,
)

CONSTANTS = (
    "MSE and MAE: sums over a frame's pixels and channels, from 0 to 1. SSIM: 7x7 windows, K1 "
    "0.01, K2 0.03, range 2. PSNR: peak 1, at most 58.9. copy: the last frame stays; linear: "
    "each pixel goes on to change."
)


def show_forecast_training(result: ForecastTrainResult) -> None:
    """Print how good frames are foreseen, where the model lies, and what to type next."""
    console = open_console()
    console.print(scores_table(result.validation, "validation clips"))
    if result.test is not None:
        console.print(scores_table(result.test, "test clips"))
    if result.skipped:
        console.print(Text(f"Left out, and named above: {len(result.skipped)} clips."))
    for sentence in (
        CONSTANTS,
        splitting(result.split),
        f"Trained on {result.train_clips} clips for {result.epochs} epochs, best at epoch "
        f"{result.best_epoch}: from {result.frames} frames, the next {result.ahead}, at "
        f"{result.fps:.4g} frames/s; {result.size}x{result.size} pixels"
        f"{' in grey' if result.channels == 1 else ''}; {result.parameters:,} parameters; "
        f"{result.seconds:.0f} s in all.",
    ):
        if sentence:
            console.print(Text(printable(sentence)))
    console.print(Text(f"Model: {printable(str(result.model))}", overflow="fold"))
    run = printable(quoted(str(result.run)))
    console.print(Text(f"Next:  vidgru forecast VIDEO --model {run}"))


def show_forecast_evaluation(result: ForecastEvaluation) -> None:
    """Print how good frames are foreseen of clips that were not learned from."""
    console = open_console()
    console.print(scores_table(result.scores, PARTS[result.part]))
    if result.skipped:
        console.print(Text(f"Left out, and named above: {len(result.skipped)} clips."))
    console.print(Text(CONSTANTS))


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
    means = [scores.mean(guess) for guess in GUESSES]
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
