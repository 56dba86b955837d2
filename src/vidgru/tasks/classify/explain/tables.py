"""Output of `explain` in the terminal."""

from rich import box
from rich.table import Table

from vidgru.core.text import printable
from vidgru.tasks.classify.explain.results import Explanation, Summary
from vidgru.terminal.tables import open_console, percent, shown


def show_explanation(found: Explanation) -> None:
    """Print in a few lines what a prediction comes from."""
    share = found.prediction.probabilities[found.labels.index(found.label)]
    print(printable(f"{found.source}: {found.label} {percent(share)}"))
    best = max(range(len(found.seconds)), key=found.relevance.__getitem__)
    top = found.maps[best].argmax()
    row, column = divmod(int(top), found.maps.shape[2])
    low, high = (1 - found.view) / 2, found.view
    x = low + high * (column + 0.5) / found.maps.shape[2]
    y = low + high * (row + 0.5) / found.maps.shape[1]
    print(
        f"  most relevant: at {found.seconds[best]:.2f} s, {percent(x)} from the left and "
        f"{percent(y)} from the top"
    )
    held = found.held_still
    print(
        f"  with the most relevant tenth held still: {percent(held.frames)} (of the frames), "
        f"{percent(held.area)} (of the picture)"
    )
    if found.nearest:
        near = ", ".join(f"{one.clip} ({one.label})" for one in found.nearest[:3])
        print(printable(f"  most similar training clips: {near}"))


def show_summary(found: Summary) -> None:
    """Print what the model looks at in the videos of each class, and what decides."""
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("predicted as", "videos", "at the border", "in a corner", "in the first second"):
        table.add_column(head, justify="left" if head == "predicted as" else "right")
    for one in found.classes:
        corner = max(one.corners, key=one.corners.__getitem__)
        name = corner.removesuffix(" corner")
        table.add_row(
            shown(one.label),
            str(one.videos),
            percent(one.border),
            f"{percent(one.corners[corner])} ({name})",
            f"{percent(one.first_second)} of {percent(one.seconds)}",
        )
    open_console().print(table)
    print("Shares of relevance. The border is 43.8 % of the picture, a corner 6.3 %.")
    for finding in found.findings:
        print(printable(finding))
    if not found.findings:
        print("No place at the border decides by itself.")
