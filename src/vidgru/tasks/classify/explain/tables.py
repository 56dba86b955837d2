"""Output of `explain` in the terminal."""

from vidgru.core.text import printable
from vidgru.tasks.classify.explain.results import Explanation
from vidgru.terminal.tables import percent


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
