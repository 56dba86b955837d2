"""The library as a program uses it: one way to load, sources, progress, messages, results."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import noise, write_clip

import vidgru
from vidgru.core.options import python_names
from vidgru.tasks.motion.model_file import SHIPPED_MOTION
from vidgru.tasks.registry import find_task, locate


def test_any_model_is_loaded(trained: vidgru.TrainResult) -> None:
    assert isinstance(vidgru.load(trained.run), vidgru.Model)
    assert isinstance(vidgru.load(trained.model, max_error=0.5), vidgru.Model)
    assert isinstance(vidgru.load("motion"), vidgru.MotionModel)
    assert isinstance(vidgru.load(SHIPPED_MOTION), vidgru.MotionModel)
    assert isinstance(vidgru.load("scenes"), vidgru.ScenesModel)


def test_a_run_of_a_task_s_name_comes_before_what_is_shipped(
    trained: vidgru.TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "motion").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(vidgru.load("motion"), vidgru.MotionModel)  # a folder of clips, say
    (tmp_path / "motion" / "model.safetensors").write_bytes(trained.model.read_bytes())
    for path in ("motion", "./motion", Path("motion")):
        assert isinstance(vidgru.load(path), vidgru.Model)
    assert locate("motion") == Path("motion")  # as evaluate and export find it


@pytest.mark.parametrize(
    ("load", "kind", "sentence"),
    [
        (
            lambda: vidgru.load("forecast"),
            vidgru.VidgruError,
            "vidgru comes without a model for forecast: give a run folder or a model file.",
        ),
        (
            lambda: vidgru.load("motion", max_error=0.1),  # type: ignore[call-overload]
            vidgru.VidgruError,
            f"max_error is for classifiers, and {SHIPPED_MOTION} is a model of motion.",
        ),
        (
            lambda: vidgru.load("nowhere"),
            vidgru.VidgruError,
            "No model at nowhere: give a run folder or a model file of `vidgru train`.",
        ),
    ],
)
def test_what_cannot_be_loaded(
    load: Callable[[], object], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind) as failed:
        load()
    assert str(failed.value) == sentence


def test_a_shipped_model_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_task("scenes"), "shipped", tmp_path / "none")
    with pytest.raises(vidgru.VidgruError, match="This vidgru comes without its model of scenes"):
        vidgru.load("scenes")


def test_frames_in_memory_are_those_of_a_file(trained: vidgru.TrainResult, tmp_path: Path) -> None:
    rgb = noise(12)
    folder = tmp_path / "folder"
    write_png_folder(folder, rgb)
    model = vidgru.load(trained.run)
    file, memory = model.predict(folder), model.predict(vidgru.Frames(np.stack(rgb), 25.0))
    assert memory.source == "frames in memory"
    assert memory.probabilities == file.probabilities
    assert memory.frames == file.frames > 0
    named = vidgru.Frames(np.stack(rgb), 12.5, "camera 3")
    assert vidgru.load("motion").predict(named).source == "camera 3"
    assert (
        repr(named)
        == f"Frames(12 of {rgb[0].shape[1]}x{rgb[0].shape[0]}, 12.5 frames/s, 'camera 3')"
    )


def write_png_folder(folder: Path, frames: list[np.ndarray]) -> None:
    import cv2

    folder.mkdir()
    for number, rgb in enumerate(frames):
        cv2.imwrite(str(folder / f"{number}.png"), rgb[:, :, ::-1])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "A source is a path or vidgru.Frames(rgb, fps), not NoneType."),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            "A source is a path or vidgru.Frames(rgb, fps), not ndarray.",
        ),
    ],
)
def test_what_is_no_source(source: object, sentence: str) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.load("motion").predict(source)  # type: ignore[arg-type]
    assert str(failed.value) == sentence


@pytest.mark.parametrize(
    ("rgb", "fps", "sentence"),
    [
        ([1], 25, "give rgb as a numpy array of uint8."),
        (np.zeros((2, 4, 4, 3)), 25, "give rgb as a numpy array of uint8."),
        (np.zeros((2, 4, 4), np.uint8), 25, "give rgb as a numpy array of uint8."),
        (
            np.zeros((2, 4, 4, 4), np.uint8),
            25,
            "rgb is (frames, height, width, 3), not (2, 4, 4, 4).",
        ),
        (
            np.zeros((0, 4, 4, 3), np.uint8),
            25,
            "rgb is (frames, height, width, 3), not (0, 4, 4, 3).",
        ),
        (np.zeros((2, 4, 4, 3), np.uint8), 0, "fps is 0, not a number above 0 and below 100000."),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            float("nan"),
            "fps is nan, not a number above 0 and below 100000.",
        ),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            "25",
            "fps is 25, not a number above 0 and below 100000.",
        ),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            1e9,
            "fps is 1000000000.0, not a number above 0 and below 100000.",
        ),
    ],
)
def test_what_is_no_frames(rgb: object, fps: float, sentence: str) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.Frames(rgb, fps)  # type: ignore[arg-type]
    assert str(failed.value) == f"Cannot read frames in memory: {sentence}"


TAKE_A_PATH = (vidgru.check, vidgru.train, vidgru.load, vidgru.compare)


@pytest.mark.parametrize(
    "call",
    [
        *TAKE_A_PATH,
        lambda one: vidgru.evaluate(".", one),
        lambda one: list(vidgru.load("motion").predict_many(one)),
    ],
)
def test_what_is_no_path(call: Callable[[Any], object]) -> None:
    for wrong in (None, 3, b"clips"):
        with pytest.raises(vidgru.VidgruError) as failed:
            call(wrong)
        kind = type(wrong).__name__
        assert str(failed.value) == f"A file or folder is given by its path, not by {kind}."
    with pytest.raises(vidgru.VidgruError, match="A path is empty: give a file or folder"):
        call("")


@pytest.mark.parametrize(
    "call",
    [
        *TAKE_A_PATH,
        vidgru.resume,
        vidgru.detect_changes,
        lambda one: vidgru.evaluate(one, "motion"),
        lambda one: vidgru.train(".", out=str(one)),
        lambda one: list(vidgru.extract(one, "out")),
        lambda one: list(vidgru.extract([__file__, one], "out")),
        lambda one: list(vidgru.extract(__file__, one)),
        lambda one: vidgru.load("motion").predict(one),
        lambda one: list(vidgru.load("motion").predict_many([one])),
    ],
)
def test_a_path_has_no_null_character(call: Callable[[Any], object]) -> None:
    for wrong in ("a\0b", Path("a\0b"), "a\0b/c.mp4"):
        with pytest.raises(vidgru.VidgruError) as failed:
            call(wrong)
        assert str(failed.value) == f"Invalid path {str(wrong)!r}. A path holds no null character."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "gpu"}, "Invalid device 'gpu'. Choose one of: auto, cpu, cuda, mps."),
        ({"threads": 0}, "Invalid threads=0. It must be at least 1."),
        ({"threads": "1"}, "Invalid threads. It must be a whole number, not str."),
    ],
)
def test_how_a_model_cannot_be_loaded(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.load("motion", **options)
    assert str(failed.value) == sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cores": None}, "Invalid cores. It must be a text, not NoneType."),
        ({"inputs": 3}, "Invalid inputs. It must be a text, not int."),
    ],
)
def test_what_cannot_be_compared(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.compare("none", **options)
    assert str(failed.value) == sentence


def test_a_preset_is_called_by_its_name() -> None:
    with pytest.raises(vidgru.VidgruError, match=r"Invalid preset \['article'\]\. Choose one of"):
        vidgru.train("none", preset=["article"])  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int64])
def test_rates_of_numpy_are_numbers(kind: type[Any]) -> None:
    rgb = np.stack(list(noise(30)))
    for name in ("motion", "scenes"):
        model = vidgru.load(name)
        found = model.predict(vidgru.Frames(rgb, kind(12)))
        assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
        assert found == model.predict(vidgru.Frames(rgb, 12))
    with pytest.raises(vidgru.VidgruError, match="fps is 1j, not a number above 0"):
        vidgru.Frames(rgb, np.complex64(1j))  # type: ignore[arg-type]


def test_frames_are_called_by_a_text() -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.Frames(np.zeros((2, 4, 4, 3), np.uint8), 25, Path("a.mp4"))  # type: ignore[arg-type]
    assert str(failed.value) == (
        f"Cannot read frames in memory: their name is a text, not {type(Path()).__name__}."
    )


@pytest.mark.parametrize(
    ("shortest", "sentence"),
    [
        (float("nan"), "Invalid min_seconds=nan. It must be a finite number."),
        (-1, "Invalid min_seconds=-1. It must be more than 0."),
        ("1", "Invalid min_seconds. It must be a number, not str."),
    ],
)
def test_how_short_a_bout_cannot_be(
    trained: vidgru.TrainResult, shortest: Any, sentence: str
) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.load(trained.run).timeline(vidgru.Frames(noise(8), 10), min_seconds=shortest)
    assert str(failed.value) == sentence


def test_one_core_is_compared_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(vidgru.VidgruError, match="name at least two with cores or inputs"):
        vidgru.compare(tmp_path / "none", cores="gru")


def test_many_sources(trained: vidgru.TrainResult, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clips" / "a.avi", noise(8), 10)
    array = vidgru.Frames(np.stack(noise(8)), 10.0)
    model, seen = vidgru.load(trained.run), list[vidgru.Progress]()
    found = model.predict_many([tmp_path / "clips", "none.mp4", array], progress=seen.append)
    first, failed, last = found
    assert (first.source, last.source) == (str(clip), "frames in memory")
    assert failed == vidgru.Failure("none.mp4", "Cannot read none.mp4: no such file or folder.")
    assert {one.stage for one in seen} == {str(clip), "frames in memory"}
    assert [one.source for one in model.predict_many(clip)] == [str(clip)]


def test_each_source_has_one_result(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{name}.avi", noise(30, seed=7), 10) for name in "ab"]
    found = list(vidgru.load("motion").predict_many([clips[0], "none.mp4", clips[1]]))
    assert [type(one) for one in found] == [vidgru.Motion, vidgru.Failure, vidgru.Motion]


def test_progress_of_a_check(tmp_path: Path) -> None:
    for label in "ab":
        for number in range(2):
            write_clip(tmp_path / label / f"{number}.avi", noise(8, seed=number), 10)
    seen: list[vidgru.Progress] = []
    vidgru.check(tmp_path, progress=seen.append)
    assert seen
    assert seen[-1].done == seen[-1].total > 0


def test_messages_name_options_as_python_does(tmp_path: Path) -> None:
    with pytest.raises(vidgru.VidgruError) as failed:
        vidgru.train(tmp_path, batch_size=0)
    assert str(failed.value) == "Invalid batch_size=0. It must be at least 2."
    with pytest.raises(vidgru.VidgruError) as failed:
        list(vidgru.extract(tmp_path, tmp_path / "out", fps=1, every=2))
    assert str(failed.value) == "Give only one of fps, every and count."


@pytest.mark.parametrize(
    ("flag", "python"),
    [
        ("add --group-by COLUMN.", "add group_by=COLUMN."),
        ("use --no-flip, or --folds 4", "use flip=False, or folds=4"),
        ("type `vidgru train --task motion`", "type `vidgru train --task motion`"),
        ("file a--b is bad", "file a--b is bad"),
    ],
)
def test_flags_in_python(flag: str, python: str) -> None:
    with pytest.raises(vidgru.VidgruError) as failed, python_names():
        raise vidgru.VidgruError(flag)
    assert str(failed.value) == python


def test_results_are_readable() -> None:
    many = tuple(vidgru.Box(x, 0, 1, 1) for x in range(9))
    change = vidgru.Change(3, 0.123456, "moved", 2 / 3, many[0], many[1])
    text = repr(change)
    assert text.startswith("Change(frame=3, seconds=0.1235, ")
    assert "confidence=0.6667" in text
    changes = vidgru.Changes("a.mp4", 10, 25.0, 64, 48, 1, (change,) * 5)
    assert "changes=<5 Change>" in repr(changes)
    assert len(repr(changes)) < 200


def test_a_field_of_motion_is_a_result_as_others_are() -> None:
    field = next(vidgru.load("motion").fields(vidgru.Frames(np.stack(list(noise(8))), 10)))
    assert repr(field).startswith("MotionField(time=0.1, velocity=<4x8x8x2 numbers>, ")
    plain = json.loads(json.dumps(field.to_dict()))
    assert np.array_equal(np.float32(plain["velocity"]), field.velocity)
    assert plain["things"] is None


def test_help_says_what_options_mean() -> None:
    for config in (vidgru.ClassifyTrainConfig, vidgru.MotionTrainConfig, vidgru.ExtractConfig):
        for item in dataclasses.fields(config):
            if "help" in item.metadata:
                line = f"    {item.name} = {item.default!r}: {item.metadata['help']}"
                assert line in (config.__doc__ or "").splitlines()
