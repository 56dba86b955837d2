"""Whether every loader survives strangers' files: reads mutated ones and counts how that ends.

    python tests/fuzz/fuzz.py [--count 20000] [--seed 0] [--workers 2] [--only LOADER]
    python tests/fuzz/fuzz.py --open LOADER FILE

Small clips, pictures, tables, models and a broken-off training are made here, then changed, blindly
and with knowledge of their format, and given to the loader in child processes. fuzz_child.py says
what is bad, fuzz_loaders.py what is tried. Bad inputs are kept; `--open` shows what one does. Exits
with 1 when there were any.
"""

import argparse
import contextlib
import json
import os
import queue
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import cv2
import torch
from fuzz_changes import blind
from fuzz_child import GOOD, Child, attempt, report, serve
from fuzz_loaders import LOADERS
from fuzz_seeds import make_run


def make_home(home: Path) -> None:
    """Make all good files."""
    os.environ["VIDGRU_CACHE"] = str(home / "cache")
    make_run(home)
    for name, loader in LOADERS.items():
        (home / "seeds" / name).mkdir(parents=True)
        loader.seeds(home / "seeds" / name)


def change(home: Path, name: str, number: int, seed: int, place: Path) -> Path:
    """Write the changed input of this number and return its path."""
    chance = Random(f"{seed} {name} {number}")
    seeds = sorted((home / "seeds" / name).iterdir())
    picked = chance.choice(seeds)
    data = picked.read_bytes()
    data = chance.choice(LOADERS[name].changes)(chance, data)
    if chance.random() < 0.2:
        data = blind(chance, data)
    if chance.random() < 0.03:
        other = chance.choice(seeds).read_bytes()
        data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]
    path = place / name / picked.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def serve_changed(home: Path, place: Path, seed: int) -> None:
    """Be a child: a loader's name and a number a line in, its file and how it ended out."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    def prepare(line: str) -> Path:
        name, number = json.loads(line)
        return change(home, name, number, seed, place)

    def read(path: Path, line: str) -> tuple[str, str]:
        name, _ = json.loads(line)
        return attempt(lambda: LOADERS[name].load(path, home), path.parent)

    serve(prepare, read)


def begin_child(home: Path, place: Path, seed: int, seconds: float) -> Child:
    """Return a process that reads changed files which it writes into `place`."""
    command = [sys.executable, __file__, "--serve", str(home), str(place), str(seed)]
    return Child(command, seconds)


def run_all(
    home: Path, jobs: Sequence[tuple[str, int]], workers: int, seed: int, seconds: float
) -> Iterator[tuple[str, int, Path, str, str]]:
    """Yield loader, number, file, end and note of all jobs; the file stays until the next one."""
    waiting: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    done: queue.Queue[tuple[str, int, Path, str, str]] = queue.Queue()
    for job in jobs:
        waiting.put(job)

    def work(child: Child) -> None:
        with contextlib.closing(child), contextlib.suppress(queue.Empty):
            while True:
                job = waiting.get_nowait()
                path, end, note = child.ask(json.dumps(job))
                if end == "hang":  # or the machine has other work
                    path, end, note = child.ask(json.dumps(job))
                if end not in GOOD:
                    kept = home / "bad" / f"{job[0]}-{seed}-{job[1]}" / path.name
                    kept.parent.mkdir(parents=True)
                    path = Path(shutil.copy(path, kept))
                done.put((*job, path, end, note))

    for number in range(workers):
        child = begin_child(home, home / f"child{number}", seed, seconds)
        threading.Thread(target=work, args=(child,), daemon=True).start()
    for _ in jobs:
        yield done.get()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", choices=LOADERS, help="one loader only")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-bad"), help="for bad inputs")
    parser.add_argument("--open", nargs=2, metavar=("LOADER", "FILE"), help="show what one does")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        os.environ["VIDGRU_CACHE"] = f"{args.serve[0]}/cache"
        serve_changed(Path(args.serve[0]), Path(args.serve[1]), int(args.serve[2]))
        return
    with tempfile.TemporaryDirectory() as place:
        home = Path(place).resolve()
        make_home(home)
        if args.open:
            (home / "one").mkdir()
            path = Path(shutil.copy(args.open[1], home / "one"))
            LOADERS[args.open[0]].load(path, home)
            return
        shares = {args.only: 100} if args.only else {n: one.share for n, one in LOADERS.items()}
        jobs = [(n, k) for n, share in shares.items() for k in range(args.count * share // 100)]
        random.Random(args.seed).shuffle(jobs)
        ends: dict[str, Counter[str]] = {name: Counter() for name in shares}
        notes: Counter[str] = Counter()
        began = time.monotonic()
        for name, _, path, end, note in run_all(home, jobs, args.workers, args.seed, args.seconds):
            ends[name][end] += 1
            if end not in GOOD:
                notes[f"{name}: {end}: {note.replace(str(home), '')}"] += 1
                kept = args.keep / path.parent.name / path.name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept)
        took = f"{time.monotonic() - began:.0f} s, {args.workers} workers, seed {args.seed}"
        report("loader", ends, notes, took, args.keep)


if __name__ == "__main__":
    main()
