"""`vidgru forecast`: forecast the frames that come next in videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.core.results import Failure
from vidgru.core.text import printable
from vidgru.data.results import counted
from vidgru.tasks.forecast.options import ForecastConfig
from vidgru.tasks.forecast.results import Forecast, ForecastSummary
from vidgru.terminal.options import (
    config_options,
    json_option,
    quiet_option,
    report_model,
    source_arguments,
)

if TYPE_CHECKING:
    from vidgru.tasks.forecast.model import ForecastModel
    from vidgru.tasks.forecast.save import OutputPaths


@click.command("forecast")
@source_arguments
@config_options(ForecastConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Forecast the next frames of videos, with a model of `train --task forecast`.

    SOURCE is a video, a folder of images, or a folder to search for videos. For each, a folder is
    written: the forecast frames as pictures, forecast.mp4 (context and forecast), filmstrip.png
    (context, true frames, forecast, difference) and frames.csv (times and errors). With several
    --at, it has a folder for each.

    If the video continues after --at, a table shows the error of the forecasts, and errors.png
    plots it over the frames ahead, beside two baselines: the last frame repeated, and each pixel
    changing on linearly.
    """
    config = ForecastConfig(**options)
    from vidgru.tasks.forecast.model import load_forecast
    from vidgru.tasks.forecast.save import plan
    from vidgru.video.find import find_videos

    found = find_videos(sources)
    planned = plan(sources, found, config)
    model = load_forecast(config.model, device=config.device, threads=config.threads)
    report_model(model.path, config, quiet)
    if _print(model, found, planned, config, as_json, quiet):
        click.get_current_context().exit(1)


def _print(
    model: "ForecastModel",
    found: Sequence[Path | Failure],
    planned: "Mapping[Path, OutputPaths]",
    config: ForecastConfig,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print each forecast as it is written; return whether anything failed."""
    from vidgru.tasks.forecast.save import forecast_each
    from vidgru.terminal.source_loop import Output, print_sources

    unknown = False

    def show(summary: ForecastSummary) -> None:
        nonlocal unknown
        unknown |= summary.scores is None
        _show(summary)

    output = Output(
        as_json=as_json,
        json_types=(Forecast,),
        show={Forecast: lambda forecast: print(_line_of(forecast)), ForecastSummary: show},
    )
    failed = print_sources(
        forecast_each(model, found, planned, config),
        len(found),
        output,
        quiet=quiet,
        interrupted="{printed} of {total} sources were finished.",
        parts=(Forecast,),
    )
    if unknown:
        print("No true frames follow the end of a video. To compare with true frames, give --at.")
    return failed


def _line_of(forecast: Forecast) -> str:
    """Return a line about a forecast, and its folder."""
    last = forecast.frames[-1]
    folder = last.file.parent if last.file is not None else ""
    return printable(
        f"{forecast.source}: {counted(last.number, 'frame')} after {forecast.at:.2f} s, up to "
        f"{last.seconds:.2f} s, from {len(forecast.context)} before it at {forecast.fps:.4g} "
        f"frames/s, in {folder}"
    )


def _show(summary: ForecastSummary) -> None:
    """Print the errors of a source's forecasts, if the true frames are known."""
    if summary.scores is None:
        return
    from rich.text import Text

    from vidgru.tasks.forecast.score_tables import CONSTANTS, scores_table
    from vidgru.terminal.tables import open_console

    console = open_console()
    if left := summary.forecasts - summary.scores.windows:
        console.print(f"Forecasts without true frames to compare with, left out: {left}.")
    console.print(scores_table(summary.scores, printable(summary.source)))
    console.print(Text(CONSTANTS))
