"""`vidgru predict`: tell what happens in videos."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import PredictConfig
from vidgru.results import Failure, Prediction, Progress

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
    picture by itself answers each image in a folder.
    """
    config = PredictConfig(**options)
    from tqdm import tqdm

    from vidgru.cli.answers import show_predictions, show_timeline, write_csv
    from vidgru.timeline import Timeline
    from vidgru.verbs.predict import find_model, find_sources, load, predict_each

    path = find_model(config)
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)
    model = load(path, device=config.device, threads=config.threads, max_error=config.max_error)
    found = find_sources(sources, images=model.spec.frames == 1)
    results: list[Prediction | Timeline | Failure] = []
    # disable=None: no bar where stderr is not a terminal.
    with tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar:
        for item in predict_each(model, found, timeline=config.timeline):
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
            elif isinstance(item, Timeline) and not as_json:
                show_timeline(item)
    if not as_json:
        show_predictions([item for item in results if isinstance(item, Prediction)], top)
    if table is not None:
        write_csv(Path(table), model.spec.labels, results)
    if any(isinstance(item, Failure) for item in results):
        click.get_current_context().exit(1)
