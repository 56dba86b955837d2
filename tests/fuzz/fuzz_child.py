"""Read strange files in child processes, and report how each ended: for fuzz.py and fuzz_opener.py.

Good is what is read, and what is refused with an error of one line that names the file; bad is any
other exception or warning, more than 1500 MB of memory, a crash, or no answer in time.
"""

import contextlib
import json
import resource
import subprocess
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from vidgru.core.errors import DataError, OptionError, VidgruError

MEGABYTES = 1500
ENDS = ("loaded", "refused", "foreign", "crash", "hang")
GOOD = ENDS[:2]


def attempt(
    load: Callable[[], object], named: Path, refusal: type[VidgruError] = VidgruError
) -> tuple[str, str]:
    """Load a file; return how that ended, and a note. `named` is what a refusal must name."""
    before = peak()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            load()
            end, note = "loaded", ""
        except refusal as error:
            end, note = "refused", str(error)
            # Faults of a folder of clips, or its groups, are reported of these.
            exempt = isinstance(error, DataError | OptionError)
            if not exempt and (str(named) not in note or "\n" in note or len(note) > 600):
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
    if peak() > max(MEGABYTES, before):  # not what was taken before this file
        end, note = "foreign", f"memory, after {end}: {note}"
    return end, note


def peak() -> float:
    """Return the most memory that this program took, in megabytes."""
    status = Path("/proc/self/status")
    if not status.exists():
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (2**20 if sys.platform == "darwin" else 2**10)
    # Not ru_maxrss, which begins with what the program took that started this one.
    (line,) = [one for one in status.read_text().splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) / 2**10


def serve(prepare: Callable[[str], Path], read: Callable[[Path, str], tuple[str, str]]) -> None:
    """Be a child: a line in; out the file that it asks for, then how reading that ended."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    for line in sys.stdin:
        path = prepare(line)
        print(path, flush=True)  # before anything can happen
        print(json.dumps(read(path, line)), flush=True)


class Child:
    """A process that reads files, and is replaced when one of them ends it.

    A file may take so many seconds, the first one `starting` more.
    """

    def __init__(self, command: Sequence[str], seconds: float, starting: float = 60.0) -> None:
        self.command, self.seconds, self.starting = command, seconds, starting
        self.process: subprocess.Popen[str] | None = None

    def ask(self, line: str) -> tuple[Path, str, str]:
        """Return the file that a line asks for, how reading it ended, and a note."""
        patience = self.seconds
        if self.process is None:
            patience += self.starting
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process, late = self.process, threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(patience, kill)
        timer.start()
        file, answer = "", ""
        if process.stdin and process.stdout:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(f"{line}\n")
                process.stdin.flush()
                file, answer = process.stdout.readline(), process.stdout.readline()
        timer.cancel()
        path = Path(file.rstrip("\n"))
        if answer:
            end, note = json.loads(answer)
            if note.startswith("memory"):
                self.close()  # its peak would stay
            return path, end, note
        code = process.wait()
        self.close()
        return path, "hang" if late.is_set() else "crash", f"exit code {code}"

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def report(
    title: str, ends: dict[str, Counter[str]], notes: Counter[str], took: str, kept: Path
) -> NoReturn:
    """Print how many inputs of each kind ended how, and what was bad; exit with 1 if any was."""
    print(f"{title:12}{'inputs':>8}" + "".join(f"{end:>9}" for end in ENDS))
    for name, counts in (*ends.items(), ("all", sum(ends.values(), Counter()))):
        print(f"{name:12}{counts.total():8}" + "".join(f"{counts[end]:9}" for end in ENDS))
    print(took)
    for note, count in notes.most_common():
        print(f"{count:6} x {note}")
    if notes:
        print(f"Kept in {kept}.")
    sys.exit(bool(notes))
