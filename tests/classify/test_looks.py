"""Classifiers with a picture encoder: the same features in training and wherever they predict."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import moving_squares, needs_onnx, stop_after
from looks_encoders import FEATURES, write_encoder
from stream_server import FFMPEG, http_server

from vidgru import TrainResult, load, resume, train
from vidgru.core.errors import DataError, ModelError, OptionError
from vidgru.engine import looks_cache, trainer
from vidgru.tasks.classify.looks_file import LOOKS_NAME
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.sliding import SlidingWindows
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Window

pytestmark = needs_onnx
Vidgru = Callable[..., Done]

SETTINGS: dict[str, Any] = {"size": 16, "epochs": 4, "batch_size": 4, "threads": 1, "folds": 1}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny.onnx")


@pytest.fixture(scope="module")
def result(data: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a training with a picture encoder; tests must not change its run folder."""
    out = tmp_path_factory.mktemp("looks") / "run"
    found = train(data, looks=str(encoder), out=str(out), **SETTINGS)
    assert isinstance(found, TrainResult)
    return found


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return moving_squares(tmp_path / "long.avi", 2, 5, count=60)


@pytest.mark.parametrize("seen", ["both", "looks"])
@pytest.mark.parametrize("core", ["gru", "lstm", "gated"])
def test_step_and_windows_equal_forward(core: str, seen: str) -> None:
    torch.manual_seed(0)
    net = Network(NetworkConfig(seen, core, 3, size=16, looks=FEATURES)).eval()
    frames, looks = torch.randn(1, 21, 3, 16, 16), torch.randn(1, 6, FEATURES)
    with torch.inference_mode():
        whole, state = net(frames, looks), None
        for t in range(21):
            given = looks[:, t // 4] if t % 4 == 0 else None
            out, state = net.step(frames[:, t], state, given)
            torch.testing.assert_close(out, whole[:, t], rtol=0, atol=1e-5)
        assert (net(frames, looks.flip(2)) - whole).abs().max() > 1e-3
        # No frame is seen by itself.
        torch.testing.assert_close(net(frames + 1, looks), whole, rtol=0, atol=1e-3)
        sliding, found = SlidingWindows(net, 8), []
        for first in range(0, 21, 3):
            part = frames[0, first : first + 3]
            due = [(first + n) // 4 for n in sliding.due(len(part))]
            found += sliding.push(part, looks[0, due])
        for window in found:
            span = slice(window.start, window.end)
            own = net(frames[:, span], looks[:, window.start // 4 : -(-window.end // 4)])
            torch.testing.assert_close(window.output, own[0, -1], rtol=0, atol=1e-5)
    assert [window.start for window in found] == [0, 4, 8, 12]


def test_looks_are_absent_in_half_of_training_where_there_are_changes() -> None:
    clips, looks = torch.randn(400, 1, 3, 16, 16), torch.randn(400, 1, FEATURES)
    for seen, share in (("both", 0.5), ("looks", 0.0)):
        torch.manual_seed(0)
        net = Network(NetworkConfig(seen, "gru", 3, size=16, looks=FEATURES))
        _, side = net.encode(clips, looks)
        assert side is not None
        absent = (side == 0).all(-1).all(-1).double().mean()
        assert abs(float(absent) - share) <= (0.08 if share else 0)
        net.eval()
        _, side = net.encode(clips, looks)
        assert side is not None
        assert (side != 0).any(-1).all()


def test_the_model_names_its_encoder(result: TrainResult, encoder: Path) -> None:
    spec = load_model(result.run).spec
    assert (spec.input, spec.looks_name, spec.looks_features) == ("both", "tiny.onnx", FEATURES)
    assert len(spec.looks) == 64
    assert result.initial_weights.startswith("the encoder of changes that comes with vidgru")
    assert not (result.run / LOOKS_NAME).exists()


@pytest.mark.parametrize("seen", ["both", "looks"])
def test_clips_streams_and_timelines_say_the_same(
    data: Path, encoder: Path, tmp_path: Path, video: Path, seen: str
) -> None:
    out, kind = str(tmp_path / "run"), {**SETTINGS, "epochs": 2}
    model = load(train(data, looks=str(encoder), input=seen, out=out, **kind).run)
    windows = {round(w.end, 6): w for w in model.predict(video).windows}
    compared = 0
    for moment in model.stream(video):
        window = windows.get(round(moment.time + 1 / model.spec.fps, 6))
        if window is not None and moment.seconds == pytest.approx(window.end - window.start):
            assert moment.probabilities == pytest.approx(window.probabilities, abs=1e-5)
            compared += 1
    assert compared >= 8
    timeline = model.timeline(video)
    assert timeline.seconds == pytest.approx(6.0)


def test_predict_gives_what_evaluate_measures(
    vidgru: Vidgru, result: TrainResult, fresh: Path
) -> None:
    model = load(result.run)
    done = vidgru("evaluate", fresh, "--model", result.run, "--json", "--out", fresh / "r.html")
    assert done.code == 0
    answers = {answer["clip"]: answer for answer in json.loads(done.out)["answers"]}
    assert len(answers) == 8
    for clip, answer in answers.items():
        assert model.predict(fresh / clip).confidence == pytest.approx(
            answer["confidence"], abs=1e-5
        )


def test_features_are_computed_once(
    data: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**SETTINGS, "looks": str(encoder), "epochs": 1}
    first = train(data, out=str(tmp_path / "first"), **options)
    monkeypatch.setattr(looks_cache, "Pool", None)  # no process may start
    again = train(data, out=str(tmp_path / "again"), **options)
    names = [run / "model.safetensors" for run in (first.run, again.run)]
    assert names[0].read_bytes() == names[1].read_bytes()
    monkeypatch.undo()
    other = write_encoder(tmp_path / "other.onnx", seed=1)
    assert train(data, out=str(tmp_path / "other"), **{**options, "looks": str(other)})


def test_damaged_features_are_computed_anew(
    data: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGRU_CACHE", str(tmp_path / "cache"))
    options = {**SETTINGS, "looks": str(encoder), "epochs": 1}
    whole = train(data, out=str(tmp_path / "first"), **options)
    kept = [path for path in (tmp_path / "cache").iterdir() if np.load(path).dtype == np.float32]
    assert len(kept) == 12
    kept[0].write_bytes(kept[0].read_bytes()[:-4])
    kept[1].write_bytes(b"no array")
    kept[2].write_bytes(kept[2].read_bytes()[:-4] + np.float32(np.nan).tobytes())
    again = train(data, out=str(tmp_path / "again"), **options)
    names = [run / "model.safetensors" for run in (whole.run, again.run)]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_resumed_trainings_have_the_same_bits(
    vidgru: Vidgru,
    data: Path,
    encoder: Path,
    result: TrainResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainer, "LATEST", -1.0)
    run = tmp_path / "run"
    own = Path(shutil.copy(encoder, tmp_path))  # of the same name
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train(data, looks=str(own), out=str(run), **SETTINGS)
    shutil.copytree(run, tmp_path / "broken off")
    resume(run)
    whole = result.run / "model.safetensors"
    assert (run / "model.safetensors").read_bytes() == whole.read_bytes()
    write_encoder(own, seed=1)
    done = vidgru("train", "--resume", tmp_path / "broken off")
    assert done.code == 1
    assert "is no longer the picture encoder that" in done.err
    own.unlink()
    done = vidgru("train", "--resume", tmp_path / "broken off")
    copy = tmp_path / "broken off" / LOOKS_NAME
    assert done == (
        1, "", f"Error: No picture encoder at {own}: restore it, or put it there as {copy}.\n"
    )  # fmt: skip
    shutil.copy(encoder, copy)
    write_encoder(own, seed=1)  # the copy is the right one
    resume(tmp_path / "broken off")
    assert (tmp_path / "broken off" / "model.safetensors").read_bytes() == whole.read_bytes()


def test_folds_see_the_features_of_held_out_clips(
    vidgru: Vidgru, data: Path, encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = {**SETTINGS, "looks": str(encoder), "epochs": 2, "folds": 2}
    found = train(data, out=str(out), **options)
    assert isinstance(found, TrainResult)
    assert len(found.folds) == 2
    done = vidgru("predict", data / "left" / "0.avi", "--model", out / "fold-1", "--json")
    assert (done.code, done.err) == (0, "")


def test_a_missing_or_another_encoder(
    vidgru: Vidgru, result: TrainResult, encoder: Path, video: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(result.model, alone)
    done = vidgru("predict", video, "--model", alone)
    assert done.code == 1
    assert "needs the picture encoder that it was trained with (tiny.onnx, SHA-256" in done.err
    assert "give it with --looks FILE, or put it beside the model as looks.onnx." in done.err
    done = vidgru("predict", video, "--model", alone, "--looks", encoder, "--json")
    same = pytest.approx(vidgru_of(vidgru, video, result.run), abs=1e-5)  # by onnxruntime
    assert json.loads(done.out)["probabilities"] == same
    assert (
        load(alone, looks=encoder).predict(video).to_dict()["probabilities"]
        == json.loads(done.out)["probabilities"]
    )
    other = write_encoder(tmp_path / "other.onnx", seed=1)
    done = vidgru("predict", video, "--model", alone, "--looks", other)
    assert (done.code, "is not the picture encoder that" in done.err) == (1, True)
    with pytest.raises(ModelError, match="No picture encoder at"):
        load(alone, looks=tmp_path / "none.onnx")


def vidgru_of(vidgru: Vidgru, video: Path, run: Path) -> Any:
    return json.loads(vidgru("predict", video, "--model", run, "--json").out)["probabilities"]


def test_several_processes_predict_the_same(
    vidgru: Vidgru, result: TrainResult, data: Path, encoder: Path, tmp_path: Path
) -> None:
    clips = [data / "left" / f"{n}.avi" for n in range(3)]
    one = vidgru("predict", *clips, "--model", result.run, "--json").out
    alone = Path(shutil.copy(result.model, tmp_path / "alone.safetensors"))
    words = ["--workers", 2, "--model", alone, "--looks", encoder, "--json"]
    done = vidgru("predict", *clips, *words)
    assert done.err == ""
    for a, b in zip(one.splitlines(), done.out.splitlines(), strict=True):
        assert json.loads(a)["probabilities"] == pytest.approx(json.loads(b)["probabilities"])


def test_packed_the_run_folder_is_enough(
    vidgru: Vidgru, data: Path, encoder: Path, video: Path, tmp_path: Path
) -> None:
    own, run = Path(shutil.copy(encoder, tmp_path)), tmp_path / "run"
    train(data, looks=str(own), pack=True, out=str(run), **{**SETTINGS, "epochs": 1})
    assert (run / LOOKS_NAME).read_bytes() == own.read_bytes()
    own.unlink()
    moved = run.rename(tmp_path / "moved")
    assert vidgru("predict", video, "--model", moved).code == 0
    assert resume(moved).epochs == 1
    write_encoder(moved / LOOKS_NAME, seed=1)
    assert vidgru("predict", video, "--model", moved).code == 1


@pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")
def test_live_sources(result: TrainResult, squares: Path) -> None:
    model = load(result.run)
    seen = []
    encode = model.looks.encode
    model.looks.encode = lambda images: [seen.append(images[0].shape), encode(images)][1]
    with http_server(squares) as server:
        moments = model.stream(server.url)
        answers = [next(moments) for _ in range(9)]
        moments.close()
    assert all(0 < max(answer.probabilities) < 1 for answer in answers)
    assert seen == [(32, 32, 3)] * 3


def test_training_takes_windows_and_views_whose_features_are_known(
    data: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Window] = []
    window = ClassifyTrainStep._window

    def noted(self: ClassifyTrainStep, clip: int) -> Window:
        drawn.append(window(self, clip))
        return drawn[-1]

    monkeypatch.setattr(ClassifyTrainStep, "_window", noted)
    long = tmp_path / "long"
    for n in range(4):
        moving_squares(long / "left" / f"{n}.avi", -2, n, count=40)
        moving_squares(long / "right" / f"{n}.avi", 2, n, count=40)
    options = {**SETTINGS, "looks": str(encoder), "frames": 8, "fps": 10}
    train(long, out=str(tmp_path / "run"), **options)
    starts = {one.start for one in drawn}
    assert {start % 4 for start in starts} == {0}
    assert max(starts) == 32


def test_single_images(vidgru: Vidgru, encoder: Path, tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 150)):
        for n in range(6):
            (tmp_path / "images" / label).mkdir(parents=True, exist_ok=True)
            picture = rng.integers(low, low + 100, (40, 40, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "images" / label / f"{n}.png"), picture)
    run = tmp_path / "run"
    found = train(tmp_path / "images", looks=str(encoder), out=str(run), **SETTINGS)
    spec = load_model(found.run).spec
    assert (spec.input, spec.frames, spec.looks_every) == ("looks", 1, 1)
    picture = tmp_path / "images" / "dark" / "0.png"
    assert vidgru("predict", picture, "--model", run).code == 0
    video = moving_squares(tmp_path / "video.avi", 2, 0)
    assert len(load(run).predict(video).windows) == load(run).predict(video).frames


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"input": "looks"}, "input looks needs a picture encoder"),
    ({"pack": True}, "pack is about a picture encoder"),
    ({"looks_mean": "clip"}, "looks_mean is about a picture encoder"),
    ({"looks": "x", "input": "rgb"}, "looks takes the place of frames"),
    ({"looks": "x", "core": "convgru"}, "gives no rows or maps for core"),
    ({"looks": "x", "encoder": "rows"}, "gives no rows or maps for encoder"),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_options_that_do_not_go_together(
    data: Path, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        train(data, out=str(tmp_path / "run"), **options)
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_done_is_said_in_a_sentence(
    vidgru: Vidgru, result: TrainResult, trained: TrainResult, encoder: Path, tmp_path: Path
) -> None:
    clip = moving_squares(tmp_path / "clip.avi", 2, 0)
    done = vidgru("explain", clip, "--model", result.run, "-o", tmp_path / "why")
    assert (done.code, "cannot be explained" in done.err) == (1, True)
    done = vidgru("predict", clip, "--model", trained.run, "--looks", encoder)
    assert (done.code, "uses no picture encoder: leave out --looks." in done.err) == (2, True)
    done = vidgru("train", tmp_path, "--looks", tmp_path / "none.onnx")
    assert (done.code, "No picture encoder at" in done.err) == (1, True)
    with pytest.raises(OptionError, match="looks is for classifiers"):
        load("motion", looks=encoder)  # type: ignore[call-overload]


def test_the_encoder_of_changes_may_begin_as_that_of_another_model(
    vidgru: Vidgru, result: TrainResult, data: Path, encoder: Path, tmp_path: Path
) -> None:
    words = ("--looks", encoder, "--init", result.run, "--size", 16, "--epochs", 1, "--folds", 1)
    done = vidgru("train", data, *words, "--out", tmp_path / "run", "-q")
    assert (done.code, done.err) == (0, "")
    assert f"starting from the encoder of {result.run}" in done.out
    done = vidgru("train", data, *words, "--input", "looks", "--out", tmp_path / "other")
    assert done.code == 1
    assert "--input looks trains no encoder for --init: leave out one of them." in done.err


def test_a_clip_that_changes_meanwhile(
    data: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = Path(shutil.copytree(data, tmp_path / "clips"))
    monkeypatch.setenv("VIDGRU_CACHE", str(tmp_path / "cache"))
    pool = looks_cache.Pool

    def later(*args: Any) -> Any:
        (clips / "left" / "0.avi").write_bytes(b"no video")
        return pool(*args)

    monkeypatch.setattr(looks_cache, "Pool", later)
    with pytest.raises(DataError, match=r"0\.avi"):
        train(clips, looks=str(encoder), out=str(tmp_path / "run"), **SETTINGS)
