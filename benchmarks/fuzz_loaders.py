"""What benchmarks/fuzz.py tries: a table of loaders, each with good files, changes and itself."""

import contextlib
import itertools
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fuzz_changes import (
    SIDE,
    Change,
    blind,
    edit_array,
    edit_json,
    edit_line,
    edit_model,
    edit_png,
    edit_state,
    edit_table,
    edit_zip,
)

import vidgru
from vidgru.commands.train import resume_steps, train_steps
from vidgru.core.results import Failure
from vidgru.data.cache import Sampling, decode_clip, load, store
from vidgru.data.dataset import read_clips
from vidgru.data.folder import Clip, read_folder
from vidgru.data.split import split_clips
from vidgru.engine.model_file import CHECKPOINT_NAME, load_checkpoint
from vidgru.engine.run_folder import CONFIG_NAME, go_on_with, read_numbers, read_split
from vidgru.tasks.classify.answers import _read
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.model_file import save_model
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.results import Prediction, Window
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.registry import train_config
from vidgru.tools.extract.choose import choose_frames
from vidgru.tools.extract.options import ExtractConfig
from vidgru.video.facts import Facts
from vidgru.video.sample import sample_frames

SAMPLING = Sampling(10.0, SIDE, 8)

# Seeds: each writes some good files into a folder ------------------------------------------------


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
        facts = Facts(32, 24, 10.0, "ffv1", 0, length, length, length / 10, False, ("dark",))
        store(str(length), Path("clip.avi"), frames, facts, folder)


ASKED = {"model": "0123456789abcdef", "max_error": None, "timeline": False}


def make_answers(folder: Path) -> None:
    """Write a file of answers, as `predict --out` does."""
    said = Prediction("b.avi", ("a", "b"), (0.25, 0.75), (Window(0, 1, (0.25, 0.75)),), 10, 1.0)
    answers = (Failure("a.avi", "Cannot read a.avi: the file is empty."), said)
    lines = [json.dumps({**answer.to_dict(), **ASKED}) + "\n" for answer in answers]
    (folder / "answers.jsonl").write_text("".join(lines))


# Loaders: each gets a changed file, and the folder that `make_run` filled ------------------------


def load_model_and_predict(path: Path, home: Path) -> None:
    """Load a model and ask it in every way."""
    model, clip = vidgru.load(path, threads=1), home / "clips" / "left" / "0.avi"
    for answer in (model.predict(clip), *model.timeline(clip).segments, next(model.stream(clip))):
        if not all(map(math.isfinite, answer.probabilities)):
            raise RuntimeError(f"{answer.probabilities} is no answer")


def go_on(path: Path, home: Path) -> None:
    """Load a checkpoint and train two steps with it."""
    shutil.copy(home / "run" / CONFIG_NAME, path.parent)
    load_checkpoint(path)
    with contextlib.closing(resume_steps(path.parent)) as steps:
        trained = (progress for progress in steps if progress.stage == "training")
        list(itertools.islice(trained, 2))


def read_config(path: Path, home: Path) -> None:
    """Read the config of a run, and the clips that it names."""
    with go_on_with(path.parent, train_config) as (folder, config):
        choose_sampling(read_clips(folder, config), config, config.side)


def read_groups(path: Path, home: Path) -> None:
    """Read clips with their groups, and split them."""
    if not (path.parent / "left").exists():
        shutil.copytree(home / "clips", path.parent, dirs_exist_ok=True)
    split_clips(read_folder(path.parent, "person"), 0.3, 0)


def read_clip_list(path: Path, home: Path) -> None:
    """Read a list of clips as `train` does."""
    config = ClassifyTrainConfig()
    choose_sampling(read_clips(path, config), config, SIDE)


def give_split_back(path: Path, home: Path) -> None:
    """Read clips, split as a table says; and what a model beside it learned from."""
    read_clips(home / "clips", ClassifyTrainConfig(split=str(path)))
    read_split(path.parent)


def read_times(path: Path, home: Path) -> None:
    """Read a folder of images with times."""
    if not (path.parent / "0.png").exists():
        for number in range(3):
            data = cv2.imencode(".png", pictures()[number])[1]
            (path.parent / f"{number}.png").write_bytes(data.tobytes())
    read_frames(path.parent, home)


def read_frames(path: Path, home: Path) -> None:
    """Read a video or pictures as `train`, `predict` and `extract` do, and ask for its length."""
    decode_clip(path, SAMPLING)
    for _ in sample_frames(path, 1000.0, size=SAMPLING.side, end=1.0, tell=lambda _: None):
        pass
    for _ in choose_frames(path, ExtractConfig(every=1)):
        pass
    choose_sampling([Clip(path, path.name, "a")], ClassifyTrainConfig(), SIDE)


@dataclass(frozen=True)
class Loader:
    """Something that reads files: how many of 100 inputs it gets, good files, changes, itself."""

    share: int
    seeds: Callable[[Path], None]
    changes: tuple[Change, ...]
    load: Callable[[Path, Path], object]


LOADERS = {
    "model": Loader(16, make_models, (blind, edit_model, edit_model), load_model_and_predict),
    "checkpoint": Loader(
        15, copy_of(f"run/{CHECKPOINT_NAME}"), (blind, edit_zip, edit_state, edit_state), go_on
    ),
    "config.json": Loader(10, copy_of(f"run/{CONFIG_NAME}"), (blind, edit_json), read_config),
    "metrics.csv": Loader(
        4, copy_of("run/metrics.csv"), (blind, edit_table), lambda path, _: read_numbers(path)
    ),
    "groups.csv": Loader(6, make_groups, (blind, edit_table), read_groups),
    "list": Loader(6, make_list, (blind, edit_table), read_clip_list),
    "split.csv": Loader(6, copy_of("run/split.csv"), (blind, edit_table), give_split_back),
    "frames.csv": Loader(6, make_times, (blind, edit_table), read_times),
    "cache": Loader(
        8,
        make_arrays,
        (blind, edit_array),
        lambda path, _: load(path.stem, Path("clip.avi"), SAMPLING, path.parent),
    ),
    "answers": Loader(
        4,
        make_answers,
        (blind, edit_line),
        lambda path, _: _read(path, ASKED),
    ),
    "image": Loader(10, make_images, (blind, edit_png), read_frames),
    "video": Loader(15, make_videos, (blind,), read_frames),
}
