"""Output of `motion --things`: rows to read and rows to keep."""

from collections.abc import Iterator

from vidgru.core.text import clock, printable
from vidgru.data.results import counted
from vidgru.tasks.motion.results import AHEAD, FrameThings, Motion, MotionSecond, MovingThing

TITLES = (
    f"{'id':>5}  {'seen':<17} {'left':>5} {'top':>5} {'right':>5} {'bottom':>6}  "
    f"{'px/s':>4}  {'moves':<8} in 0.5 s at"
)
COLUMNS = (
    *("source", "time", "id", "first_seen", "last_seen", "left", "top", "right", "bottom"),
    *("compass", "degrees", "speed", "share", "turn", "x", "y"),
    *(f"{axis}_{seconds:g}s" for seconds in AHEAD for axis in "xy"),
    "error",
)


def title_of(source: str) -> str:
    """Return the line above the rows of a source."""
    return f"{printable(source)}\n{TITLES}"


def rows_of(second: MotionSecond) -> Iterator[str]:
    """Yield the printed row of each thing of a second."""
    for thing in second.things or ():
        seen = f"{clock(thing.first_seen)}-{clock(thing.last_seen)}"
        left, top, right, bottom = (round(value) for value in thing.box)
        moves = "-"
        if round(thing.heading.speed):
            moves = f"{thing.heading.compass:<2} {round(thing.heading.degrees) % 360:>3}°"
        x, y = thing.ahead[AHEAD.index(0.5)]
        yield (
            f"{thing.id:>5}  {seen:<17} {left:>5} {top:>5} {right:>5} {bottom:>6}  "
            f"{thing.heading.speed:>4.0f}  {moves:<8} {x:.0f}, {y:.0f}"
        )


def counted_things(motion: Motion) -> str:
    """Return how many things a source has, as the end of a sentence."""
    ids = {thing.id for second in motion.seconds for thing in second.things or ()}
    return f"; {counted(len(ids), 'thing')} that moved" if ids else "; no thing moved"


def cells_of(frame: FrameThings) -> Iterator[list[str]]:
    """Yield the row of each thing of a frame in a table."""
    for thing in frame.things:
        yield [frame.source, *_cells(thing), ""]


def _cells(thing: MovingThing) -> list[str]:
    heading = thing.heading
    places = (*thing.middle, *(value for place in thing.ahead for value in place))
    return [
        f"{thing.time:.3f}", str(thing.id), f"{thing.first_seen:.3f}", f"{thing.last_seen:.3f}",
        *(f"{value:.2f}" for value in thing.box),
        heading.compass if heading.speed else "",
        f"{heading.degrees:.2f}" if heading.speed else "",
        f"{heading.speed:.3f}", f"{heading.share:.6f}", f"{thing.turn:.3f}",
        *(f"{value:.2f}" for value in places),
    ]  # fmt: skip
