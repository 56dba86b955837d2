"""Bars: drawn for who looks, and not even imported for who does not."""

import contextlib
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from helpers import noise, running, write_clip

CODE = (
    "import sys\n"
    "from vidgru.cli.main import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    print('tqdm' in sys.modules)\n"
)


def command(folder: Path, *words: str) -> list[str]:
    clip = write_clip(folder / "a.avi", noise(6), 25)
    return [sys.executable, "-c", CODE, "extract", str(clip), "-o", str(folder / "out"), *words]


def test_where_nobody_looks_no_bar_is_imported(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'a.avi'}: 6 frames in {tmp_path / 'out'}\nFalse\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal device")
@pytest.mark.parametrize("words", [(), ("-q",)], ids=str)
def test_in_a_terminal_the_bar_is_drawn_unless_quiet(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    out = subprocess.PIPE
    with running(command(tmp_path, *words), stdout=out, stderr=theirs, text=True) as process:
        os.close(theirs)
        printed, _ = process.communicate()
    drawn = b""
    with contextlib.suppress(OSError):  # how Linux tells of the end
        while part := os.read(ours, 4096):
            drawn += part
    os.close(ours)
    assert process.returncode == 0
    assert printed.splitlines()[-1] == str(not words)
    assert (b"a.avi: : 6 frames" in drawn) == (not words)
