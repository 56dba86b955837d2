"""`vidgru predict`: tell what happens in videos."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.address import refuse_live
from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable, tell_model
from vidgru.config import PredictConfig
from vidgru.errors import OptionError
from vidgru.files import check_file
from vidgru.results import Failure, Prediction, Progress

if TYPE_CHECKING:
    from vidgru.timeline import Timeline

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


@click.command("predict")
@source_arguments
@config_options(PredictConfig)
@click.option(
    "--top", type=click.IntRange(1), default=3, show_default=True, help="Labels in a row."
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Also write a table with all probabilities, in a column p_CLASS for each class.",
)
@json_option
@quiet_option
def command(
    sources: tuple[str, ...],
    top: int,
    table: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Tell what happens in videos, each as a whole, or when with --timeline.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. A window of
    frames slides over the whole video, and the answers are averaged. A model that reads each
    picture by itself answers each image in a folder. With --out, what is printed is how many
    sources show what.

    Or SOURCE is live, by itself: camera:0, rtsp://... or http://... (https, rtsps). It is answered
    frame by frame, newest first, until Ctrl-C, which prints a summary.
    """
    config = PredictConfig(**options)
    refuse_live(table or "")
    if config.out is not None and table is not None:
        raise OptionError("Give only one of --out and --csv.")
    from vidgru.cli.live import any_live, watch_live

    if any_live(sources):
        watch_live(sources[0], config, as_json=as_json, quiet=quiet)
        return
    from vidgru.data.shares import launched

    if config.out is not None or launched() > 1:
        from vidgru.cli.many import write

        write(sources, config, as_json, quiet)
        return
    with _answers(sources, config, quiet) as (answers, labels, found):
        plan = _plan(sources, config, found, table)
        failed = _tell(answers, labels, found, plan, table, top, as_json, quiet)
    if failed:
        click.get_current_context().exit(1)


def _tell(
    answers: Iterable[Any],
    labels: Sequence[str],
    found: Sequence[Path | Failure],
    plan: "Plan",
    table: str | None,
    top: int,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write answers as they come; return whether any failed."""
    from tqdm import tqdm

    from vidgru.cli.answers import csv_table, show_predictions, show_timeline
    from vidgru.timeline import Timeline

    rows: list[Prediction] = []
    done, failed, note = 0, False, ""
    with (
        csv_table(table, labels, plan.segments) as keep,
        # disable=None: no bar where stderr is not a terminal.
        tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar,
    ):
        try:
            for item in answers:
                share = 0.0
                if isinstance(item, Progress):
                    share, note = min(item.done / max(item.total, 1), 1), f", {item.note}"
                else:
                    done += 1
                bar.set_postfix_str(f"{done}/{len(found)} sources{note}", refresh=False)
                bar.update(done + share - bar.n)
                if isinstance(item, Progress):
                    continue
                keep(item)
                if as_json:
                    tqdm.write(json.dumps(item.to_dict()))
                if isinstance(item, Failure):
                    failed = True
                    tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
                elif isinstance(item, Timeline):
                    if not as_json:
                        with tqdm.external_write_mode(sys.stdout):
                            show_timeline(item, top)
                    failed |= _write_files(item, plan, quiet)
                else:
                    rows.append(replace(item, windows=()))  # hours of them add up
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted. {done} of {len(found)} sources were answered. What is written with "
                "--out can be gone on with."
            ) from None
        finally:
            bar.close()
            if not as_json:
                show_predictions(rows, top)
    return failed


@dataclass(frozen=True)
class Plan:
    """What is written of each source besides its answer."""

    segments: bool
    texts: dict[Path, Path]
    saves: dict[Path, Path]


def _plan(
    sources: Sequence[str],
    config: PredictConfig,
    found: Sequence[Path | Failure],
    table: str | None,
) -> Plan:
    from vidgru.verbs.places import keep_apart, plan_files
    from vidgru.verbs.subtitles import SUFFIXES as TEXTS
    from vidgru.video.record import SUFFIXES as VIDEOS

    texts = plan_files("--subtitles", config.subtitles, TEXTS, sources, found)
    saves = plan_files("--save", config.save, VIDEOS, sources, found)
    if table is not None:
        check_file(Path(table))
        keep_apart([Path(table)], [item for item in found if isinstance(item, Path)])
        if Path(table) in (*texts.values(), *saves.values()):
            raise OptionError(f"{table} would be written twice: give --csv another name.")
    return Plan(config.segments, texts, saves)


def _write_files(timeline: "Timeline", plan: Plan, quiet: bool) -> bool:
    """Write what was planned for a source, once; return whether that failed."""
    from tqdm import tqdm

    from vidgru.cli.progress import follow
    from vidgru.verbs.annotate import save_one
    from vidgru.verbs.subtitles import write_subtitles

    source, failure = Path(timeline.source), None
    written = []
    if text := plan.texts.pop(source, None):
        write_subtitles(timeline, text)
        written.append(text)
    if video := plan.saves.pop(source, None):
        failure = follow(save_one(timeline, source, video), quiet)
        if failure is None:
            written.append(video)
        else:
            tqdm.write(f"Error: {printable(failure.error)}", file=sys.stderr)
    for path in [] if quiet else written:
        tqdm.write(f"Saved: {printable(str(path))}", file=sys.stderr)
    return failure is not None


@contextmanager
def _answers(
    sources: tuple[str, ...], config: PredictConfig, quiet: bool
) -> Iterator[tuple[Iterable[Any], Sequence[str], Sequence[Path | Failure]]]:
    """Give the answers, the labels, and the sources that were found."""
    from vidgru.verbs.many import in_this_process, open_many

    if in_this_process(sources, config):
        from vidgru.verbs.predict import find_model, load, predict_each
        from vidgru.video.find import find_sources

        path = find_model(config)
        tell_model(path, config, quiet)
        model = load(path, device=config.device, threads=config.threads, max_error=config.max_error)
        found = find_sources(sources, images=model.spec.frames == 1 and not config.segments)
        answers = predict_each(model, found, timeline=config.segments)
        yield answers, model.spec.labels, found
    else:
        with open_many(sources, config) as many:
            tell_model(many.path, config, quiet)
            yield many.answers(many.found), many.labels, many.found
