"""Processes that answer in an instant, or die or hang, as the names of files demand."""

import json
import os
import time
from pathlib import Path
from typing import Any

CANNOT_START = (
    "A process that reads videos ended before it began (exit status 3). Where memory is short, "
    "free some or start fewer processes."
)
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from vidgru.data import worker
from vidgru.core.results import Failure
from vidgru.tasks.classify.results import Prediction, Window

worker.BEAT = 0.1

def answer(request, beat):
    options, source = request["options"], request["source"]
    if options["model"] == "none" or Path("full").exists():
        os._exit(3)
    beat()
    said = {"model": options["model"], "warnings": []}
    if source is None:
        frames = 1 if options["model"] == "pictures" else 14
        return {**said, "path": options["model"], "labels": ["a", "b"], "frames": frames}
    print("no reply", flush=True)
    name = os.path.basename(source)
    with open("asked", "a") as file:
        file.write(name[:-4] + " ")
    if "die" in name:
        os._exit(9)
    if "once" in name and Path("asked").read_text().split().count(name[:-4]) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if "last" in name and not Path("free").exists():
        Path("full").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while "hang" in name:
        pass
    if "long" in name:
        for _ in range(10):
            time.sleep(0.25)
            beat()
    if "slow" in name:
        time.sleep(0.02)
    if "new" in name:
        said["model"] = "another"
    if "bad" in name:
        return {**said, "result": Failure(source, "Cannot read it.").to_dict()}
    share = int.from_bytes(source.encode()[-6:], "big") / 256**6
    shares = (share, 1 - share)
    windows = (Window(0.0, 1.4, shares),)
    said["warnings"] = [f"{source} is strange."] if "odd" in name else []
    return {**said, "result": Prediction(source, ("a", "b"), shares, windows, 14, 1.4).to_dict()}

worker.serve(answer)
"""


def folder_of(root: Path, *names: str) -> Path:
    root.mkdir()
    for name in names:
        (root / f"{name}.mp4").write_bytes(b"x")
    return root


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def gone(pids: list[int]) -> bool:
    """Wait for processes to end, whoever is to bury them."""
    deadline = time.monotonic() + 20
    left = pids
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _alive(pid)]
        time.sleep(0.01)
    return not left


def _alive(pid: int) -> bool:
    try:
        # Of an own child, /proc says that it ended while some of its threads have not.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        pass
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
