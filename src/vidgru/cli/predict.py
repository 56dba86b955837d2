"""`vidgru predict`: tell what happens in videos."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import PredictConfig
from vidgru.errors import OptionError
from vidgru.results import Failure, Prediction, Progress

if TYPE_CHECKING:
    from vidgru.timeline import Timeline

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


@click.command("predict")
@source_arguments
@config_options(PredictConfig)
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Labels to show.")
@click.option("--csv", "table", metavar="FILE", help="Also write a table with all probabilities.")
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
    if config.out is not None and table is not None:
        raise OptionError("Give only one of --out and --csv.")
    from vidgru.cli.live import any_live, watch_live

    if any_live(sources):
        watch_live(sources[0], config, as_json=as_json, quiet=quiet)
        return
    from tqdm import tqdm

    from vidgru.cli.answers import show_predictions, show_timeline, write_csv
    from vidgru.data.shares import launched
    from vidgru.timeline import Timeline
    from vidgru.verbs.places import plan_files
    from vidgru.verbs.subtitles import SUFFIXES as SUBTITLES
    from vidgru.verbs.subtitles import write_subtitles
    from vidgru.video.record import SUFFIXES as VIDEOS

    if config.out is not None or launched() > 1:
        from vidgru.cli.many import write

        write(sources, config, as_json, quiet)
        return
    results: list[Prediction | Timeline | Failure] = []
    failed = False
    with (
        _answers(sources, config, quiet) as (answers, labels, found),
        # disable=None: no bar where stderr is not a terminal.
        tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar,
    ):
        saves = plan_files("--save", config.save, VIDEOS, sources, found)
        texts = plan_files("--subtitles", config.subtitles, SUBTITLES, sources, found)
        for item in answers:
            if isinstance(item, Progress):
                bar.set_postfix_str(f"{len(results)}/{len(found)} sources, {item.note}")
                bar.update(len(results) + min(item.done / max(item.total, 1), 1) - bar.n)
                continue
            results.append(item)
            bar.update(len(results) - bar.n)
            if as_json:
                tqdm.write(json.dumps(item.to_dict()))
            if isinstance(item, Failure):
                tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
            elif isinstance(item, Timeline):
                if not as_json:
                    show_timeline(item)
                source = Path(item.source)
                if source in texts:
                    write_subtitles(item, texts[source])
                if source in saves:
                    failed |= _save(item, saves[source], quiet)
    if not as_json:
        show_predictions([item for item in results if isinstance(item, Prediction)], top)
    if table is not None:
        write_csv(Path(table), labels, results)
    if failed or any(isinstance(item, Failure) for item in results):
        click.get_current_context().exit(1)


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
        found = find_sources(sources, images=model.spec.frames == 1)
        answers = predict_each(model, found, timeline=config.segments)
        yield answers, model.spec.labels, found
    else:
        with open_many(sources, config) as many:
            tell_model(many.path, config, quiet)
            yield many.answers(many.found), many.labels, many.found


def _save(timeline: "Timeline", path: Path, quiet: bool) -> bool:
    """Write the video of a timeline; tell what became of it, and return whether it failed."""
    from tqdm import tqdm

    from vidgru.cli.progress import follow
    from vidgru.verbs.annotate import save_one

    failure = follow(save_one(timeline, Path(timeline.source), path), quiet)
    if failure is not None:
        tqdm.write(f"Error: {printable(failure.error)}", file=sys.stderr)
    elif not quiet:
        tqdm.write(f"Saved: {printable(str(path))}", file=sys.stderr)
    return failure is not None


def tell_model(path: Path, config: PredictConfig, quiet: bool) -> None:
    """Say which model was found, where none was given."""
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)
