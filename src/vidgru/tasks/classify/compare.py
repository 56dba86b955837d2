"""Train several networks on the same clips, and compare them."""

import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median

from vidgru.core.address import check_path
from vidgru.core.results import OnProgress, Progress, run_to_end
from vidgru.data.dataset import read_clips
from vidgru.engine.device import choose_device
from vidgru.engine.run_folder import (
    METRICS_NAME,
    begin_run,
    check_run,
    create_run,
    discard_run,
    folders_there,
    read_numbers,
    write_json,
)
from vidgru.engine.trainer import TrainRun
from vidgru.nn.choices import CORE, CORES, MAP_CORE, stored_side
from vidgru.tasks.classify.encoders import NO_INIT, read_encoders
from vidgru.tasks.classify.learn import learn_steps, settings_of
from vidgru.tasks.classify.looks import looks_dataset
from vidgru.tasks.classify.options import ClassifyTrainConfig, CompareConfig, without_folds
from vidgru.tasks.classify.plots import plot_comparison
from vidgru.tasks.classify.results import TrainResult
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.scores import Compared, Comparison

COMPARED = "-compare"  # in the name of the folder of run folders

Steps = Generator[Progress, None, Comparison]
Finished = list[tuple[ClassifyTrainConfig, TrainResult]]


def compare_steps(folder: str | Path, config: ClassifyTrainConfig, choice: CompareConfig) -> Steps:
    """Train all variants, yielding Progress and returning the Comparison.

    All train on the same clips, split once by the first seed. Raises DataError, OptionError or
    OutputError. Finished trainings of an interrupted comparison are kept, and
    comparison.json compares them.
    """
    choose_device(config.device)
    check_path(folder)
    folder = Path(folder)
    check_run(folder, config.out, COMPARED)
    choice = fitting(config, choice)
    # Weights that fit one of the networks only would decide the comparison.
    config = replace(config, init=config.init or NO_INIT)
    # Seed by seed, so that variants can be compared as early as possible.
    trainings = [
        (replace(config, core=core, input=input_, seed=config.seed + number), number)
        for number in range(choice.seeds)
        for core, input_ in choice.variants()
    ]
    start = read_encoders(config)
    clips = read_clips(folder, config)
    # The longest window fits all of them.
    sampling = max(
        (
            choose_sampling(clips, replace(config, input=input_), stored_side(config.side))
            for input_ in choice.input or (None,)
        ),
        key=lambda sampling: sampling.window,
    )
    for one, _ in trainings:
        start.check(settings_of(one, sampling))
    kept = folders_there(config.out)
    place = create_run(folder, config.out, COMPARED)
    finished: Finished = []
    run: Path | None = None
    try:
        data = yield from looks_dataset(clips, sampling, without_folds(config), folder)
        for one, number in trainings:
            name = [one.core or CORE, *([one.input] if one.input else [])]
            run = create_run(folder, str(place / "-".join([*name, f"seed{one.seed}"])))
            stage = ", ".join([*name, f"seed {number + 1} of {choice.seeds}"])
            settings = settings_of(one, sampling)
            one = replace(one, out=str(run), input=settings["input"])
            with begin_run(run, folder, one, settings):
                start.save_copy(run)
                training = TrainRun(one, sampling, start, run, time.monotonic(), stage)
                finished.append((one, (yield from learn_steps(training, data))))
            comparison = _keep(place, finished)
        return comparison
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_farewell(place, len(finished), len(trainings))) from None
    finally:
        if run is not None and all(run != result.run for _, result in finished):
            discard_run(run, kept)
        if not finished:
            discard_run(place, kept)


def compare(
    folder: str | Path,
    config: ClassifyTrainConfig,
    choice: CompareConfig,
    progress: OnProgress | None = None,
) -> Comparison:
    """Train all variants and return how they did; see `compare_steps`."""
    return run_to_end(compare_steps(folder, config, choice), progress)


def fitting(config: ClassifyTrainConfig, choice: CompareConfig) -> CompareConfig:
    """Return a choice where "all cores", if not requested singly, means all that fit."""
    if (config.encoder == "rows" or config.looks is not None) and choice.core == CORES:
        return replace(choice, core=tuple(core for core in CORES if core != MAP_CORE))
    return choice


def best_first(rows: Iterable[Compared]) -> tuple[Compared, ...]:
    """Return rows by mean accuracy, and where that is equal the smaller network first."""
    return tuple(sorted(rows, key=lambda row: (-row.mean, row.parameters)))


def _keep(place: Path, finished: Finished) -> Comparison:
    """Compare the finished trainings, and write the result."""
    variants: dict[tuple[str, str | None], Finished] = defaultdict(list)
    for config, result in finished:
        variants[config.core or CORE, config.input].append((config, result))
    first = finished[0][1]
    comparison = Comparison(
        folder=place,
        measured="test" if first.test else "validation",
        clips=sum((first.test or first.validation).count.values()),
        rows=best_first(map(_compared, variants.values())),
    )
    write_json(place / "comparison.json", comparison.to_dict())
    several = len({row.input for row in comparison.rows}) > 1
    plot_comparison(
        place / "comparison.png",
        {
            f"{row.core}, {row.input}" if several else row.core: [*map(_metrics, row.runs)]
            for row in comparison.rows
        },
    )
    return comparison


def _compared(finished: Finished) -> Compared:
    results = [result for _, result in finished]
    runs = tuple(result.run for result in results)
    return Compared(
        core=finished[0][0].core or CORE,
        input=str(finished[0][0].input),
        parameters=results[0].parameters,
        step_seconds=median(result.step_seconds for result in results),
        seeds=tuple(config.seed for config, _ in finished),
        accuracies=tuple((result.test or result.validation).accuracy for result in results),
        last=tuple(_metrics(run)[-1]["val_accuracy"] for run in runs),
        runs=runs,
    )


def _metrics(run: Path) -> list[dict[str, float]]:
    return read_numbers(run / METRICS_NAME)


def _farewell(place: Path, finished: int, wanted: int) -> str:
    if not finished:
        return "Interrupted before the first training was finished: nothing is kept."
    return f"Interrupted after {finished} of {wanted} trainings, kept and compared in {place}."
