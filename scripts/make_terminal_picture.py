"""Draw docs/terminal.svg, a picture for the README, of what `vidgru` really prints.

    python scripts/make_terminal_picture.py [--minutes 3]

Trains on sample_videos in a temporary folder, predicts some clips with the model, and draws the
terminal of 80 columns with rich. Other options of `vidgru train` may be given.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "terminal.svg"
LARGEST = 60_000  # bytes


def run(folder: Path, *words: str) -> str:
    """Return what a command prints on stdout in a folder, at 80 columns."""
    command = [sys.executable, "-m", "vidgru", *words]
    terminal = {"COLUMNS": "80", "FORCE_COLOR": "1"}  # for rich, a terminal of this width
    env = {**os.environ, **terminal, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return done.stdout.decode().rstrip()


def main() -> None:
    """Run the commands and write the picture."""
    options = sys.argv[1:]
    console = Console(record=True, width=80, file=open(os.devnull, "w"), highlight=False)  # noqa: SIM115
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copytree(ROOT / "sample_videos", folder / "sample_videos")
        for words in (["train", "sample_videos", *options], ["predict", "sample_videos/test/left"]):
            lines = [line.rstrip() for line in run(folder, *words).splitlines()]
            console.print(Text(f"$ vidgru {' '.join(words)}", style="bold green"))
            console.print(Text.from_ansi("\n".join(lines)))
            console.print()
    svg = console.export_svg(title="vidgru")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)  # it would ask for a stranger's server
    if len(svg.encode()) > LARGEST:
        raise SystemExit(f"The picture has {len(svg.encode())} bytes, more than {LARGEST}.")
    PICTURE.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
