"""Tables of scene detection scores. Untrusted names are made harmless first."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.engine.results import PARTS
from vidgru.tasks.scenes.scores import SceneEvaluation, SceneScores, SceneTrainResult
from vidgru.terminal.results import held_out, print_end, print_tables, splitting, trained
from vidgru.terminal.tables import open_console, percent


def show(result: SceneTrainResult | SceneEvaluation) -> None:
    """Print the result of a training or an evaluation."""
    if isinstance(result, SceneTrainResult):
        show_scene_training(result)
    else:
        show_scene_evaluation(result)


def show_scene_training(result: SceneTrainResult) -> None:
    """Print the scores of boundaries, the path of the model, and the next commands."""
    rows = [(what, scores) for scores, what in held_out(result.validation, result.test)]
    table = _table("Boundaries found in windows of joined shots", rows)
    print_tables([table], result.skipped)
    how = f", starting from {result.initial_weights}: windows of {result.frames} frames, "
    how += f"{result.size}x{result.size} pixels; boundaries count from a confidence of "
    how += f"{result.threshold:g}"
    print_end((splitting(result.split), trained(result, how)), result, "scenes", min_clips=2)


def show_scene_evaluation(result: SceneEvaluation) -> None:
    """Print the scores of boundaries between clips that were not trained on."""
    names = {"cut": "by cuts", "dissolve": f"by dissolves of {result.dissolve} frames"}
    rows = []
    for one in result.joined:
        what = f"{one.clips} joined {names[one.joined_by]}"
        rows += [(what, one.both), (f"{what}, forward only", one.ahead)]
    table = _table(f"Boundaries found between joined {PARTS[result.part]}", rows)
    print_tables([table], result.skipped)
    open_console().print(Text(f"Boundaries count from a confidence of {result.threshold:g}."))


def _table(title: str, scores: Sequence[tuple[str, SceneScores]]) -> Table:
    """Return a table with a row for each tolerance of each of several scores."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("")
    for column in ("frames off", "found", "missed", "false"):
        table.add_column(column, justify="right")
    for column in ("precision", "recall", "F1", "cuts found", "gradual found"):
        table.add_column(column, justify="right")
    for name, one in scores:
        for row in one.tolerances:
            shares = (row.precision, row.recall, row.f1, row.recall_cuts, row.recall_gradual)
            table.add_row(
                "" if row.tolerance else name,
                f"{'up to ' if row.tolerance else ''}{row.tolerance}",
                *(str(n) for n in (row.found, row.missed, row.false)),
                *map(percent, shares),
            )
    return table
