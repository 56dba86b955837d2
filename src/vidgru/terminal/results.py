"""Common parts of the tables of all trainings and evaluations."""

import os
from collections.abc import Iterable, Mapping, Sized
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from vidgru.core.options import paths_of
from vidgru.core.text import printable
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.results import Split, counted
from vidgru.engine.results import Trained
from vidgru.engine.run_folder import annotations_of, data_of
from vidgru.terminal.tables import open_console

Scores = TypeVar("Scores")


def print_end(sentences: Iterable[str], result: Trained, verb: str, min_clips: int = 1) -> None:
    """Print notes on a training below its tables, and the next commands to type.

    min_clips: as many held-out clips `evaluate` needs.
    """
    console = open_console()
    for sentence in sentences:
        if sentence:
            console.print(Text(printable(sentence)))
    part, data, clip = data_of(result.run)
    pictures = [path.name for path in sorted(result.run.glob("*.png"), reverse=True)]
    run = f"--model {quoted(as_typed(result.run))}"
    commands = []
    options = _as_given(annotations_of(result.run, part))
    # Other models than classifiers are not evaluated on annotations whose videos lie elsewhere.
    possible = verb == "predict" or not options
    if part != "train" and result.split.clips[part] >= min_clips and possible:
        commands.append(" ".join([f"vidgru evaluate {quoted(as_typed(data))} {run}", *options]))
    commands.append(f"vidgru {verb} {quoted(as_typed(clip))} {run}")
    lines = [f"Model:    {result.model}"]
    if pictures:
        lines.append(f"Pictures: {' and '.join(pictures)} in {result.run}")
    lines += [f"{start:<9} {line}" for start, line in zip(("Next:", ""), commands, strict=False)]
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)  # what is to be typed stays whole


def _as_given(config: AnnotationConfig) -> list[str]:
    """Return the options of annotations as they are typed, without which clips are others."""
    found = []
    for name, value in asdict(config).items():
        if value is not None:
            value = as_typed(Path(value)) if name in paths_of(config) else value
            found.append(f"--{name.replace('_', '-')} {quoted(value)}")
    return found


def trained(result: Trained, how: str) -> str:
    """Return how long a training took, in a sentence, with further notes on it in `how`."""
    return (
        f"Trained on {counted(result.train_clips, 'clip')} for {counted(result.epochs, 'epoch')}, "
        f"best at epoch {result.best_epoch}{how}; {result.parameters:,} parameters; "
        f"{result.seconds:.0f} s in all."
    )


def print_tables(tables: Iterable[Table], skipped: Sized) -> None:
    """Print the scores of a model, and how many clips are not part of them."""
    console = open_console()
    for table in tables:
        console.print(table)
    if skipped:
        console.print(Text(f"Clips left out (see above): {len(skipped)}."))


def held_out(validation: Scores, test: Scores | None) -> list[tuple[Scores, str]]:
    """Return the scores of a training with what they are of, the most important last."""
    scores = [(validation, "validation clips")]
    return scores if test is None else [*scores, (test, "test clips")]


def splitting(split: Split, folds: int = 0) -> str:
    """Return how clips were split, in a sentence."""
    verbs = {"train": "train", "val": "validate", "test": "test"}
    counts: list[str] = []
    for part, count in split.clips.items():
        if count:
            clips = counted(count, "clip")
            if split.groups and split.noun:
                groups = split.groups[part]
                clips += f" of {groups if counts and groups > 1 else counted(groups, split.noun)}"
            counts.append(f"{clips} {verbs[part]}" + ("s" if count == 1 else ""))
    text = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])}, {counts[-1]}"
    text += f" in {folds} folds" if folds else ""
    if split.given:
        text += " (split as given)."
    elif split.noun is None:
        text += " (no groups)."
    elif split.group_by is None:
        text += "."
    else:
        names = "(" in split.group_by  # a regular expression, or else a column
        text += f" ({'names match' if names else 'column'} {quoted(split.group_by)})."
        if split.suggested:
            text += f" Change: --group-by {'REGEX' if names else 'COLUMN'}, or none."
    if split.mixed:
        others = [f"--group-by {quoted(other)}" for other in split.mixed]
        text += f" Groups of {' or '.join(others)} are on both sides."
    if split.together or split.apart:
        sides = [(split.together, "kept on one side"), (split.apart, "on both sides of the split")]
        pairs = [f"{counted(count, 'pair')} {side}" for count, side in sides if count]
        text += f" Copies of the same footage: {', '.join(pairs)}."
    return text


def as_typed(path: Path) -> str:
    """Return a path as short as a person would type it, from the current folder."""
    inside = os.path.relpath(path)
    if inside.startswith(".."):
        return str(path)
    return f"./{inside}" if inside.startswith("-") else inside


def quoted(path: str) -> str:
    """Return a path quoted for a shell."""
    from shlex import quote

    return quote(path)


def worth(useful: bool, measure: str, figures: str, better: Mapping[str, bool]) -> str:
    """Return whether and where a model beats the baselines, in a sentence; "" where it always does.

    better: by name, in order, how far ahead it beats every baseline.
    """
    names, good = [*better], [name for name in better if better[name]]
    if good == names[len(names) - len(good) :]:
        where = f"from {good[0]} on" if good else ""
    else:
        where = f"up to {good[-1]}" if good == names[: len(good)] else f"at {', '.join(good)}"
    if not useful:
        though = f", though it is {where}" if good else ""
        return (
            f"Not useful yet: {figures}{though}. "
            "Train longer (--minutes or --epochs) or on more clips."
        )
    if good == names:
        return ""
    if not good:
        return f"Useful on average, but at each step a baseline has an {measure} as low or lower."
    return f"Useful {where} only: elsewhere a baseline has an {measure} as low or lower."


def figure(value: float) -> str:
    """Return an error in four digits or more, without an exponent where it is large."""
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
