"""Whether trainings that are killed at random moments end with the very same weights.

    python benchmarks/resume.py FOLDER [--runs 20] [--kills 2] [TRAIN OPTIONS]

Trains on FOLDER once without interruption, and then `--runs` times with SIGKILL at `--kills` random
moments each, resuming with `vidgru train --resume` every time; compares the model files' bytes.
Moments are spread over the time that the first training took, start of the program included.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = [sys.executable, "-m", "vidgru", "train"]


def kill_and_resume(begin: list[str], run: Path, moments: list[float]) -> int:
    """Train into `run`, killed after these seconds; return how often it was killed."""
    kills = 0
    for moment in [*moments, None]:
        # Killed before there was a run folder, it has to begin anew.
        begun = (run / "config.json").exists()
        command = [*TRAIN, "--resume", str(run)] if begun else [*begin, "--out", str(run)]
        try:
            # subprocess.run ends the process with SIGKILL when its time is over.
            subprocess.run(command, check=True, capture_output=True, timeout=moment)
        except subprocess.TimeoutExpired:
            kills += 1
    return kills


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=2)
    options, more = parser.parse_known_args()
    begin = [*TRAIN, options.folder, *more]
    moments, equal = random.Random(0), 0
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "whole")
        for _ in range(2):  # the first one decodes the clips
            start = time.perf_counter()
            subprocess.run([*begin, "--out", str(whole)], check=True, capture_output=True)
            seconds, model = time.perf_counter() - start, (whole / "model.safetensors").read_bytes()
            whole = Path(place, "again")
        print(f"uninterrupted: {seconds:.1f} s", flush=True)
        for number in range(options.runs):
            run = Path(place, str(number))
            killed = sorted(moments.uniform(0, seconds) for _ in range(options.kills))
            kills = kill_and_resume(begin, run, killed)
            same = (run / "model.safetensors").read_bytes() == model
            equal += same
            print(f"run {number + 1}: killed {kills} times, {'equal' if same else 'DIFFERENT'}")
    print(f"{equal} of {options.runs} models equal to the uninterrupted one, byte for byte")


if __name__ == "__main__":
    main()
