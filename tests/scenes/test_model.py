"""Detected scenes, in videos and in streams."""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import noise, retime, turn, write_clip, write_images
from scene_films import LATE, LENGTHS, SIZE, Network, divided, numbered, open_frames

from vidgru.core.errors import ModelError, OptionError, VideoError
from vidgru.core.results import Progress
from vidgru.core.text import timecode
from vidgru.tasks.scenes import model as verb
from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.results import Boundary, Scene, SceneChange, Scenes, scenes_between

# ---- detected scenes ----


def test_a_video_is_divided(model: ScenesModel, network: Network, film: Path) -> None:
    predicted = model.scenes(film)
    assert (predicted.frames, predicted.fps, predicted.variable, predicted.seconds) == (
        60,
        10,
        False,
        6,
    )
    assert (predicted.width, predicted.height, predicted.source) == (64, 48, str(film))
    assert [(s.number, s.start, s.end) for s in predicted.scenes] == [
        (1, 0, 20), (2, 20, 35), (3, 35, 60)
    ]  # fmt: skip
    assert [(s.start_seconds, s.end_seconds) for s in predicted.scenes] == [
        (0, 2),
        (2, 3.5),
        (3.5, 6),
    ]
    assert predicted.scenes[0].begins is None
    assert predicted.scenes[1].begins == Boundary(20, "cut", 0.9, 20, 20)
    # Each frame was seen once, in order, made as small as the network wants it.
    small = [cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in numbered(LENGTHS)]
    assert len(network.seen) == 60
    assert all((a == b).all() for a, b in zip(network.seen, small, strict=True))
    assert json.loads(json.dumps(predicted.to_dict()))["scenes"][1]["begins"]["kind"] == "cut"


def test_progress_comes_in_between(
    model: ScenesModel, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "WAIT", 0)
    progress = list(model.steps(film))
    assert progress
    assert all(isinstance(item, Progress) for item in progress)


def test_thresholds(model: ScenesModel, network: Network, film: Path) -> None:
    network.predicted = [Boundary(9, "cut", 0.6, 9, 9), Boundary(30, "cut", 0.95, 30, 30)]
    assert [scene.start for scene in model.scenes(film).scenes] == [0, 9, 30]
    assert [scene.start for scene in model.scenes(film, 0.7).scenes] == [0, 30]
    list(model.stream(film, 0.25))
    assert network.thresholds == [0.5, 0.7, 0.25]
    with pytest.raises(OptionError, match=r"Invalid threshold=1.5. It must be less than 1."):
        model.scenes(film, 1.5)


def test_times_are_the_frames_own(model: ScenesModel, network: Network, tmp_path: Path) -> None:
    frames = noise(20, 48, 64)
    clip = write_clip(tmp_path / "clip.mp4", frames, 10, "mp4v")
    retime(clip, [512] * 10 + [1536] * 10)
    times = [frame.time for frame in open_frames(clip)]
    assert times[15] == pytest.approx(0.5 + 5 * 0.15)
    network.predicted = [Boundary(5, "cut", 1.0, 5, 5), Boundary(15, "cut", 1.0, 15, 15)]
    predicted = model.scenes(clip)
    assert predicted.variable
    assert [scene.start_seconds for scene in predicted.scenes] == pytest.approx(
        [0, times[5], times[15]], abs=1e-6
    )
    assert predicted.fps == pytest.approx(20 / predicted.seconds)


def test_few_times_are_kept(
    model: ScenesModel, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "KEPT", LATE + 1)
    assert [scene.start_seconds for scene in model.scenes(film).scenes] == [0, 2, 3.5]
    assert [change.seconds for change in model.stream(film)] == [2, 3.5]
    monkeypatch.setattr(verb, "KEPT", LATE)
    with pytest.raises(IndexError):
        model.scenes(film)


def test_one_frame_is_one_scene(model: ScenesModel, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "one.avi", noise(1), 10)
    predicted = model.scenes(clip)
    assert predicted.scenes == (Scene(1, 0, 1, 0.0, 0.1, None),)
    assert list(model.stream(clip)) == []


def test_pictures_in_a_folder_are_a_sequence(model: ScenesModel, tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(12)]
    folder = write_images(tmp_path / "pictures", numbered([7, 5]), names)
    predicted = model.scenes(folder)
    assert [(scene.start, scene.end) for scene in predicted.scenes] == [(0, 7), (7, 12)]
    assert predicted.fps == 25


