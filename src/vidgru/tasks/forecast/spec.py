"""The content of a forecasting model's file other than its weights."""

from dataclasses import dataclass

# Pixels of a frame a side of one cell of the finer maps; possible sides.
FORECAST_CELL = 4
FORECAST_SIZE, FORECAST_HIDDEN = 64, 48  # defaults of a forecasting model
FORECAST_HIDDENS = range(8, 257, 8)  # so that groups of maps are of equal size
CONTEXT, AHEAD = 10, 10  # context frames, and forecast frames
MAX_AHEAD = 256  # frames that may be forecast at once


@dataclass(frozen=True)
class ForecastSpec:
    """The content of a forecasting model's file other than its weights.

    fps: frames/s that sources are sampled at, or the nearest integer fraction of their own rate;
    frames, ahead: number of context frames and forecast frames in training; size: side of the
    square picture, in pixels; channels: 3, or 1 for shades of grey.
    """

    task: str
    core: str
    hidden: int
    fps: float
    frames: int
    ahead: int
    size: int
    channels: int

    @property
    def window(self) -> int:
        """Frames of a training window."""
        return self.frames + self.ahead


def forecast_frames(frames: int | None, ahead: int | None, window: int) -> tuple[int, int]:
    """Return how many frames of a window are context, and how many forecast, with defaults."""
    if frames is None:
        frames = (
            CONTEXT
            if ahead is None and window >= CONTEXT + AHEAD
            else window - (ahead or window // 2)
        )
    return frames, ahead or window - frames
