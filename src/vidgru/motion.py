"""What moves in a video, and where it goes next: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AHEAD = (0.25, 0.5, 1.0)  # seconds: what is predicted beside what is seen now

Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MotionField:
    """Motion at one frame and ahead of it, for each cell of a coarse grid over the picture.

    time: of the frame, in seconds; velocity: (1 + len(AHEAD), grid, grid, 2), mean over the cell in
    pixels/s of the source, x to the right and y down, first now (since the frame before), then
    so many seconds ahead; spread: (1 + len(AHEAD), grid, grid), how far off the velocity is on
    average, in pixels/s; moving: (grid, grid), share of the cell that moves now, camera included.
    """

    time: float
    velocity: Field
    spread: Field
    moving: Field
