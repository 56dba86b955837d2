"""The initial weights that come with vidgru, and who starts from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Done
from helpers import stop_after
from safetensors import safe_open
from safetensors.torch import load_file

from vidgru import TrainResult, compare, resume, train
from vidgru.engine.initial_weights import InitialWeights
from vidgru.tasks.classify import encoders
from vidgru.tasks.classify.encoders import SHIPPED_ENCODER, ShippedWeights, read_encoders
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.training import ClassifyTrainer

Vidgru = Callable[..., Done]
Weights = dict[str, torch.Tensor]

SETTINGS: dict[str, Any] = {"size": 16, "epochs": 2, "batch_size": 4, "threads": 1}
QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """Return a list that will hold the weights of each training before its first step."""
    found: list[Weights] = []
    make = ClassifyTrainer.__init__

    def made(self: ClassifyTrainer, run: Any, data: Any, network: Any, *more: Any) -> None:
        found.append({name: value.clone() for name, value in network.state_dict().items()})
        make(self, run, data, network, *more)

    monkeypatch.setattr(ClassifyTrainer, "__init__", made)
    return found


def test_the_file_is_small_and_names_its_recipe() -> None:
    assert SHIPPED_ENCODER.stat().st_size <= 1_000_000
    with safe_open(SHIPPED_ENCODER, framework="pt") as file:
        recipe = json.loads(file.metadata()["vidgru"])
    assert recipe["script"] == "make_encoder.py"
    assert {"steps", "clips", "seed"} <= recipe.keys()
    assert 0.3 < recipe["held_out_accuracy"] < 1


def test_it_holds_all_but_the_head_of_the_default_network() -> None:
    given = load_file(SHIPPED_ENCODER)
    network = Network(NetworkConfig("both", "gru", 5)).state_dict()
    assert given.keys() == {name for name in network if not name.startswith("head.")}
    assert all(torch.isfinite(value).all() for value in given.values())


def test_it_is_for_few_clips_and_only_the_head_is_random(
    data: Path, tmp_path: Path, begun: list[Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [
        train(data, **SETTINGS, out=str(tmp_path / name), init=init)
        for name, init in (("default", None), ("shipped", "shipped"), ("none", "none"))
    ]
    monkeypatch.setattr(encoders, "FEW_CLIPS", 6)  # as many clips a class as there are
    results.append(train(data, **SETTINGS, out=str(tmp_path / "many")))
    given, (default, _, random, many) = load_file(SHIPPED_ENCODER), begun
    for name, value in default.items():
        expected = given[name].to(value.dtype) if name in given else random[name]
        assert torch.equal(value, expected), name
    assert {name for name in default if name not in given} == {"head.weight", "head.bias"}
    assert not torch.equal(random["core.fused.weight_hh_l0"], default["core.fused.weight_hh_l0"])
    models = [result.model.read_bytes() for result in results]
    assert models[0] == models[1] != models[2] == models[3]
    assert all(torch.equal(value, many[name]) for name, value in random.items())
    shipped = "the weights that come with vidgru"
    assert [result.initial_weights for result in results] == [
        *(f"{shipped}, as there are fewer than 10 clips a class", shipped),
        *["random weights"] * 2,
    ]


def test_folds_start_as_all_clips_do(
    data: Path, tmp_path: Path, begun: list[Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "FEW_CLIPS", 6)  # a fold has fewer
    train(data, **SETTINGS, out=str(tmp_path / "run"), folds=2)
    given = load_file(SHIPPED_ENCODER)["core.fused.weight_hh_l0"].float()
    assert len(begun) == 3
    assert not any(torch.equal(one["core.fused.weight_hh_l0"], given) for one in begun)


@pytest.mark.parametrize(
    "options",
    [{"input": "diff"}, {"input": "rgb"}, {"core": "lstm"}, {"core": "convgru"}],
    ids=str,
)
def test_other_networks_start_from_random_weights_and_say_why(
    vidgru: Vidgru, data: Path, tmp_path: Path, begun: list[Weights], options: dict[str, str]
) -> None:
    words = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = vidgru("train", data, *QUICK, *words, "--out", tmp_path / "run")
    assert (done.code, done.err) == (0, "")
    note = (
        ", starting from random weights: those that come with vidgru are for --input both "
        "--core gru; "
    )
    assert note in " ".join(done.out.split())
    done = vidgru("train", data, *QUICK, *words, "--init", "none", "--out", tmp_path / "none")
    assert (done.code, done.err) == (0, "")
    assert "starting from" not in done.out
    assert all(torch.equal(begun[0][name], value) for name, value in begun[1].items())
    # A word, not a path: as such it would be made absolute.
    assert json.loads((tmp_path / "none" / "config.json").read_text())["init"] == "none"


def test_rows_start_from_random_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(encoders, "SHIPPED_ENCODER", tmp_path / "never read")
    for init in (None, "none"):
        start = read_encoders(ClassifyTrainConfig(encoder="rows", init=init))
        assert type(start) is InitialWeights


def test_what_is_compared_starts_from_random_weights(
    data: Path, tmp_path: Path, begun: list[Weights]
) -> None:
    options = {**SETTINGS, "epochs": 1, "out": str(tmp_path / "out")}
    compare(data, cores=["gru", "lstm"], seeds=1, **options)
    name = "main.layers.0.0.weight"
    given = load_file(SHIPPED_ENCODER)[name].float()
    assert torch.equal(begun[0][name], begun[1][name])
    assert not torch.equal(begun[0][name], given)


def test_resuming_gives_the_same_bits(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(data, **SETTINGS, out=str(tmp_path / "whole"))
    for run, kept in ((tmp_path / "early", False), (tmp_path / "late", True)):
        with monkeypatch.context() as patch:
            patch.setattr("vidgru.engine.trainer.LATEST", -1.0)
            stop_after(3, patch)
            with pytest.raises(KeyboardInterrupt):
                train(data, **SETTINGS, out=str(run))
        if not kept:
            (run / "last.ckpt").unlink()  # as if it had been killed before the first one
        found = resume(run)
        assert isinstance(found, TrainResult)
        assert found.model.read_bytes() == whole.model.read_bytes()
        assert found.initial_weights == whole.initial_weights
        assert found.initial_weights.startswith("the weights that come with vidgru, as")


@pytest.mark.parametrize("content", [None, b"junk" * 100], ids=["absent", "junk"])
def test_a_broken_installation(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    path = tmp_path / "encoder.safetensors"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(encoders, "SHIPPED_ENCODER", path)
    done = vidgru("train", data, *QUICK, "--out", tmp_path / "run")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == (
        "Error: This vidgru comes without its initial weights: reinstall vidgru, or give "
        "--init none."
    )
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(encoders, "from_main", lambda make: b"another")
    monkeypatch.setattr(encoders, "SHIPPED_ENCODER", SHIPPED_ENCODER)
    with pytest.raises(Exception, match=r"^The processes of this training find other models at"):
        read_encoders(ClassifyTrainConfig())
    monkeypatch.undo()
    assert isinstance(read_encoders(ClassifyTrainConfig()), ShippedWeights)
