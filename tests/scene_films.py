"""Films of numbered frames, what stands in them, and a network that finds their scenes."""

import shutil
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.results import Boundary, Scenes, scenes_between
from vidgru.video.read import Image, open_video

SIZE = 16
LATE = 3  # frames
FFMPEG = shutil.which("ffmpeg")
PIECES = ".mkv" if FFMPEG else ".mp4"  # of an .mkv


class Network:
    """Finds a cut where the picture changes much, or the boundaries that it is told."""

    def __init__(self) -> None:
        self.told: list[Boundary] | None = None
        self.seen: list[Image] = []
        self.thresholds: list[float] = []

    def to(self, device: torch.device) -> "Network":
        return self


def changed(frame: Image, last: Image) -> bool:
    return bool(np.abs(frame.astype(float) - last).mean() > 40)


def watch(
    network: Network, frames: Iterable[Image], threshold: float
) -> Iterator[tuple[int, Boundary | None]]:
    network.thresholds.append(threshold)
    last, waiting = None, list(network.told or [])
    for number, frame in enumerate(frames):
        assert frame.shape == (SIZE, SIZE, 3)
        network.seen.append(frame)
        if network.told is None and last is not None and changed(frame, last):
            waiting.append(Boundary(number, "cut", 0.9, number, number))
        last = frame
        late = waiting and waiting[0].frame + LATE <= number
        yield number, waiting.pop(0) if late else None
    yield from ((number, boundary) for boundary in waiting)


def find(network: Network, frames: Iterable[Image], threshold: float) -> Iterator[Boundary]:
    for _, boundary in watch(network, frames, threshold):
        if boundary is not None and boundary.confidence >= threshold:
            yield boundary


def loaded(network: Network) -> ScenesModel:
    spec = types.SimpleNamespace(task="scenes", size=SIZE, threshold=0.5)
    kept = types.SimpleNamespace(
        path=Path("scenes.safetensors"), network=network, spec=spec, metrics={}
    )
    return ScenesModel(kept, torch.device("cpu"))


def numbered(lengths: list[int], height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Return scenes of one shade each, in whose frames eight patches tell the frame's number."""
    frames = np.zeros((sum(lengths), height, width, 3), np.uint8)
    shades = np.repeat([(30, 200, 120)[n % 3] for n in range(len(lengths))], lengths)
    frames[:] = shades[:, None, None, None]
    for number, frame in enumerate(frames):
        for bit in range(8):
            frame[:8, 8 * bit : 8 * bit + 8] = 255 * (number >> bit & 1)
    return frames


def number_of(frame: Image) -> int:
    """Return the number that stands in a frame, also after lossy coding."""
    return sum(int(frame[4, 8 * bit + 4].mean() > 127) << bit for bit in range(8))


def read(path: Path) -> list[Image]:
    with open_video(path) as video:
        return [frame.rgb for frame in video]


LENGTHS = [20, 15, 25]


def gradual() -> list[Boundary]:
    return [
        Boundary(20, "dissolve", 0.8, 15, 25),
        Boundary(35, "fade", 0.75, 33, 38),
        Boundary(50, "wipe", 0.7, 50, 51),
    ]


def open_frames(path: Path) -> Iterator[Any]:
    with open_video(path) as video:
        yield from video


def divided(frames: int = 60, fps: float = 10.0, source: str = "film.mkv") -> Scenes:
    pairs = [(boundary, boundary.frame / fps) for boundary in gradual()]
    scenes = scenes_between(pairs, frames, frames / fps)
    return Scenes(source, "m", frames, fps, False, frames / fps, 64, 48, scenes)


def read_numbers(path: Path) -> list[int]:
    return [number_of(frame) for frame in read(path)]