def test_a_turned_video_has_its_size_as_shown(model: ScenesModel, tmp_path: Path) -> None:
    clip = turn(write_clip(tmp_path / "clip.mp4", noise(5, 48, 64), 10, "mp4v"))
    predicted = model.scenes(clip)
    assert (predicted.width, predicted.height) == (48, 64)


def test_warnings_of_a_source_are_logged(
    model: ScenesModel, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    predicted = model.scenes(film)
    assert predicted.frames < 60
    assert f"{film} ends early" in caplog.text


def test_what_cannot_be_read(model: ScenesModel, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        model.scenes(tmp_path / "missing.mp4")
    with pytest.raises(OptionError, match=r"camera:0 is no file or folder"):
        model.scenes("camera:0")


def test_leaving_early_ends_the_reading(
    model: ScenesModel, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "WAIT", 0)
    monkeypatch.setattr(verb, "CHUNK", 1)
    clip = write_clip(tmp_path / "long.avi", noise(200), 10)
    steps = model.steps(clip)
    next(steps)
    steps.close()
    assert len(network.seen) < 200


# ---- streams ----


def test_a_stream_finds_what_scenes_do_a_little_later(
    model: ScenesModel, network: Network, film: Path
) -> None:
    changes = list(model.stream(film))
    assert [change.frame for change in changes] == [20, 35]
    assert changes[0] == SceneChange(Boundary(20, "cut", 0.9, 20, 20), 2.0, pytest.approx(2.3))
    assert changes[1].to_dict()["boundary"]["start"] == 35


def test_a_live_stream_counts_on_after_a_reconnect(
    model: ScenesModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = [np.full((SIZE, SIZE, 3), shade, np.uint8) for shade in [0] * 6 + [200] * 6]

    def live(
        source: str, fps: float, size: tuple[int, int], tell: Any
    ) -> Iterator[types.SimpleNamespace]:
        assert (source, fps, size) == ("camera:0", 25, (SIZE, SIZE))
        for connection in range(2):
            for n, rgb in enumerate(shots):
                time = n / 25 + connection
                yield types.SimpleNamespace(rgb=rgb, time=time, connection=connection)

    monkeypatch.setattr(verb, "live_frames", live)
    changes = list(model.stream("camera:0"))
    assert [change.frame for change in changes] == [6, 18]
    assert [change.boundary.start for change in changes] == [6, 18]
    assert [change.seconds for change in changes] == pytest.approx([6 / 25, 1 + 6 / 25])
    assert [change.known for change in changes] == pytest.approx([9 / 25, 1 + 9 / 25])


# ---- scenes as such ----


def test_clear_frames_show_nothing_of_others() -> None:
    predicted = divided()
    assert [predicted.clear(scene) for scene in predicted.scenes] == [
        range(15), range(25, 33), range(38, 50), range(51, 60)
    ]  # fmt: skip
    pairs = [(Boundary(10, "dissolve", 1.0, 5, 15), 1.0), (Boundary(16, "fade", 1.0, 13, 20), 1.6)]
    crowded = Scenes("v", "m", 30, 10.0, False, 3.0, 9, 9, scenes_between(pairs, 30, 3.0))
    assert crowded.clear(crowded.scenes[1]) == range(10, 16)


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3661.5, "01:01:01.500"),
     (360000.25, "100:00:00.250")],
)  # fmt: skip
def test_timecodes(seconds: float, wanted: str) -> None:
    assert timecode(seconds) == wanted


# ---- the model file ----


def test_the_shipped_model_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "SHIPPED_SCENES", tmp_path / "none")
    with pytest.raises(ModelError, match="This vidgru comes without its model of scenes"):
        verb.load_scenes()


def test_a_model_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(path: Path) -> types.SimpleNamespace:
        asked.append(path)
        return types.SimpleNamespace(path=path, network=Network(), spec=None, metrics={})

    monkeypatch.setattr(verb, "read_model", opened)
    shipped = tmp_path / "shipped"
    shipped.touch()
    monkeypatch.setattr(verb, "SHIPPED_SCENES", shipped)
    assert verb.load_scenes().path == shipped
    assert verb.load_scenes(tmp_path / "mine", device="cpu", threads=1).path == tmp_path / "mine"
    assert asked == [shipped, tmp_path / "mine"]
