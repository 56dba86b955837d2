"""Tables for people, on stdout. Names from strangers are made harmless first."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidgru.cli.text import printable
from vidgru.results import Prediction, Scores, TrainResult


def _console() -> Console:
    console = Console(highlight=False)
    # Where no terminal sets a width, lines stay whole for whoever reads them.
    return console if console.is_terminal else Console(highlight=False, width=200)


def _name(text: str) -> Text:
    return Text(printable(text), overflow="fold")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def show_training(result: TrainResult) -> None:
    """Print accuracy, per-class recall, where the model lies, and what to type next."""
    console = _console()
    parts: list[tuple[str, Scores]] = [("validation", result.validation)]
    if result.test is not None:
        parts.append(("test", result.test))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    for name, _ in parts:
        table.add_column(f"{name} clips", justify="right")
        table.add_column("recall", justify="right")
    for label in result.labels:
        cells = [
            cell
            for _, scores in parts
            for cell in (str(scores.count[label]), _share(scores.recall[label]))
        ]
        table.add_row(_name(label), *cells)
    table.add_section()
    for title, pick in (("accuracy", "accuracy"), ("balanced accuracy", "balanced")):
        cells = [
            cell
            for _, scores in parts
            for cell in (str(sum(scores.count.values())), _share(getattr(scores, pick)))
        ]
        table.add_row(Text(title, style="bold"), *cells)
    console.print(table)
    if result.skipped:
        console.print(Text(f"{len(result.skipped)} unreadable clips were skipped (named above)."))
    console.print(Text(printable(_mirroring(result.mirrored))))
    console.print(
        Text(
            f"Trained on {result.train_clips} clips for {result.epochs} epochs, best at epoch "
            f"{result.best_epoch}; {result.parameters:,} parameters; {result.seconds:.0f} s in all."
        )
    )
    console.print(Text(f"Model: {printable(str(result.model))}", overflow="fold"))
    console.print(
        Text(f"Next:  vidgru predict VIDEO --model {printable(_quoted(str(result.run)))}")
    )


def _mirroring(mirrored: dict[str, str | None]) -> str:
    """Return what was found out about mirror images, in a sentence or two."""
    swapped = [f"{a} and {b}" for a, b in mirrored.items() if b is not None and a < b]
    unclear = [label for label, image in mirrored.items() if image is None]
    if len(unclear) == len(mirrored):
        return "Mirrored clips were not trained on: which class they belong to stayed unclear."
    text = "Mirrored clips were trained on too"
    text += f"; these swap: {', '.join(swapped)}." if swapped else ", under the same class."
    return text + (f" Not those of {', '.join(unclear)}: unclear." if unclear else "")


def _quoted(path: str) -> str:
    from shlex import quote

    return quote(path)


def show_predictions(predictions: Sequence[Prediction], top: int) -> None:
    """Print a row for each video: its label, how sure that is, and the next likeliest labels."""
    if not predictions:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("video")
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    if top > 1:
        table.add_column("then")
    for prediction in predictions:
        ranked = prediction.top(top)
        others = ", ".join(f"{printable(name)} {_share(share)}" for name, share in ranked[1:])
        row = [_name(prediction.source), _name(ranked[0][0]), Text(_share(ranked[0][1]))]
        table.add_row(*row, *([Text(others)] if top > 1 else []))
    _console().print(table)
