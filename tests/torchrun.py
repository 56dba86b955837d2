"""Start programs in several processes, as torchrun does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from helpers import running

import vidgru as package

# It waits for ever where the name of the machine, or localhost, has no address: so no --standalone.
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--rdzv-backend", "c10d"),
    *("--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"),
]
SAID = "Warning: 1 class has fewer than 5 clips: right (4).\n"  # every time, by the first process


class Done(NamedTuple):
    """What torchrun came to: its exit code, and what each process wrote."""

    code: int
    out: list[str]
    err: list[str]


def command(place: Path, *words: object, processes: int = 2, restarts: int = 0) -> list[str]:
    given = ["--nproc-per-node", processes, "--max-restarts", restarts, "-r", 3, "--log-dir", place]
    return [*TORCHRUN, *map(str, (*given, *words))]


def environment() -> dict[str, str]:
    """Return the environment, in which the program that is tested is found from any folder."""
    found = str(Path(package.__file__).parents[1])
    own = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}  # needs no name either
    return {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", **own}


def written(place: Path, name: str, processes: int = 2) -> list[str]:
    """Return what each process wrote, after a restart the later one."""
    (attempts,) = [folder for folder in place.iterdir() if folder.is_dir()]
    last = max(attempts.glob("attempt_*"))
    texts = [(last / str(n) / f"{name}.log").read_text() for n in range(processes)]
    return [texts[0].replace(SAID, ""), *texts[1:]]


def run(tmp_path: Path, *words: object, processes: int = 2, restarts: int = 0) -> Done:
    place = tmp_path / f"log{len(list(tmp_path.iterdir()))}"
    all_words = command(place, *words, processes=processes, restarts=restarts)
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with running(all_words, cwd=tmp_path, env=environment(), **pipes) as process:
        process.communicate()
    out, err = (written(place, name, processes) for name in ("stdout", "stderr"))
    return Done(process.returncode, out, err)


def vidgru(tmp_path: Path, *words: object, processes: int = 2, restarts: int = 0) -> Done:
    return run(tmp_path, "-m", "vidgru", *words, processes=processes, restarts=restarts)
