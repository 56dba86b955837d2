"""`vidgru label`: label videos in the browser."""

import importlib.util
import os
import sys
import time
import webbrowser
from shlex import quote
from typing import Any

import click

from vidgru.core.errors import ProcessError
from vidgru.core.text import printable
from vidgru.terminal.options import config_options, quiet_option, source_arguments
from vidgru.tools.label.options import LabelConfig

NEEDED = ("starlette", "uvicorn")


@click.command("label")
@source_arguments
@config_options(LabelConfig)
@click.option("--no-browser", is_flag=True, help="Only print the address; open no browser.")
@quiet_option
def command(sources: tuple[str, ...], no_browser: bool, quiet: bool, **options: Any) -> None:
    """Label videos in the browser, with a model that helps.

    SOURCE is a video, a folder of images, or a folder to search for videos. The page marks what
    happens when, and each change is written to the list at once: path,label,start,end, which
    `train` takes. Only this machine reaches the page. Ctrl-C ends it.
    """
    config = LabelConfig(**options)
    from vidgru.video.find import find_videos

    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ProcessError(
            f"`vidgru label` needs {' and '.join(missing)}: "
            f"{quote(sys.executable)} -m pip install 'vidgru[label]'"
        )
    from vidgru.tools.label.serve import serving

    with serving(find_videos(sources), config) as address:
        try:
            print(address, flush=True)
            if not quiet:
                print("This address works once. Ctrl-C ends it.", file=sys.stderr)
            if not no_browser:
                webbrowser.open(address)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
    if not quiet:
        print(file=sys.stderr)
    if os.path.isfile(config.out):
        print(printable(f"Next: vidgru train {quote(config.out)}"))
    else:
        print("Nothing was labelled.")
