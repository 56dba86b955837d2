"""Motion in a video, and its prediction: frozen dataclasses with `to_dict()`."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from vidgru.core.results import ToDict

if TYPE_CHECKING:  # or it would slow down every verb's help
    import numpy as np
    from numpy.typing import NDArray

AHEAD = (0.25, 0.5, 1.0)  # seconds: the predicted times, in addition to now
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
WAYS = ("up", "up and right", "right", "down and right", "down", "down and left", "left",
        "up and left")  # fmt: skip

Field: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True, eq=False)
class Outcomes(ToDict):
    """Two things of which one happens in each cell, now and AHEAD.

    velocity: (2, 1 + len(AHEAD), grid, grid, 2), in pixels/s; spread: (2, 1 + len(AHEAD), grid,
    grid), mean distance from that velocity if it happens, in pixels/s; chance: (1 + len(AHEAD),
    grid, grid), of the first; sure: (1 + len(AHEAD), grid, grid), where the error to expect is at
    most 0.95 of that of no motion.
    """

    velocity: Field
    spread: Field
    chance: Field
    sure: "NDArray[np.bool_]"


@dataclass(frozen=True, eq=False)
class MotionField(ToDict):
    """Motion at one frame and ahead of it, for each cell of a coarse grid over the picture.

    time: of the frame, in seconds; velocity: (1 + len(AHEAD), grid, grid, 2), mean over the cell in
    pixels/s of the source, x to the right and y down, first now (since the frame before), then
    AHEAD seconds later; spread: (1 + len(AHEAD), grid, grid), expected error of the velocity,
    in pixels/s; moving: (grid, grid), share of the cell that moves now, camera included; flow:
    (F, F, 2), as measured on a finer grid, in pixels/s; things: by id, None where not asked for;
    outcomes: what the velocity and the spread are chosen from.
    """

    time: float
    velocity: Field
    spread: Field
    moving: Field
    flow: Field
    things: "tuple[MovingThing, ...] | None" = None
    outcomes: "Outcomes | None" = None


@dataclass(frozen=True)
class Heading(ToDict):
    """A direction and a speed.

    degrees: clockwise from up, as on a compass: 0 up, 90 right, 180 down, 270 left; speed: in
    pixels/s of the source; share: the speed in widths of the picture a second.
    """

    _keys = ("compass", ...)

    degrees: float
    speed: float
    share: float

    @property
    def compass(self) -> str:
        """The nearest of N, NE, E, SE, S, SW, W, NW; N is up."""
        return COMPASS[round(self.degrees / 45) % 8]

    @property
    def way(self) -> str:
        """The same in words: up, up and right, right, ..."""
        return WAYS[round(self.degrees / 45) % 8]


@dataclass(frozen=True)
class Camera(ToDict):
    """The camera's own motion.

    pan: where it turns to, None for nowhere; the picture's contents go the other way;
    zoom: factor a second by which the contents grow, above 1 for zooming in; turn: degrees a
    second, clockwise.
    """

    _keys = ("words", ...)

    pan: Heading | None = None
    zoom: float = 1.0
    turn: float = 0.0

    @property
    def words(self) -> str:
        """The same in words: "still", or such as "pans right, zooms in, turns clockwise"."""
        parts = [] if self.pan is None else [f"pans {self.pan.way}"]
        if self.zoom != 1:
            parts.append("zooms in" if self.zoom > 1 else "zooms out")
        if self.turn:
            parts.append("turns clockwise" if self.turn > 0 else "turns counterclockwise")
        return ", ".join(parts) or "still"


@dataclass(frozen=True)
class Ahead(ToDict):
    """Predicted motion some seconds ahead, apart from the camera.

    heading: None where no motion is predicted; spread: expected error of a moving cell's velocity,
    in pixels/s; centre: of the moving cells, (x, y) as shares of the picture; sure: whether the
    error to expect is less than if nothing moved.
    """

    seconds: float
    heading: Heading | None = None
    spread: float = 0.0
    centre: tuple[float, float] | None = None
    sure: bool = True


@dataclass(frozen=True)
class MovingThing(ToDict):
    """A thing that moves apart from the camera, at one time.

    id: from 1, its own as long as it is seen; time: in seconds; first_seen, last_seen: since when
    it is followed, and when it was last seen to move: not seen for up to a second, it is expected
    where it stopped; box: (left, top, right, bottom) of what the picture shows of it, in pixels of
    the source; heading: its motion apart from the camera; turn: degrees/s, clockwise; middle:
    (x, y) of all of it, also of what lies outside the picture; velocity: (x, y) of its middle in
    the picture, camera included, in pixels/s; ahead: its middle AHEAD seconds later if it continues
    to turn, and the camera to move.
    """

    id: int
    time: float
    first_seen: float
    last_seen: float
    box: tuple[float, float, float, float]
    heading: Heading
    turn: float
    middle: tuple[float, float]
    velocity: tuple[float, float]
    ahead: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FrameThings(ToDict):
    """The things that move in a sampled frame of a source, by id, at a time in seconds."""

    source: str
    time: float
    things: tuple[MovingThing, ...]


@dataclass(frozen=True)
class MotionSecond(ToDict):
    """Motion in about a second of a video, from start to end in seconds.

    motion: main direction of the motion in the picture, camera included; objects: the same apart
    from the camera; both None where nothing moves; moving: share of the picture that moves apart
    from the camera; camera: its motion; ahead: from the last frame on; field: (grid, grid, 2),
    mean velocity of each cell, x to the right and y down, in pixels/s, camera included; things:
    each that moved in the second, as at its end, by id; None where not asked for.
    """

    _sources: ClassVar = {"field": "_rounded_field"}

    start: float
    end: float
    motion: Heading | None
    moving: float
    objects: Heading | None
    camera: Camera
    ahead: tuple[Ahead, ...]
    field: Field = dataclasses.field(compare=False)
    things: tuple[MovingThing, ...] | None = None

    @property
    def words(self) -> str:
        """What moves apart from the camera, and how the camera does, in a line."""
        object_motion = "nothing moves"
        if self.objects is not None:
            object_motion = f"moves {self.objects.compass}, {self.objects.speed:.0f} px/s"
        return f"{object_motion}; camera {self.camera.words}"

    @property
    def _rounded_field(self) -> list[Any]:
        rounded: list[Any] = self.field.astype(float).round(2).tolist()
        return rounded


@dataclass(frozen=True)
class Motion(ToDict):
    """Motion in a video, second by second.

    width, height: of its pictures, in pixels; fps: frames/s that were read; frames: how many;
    model: its file; heat: mean speed of what moves apart from the camera, over the whole
    video, for each cell (row, column), in pixels/s.
    """

    _keys = ("source", "width", "height", "fps", "frames", "model", "per_second", "heat")
    _sources: ClassVar = {"per_second": "seconds"}

    source: str
    width: int
    height: int
    fps: float
    frames: int
    model: str
    seconds: tuple[MotionSecond, ...]
    heat: tuple[tuple[float, ...], ...]
