"""`vidgru predict`: tell what happens in videos."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import PredictConfig
from vidgru.errors import OptionError
from vidgru.results import Failure, Prediction


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
    """Tell what happens in videos, each as a whole.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. A window of
    frames slides over the whole video, and the answers are averaged. A model that reads each
    picture by itself answers each image in a folder. With --out, what is printed is how many
    sources show what.
    """
    config = PredictConfig(**options)
    if config.out is not None and table is not None:
        raise OptionError("Give only one of --out and --csv.")
    from tqdm import tqdm

    from vidgru.cli.render import show_predictions
    from vidgru.data.shares import launched

    if config.out is not None or launched() > 1:
        from vidgru.cli.many import write

        write(sources, config, as_json, quiet)
        return
    results: list[Prediction | Failure] = []
    with _answers(sources, config, quiet) as (answers, labels, total):
        # disable=None: no bar where stderr is not a terminal.
        for result in tqdm(answers, total=total, unit=" sources", disable=quiet or None):
            results.append(result)
            if as_json:
                tqdm.write(json.dumps(result.to_dict()))
            if isinstance(result, Failure):
                tqdm.write(f"Error: {printable(result.error)}", file=sys.stderr)
    if not as_json:
        show_predictions([item for item in results if isinstance(item, Prediction)], top)
    if table is not None:
        _write_csv(Path(table), labels, results)
    if any(isinstance(item, Failure) for item in results):
        click.get_current_context().exit(1)


@contextmanager
def _answers(
    sources: tuple[str, ...], config: PredictConfig, quiet: bool
) -> Iterator[tuple[Iterable[Any], Sequence[str], int]]:
    """Give the answers, the labels, and how many sources there are."""
    from vidgru.verbs.many import in_this_process, open_many

    if in_this_process(sources, config):
        from vidgru.verbs.predict import find_model, load, predict_each
        from vidgru.video.find import find_sources

        path = find_model(config)
        tell_model(path, config, quiet)
        model = load(path, device=config.device, threads=config.threads, max_error=config.max_error)
        found = find_sources(sources, images=model.spec.frames == 1)
        yield predict_each(model, found), model.spec.labels, len(found)
    else:
        with open_many(sources, config) as many:
            tell_model(many.path, config, quiet)
            yield many.answers(many.found), many.labels, len(many.found)


def tell_model(path: Path, config: PredictConfig, quiet: bool) -> None:
    """Say which model was found, where none was given."""
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)


def _write_csv(path: Path, labels: Sequence[str], results: Sequence[Prediction | Failure]) -> None:
    from vidgru.files import write_bytes

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["source", "label", "answered", "likeliest", "confidence", *labels, "error"])
    for item in results:
        if isinstance(item, Failure):
            rows.writerow([item.source, *[""] * (4 + len(labels)), item.error])
        else:
            shares = [f"{p:.6f}" for p in item.probabilities]
            said = [item.label, "no" if item.unsure else "yes", item.likeliest]
            rows.writerow([item.source, *said, f"{item.confidence:.6f}", *shares, ""])
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
