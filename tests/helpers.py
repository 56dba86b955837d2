"""Make small clips for tests, and start processes that end with them."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidgru.commands.train import run_to_end
from vidgru.data.dataset import Dataset, build_dataset, read_clips
from vidgru.engine import model_file
from vidgru.engine.onnx_file import has_runtime
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep
from vidgru.tasks.registry import find_task

needs_onnx = pytest.mark.skipif(
    not has_runtime(export=True), reason="onnx and onnxruntime are not installed"
)


def write_clip(path: Path, frames: NDArray[np.uint8], fps: float, fourcc: str = "FFV1") -> Path:
    """Write rgb uint8 (T, H, W, 3) as a video; with FFV1 in .mkv or .avi every pixel is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames.shape[2], frames.shape[1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), fps, size)
    if not writer.isOpened():
        raise RuntimeError(f"This OpenCV cannot write {fourcc} to {path.suffix}.")
    for frame in frames:
        writer.write(frame[..., ::-1].copy())
    writer.release()
    return path


def write_images(folder: Path, frames: NDArray[np.uint8], names: list[str]) -> Path:
    """Write rgb uint8 (T, H, W, 3) as PNG files with the given names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in zip(names, frames, strict=True):
        (folder / name).write_bytes(cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
    return folder


def _patch_box(data: bytes, names: list[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """Return MP4 boxes in which what the box at a path of names holds is changed."""
    done, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        name, content = data[at + 4 : at + 8], data[at + 8 : at + size]
        if name == names[0]:
            rest = names[1:]
            content = _patch_box(content, rest, change) if rest else change(content)
        done += (len(content) + 8).to_bytes(4, "big") + name + content
        at += size
    return done


def retime(path: Path, gaps: list[int]) -> Path:
    """Give the frames of an MP4 these gaps instead of its own, in the units of its clock."""
    table = [(0).to_bytes(4, "big"), len(gaps).to_bytes(4, "big")]
    table += [(1).to_bytes(4, "big") + gap.to_bytes(4, "big") for gap in gaps]
    names = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"]
    path.write_bytes(_patch_box(path.read_bytes(), names, lambda _: b"".join(table)))
    return path


def turn(path: Path) -> Path:
    """Let an MP4 say that it is to be shown turned by 90 degrees."""
    matrix = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, 1 << 16, 0, -1 << 16, 0, 0))
    names = [b"moov", b"trak", b"tkhd"]
    path.write_bytes(_patch_box(path.read_bytes(), names, lambda old: old[:40] + matrix + old[64:]))
    return path


def noise(count: int, height: int = 24, width: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Return rgb uint8 (count, height, width, 3) in which every frame is unlike every other."""
    shape = (count, height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def touch(root: Path, *names: str) -> Path:
    """Write a byte into each of these files below a folder, which is returned."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def moving_squares(path: Path, step: int, seed: int, count: int = 14) -> Path:
    """Write a small clip of a bright square that moves `step` pixels a frame over noise.

    It begins anywhere, so that no single frame shows where it goes, and comes in again on the other
    side.
    """
    rng = np.random.default_rng(seed)
    frames = rng.integers(60, 120, (1, 40, 48, 3), dtype=np.uint8).repeat(count, axis=0)
    y, x = int(rng.integers(4, 24)), int(rng.integers(48))
    for t in range(count):
        frames[t, y : y + 10, (x + step * t + np.arange(10)) % 48] = 230
    return write_clip(path, frames, 10)


def make_folder(root: Path, clips: int = 6, seed: int = 0) -> Path:
    """Write FOLDER/{left,right}/<n>.avi, clips of squares that move left or right."""
    for label, step in (("left", -2), ("right", 2)):
        for number in range(clips):
            moving_squares(root / label / f"{number}.avi", step, 10 * number + step + 2 + seed)
    return root


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def _family(pid: int) -> list[int]:
    return [pid, *(member for child in children(pid) for member in _family(child))]


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process; whatever happens in the block, it and all that it started end with it."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            # What torchrun starts is in sessions of its own.
            for pid in _family(process.pid) if process.poll() is None else []:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break training off, as Ctrl-C does, when it has taken so many steps."""
    step = ClassifyTrainStep.step

    def interrupted(self: ClassifyTrainStep, done: float) -> float:
        if self.steps == steps:
            raise KeyboardInterrupt
        return step(self, done)

    monkeypatch.setattr(ClassifyTrainStep, "step", interrupted)


def build(spec: Any) -> torch.nn.Module:
    """Return a new network of any task with random weights."""
    return find_task(spec.task).network(spec)


def save_model(
    path: Path,
    weights: Any,
    spec: Any,
    metrics: Any,
    confidence: Confidence = Confidence(),  # noqa: B008
) -> None:
    """Write a model file of any task."""
    more = {"confidence": asdict(confidence)} if isinstance(spec, ModelSpec) else {}
    model_file.save_model(path, weights, spec, metrics, **more)


def verbs_that_work(out: str, vidgru: Callable[..., Any]) -> list[str]:
    """Run the commands that a training leads to, as they are printed; return their verbs."""
    commands = [shlex.split(words) for words in re.findall(r"^(?:Next:)? +vidgru (.*)$", out, re.M)]
    for words in commands:
        done = vidgru(*words)
        assert done.code == 0, done.err
    return [verb for verb, *_ in commands]


def gathered(folder: Path, **options: object) -> Dataset:
    """Return what a training on a folder would read and split."""
    config = ClassifyTrainConfig(**{"folds": 1, **options})
    clips = read_clips(folder, config)
    return run_to_end(build_dataset(clips, choose_sampling(clips, config, 96), config, folder))
