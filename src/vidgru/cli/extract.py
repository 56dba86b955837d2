"""`vidgru extract`: write frames of videos as images."""

import json
import sys
from contextlib import closing
from itertools import groupby
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import ExtractConfig
from vidgru.errors import OptionError
from vidgru.results import Failure


@click.command("extract")
@source_arguments
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for the images.")
@config_options(ExtractConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], out: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write frames of videos as images, with their times in DIR/frames.csv.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. One SOURCE
    is written straight into DIR, several into a folder each. Without --fps, --every and --count,
    every frame is written. Under torchrun, each process takes a part of the sources, and a source
    that fails does not make the exit code 1.
    """
    config = ExtractConfig(**options)
    from tqdm import tqdm

    from vidgru.data.shares import launched, number
    from vidgru.verbs.extract import extract

    if as_json and launched() > 1:
        raise OptionError("Under torchrun, leave out --json: each process writes a table.")
    failures = read = all_frames = 0
    # disable=None: no bar where stderr is not a terminal.
    with (
        closing(extract(sources, out, config)) as results,
        tqdm(results, unit=" frames", disable=quiet or number() > 0 or None) as shown,
    ):
        for source, items in groupby(shown, key=lambda item: item.source):
            shown.set_description(printable(source))
            frames = 0
            for item in items:
                if as_json:
                    tqdm.write(json.dumps(item.to_dict()))
                if isinstance(item, Failure):
                    failures += 1
                    tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
                else:
                    frames, folder = frames + 1, item.file.parent
            if frames and not as_json:
                tqdm.write(printable(f"{source}: {frames} frames in {folder}"))
            read, all_frames = read + bool(frames), all_frames + frames
    if launched() > 1:
        from vidgru.engine.distributed import exchange

        found = [json.loads(text) for text in exchange(json.dumps([failures, read, all_frames]))]
        failures, read, all_frames = map(sum, zip(*found, strict=True))
        text = f"{all_frames} frames of {read} sources by {launched()} processes"
        print(f"{text}, {failures} failed" if failures else text, flush=True)
        exchange("")  # all stay until the first one has printed
    # Of an exit code, torchrun would end the other processes and start all of them anew.
    elif failures:
        click.get_current_context().exit(1)
