"""How much an encoder trained to forecast frames, or vidgru's own, helps with few labels.

    python benchmarks/pretraining.py FOLDER --group-by seq_group [--minutes 10] [TRAIN OPTIONS]
    python benchmarks/pretraining.py FOLDER --group-by seq_group --init RUN
    python benchmarks/pretraining.py FOLDER --group-by seq_group --shipped

The groups of FOLDER's clips are split into folds; those of a --held one are only for the test.
First a forecasting model is trained, for --minutes, on the clips of all other groups, without their
labels; or --init names one, which must not have been trained on the test clips; or --shipped takes
the weights that come with vidgru. Then for each number of labelled clips a class, and each seed,
`vidgru train` trains on the same clips twice: from random weights, and from those. The seed chooses
the clips among those of the other groups, and is the training's. Of these few, training itself
holds a part out for validation. A table gives the accuracy on all test clips: mean and standard
deviation over seeds and folds, and the same of the paired differences. Further options go to both
classifier trainings, for example --epochs or --threads.
"""

import argparse
import csv
import json
import os
import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from shared import run_vidgru, write_list

from vidgru.data.folder import Clip, read_folder

VARIANTS = ("random weights", "trained weights")


class Pair(NamedTuple):
    """The accuracies of two trainings on the same clips."""

    plain: float
    begun: float


def held_out(clips: Sequence[Clip], folds: int, fold: int) -> set[str]:
    """Return the groups of a fold."""
    groups = sorted({str(clip.group) for clip in clips}, key=lambda name: (len(name), name))
    return set(groups[fold::folds])


def few_of(clips: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """Return `count` clips of each class, chosen by a seed; fails if there are too few."""
    members = defaultdict(list)
    for clip in clips:
        members[clip.label].append(clip)
    chance, chosen = random.Random(seed), []
    for label, every in sorted(members.items()):
        if len(every) < count:
            raise SystemExit(f"{label} has only {len(every)} clips that are not tested.")
        chosen += chance.sample(every, count)
    return chosen


def train(source: Path, run: Path, *options: object) -> dict[str, float]:
    """Return the test scores of one `vidgru train`; of a forecasting model, none."""
    test: dict[str, float] = run_vidgru("train", source, "--out", run, "-q", *options)["test"]
    return test


def pretrain(clips: Sequence[Clip], place: Path, minutes: float, options: Sequence[str]) -> Path:
    """Return the run of a forecasting model trained on clips without their labels."""
    source = place / "unlabelled.csv"
    with open(source, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["path", "group"])
        table.writerows([clip.path.resolve(), clip.group] for clip in clips)
    run = place / "forecast"
    train(source, run, "--task", "forecast", "--minutes", minutes, *options)
    return run


def check_unseen(model: Path, tested: Sequence[Clip]) -> None:
    """Refuse a model that was trained on test clips, as far as its run folder shows."""
    try:
        folder = Path(json.loads((model / "config.json").read_text())["folder"])
        with open(model / "split.csv", newline="", encoding="utf-8") as file:
            names = [row["path"] for row in csv.DictReader(file) if row["split"] != "test"]
    except (FileNotFoundError, NotADirectoryError):
        print(f"{model} does not tell what it learned from: take care that no tested clip is in it")
        return
    base = folder.parent if folder.is_file() else folder
    seen = {(base / name).resolve() for name in names}
    if both := [clip.name for clip in tested if clip.path.resolve() in seen]:
        raise SystemExit(f"{model} has seen {len(both)} of the tested clips, such as {both[0]}.")


def spread(values: Sequence[float], sign: str = "") -> str:
    """Return mean and standard deviation of shares, in percent."""
    off = f" +- {100 * stdev(values):4.1f}" if len(values) > 1 else " " * 8
    return f"{100 * mean(values):{sign}6.1f}{off}"


def table(found: dict[int, list[Pair]]) -> None:
    """Print accuracies by number of labelled clips, in percent."""
    titles = "".join(f"{title:>18}" for title in (*VARIANTS, "difference"))
    print(f"\n{'clips a class':<16}{titles}   better / equal / worse")
    for count, pairs in found.items():
        plain, begun = ([pair[k] for pair in pairs] for k in range(2))
        gains = [pair.begun - pair.plain for pair in pairs]
        cells = "".join(
            f"{cell:>18}" for cell in (spread(plain), spread(begun), spread(gains, "+"))
        )
        signs = [sum(gain > 0 for gain in gains), gains.count(0), sum(gain < 0 for gain in gains)]
        print(f"{count:<16}{cells}   {' / '.join(map(str, signs))}")


def main() -> None:
    """Run the command line."""
    about = __doc__.splitlines()[0] if __doc__ else None
    parser = argparse.ArgumentParser(description=about, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group-by", required=True)
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--init", type=Path, metavar="RUN")
    begin.add_argument("--shipped", action="store_true")
    begin.add_argument("--minutes", type=float, default=10.0, help="of learning to forecast")
    parser.add_argument("--forecast-options", default="", help="for the forecasting model")
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 10], help="a class")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--held", type=int, nargs="+", default=[0], help="folds to test, from 0")
    given, more = parser.parse_known_args()
    clips = read_folder(given.folder, given.group_by)
    found: dict[int, list[Pair]] = {count: [] for count in given.clips}
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["VIDGRU_CACHE"] = f"{temporary}/cache"
        for fold in given.held:
            groups = held_out(clips, given.folds, fold)
            tested = [clip for clip in clips if clip.group in groups]
            rest = [clip for clip in clips if clip.group not in groups]
            place = Path(temporary, str(fold))
            place.mkdir()
            if given.shipped:
                words: list[object] = ["--init", "shipped"]
            elif given.init is None:
                model = pretrain(rest, place, given.minutes, given.forecast_options.split())
                words = ["--init", model]
                print(f"fold {fold}: learned to forecast from {len(rest)} clips", flush=True)
            else:
                words = ["--init", given.init]
                check_unseen(given.init, tested)
            for count in given.clips:
                for seed in range(given.seeds):
                    rows = [(clip, "train") for clip in few_of(rest, count, seed)]
                    rows += [(clip, "test") for clip in tested]
                    name = f"{count}-{seed}"
                    source = write_list(place / f"{name}.csv", rows)
                    # So few clips often cannot be split by groups; test clips are apart anyway.
                    common = ["--seed", seed, "--group-by", "none", *more]
                    plain = train(source, place / name, *common, "--init", "none")
                    begun = train(source, place / f"{name}-init", *common, *words)
                    pair = Pair(plain["accuracy"], begun["accuracy"])
                    found[count].append(pair)
                    print(
                        f"fold {fold}, {count} clips a class, seed {seed}: {pair.plain:.3f}, from "
                        f"trained weights {pair.begun:.3f} on {len(tested)} clips",
                        flush=True,
                    )
    table(found)


if __name__ == "__main__":
    main()
