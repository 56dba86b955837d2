"""Whether every loader survives strangers' files: reads mutated ones and counts how that ends.

    python benchmarks/fuzz.py [--count 20000] [--seed 0] [--workers 2] [--only LOADER]
    python benchmarks/fuzz.py --open LOADER FILE

Small clips, pictures, tables, models and a broken-off training are made here, then changed, blindly
and with knowledge of their format, and given to the loader in child processes. Good is what loads,
and what is refused with a VidgruError of one line; bad is any other exception or warning, more than
1500 MB of memory, a crash, or no answer in `--seconds`. Bad inputs are kept; `--open` shows what
one does. Exits 1 when there were any. What is tried stands in fuzz_loaders.py.
"""

import argparse
import contextlib
import json
import os
import queue
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import cv2
import torch
from fuzz_changes import blind
from fuzz_loaders import LOADERS, make_run

from vidgru.core.errors import DataError, OptionError, VidgruError

MEGABYTES = 1500
ENDS = ("loaded", "refused", "foreign", "crash", "hang")


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


def attempt(home: Path, name: str, path: Path) -> tuple[str, str]:
    """Load a file; return how that ended, and a note."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            LOADERS[name].load(path, home)
            end, note = "loaded", ""
        except VidgruError as error:
            end, note = "refused", str(error)
            # What is wrong with a folder of clips, or its groups, is said of these.
            named = isinstance(error, DataError | OptionError)
            if not named and (str(path.parent) not in note or "\n" in note or len(note) > 600):
                end, note = "foreign", f"unclear: {note[:300]!r}"
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [
                f"{Path(f.filename).name}:{f.lineno}" for f in frames if "vidgru/" in f.filename
            ]
            note = f"{type(error).__name__}: {str(error)[:100]!r} {ours[-1:]}"
            end = "foreign"
    if warned and end != "foreign":
        end, note = "foreign", f"warning: {warned[0].message}"[:300]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if peak > MEGABYTES * (2**20 if sys.platform == "darwin" else 2**10):
        end, note = "foreign", f"memory, after {end}: {note}"
    return end, note


def serve(home: Path, place: Path, seed: int) -> None:
    """Be a child: a loader's name and a number a line in, its file and how it ended out."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for line in sys.stdin:
        name, number = json.loads(line)
        path = change(home, name, number, seed, place)
        print(path.name, flush=True)  # before anything can happen
        print(json.dumps(attempt(home, name, path)), flush=True)


class Child:
    """A process that loads changed files, and is replaced when one of them ends it."""

    def __init__(self, home: Path, place: Path, seed: int, seconds: float) -> None:
        self.command = [sys.executable, __file__, "--serve", str(home), str(place), str(seed)]
        self.place, self.seconds, self.starting = place, seconds, 60.0
        self.process: subprocess.Popen[str] | None = None

    def run(self, name: str, number: int) -> tuple[Path, str, str]:
        """Return the changed file of this number, how loading it ended, and a note."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.patience = self.seconds + self.starting
        process, late = self.process, threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.patience, kill)
        timer.start()
        file, line = "", ""
        if process.stdin and process.stdout:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps([name, number]) + "\n")
                process.stdin.flush()
                file, line = process.stdout.readline().strip(), process.stdout.readline()
        timer.cancel()
        self.patience = self.seconds
        if line:
            end, note = json.loads(line)
            if note.startswith("memory"):
                self.close()  # its peak would stay
            return self.place / name / file, end, note
        code = process.wait()
        self.close()
        return self.place / name / file, "hang" if late.is_set() else "crash", f"exit code {code}"

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


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
                path, end, note = child.run(*job)
                if end == "hang":  # or the machine has other work
                    path, end, note = child.run(*job)
                if end not in ("loaded", "refused"):
                    kept = home / "bad" / f"{job[0]}-{seed}-{job[1]}" / path.name
                    kept.parent.mkdir(parents=True)
                    path = Path(shutil.copy(path, kept))
                done.put((*job, path, end, note))

    for number in range(workers):
        child = Child(home, home / f"child{number}", seed, seconds)
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
        serve(Path(args.serve[0]), Path(args.serve[1]), int(args.serve[2]))
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
            if end in ENDS[2:]:
                notes[f"{name}: {end}: {note.replace(str(home), '')}"] += 1
                kept = args.keep / path.parent.name / path.name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept)
        print(f"{'loader':12}{'inputs':>8}" + "".join(f"{end:>9}" for end in ENDS))
        ends["all"] = sum(ends.values(), Counter())
        for name, counts in ends.items():
            cells = "".join(f"{counts[end]:9}" for end in ENDS)
            print(f"{name:12}{counts.total():8}{cells}")
        print(f"{time.monotonic() - began:.0f} s, {args.workers} workers, seed {args.seed}")
        for note, count in notes.most_common():
            print(f"{count:6} x {note}")
        if notes:
            print(f"Kept in {args.keep}.")
        sys.exit(bool(notes))


if __name__ == "__main__":
    main()
