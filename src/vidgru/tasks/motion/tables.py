"""Output of `motion`: rows to read and rows to keep."""

from vidgru.core.text import clock, printable
from vidgru.data.results import counted
from vidgru.tasks.motion.results import AHEAD, Ahead, Camera, Heading, Motion, MotionSecond
from vidgru.terminal.tables import percent

TITLES = (
    f"{'time':>7}  {'moves':<8}{'px/s':>5}  {'width/s':>7} {'moving':>7} "
    + "".join(f"{f'+{seconds:g} s':<8}" for seconds in AHEAD)
    + "camera"
)
HEADING = ("compass", "degrees", "speed", "share")
COLUMNS = (
    "source",
    "start",
    "end",
    *HEADING,
    "moving",
    *(f"motion_{name}" for name in HEADING),
    *(f"pan_{name}" for name in HEADING),
    "zoom",
    "turn",
    *(f"{name}_{s:g}s" for s in AHEAD for name in (*HEADING, "spread", "x", "y", "sure")),
    "error",
)


def row_of(second: MotionSecond) -> str:
    """Return the printed row of a second."""
    moves, speed, share = "-", "-", "-"
    if (thing := second.objects) is not None:
        moves = f"{thing.compass:<2} {_bearing(thing):>3}°"
        speed, share = f"{thing.speed:.0f}", percent(thing.share)
    ahead = "".join(f"{_coming(one):<8}" for one in second.ahead)
    return (
        f"{clock(second.start, 0):>7}  {moves:<8}{speed:>5}  {share:>7} "
        f"{percent(second.moving):>7} {ahead}{_camera(second.camera)}"
    )


def _bearing(heading: Heading) -> int:
    return round(heading.degrees) % 360


def _coming(ahead: Ahead) -> str:
    if ahead.heading is None:
        return "-"
    if not ahead.sure:
        return "?"
    return f"{ahead.heading.compass:<2} {ahead.heading.speed:.0f}"


def _camera(camera: Camera) -> str:
    """Return a description of the camera's motion."""
    parts = []
    if camera.pan is not None:
        parts.append(f"{camera.pan.compass} {camera.pan.speed:.0f}")
    if camera.zoom != 1:
        parts.append(f"x{camera.zoom:.2f}")
    if camera.turn:
        parts.append(f"{camera.turn:+.0f}°")
    return " ".join(parts) or camera.words


def title_of(source: str) -> str:
    """Return the line above the rows of a source."""
    return f"{printable(source)}\n{TITLES}"


def foot_of(motion: Motion, more: str = "") -> str:
    """Return the line below the rows of a source, with more words at its end."""
    end = clock(motion.seconds[-1].end)
    size = f"{motion.width}x{motion.height} pixels"
    frames = counted(motion.frames, "frame")
    return f"{end} in all, {size}, {frames} at {motion.fps:.4g}/s{more}.\n"


def cells_of(source: str, second: MotionSecond) -> list[str]:
    """Return the row of a second in a table."""
    camera = second.camera
    row = [source, f"{second.start:.3f}", f"{second.end:.3f}"]
    row += [*_cells(second.objects), f"{second.moving:.6f}", *_cells(second.motion)]
    row += [*_cells(camera.pan), f"{camera.zoom:.6f}", f"{camera.turn:.3f}"]
    for ahead in second.ahead:
        x, y = ahead.centre or (0.0, 0.0)
        there = [f"{ahead.spread:.3f}", f"{x:.4f}", f"{y:.4f}", f"{ahead.sure:d}"]
        row += [*_cells(ahead.heading), *(there if ahead.heading else [""] * len(there))]
    return [*row, ""]


def _cells(heading: Heading | None) -> list[str]:
    if heading is None:
        return [""] * len(HEADING)
    return [
        heading.compass, f"{heading.degrees:.2f}", f"{heading.speed:.3f}", f"{heading.share:.6f}"
    ]  # fmt: skip
