"""The predictions of a model: the network's outputs for the frames, in little memory."""

import csv
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers import noise, save_model, write_clip

import vidgru as library
from vidgru import TrainResult
from vidgru.tasks.classify import classifier as predict
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.video.read import Frame


def bilinear(image: np.ndarray, size: int, share: float) -> np.ndarray:
    """Return the middle `share` of a square picture as (size, size, 3), plainly written out."""
    side = len(image)
    # Centres of the new pixels, in numbers of the old ones.
    at = ((np.arange(size) + 0.5) / size - 0.5) * share * side + side / 2 - 0.5
    low = np.clip(np.floor(at).astype(int), 0, side - 1)
    high, part = np.clip(low + 1, 0, side - 1), at - low
    rows = image[low] * (1 - part)[:, None, None] + image[high] * part[:, None, None]
    return rows[:, low] * (1 - part)[None, :, None] + rows[:, high] * part[None, :, None]


def test_it_is_what_the_network_says_of_the_frames(tmp_path: Path) -> None:
    """Sampling, cutting, normalising and the network, written out beside the program."""
    # As large as stored frames, so that nothing is resized; soft, so that rounding costs little.
    soft = [cv2.resize(f, (24, 24), interpolation=cv2.INTER_LINEAR) for f in noise(28, 4, 4)]
    clip = write_clip(tmp_path / "clip.avi", np.stack(soft), 20)
    spec = ModelSpec("classify", ("a", "b", "c"), "both", "gru", 32, 10.0, 14, 16)
    torch.manual_seed(0)
    network = Network(NetworkConfig(spec.input, spec.core, 3, spec.hidden))
    for _ in range(20):  # batch norms that know what pictures look like
        network.train()(torch.randn(4, 14, 3, 16, 16))
    network.head.weight.data *= 10  # it shall tell clips apart
    save_model(tmp_path / "model.safetensors", network.state_dict(), spec, {})

    def direct(chosen: list[np.ndarray]) -> list[float]:
        seen = np.stack([bilinear(frame.astype(float), 16, 0.9) for frame in chosen])
        normal = torch.from_numpy((seen / 255 - 0.45) / 0.25).float().permute(0, 3, 1, 2)
        with torch.inference_mode():
            return list(network.eval()(normal[None])[0, -1].log_softmax(0).tolist())

    said = library.load(tmp_path, threads=1).predict(clip)
    assert len(said.windows) == 1
    logs = np.log(said.probabilities)
    # OpenCV rounds pixels, and places to 32nds of one.
    assert logs == pytest.approx(np.array(direct(soft[::2])), abs=0.02)
    for other in (soft[1::2], soft[:14], soft[::-2]):
        assert np.abs(np.subtract(direct(other), logs)).max() > 0.1


def test_a_frame_of_another_form(tmp_path: Path) -> None:
    spec = ModelSpec("classify", ("a", "b"), "diff", "gru", 8, 10.0, 8, 16)
    network = Network(NetworkConfig(spec.input, spec.core, 2, spec.hidden))
    save_model(tmp_path / "model.safetensors", network.state_dict(), spec, {})
    model, side = library.load(tmp_path, threads=1), spec.side
    whole = noise(1, side, side)[0]
    assert len(list(model.follow([Frame(whole, 0, 0)]))) == 1
    for picture, came in (
        (whole[1:], f"uint8 ({side - 1}, {side}, 3)"),
        (whole[..., :1], f"uint8 ({side}, {side}, 1)"),
        (whole / 255, f"float64 ({side}, {side}, 3)"),
        (whole.tolist(), "list"),
    ):
        with pytest.raises(library.VidgruError) as failed:
            list(model.follow([Frame(picture, 0, 0)]))
        wanted = f"rgb uint8 ({side}, {side}, 3)"
        assert str(failed.value) == (
            f"Cannot read a frame of a stream: its rgb is {came}, not {wanted}."
        )


def test_predict_agrees_with_the_scores_of_training(trained: TrainResult, data: Path) -> None:
    with open(trained.run / "split.csv", newline="", encoding="utf-8") as table:
        held = [row for row in csv.DictReader(table) if row["split"] == "val"]
    model = library.load(trained.run, threads=1)
    said = [model.predict(data / row["path"]) for row in held]
    scores = model.metrics["validation"]
    right = [p.label == row["label"] for p, row in zip(said, held, strict=True)]
    assert scores["accuracy"] == np.mean(right)
    true = [
        dict(zip(p.labels, p.probabilities, strict=True))[row["label"]]
        for p, row in zip(said, held, strict=True)
    ]
    assert scores["loss"] == pytest.approx(-np.log(true).mean(), abs=1e-5)
    confusion = np.zeros((2, 2), int)
    for prediction, row in zip(said, held, strict=True):
        confusion[trained.labels.index(row["label"]), trained.labels.index(prediction.label)] += 1
    assert scores["confusion"] == confusion.tolist()


def test_a_long_video_is_never_held_in_memory(
    trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = most = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def endless(
        source: Path,
        fps: float,
        *,
        size: tuple[int, int],
        large: None,
        start: float,
        end: None,
        opened: object,
    ) -> Iterator[Frame]:
        nonlocal alive, most
        assert (fps, size, start, end) == (10, (24, 24), 0, None)
        for n in range(3000):
            picture = np.full((24, 24, 3), n % 256, np.uint8)
            weakref.finalize(picture, gone)
            alive += 1
            most = max(most, alive)
            yield Frame(picture, n / fps, n)

    monkeypatch.setattr(predict, "sample_frames", endless)
    said: Prediction = library.load(trained.run, threads=1).predict("long.mp4")
    assert said.frames == 3000
    assert said.windows[-1].end == pytest.approx(300)
    # What is looked at, what comes next, and what was looked at before until that is let go.
    assert most <= 3 * predict.CHUNK
