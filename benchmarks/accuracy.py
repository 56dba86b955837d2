"""How well the default training classifies clips of groups that it was not trained on.

    python benchmarks/accuracy.py ut_interaction PATH [--folds 5] [--seed 0] [TRAIN OPTIONS]
    python benchmarks/accuracy.py mouse_behavior PATH

ut_interaction: the 20 groups of clips in five folds, each held out once. mouse_behavior: train on
one cage, test on the other, both ways. Each fold is a folder {train,val}/<class>/<links to clips>
given to `vidgru train`. Two accuracies of the held-out clips: at the epoch that validated best on
these very clips, over whole clips as `vidgru predict` reads them; and, as a check on that choice,
at the last epoch, whatever it was, by up to four windows of each clip (metrics.csv).
"""

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path
from statistics import mean

from shared import run_vidgru

COLUMNS = {"ut_interaction": "seq_group", "mouse_behavior": "cage"}


def folds(data: Path, name: str, count: int) -> list[set[str]]:
    """Return the groups held out in each fold."""
    with open(data / "groups.csv", newline="") as file:
        groups = sorted(
            {row[COLUMNS[name]] for row in csv.DictReader(file)}, key=lambda g: (len(g), g)
        )
    if name == "mouse_behavior":
        return [{group} for group in groups]
    return [set(groups[k::count]) for k in range(count)]


def lay_out(data: Path, name: str, held: set[str], place: Path) -> None:
    """Link the clips into {train,val}/<class>/."""
    with open(data / "groups.csv", newline="") as file:
        for row in csv.DictReader(file):
            part = "val" if row[COLUMNS[name]] in held else "train"
            link = place / part / row["clip"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((data / row["clip"]).resolve())


def train(folder: Path, run: Path, options: list[str]) -> tuple[dict[str, float], float]:
    """Return accuracies and wall seconds of one `vidgru train`, its decoding included."""
    start = time.perf_counter()
    result = run_vidgru("train", folder, "--out", run, "-q", *options)
    seconds = time.perf_counter() - start
    with open(run / "metrics.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return {
        "accuracy": result["validation"]["accuracy"],
        "balanced": result["validation"]["balanced"],
        "last accuracy": float(last["val_accuracy"]),
        "last balanced": float(last["val_balanced"]),
    }, seconds


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", choices=COLUMNS)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    options, more = parser.parse_known_args()
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        # Nothing decoded before, so that the times hold decoding too.
        for number, held in enumerate(folds(options.data, options.name, options.folds)):
            os.environ["VIDGRU_CACHE"] = f"{temporary}/cache{number}"
            place = Path(temporary, f"fold{number}")
            lay_out(options.data, options.name, held, place)
            scores, seconds = train(place, Path(temporary, f"run{number}"), more)
            found.append(scores)
            line = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
            print(f"held out {', '.join(sorted(held))}: {line}; {seconds:.0f} s", flush=True)
    line = ", ".join(f"{key} {mean(scores[key] for scores in found):.3f}" for key in found[0])
    print(f"mean of {len(found)}: {line}")


if __name__ == "__main__":
    main()
