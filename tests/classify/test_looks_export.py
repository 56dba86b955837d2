"""Exported classifiers with a picture encoder: a graph of one step, and the encoder beside it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, needs_onnx, noise, save_model
from looks_encoders import FEATURES, write_encoder

import vidgru as library
from vidgru.core.errors import ModelError
from vidgru.engine.onnx_file import hash_of
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.onnx_model import OnnxModel
from vidgru.tasks.classify.spec import Confidence, ModelSpec

pytestmark = needs_onnx
Vidgru = Callable[..., Done]

SPEC = ModelSpec("classify", ("a", "b", "c"), "both", "gru", 8, 10.0, 8, 16)


def made(folder: Path, spec: ModelSpec) -> Path:
    """Write a model of random weights and its picture encoder."""
    encoder = write_encoder(folder / "looks.onnx", scale=1.0)
    colours = {"looks_mean": (0.5,) * 3, "looks_std": (0.25,) * 3}
    known = {"looks_name": "any.onnx", "looks_features": FEATURES, "looks_side": 32}
    spec = replace(spec, looks=hash_of(encoder), **known, **colours)
    torch.manual_seed(0)
    network = build(spec)
    for name, weight in network.named_parameters():
        if name.startswith(("head", "looks.linear")):
            weight.data *= 3
    path = folder / "model.safetensors"
    save_model(path, network.state_dict(), spec, {}, Confidence(0.7))
    return path


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, input="looks", core="lstm"),
        replace(SPEC, frames=5, fps=3.0, core="gated"),
        replace(SPEC, input="looks", frames=1),
    ],
    ids=lambda s: f"{s.input}-{s.core}-{s.frames}",
)
def test_the_pair_says_what_torch_says(spec: ModelSpec, tmp_path: Path, vidgru: Vidgru) -> None:
    model = library.load(made(tmp_path, spec))
    out = tmp_path / "out" / "some.onnx"
    done = vidgru("export", tmp_path / "model.safetensors", "--out", out, "--json")
    assert (done.code, done.err) == (0, "")
    written = json.loads(done.out)
    assert written["beside"] == [str(out.parent / "looks.onnx")]
    assert len(written["differences"]) == 6
    shutil.move(tmp_path / "looks.onnx", tmp_path / "away")  # it has a copy of its own
    ours = library.load(out)
    assert isinstance(ours, OnnxModel)
    frames = np.concatenate([noise(21, seed=1) // 4, 255 - noise(16, seed=2) // 4])
    source = library.Frames(frames, spec.fps)
    one, other = model.predict(source), ours.predict(source)
    assert [(w.start, w.end) for w in one.windows] == [(w.start, w.end) for w in other.windows]
    rows = [
        [answer.probabilities, *(w.probabilities for w in answer.windows)]
        for answer in (one, other)
    ]
    assert np.array(rows[1]) == pytest.approx(np.array(rows[0]), abs=1e-5)
    assert np.ptp(rows[0], axis=0).max() > 1e-4
    for a, b in zip(model.stream(source), ours.stream(source), strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)
    for a, b in zip(model.timeline(source).segments, ours.timeline(source).segments, strict=True):
        assert (a.start, a.end, a.label) == (b.start, b.end, b.label)


def test_what_cannot_be_exported_is_said(tmp_path: Path, vidgru: Vidgru) -> None:
    path = made(tmp_path, SPEC)
    done = vidgru("export", path, "--standalone", tmp_path / "alone")
    assert (done.code, "which the files of --standalone cannot run" in done.err) == (1, True)
    (tmp_path / "out").mkdir()
    write_encoder(tmp_path / "out" / "looks.onnx", seed=1)
    done = vidgru("export", path, "--out", tmp_path / "out" / "model.onnx")
    assert (done.code, "is another picture encoder" in done.err) == (1, True)
    encoder = tmp_path / "looks.onnx"
    before = encoder.read_bytes()
    for out in (encoder, tmp_path / "out" / "looks.onnx"):
        done = vidgru("export", path, "--out", out)
        assert (done.code, f"{out} is the place of the picture encoder" in done.err) == (1, True)
    # Nor where the model has a copy of its own.
    mine = Path(shutil.copy(encoder, tmp_path / "mine.onnx"))
    done = vidgru("export", path, "--out", mine)
    assert (done.code, f"{mine} is the place of the picture encoder" in done.err) == (1, True)
    assert encoder.read_bytes() == mine.read_bytes() == before
    encoder.unlink()
    done = vidgru("export", path)
    assert done.code == 1
    assert "not where it was: put it beside the model as looks.onnx." in done.err
    with pytest.raises(ModelError, match="needs the picture encoder"):
        library.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"looks": "x" * 64},
        {"looks": 7},
        {"looks_features": 0},
        {"looks_side": 10**6},
        {"looks_mean": [0.5, 0.5]},
        {"looks_std": [0.5, 0.0, 0.5]},
        {"looks_std": ["a", 1.0, 1.0]},
        {"core": "convgru"},
        {"input": "diff"},
        {"input": "looks", "looks": ""},
    ],
    ids=str,
)
def test_models_of_strangers(change: dict[str, object], tmp_path: Path) -> None:
    path = made(tmp_path, SPEC)
    loaded = load_model(path)
    assert loaded.spec.looks_mean == (0.5, 0.5, 0.5)
    spec = replace(loaded.spec, **change)  # type: ignore[arg-type]
    save_model(path, loaded.network.state_dict(), spec, {}, Confidence(0.7))
    with pytest.raises(ModelError, match="is damaged"):
        load_model(path)
