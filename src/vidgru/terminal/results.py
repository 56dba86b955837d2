"""Common parts of the tables of all trainings and evaluations."""

from collections.abc import Iterable, Mapping, Sized
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from vidgru.core.text import printable
from vidgru.data.results import Split, counted
from vidgru.engine.results import Trained
from vidgru.terminal.tables import open_console

Scores = TypeVar("Scores")


def print_end(sentences: Iterable[str], result: Trained, verb: str) -> None:
    """Print notes on a training below its tables, and the next commands to type."""
    console = open_console()
    for sentence in sentences:
        if sentence:
            console.print(Text(printable(sentence)))
    console.print(Text(f"Model: {printable(str(result.model))}", overflow="fold"))
    run = printable(quoted(str(result.run)))
    console.print(Text(f"Next:  vidgru {verb} VIDEO --model {run}"))


def trained(result: Trained, how: str) -> str:
    """Return how long a training took, in a sentence, with further notes on it in `how`."""
    return (
        f"Trained on {result.train_clips} clips for {result.epochs} epochs, best at epoch "
        f"{result.best_epoch}{how}; {result.parameters:,} parameters; "
        f"{result.seconds:.0f} s in all."
    )


def print_tables(tables: Iterable[Table], skipped: Sized) -> None:
    """Print the scores of a model, and how many clips are not part of them."""
    console = open_console()
    for table in tables:
        console.print(table)
    if skipped:
        console.print(Text(f"Left out, and named above: {len(skipped)} clips."))


def held_out(validation: Scores, test: Scores | None) -> list[tuple[Scores, str]]:
    """Return the scores of a training with what they are of, the most important last."""
    scores = [(validation, "validation clips")]
    return scores if test is None else [*scores, (test, "test clips")]


def splitting(split: Split, folds: int = 0) -> str:
    """Return how clips were split, in a sentence."""
    verbs = {"train": "train", "val": "validate", "test": "test"}
    counts = []
    for part, count in split.clips.items():
        if count:
            clips = counted(count, "clip")
            if split.groups and split.noun:
                clips += f" of {counted(split.groups[part], split.noun)}"
            counts.append(f"{clips} {verbs[part]}" + ("s" if count == 1 else ""))
    how = "as given" if split.given else f"by {split.noun}" if split.noun else "clip by clip"
    into = f" into {folds} folds" if folds else ""
    text = f"Split {how}{into}: {', '.join(counts)}"
    if split.suggested:
        text += f" (--group-by {quoted(str(split.group_by))}, as names or tables suggest;"
        text += " --group-by none undoes it)"
    elif split.noun and split.group_by is not None:
        text += f" (--group-by {quoted(split.group_by)})"
    text += "."
    if split.mixed:
        others = [f"--group-by {quoted(other)}" for other in split.mixed]
        text += f" That does not keep apart what {' or '.join(others)} would."
    if split.together or split.apart:
        sides = [(split.together, "on one side"), (split.apart, "on both sides of the split")]
        pairs = [f"{counted(count, 'pair')} {side}" for count, side in sides if count]
        text += f" Copies of the same footage: {', '.join(pairs)}."
    return text


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
        return f"Useful on average, though everywhere the {measure} of a guess is as low or lower."
    return f"Useful {where} only: elsewhere the {measure} of a guess is as low or lower."


def figure(value: float) -> str:
    """Return an error in four digits or more, without an exponent where it is large."""
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
