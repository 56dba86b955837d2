"""Measure whether `explain --summary` names the place of a mark that gives the class away.

For each of five places, draws clips into FOLDER of which only a small mark there tells the class,
trains with default flags but without mirroring, and prints how many new clips are predicted right
and what the summary of them says. --clean RUN FOLDER does the same for a model without a mark,
where nothing should be named.
"""

import argparse
from pathlib import Path

import torch
from made_deciders import PLACES, make
from shared import run_vidgru

import vidgru
from vidgru.core.results import run_to_end
from vidgru.tasks.classify.explain.results import Summary
from vidgru.tasks.classify.explain.summary import summary_steps
from vidgru.video.find import find_sources


def right(run: Path, folder: Path) -> float:
    """Return the share of clips FOLDER/<class>/<clip> that a model predicts right."""
    model: vidgru.Model = vidgru.load(run)
    clips = [Path(str(one)) for one in find_sources([str(folder)])]
    hits = [model.predict(clip).label == clip.parent.name for clip in clips]
    return sum(hits) / len(hits)


def summary(run: Path, folder: Path) -> Summary:
    """Return what a model looks at in the clips of a folder."""
    model = vidgru.load(run)
    found, failures = run_to_end(summary_steps(model, find_sources([str(folder)])))
    if failures:
        raise SystemExit(failures[0].error)
    return found


def show(name: str, run: Path, folder: Path) -> set[str]:
    """Print what is named, beside the strongest place that is not; return the former."""
    found = summary(run, folder)
    named = {one.place for one in found.places if one.decides}
    others = [one for one in found.places if one.place not in named]
    next_one = max(others, key=lambda one: one.follows - one.by_chance)
    own = [one.follows - one.by_chance for one in found.places if one.decides]
    print(
        f"{name}: {right(run, folder):.3f} right; named: {', '.join(sorted(named)) or 'none'}"
        + (f" (at least {min(own):.2f} beyond chance)" if own else "")
        + f"; next: {next_one.place}, {next_one.follows - next_one.by_chance:.2f} beyond chance",
        flush=True,
    )
    return named


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--clean", nargs=2, action="append", type=Path, default=[])
    parser.add_argument("--clips", type=int, default=20, help="new clips of each class")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for run, clips in options.clean:
        show(str(run), run, clips)
    for place in [] if options.clean else options.places:
        folder = options.folder / place.replace(" ", "_")
        run = folder / "run"
        if not run.exists():
            make(folder / "train", "mark", 40, 0, PLACES[place])
            words = ("train", folder / "train", "--group-by", "none", "--folds", 1, "--no-flip")
            run_vidgru(*words, "--threads", 1, "--out", run, "-q")
        make(folder / "new", "mark", options.clips, 100, PLACES[place])
        show(place, run, folder / "new")


if __name__ == "__main__":
    main()
