"""`vidgru predict`: tell what happens in videos."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import PredictConfig
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
    picture by itself answers each image in a folder.
    """
    config = PredictConfig(**options)
    from tqdm import tqdm

    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_predictions
    from vidgru.verbs.annotate import plan_saves, save_one
    from vidgru.verbs.predict import find_model, find_sources, load, predict_each

    path = find_model(config)
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)
    model = load(path, device=config.device, threads=config.threads, max_error=config.max_error)
    found = find_sources(sources, images=model.spec.frames == 1)
    plan = {} if config.save is None else plan_saves(config.save, sources, found)
    results: list[Prediction | Failure] = []
    # disable=None: no bar where stderr is not a terminal.
    for result in tqdm(
        predict_each(model, found), total=len(found), unit=" sources", disable=quiet or None
    ):
        results.append(result)
        if as_json:
            tqdm.write(json.dumps(result.to_dict()))
        if isinstance(result, Failure):
            tqdm.write(f"Error: {printable(result.error)}", file=sys.stderr)
    if not as_json:
        show_predictions([item for item in results if isinstance(item, Prediction)], top)
    if table is not None:
        _write_csv(Path(table), model.spec.labels, results)
    failed = {item.source for item in results if isinstance(item, Failure)}
    for source, path in plan.items():
        if str(source) not in failed:
            steps = save_one(model.timeline, source, path)  # type: ignore[attr-defined]
            failed |= _saved(follow(steps, quiet), path, quiet)
    if failed:
        click.get_current_context().exit(1)


def _saved(failure: Failure | None, path: Path, quiet: bool) -> set[str]:
    """Tell what became of an annotated video, and return the source if it failed."""
    if failure is not None:
        print(f"Error: {printable(failure.error)}", file=sys.stderr)
        return {failure.source}
    if not quiet:
        print(f"Saved: {printable(str(path))}", file=sys.stderr)
    return set()


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
