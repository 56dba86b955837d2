"""Measure a forecasting model on clips that it was not trained on."""

import logging
from collections.abc import Generator
from pathlib import Path
from statistics import median

import torch

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.cache import Sampling
from vidgru.data.decode import readings_of, too_short
from vidgru.engine.held_out import decode_held_out_videos
from vidgru.tasks.forecast.metrics import MetricAccumulator
from vidgru.tasks.forecast.model_file import LoadedForecast
from vidgru.tasks.forecast.scores import ForecastEvaluation
from vidgru.tasks.forecast.train_step import EVAL_BATCH, add_windows, windows
from vidgru.tasks.forecast.training import TOO_SHORT

log = logging.getLogger("vidgru")


def evaluate_forecast_steps(
    folder: Path, model: LoadedForecast, device: torch.device
) -> Generator[Progress, None, ForecastEvaluation]:
    """Evaluate on the videos below a folder; parts and left-out clips are as for classifiers.

    Windows in each clip are consecutive. Raises
    DataError when nothing is left to evaluate.
    """
    spec = model.spec
    sampling = Sampling(spec.fps, spec.size, spec.window, even=True)
    held_out = yield from decode_held_out_videos(folder, model.path, sampling)
    known, window = readings_of(held_out.clips), spec.window
    short = [clip for clip, frames in known.frames.items() if frames.shape[1] < window]
    long = [clip for clip, frames in known.frames.items() if frames.shape[1] >= window]
    if short and long:
        log.warning(TOO_SHORT, len(short), window, short[0].name)
    pieces = [piece for clip in long for piece in known.frames[clip]]
    rates = [sampling.rate(known.info[clip].fps) for clip in long]
    places = list(windows(pieces, spec))
    accumulator, network = MetricAccumulator(spec.ahead), model.network.to(device)
    for first in range(0, len(places), EVAL_BATCH):
        add_windows(accumulator, network, pieces, places[first : first + EVAL_BATCH], spec)
        yield Progress("evaluating", min(first + EVAL_BATCH, len(places)), len(places))
    scores = accumulator.scores(median(rates or [spec.fps]))
    if scores is None:
        raise DataError(
            f"No clip in {folder} has the {spec.window} frames that it takes to measure the model."
        )
    return ForecastEvaluation(
        model=model.path,
        folder=folder,
        part=held_out.part,
        clips=len(long),
        scores=scores,
        trained_on=held_out.trained_on,
        validated_on=held_out.validated_on,
        skipped=(*held_out.skipped, *too_short(short, window)),
    )
