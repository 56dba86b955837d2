"""`vidgru predict`: classify videos."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.core.address import check_path
from vidgru.core.errors import OptionError
from vidgru.core.results import Failure
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.results import Prediction
from vidgru.terminal.options import (
    config_options,
    json_option,
    quiet_option,
    report_model,
    source_arguments,
)

if TYPE_CHECKING:
    from vidgru.tasks.classify.timeline import Timeline


@click.command("predict")
@source_arguments
@config_options(PredictConfig)
@click.option(
    "--top",
    type=click.IntRange(1),
    help="Number of labels to show. Default: 3, or as many as fit the terminal.",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Also write a table with all probabilities, in a column p_CLASS per class.",
)
@json_option
@quiet_option
def command(
    sources: tuple[str, ...],
    top: int | None,
    table: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Predict the class of videos: of each as a whole, or over time with --timeline.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. A window of
    frames slides over the video, and its predictions are averaged. A model of single images
    predicts each image in a folder. With --out, only the number of sources per class is printed.

    Or SOURCE is one live source: camera:0, rtsp://... or http://... (https, rtsps). The newest
    frame is predicted again and again until Ctrl-C, which prints a summary.
    """
    config = PredictConfig(**options)
    if table is not None:
        check_path(table)
    if config.out is not None and table is not None:
        raise OptionError("Give only one of --out and --csv.")
    from vidgru.tasks.classify.live_cli import any_live, watch_live

    if any_live(sources):
        watch_live(sources[0], config, as_json=as_json, quiet=quiet)
        return
    from vidgru.core.torchrun import world_size

    if config.out is not None or world_size() > 1:
        from vidgru.tasks.classify.many_cli import write

        write(sources, config, as_json, quiet)
        return
    with _answers(sources, config, quiet) as (answers, labels, found):
        plan = _plan(sources, config, found, table)
        failed = _print(answers, labels, found, plan, table, top, as_json, quiet, sources)
    if failed:
        click.get_current_context().exit(1)


def _print(
    answers: Iterable[Any],
    labels: Sequence[str],
    found: Sequence[Path | Failure],
    plan: "Plan",
    table: str | None,
    top: int | None,
    as_json: bool,
    quiet: bool,
    sources: Sequence[str],
) -> bool:
    """Print and write predictions as they come; return whether any failed."""
    from vidgru.tasks.classify.events import write_events
    from vidgru.tasks.classify.tables import csv_columns, rows_of, show_predictions, show_timeline
    from vidgru.tasks.classify.timeline import Timeline
    from vidgru.terminal.source_loop import CsvFile, Output, print_saved, print_sources

    rows: list[Prediction] = []

    def keep(prediction: Prediction) -> bool:
        rows.append(replace(prediction, windows=()))  # hours of windows add up
        return False

    output = Output(
        as_json=as_json,
        json_types=(Prediction, Timeline),
        show={Timeline: partial(show_timeline, top=top)},
        table=CsvFile(
            table, csv_columns(labels, plan.segments), {Prediction: rows_of, Timeline: rows_of}
        ),
        save={Prediction: keep, Timeline: partial(_write_files, plan=plan, quiet=quiet)},
    )
    interrupted = "{done} of {total} sources were predicted."
    if not (table or plan.writes):
        interrupted += " With --out they could be resumed."
    try:
        return print_sources(answers, len(found), output, quiet=quiet, interrupted=interrupted)
    finally:
        if not as_json:
            show_predictions(rows, top, sources)
        if plan.events is not None:
            write_events(plan.events, [row for rows in plan.event_rows.values() for row in rows])
            print_saved([plan.events], quiet)


@dataclass(frozen=True)
class Plan:
    """Which files are written for each source besides its prediction."""

    segments: bool
    texts: dict[Path, Path]
    saves: dict[Path, Path]
    frames: dict[Path, Path]
    events: Path | None
    observations: dict[Path, Path]
    event_rows: dict[Path, list[list[str]]] = field(default_factory=dict)  # by source

    @property
    def writes(self) -> bool:
        """Whether any file is still to be written, which --out excludes."""
        return bool(self.texts or self.saves or self.frames or self.events)


def _plan(
    sources: Sequence[str],
    config: PredictConfig,
    found: Sequence[Path | Failure],
    table: str | None,
) -> Plan:
    from vidgru.tasks.classify.events import EVENTS, FRAMES
    from vidgru.tasks.classify.subtitles import SUFFIXES as TEXTS
    from vidgru.video.output_paths import check_csv, name_each, plan_files
    from vidgru.video.record import plan_videos

    texts = plan_files("--subtitles", config.subtitles, TEXTS, sources, found)
    saves = plan_videos("--save", config.save, sources, found)
    frames = plan_files("--per-frame", config.per_frame, FRAMES, sources, found)
    others = (*texts.values(), *saves.values(), *frames.values())
    check_csv(table, found, others)
    if config.events is not None and Path(config.events).suffix.lower() not in EVENTS:
        raise OptionError(f"Cannot write {config.events}: the name must end with .tsv or .csv.")
    check_csv(config.events, found, (*others, *([Path(table)] if table else [])))
    events = None if config.events is None else Path(config.events)
    videos = [item for item in found if isinstance(item, Path)] if events else []
    return Plan(config.segments, texts, saves, frames, events, name_each(videos))


def _write_files(timeline: "Timeline", plan: Plan, quiet: bool) -> bool:
    """Write the planned files of a source, once; return whether that failed."""
    from vidgru.tasks.classify.annotate import save_one
    from vidgru.tasks.classify.events import event_rows, write_frames
    from vidgru.tasks.classify.subtitles import write_subtitles
    from vidgru.terminal.progress import follow
    from vidgru.terminal.source_loop import print_saved

    source = Path(timeline.source)
    results: list[Path | Failure] = []
    if text := plan.texts.pop(source, None):
        write_subtitles(timeline, text)
        results.append(text)
    if frames := plan.frames.pop(source, None):
        write_frames(timeline, frames)
        results.append(frames)
    if plan.events is not None:
        plan.event_rows[source] = list(event_rows(timeline, plan.observations[source].as_posix()))
    if video := plan.saves.pop(source, None):
        failure = follow(save_one(timeline, source, video), quiet)
        results.insert(len(results) if failure is None else 0, failure or video)
    return print_saved(results, quiet)


@contextmanager
def _answers(
    sources: tuple[str, ...], config: PredictConfig, quiet: bool
) -> Iterator[tuple[Iterable[Any], Sequence[str], Sequence[Path | Failure]]]:
    """Give the predictions, the labels, and the sources that were found."""
    from vidgru.tasks.classify.many import in_this_process, open_many

    if in_this_process(sources, config):
        from vidgru.tasks.classify.backend import open_classifier
        from vidgru.tasks.classify.classifier import find_model, predict_each
        from vidgru.video.find import find_sources

        path = find_model(config)
        report_model(path, config, quiet)
        model = open_classifier(path, **config.backend)
        found = find_sources(sources, images=model.spec.frames == 1 and not config.segments)
        shortest = config.min_seconds
        answers = predict_each(model, found, timeline=config.segments, min_seconds=shortest)
        yield answers, model.spec.labels, found
    else:
        with open_many(sources, config) as many:
            report_model(many.path, config, quiet)
            yield many.answers(many.found), many.labels, many.found
