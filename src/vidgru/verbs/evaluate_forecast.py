"""Tell how good a forecasting model is on clips that it did not learn from."""

from collections.abc import Generator
from pathlib import Path

import torch

from vidgru.config import EvaluateConfig
from vidgru.data.cache import Sampling
from vidgru.data.gather import read_source
from vidgru.engine.checkpoint import LoadedForecast
from vidgru.engine.forecast_loop import ASKED, add_windows, windows
from vidgru.errors import DataError
from vidgru.forecast_scores import ForecastEvaluation
from vidgru.results import Progress
from vidgru.tasks.forecast import Tally
from vidgru.verbs.evaluate_motion import refuse_options
from vidgru.verbs.held import choose_part, hold


def evaluate_forecast_steps(
    folder: Path, config: EvaluateConfig, model: LoadedForecast, device: torch.device
) -> Generator[Progress, None, ForecastEvaluation]:
    """Evaluate on the videos below a folder; parts and left-out clips are as for classifiers.

    Windows follow upon each other in each clip. Raises OptionError for options that need classes,
    DataError when nothing is left to tell from.
    """
    refuse_options(config, "a forecasting model")
    spec = model.spec
    part, clips = choose_part(read_source(folder, labelled=False))
    sampling = Sampling(spec.fps, spec.size, spec.window, even=True)
    held = yield from hold(part, clips, folder, model.path, sampling)
    pieces = [piece for one in held.clips if one.segments is not None for piece in one.segments]
    places = list(windows(pieces, spec))
    tally, network = Tally(spec.ahead), model.network.to(device)
    for first in range(0, len(places), ASKED):
        add_windows(tally, network, pieces, places[first : first + ASKED], spec)
        yield Progress("evaluating", min(first + ASKED, len(places)), len(places))
    scores = tally.scores(spec.fps)
    if scores is None:
        raise DataError(
            f"No clip in {folder} has the {spec.window} frames that it takes to tell how good the "
            "model is."
        )
    return ForecastEvaluation(
        model=model.path,
        folder=folder,
        part=part,
        clips=len(held.clips),
        scores=scores,
        trained_on=held.trained_on,
        validated_on=held.validated_on,
        skipped=held.skipped,
    )
