"""How well the default training does on many data sets: by group, over folds and seeds.

    python benchmarks/panel.py DATA... [--folds 2] [--seeds 1] [--out DIR] [--json] [TRAIN OPTIONS]
    python benchmarks/panel.py DATA... --compare OLD.json

Each DATA is a folder that has the name of one of the sets in panel_sets.py, or one that holds
several. The sets that `made_sets.py` draws are always part of the panel, and so are the sample
videos; `--only NAME` takes single ones. Write train options with `=`, as in `--epochs=20`.

A fold is a list of clips, train and test, by the groups in the set's groups.csv; `vidgru
train` splits its own validation clips off, and `vidgru evaluate` measures the test clips, which no
training used. A drawn set is drawn anew for each fold. DIR keeps each fold's figures, and an
interrupted panel resumes there; `panel.json` in it is what --compare takes. A change of the
recipe is kept only if the mean over the sets rises and no set falls by more than 0.02.

--jobs 2 runs two trainings at once, each with half the threads: accuracies of panels with the
same --jobs can be compared, their seconds cannot.
"""

import argparse
import json
import math
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import made_sets
from panel_sets import REAL, SAMPLES, lists_of
from shared import run_vidgru

MAX_ERROR = 0.05
# 97.5 % quantile of Student's t, by degrees of freedom.
T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


@dataclass(frozen=True)
class Row:
    """The figures of one training of one fold, on held-out clips."""

    name: str
    fold: int
    seed: int
    clips: int
    classes: int
    shortcut: float
    accuracy: float
    balanced: float
    ece: float
    answered: float
    error: float | None
    seconds: float


def measure(
    name: str, source: Path, fold: int, seed: int, threads: int, more: Sequence[str]
) -> Row:
    """Return the figures of one fold, those of an earlier panel if it kept them."""
    run = source.with_suffix("") / f"seed-{seed}"
    kept = run / "row.json"
    if kept.exists():
        return Row(**json.loads(kept.read_text()))
    if run.exists():
        shutil.rmtree(run)
    words = ("--out", run, "--seed", seed, "--threads", threads, "-q", *more)
    trained = run_vidgru("train", source, *words)
    found = run_vidgru("evaluate", source, "--model", run, "--max-error", MAX_ERROR, "-q")
    scores, sure = found["scores"], found["answered"]
    row = Row(
        name,
        fold,
        seed,
        clips=len(found["answers"]) + sum(trained["split"]["clips"][p] for p in ("train", "val")),
        classes=len(scores["labels"]),
        shortcut=max((each["accuracy"] for each in found["shortcuts"]), default=math.nan),
        accuracy=scores["accuracy"],
        balanced=scores["balanced"],
        ece=found["calibration"]["ece"],
        answered=sure["share"],
        error=sure["error"],
        seconds=trained["seconds"],
    )
    kept.write_text(json.dumps(asdict(row)))
    print(f"{name} fold {fold} seed {seed}: {row.balanced:.3f}", file=sys.stderr, flush=True)
    return row


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of one set: means over folds and seeds, the lowest fold, the spread."""
    folds, seeds = sorted({r.fold for r in rows}), sorted({r.seed for r in rows})
    by_fold = [mean(r.balanced for r in rows if r.fold == fold) for fold in folds]
    by_seed = [mean(r.balanced for r in rows if r.seed == seed) for seed in seeds]
    count = sum(r.answered * r.clips for r in rows)
    wrong = sum((r.error or 0.0) * r.answered * r.clips for r in rows)
    return {
        "clips": rows[0].clips,
        "classes": rows[0].classes,
        "chance": 1 / rows[0].classes,
        "shortcut": mean(r.shortcut for r in rows),
        "accuracy": mean(r.accuracy for r in rows),
        "balanced": mean(r.balanced for r in rows),
        "lowest": min(by_fold),
        "spread": stdev(by_seed) if len(seeds) > 1 else None,
        "ece": mean(r.ece for r in rows),
        "answered": mean(r.answered for r in rows),
        "error": wrong / count if count else None,
        "seconds": mean(r.seconds for r in rows),
    }


def by_set(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each set, in the order in which sets first come."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.name].append(row)
    return found


def table(rows: Sequence[Row]) -> None:
    """Print a line a set, and the mean over sets."""
    titles = list(summary(rows[:1]))
    print("set             " + "".join(f"{title:>9}" for title in titles))
    for name, own in by_set(rows).items():
        cells = summary(own).values()
        line = "".join(
            f"{'-' if v is None else v if isinstance(v, int) else f'{v:.3f}':>9}" for v in cells
        )
        print(f"{name:<16}{line}")
    means = [summary(own)["balanced"] for own in by_set(rows).values()]
    print(f"mean of {len(means)} sets, balanced accuracy: {mean(means):.3f}")


def interval(differences: Sequence[float]) -> float | None:
    """Return half of the 95 % interval of a mean, by Student's t; None for a single one."""
    count = len(differences)
    if count < 2:
        return None
    return T[min(count - 2, len(T) - 1)] * stdev(differences) / math.sqrt(count)


def compare(rows: Sequence[Row], old: Path) -> None:
    """Print how the balanced accuracy of folds and seeds that both panels have differs."""
    before = {(r["name"], r["fold"], r["seed"]): r["balanced"] for r in json.loads(old.read_text())}
    shifts = []
    for name, own in by_set(rows).items():
        pairs = [(r.balanced, before.get((name, r.fold, r.seed))) for r in own]
        gains = [now - then for now, then in pairs if then is not None]
        if gains:
            half = interval(gains)
            around = "" if half is None else f" +- {half:.3f}"
            print(f"{name:<16}{mean(gains):+.3f}{around} over {len(gains)} folds and seeds")
            shifts.append(mean(gains))
    if not shifts:
        raise SystemExit(f"{old} has no fold and seed of this panel.")
    half = interval(shifts)
    print(f"mean of {len(shifts)} sets {mean(shifts):+.3f} +- {half or 0.0:.3f}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--folds", type=int, default=2, help="of each set, at most")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each fold")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument("--out", type=Path, default=Path("panel"), metavar="DIR")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compare", type=Path, metavar="OLD.json")
    given, more = parser.parse_known_args()
    places = {SAMPLES: Path(__file__).parents[1] / SAMPLES}
    for folder in given.data:
        found = [folder / name for name in REAL if (folder / name).is_dir()]
        places.update({place.name: place for place in found or [folder]})
    places.update({name: Path() for name in made_sets.SETS})
    if strange := (set(given.only) | set(places)) - {SAMPLES, *REAL, *made_sets.SETS}:
        raise SystemExit(f"No set of the panel: {', '.join(sorted(strange))}.")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    work = [
        (name, source, fold, seed)
        for name, place in places.items()
        if not given.only or name in given.only
        for fold, source in enumerate(lists_of(name, place, given.folds, given.out))
        for seed in range(given.seeds)
    ]
    with ThreadPoolExecutor(given.jobs) as pool:
        begun = [pool.submit(measure, *one, threads, more) for one in work]
        rows = [each.result() for each in begun]
    (given.out / "panel.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if given.json:
        print(json.dumps({name: summary(own) for name, own in by_set(rows).items()}, indent=1))
    else:
        table(rows)
    if given.compare is not None:
        compare(rows, given.compare)


if __name__ == "__main__":
    main()
