"""What fuzz.py tries: a table of loaders, each with good files, changes and itself.

Each loader gets a changed file, and the folder that `make_run` filled.
"""

import contextlib
import itertools
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
from annotation_files import VIDEOS
from fuzz_changes import (
    SIDE,
    Change,
    blind,
    edit_annotations,
    edit_array,
    edit_json,
    edit_line,
    edit_model,
    edit_png,
    edit_state,
    edit_table,
    edit_zip,
)
from fuzz_seeds import (
    ASKED,
    SAMPLING,
    copy_of,
    make_annotations,
    make_answers,
    make_arrays,
    make_groups,
    make_images,
    make_json_lists,
    make_lists,
    make_models,
    make_times,
    make_videos,
    pictures,
)

import vidgru
from vidgru.commands.train import resume_steps
from vidgru.core.errors import DataError
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.cache import decode_clip, load
from vidgru.data.dataset import read_clips
from vidgru.data.folder import Clip, read_folder
from vidgru.data.sources import read_source
from vidgru.data.split import split_clips
from vidgru.engine.model_file import CHECKPOINT_NAME, load_checkpoint
from vidgru.engine.newest_run import CONFIG_NAME
from vidgru.engine.run_folder import read_numbers, read_split, resume_run
from vidgru.tasks.classify.answers import _read
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.registry import train_config
from vidgru.tools.extract.choose import choose_frames
from vidgru.tools.extract.options import ExtractConfig
from vidgru.video.sample import sample_frames


def load_model_and_predict(path: Path, home: Path) -> None:
    """Load a model and ask it in every way."""
    model, clip = vidgru.load(path, threads=1), home / "clips" / "left" / "0.avi"
    for answer in (model.predict(clip), *model.timeline(clip).segments, next(model.stream(clip))):
        if not all(map(math.isfinite, answer.probabilities)):
            raise RuntimeError(f"{answer.probabilities} is no answer")


def resume_checkpoint(path: Path, home: Path) -> None:
    """Load a checkpoint and train two steps with it."""
    shutil.copy(home / "run" / CONFIG_NAME, path.parent)
    load_checkpoint(path)
    with contextlib.closing(resume_steps(path.parent)) as steps:
        trained = (progress for progress in steps if progress.stage == "training")
        list(itertools.islice(trained, 2))


def read_config(path: Path, home: Path) -> None:
    """Read the config of a run, and the clips that it names."""
    with resume_run(path.parent, train_config) as (folder, config):
        choose_sampling(read_clips(folder, config), config, config.side)


def read_groups(path: Path, home: Path) -> None:
    """Read clips with their groups, and split them."""
    if not (path.parent / "left").exists():
        shutil.copytree(home / "clips", path.parent, dirs_exist_ok=True)
    split_clips(read_folder(path.parent, "person"), 0.3, 0)


def read_clip_list(path: Path, home: Path) -> None:
    """Read a list of clips as `train` does; what is wrong with it is one sentence."""
    config = ClassifyTrainConfig()
    try:
        choose_sampling(read_clips(path, config), config, SIDE)
    except DataError as error:
        if "\n" in str(error) or len(str(error)) > 600:
            raise RuntimeError(f"unclear: {str(error)[:300]!r}") from error
        raise


def read_annotations(path: Path, home: Path) -> None:
    """Read annotations as `train` does, with what else there is to ask for."""
    for name in VIDEOS:
        if not (path.parent / name).exists():
            shutil.copy(home / "clips" / "left" / "0.avi", path.parent / name)
    for config in (AnnotationConfig(), AnnotationConfig(overlap="first", background="none")):
        try:
            clips = read_source(path, annotations=config)
        except DataError as error:
            if str(path) not in str(error) or "\n" in str(error):
                raise RuntimeError(f"unclear: {str(error)[:300]!r}") from error
            if config.overlap:
                raise
        else:
            if any(not 0 <= c.start < (c.end or math.inf) for c in clips if c.start is not None):
                raise RuntimeError("a clip lasts no time")
            choose_sampling(clips, ClassifyTrainConfig(), SIDE)


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
    for _ in sample_frames(path, 1000.0, size=SAMPLING.side, end=1.0, report=lambda _: None):
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
        15,
        copy_of(f"run/{CHECKPOINT_NAME}"),
        (blind, edit_zip, edit_state, edit_state),
        resume_checkpoint,
    ),
    "config.json": Loader(10, copy_of(f"run/{CONFIG_NAME}"), (blind, edit_json), read_config),
    "metrics.csv": Loader(
        4, copy_of("run/metrics.csv"), (blind, edit_table), lambda path, _: read_numbers(path)
    ),
    "groups.csv": Loader(6, make_groups, (blind, edit_table), read_groups),
    "list": Loader(8, make_lists, (blind, edit_table, edit_table), read_clip_list),
    "list.json": Loader(4, make_json_lists, (blind, edit_json), read_clip_list),
    "annotations": Loader(
        8, make_annotations, (blind, edit_annotations, edit_annotations), read_annotations
    ),
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
