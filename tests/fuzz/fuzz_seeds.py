"""Good files to change; each maker writes some into a folder.

That folder lies two levels below the one that `make_run` filled.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fuzz_changes import SIDE

from vidgru.commands.train import train_steps
from vidgru.core.results import Failure
from vidgru.data.cache import Sampling, store
from vidgru.data.folder import read_folder
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.model_file import save_model
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.results import Prediction, Window
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.video.info import VideoInfo

SAMPLING = Sampling(10.0, SIDE, 8)


def pictures(count: int = 8) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return bgr uint8 (count, 24, 32, 3) of a square that moves over noise."""
    frames = np.random.default_rng(0).integers(60, 120, (1, 24, 32, 3), np.uint8)
    frames = frames.repeat(count, axis=0)
    for number, frame in enumerate(frames):
        frame[6:14, 2 * number : 2 * number + 8] = 230
    return frames


VIDEOS = {
    "avi": "MJPG XVID FFV1 VP80 WMV2 HFYU PNG1 SNOW CVID",
    "mp4": "mp4v MJPG VP90 FFV1 MPG2",
    "mkv": "FFV1 mp4v VP80 VP90 MJPG DIV3 FLV1 I420",
    "mov": "mp4v MJPG PNG1 ULRG",
    "webm": "VP80 VP90",
    "wmv": "WMV2 MP42 MJPG",
    "mpg": "MPG2 mp4v",
    "ts": "MPG2 mp4v",
    "flv": "FLV1 VP90",
    "m4v": "mp4v",
    "3gp": "mp4v",
    "vob": "MPG2",
    "mjpeg": "MJPG",
    "ogv": "VP80",
}


def make_videos(folder: Path) -> None:
    """Write a clip in each container and codec that this OpenCV can write."""
    frames = pictures()
    for suffix, codecs in VIDEOS.items():
        for codec in codecs.split():
            path = folder / f"{codec}.{suffix}"
            code = cv2.VideoWriter_fourcc(*codec)  # type: ignore[attr-defined]
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 10, (32, 24))
            if writer.isOpened():
                for frame in frames:
                    writer.write(frame)
                writer.release()
            else:
                path.unlink(missing_ok=True)
    (folder / "a.gif").write_bytes(cv2.imencodemulti(".gif", list(frames))[1].tobytes())


def make_images(folder: Path) -> None:
    """Write a picture in each format that vidgru reads."""
    for suffix in ("bmp", "jpg", "png", "ppm", "tiff", "webp"):
        data = cv2.imencode(f".{suffix}", pictures()[0])[1]
        (folder / f"a.{suffix}").write_bytes(data.tobytes())


def make_models(folder: Path) -> None:
    """Write models of several kinds with random weights."""
    labels = ("left", "right", "up")
    common: dict[str, Any] = {"task": "classify", "labels": labels, "hidden": 8, "fps": 10.0}
    for spec in (
        ModelSpec(**common, input="both", core="gru", frames=8, size=16),
        ModelSpec(**common, input="diff", core="gated", frames=8, size=16),
        ModelSpec(**common, input="rgb", core="lstm", frames=1, size=16),
        ModelSpec(**common, input="rgb", core="rnn", frames=1, size=16, encoder="rows"),
    ):
        weights = build(spec).state_dict()
        save_model(folder / f"{spec.core}.safetensors", weights, spec, {"validation": None})


def make_run(folder: Path) -> None:
    """Train for a few steps, and break off: leaves clips/ and run/."""
    for label, way in (("left", 1), ("right", -1)):
        (folder / "clips" / label).mkdir(parents=True)
        for number in range(3):
            path = folder / "clips" / label / f"{number}.avi"
            code = cv2.VideoWriter_fourcc(*"FFV1")  # type: ignore[attr-defined]
            writer = cv2.VideoWriter(str(path), code, 10, (32, 24))
            for frame in pictures()[::way]:
                writer.write(np.roll(frame, 5 * number, axis=0))
            writer.release()
    options: dict[str, Any] = {"size": 16, "batch_size": 2, "threads": 1, "input": "diff"}
    config = ClassifyTrainConfig(out=str(folder / "run"), core="rnn", epochs=40, **options)
    steps = train_steps(folder / "clips", config)
    while not (folder / "run" / "metrics.csv").exists():
        next(steps)
    next(steps)
    steps.close()


def copy_of(part: str) -> Callable[[Path], None]:
    """Return a maker of seeds that takes a file which `make_run` made."""

    def copy(folder: Path) -> None:
        shutil.copy(folder.parents[1] / part, folder)

    return copy


def make_groups(folder: Path) -> None:
    """Write a table of groups for the clips of `make_run`."""
    clips = read_folder(folder.parents[1] / "clips")
    rows = [f"{clip.name},person {clip.path.stem},\u00e9" for clip in clips]
    (folder / "groups.csv").write_text("\n".join(["clip,person,camera", *rows]) + "\n", "utf-8")


def make_list(folder: Path) -> None:
    """Write a list of the clips of `make_run`, cut, split and grouped."""
    clips = read_folder(folder.parents[1] / "clips")
    rows = [
        f"{clip.path},{clip.label},{'val' if clip.path.stem == '0' else 'train'},p{number},,0.5"
        for number, clip in enumerate(clips)
    ]
    text = "\n".join(["path,label,split,group,start,end", *rows]) + "\n"
    (folder / "list.csv").write_text(text, "utf-8")


def make_times(folder: Path) -> None:
    """Write a table of times, as `extract` does."""
    rows = [f"{n}.png,clip.avi,{n},{n / 10:.6f}" for n in range(3)]
    (folder / "frames.csv").write_text("\n".join(["file,source,index,seconds", *rows]) + "\n")


def make_arrays(folder: Path) -> None:
    """Write decoded frames, one file small enough to be read and one to be mapped."""
    for length in (8, 40):
        frames = np.zeros((1, length, SAMPLING.side, SAMPLING.side, 3), np.uint8)
        info = VideoInfo(32, 24, 10.0, "ffv1", 0, length, length, length / 10, False, ("dark",))
        store(str(length), Path("clip.avi"), frames, info, folder)


ASKED = {"model": "0123456789abcdef", "max_error": None, "timeline": False}


def make_answers(folder: Path) -> None:
    """Write a file of answers, as `predict --out` does."""
    said = Prediction("b.avi", ("a", "b"), (0.25, 0.75), (Window(0, 1, (0.25, 0.75)),), 10, 1.0)
    answers = (Failure("a.avi", "Cannot read a.avi: the file is empty."), said)
    lines = [json.dumps({**answer.to_dict(), **ASKED}) + "\n" for answer in answers]
    (folder / "answers.jsonl").write_text("".join(lines))
