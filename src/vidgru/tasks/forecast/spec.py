"""What the file of a forecasting model says of itself beside its weights."""

from dataclasses import dataclass

# Pixels of a frame that one cell of a forecast's finer maps stands for; sides that it may have.
FORECAST_CELL = 4
FORECAST_SIZE, FORECAST_HIDDEN = 64, 48  # of a forecasting model, if not told otherwise
FORECAST_HIDDENS = range(8, 257, 8)  # so that groups of maps come out even
CONTEXT, AHEAD = 10, 10  # frames that it sees, and that it forecasts
MAX_AHEAD = 256  # frames that may be forecast at once


@dataclass(frozen=True)
class ForecastSpec:
    """All that a forecasting model's file says beside its weights.

    fps: frames/s that sources are sampled at, or the nearest whole part of their own rate; frames:
    how many it has seen when it forecasts, and ahead: how many then, in training; size: side of the
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
    """Return how many frames of a window are seen, and how many forecast, if not told otherwise."""
    if frames is None:
        frames = (
            CONTEXT if ahead is None and window >= CONTEXT + AHEAD else window - (ahead or window // 2)
        )
    return frames, ahead or window - frames
