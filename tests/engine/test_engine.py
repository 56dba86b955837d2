"""The training loop, checkpoints and model files."""

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers import build, save_model
from safetensors.torch import save

from vidgru.core.errors import ModelError
from vidgru.data.augment import AUGMENTATIONS, Augmentation, warp
from vidgru.data.cache import content_of
from vidgru.data.decode import Readings
from vidgru.data.folder import Clip
from vidgru.engine.device import prepare_inference
from vidgru.engine.model_file import load_checkpoint, save_checkpoint
from vidgru.engine.newest_run import newest_run
from vidgru.engine.run_folder import read_split, write_split
from vidgru.engine.train_step import learning_rate
from vidgru.tasks.classify import train_step as loop
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples

SPEC = ModelSpec("classify", ("a", "b"), "both", "gru", 8, 10.0, 6, 16)


def trainer(seed: int = 0, optimizer: str = "adamw", core: str = "gru") -> ClassifyTrainStep:
    torch.manual_seed(seed)
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 255, (1, n, 24, 24, 3), dtype=np.uint8) for n in (4, 6, 9, 12, 7)]
    for still in (clips[1], clips[3]):
        still[:] = still[:, :1]
    return ClassifyTrainStep(
        Network(NetworkConfig("both", core, 2, hidden=8)),
        Classify(("a", "b")),
        Examples(clips, torch.tensor([0, 1, 0, 1, 0])),
        SPEC,
        batch_size=3,
        lr=1e-2,
        seed=seed,
        augmentation=AUGMENTATIONS["light"],
        device=torch.device("cpu"),
        optimizer=optimizer,
    )


def weights(model: ClassifyTrainStep) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_threads_count_for_torch_and_opencv() -> None:
    torchs, opencvs = torch.get_num_threads(), cv2.getNumThreads()
    try:
        for threads in (3, 2):
            prepare_inference("cpu", threads)
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (threads, threads)
        prepare_inference("cpu", None)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        torch.set_num_threads(torchs)
        cv2.setNumThreads(opencvs)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    runs = []
    for seed in (0, 0, 1):
        model = trainer(seed)
        for n in range(4):
            model.step(n / 4)
        runs.append(weights(model))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("core", ["gru", "gated"])
def test_going_on_from_a_checkpoint_gives_the_same_bits(tmp_path: Path, core: str) -> None:
    model = trainer(core=core)
    model.mirrored, model.turns = torch.tensor([False, True]), torch.tensor([0.0, 8.0])
    for n in range(7):
        if n == 3:
            save_checkpoint(tmp_path / "last.ckpt", model.state_dict())
        model.step(n / 7)
    resumed = trainer(seed=5, core=core)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.ckpt"))
    for n in range(3, 7):
        resumed.step(n / 7)
    assert same(weights(model), weights(resumed))


def test_learning_rate_is_one_cycle() -> None:
    rates = [learning_rate(0.1, n / 1000) for n in range(1001)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) == rates[250] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(1e-5)
    assert rates[:251] == sorted(rates[:251])
    assert rates[250:] == sorted(rates[250:], reverse=True)


def test_it_learns_what_can_be_learned() -> None:
    model = trainer()
    losses = [model.step(n / 60) for n in range(60)]
    assert np.mean(losses[-10:]) < 0.5 < np.mean(losses[:5])


def test_class_weights_make_classes_count_alike() -> None:
    task = Classify(("a", "b", "c"))
    targets = torch.tensor([0, 0, 0, 1])
    assert task.weights(targets).tolist() == pytest.approx([4 / 9, 4 / 3, 4 / 3])
    outputs = torch.randn(4, 2, 3)
    loss = task.loss(outputs, targets, task.weights(targets))
    logs = outputs[:, -1].log_softmax(1)
    smooth = torch.full((4, 3), 0.1 / 3)
    smooth[range(4), targets] += 0.9
    weight = task.weights(targets)
    expected = -(logs * smooth * weight).sum() / weight[targets].sum()
    torch.testing.assert_close(loss, expected)


def test_scores() -> None:
    task = Classify(("a", "b", "c"))
    shares = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.8, 0.0], [0.1, 0.8, 0.1]])
    scores = task.scores(shares, torch.tensor([0, 0, 1, 0]))
    assert scores.accuracy == 0.75
    assert scores.balanced == pytest.approx((2 / 3 + 1) / 2)
    assert scores.recall == {"a": pytest.approx(2 / 3), "b": 1.0, "c": None}
    assert scores.count == {"a": 3, "b": 1, "c": 0}
    assert scores.confusion == ((2, 1, 0), (0, 1, 0), (0, 0, 0))
    assert scores.loss == pytest.approx(-np.log([0.7, 0.6, 0.8, 0.1]).mean())


CONFIDENCE = Confidence(0.1 + 0.2, ((0.123456, False), (0.9, True), (1.0, True)))


def model_file(path: Path, spec: ModelSpec = SPEC) -> Path:
    torch.manual_seed(0)
    metrics = {"validation": {"accuracy": 0.5}}
    save_model(path, build(spec).state_dict(), spec, metrics, CONFIDENCE)
    return path


def test_a_model_file_gives_back_all_of_it(tmp_path: Path) -> None:
    path = model_file(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path)
    assert loaded.spec == SPEC
    assert loaded.metrics == {"validation": {"accuracy": 0.5}}
    assert loaded.confidence == CONFIDENCE
    assert not loaded.network.training
    first = path.read_bytes()
    assert model_file(path).read_bytes() == first


def test_rows_come_one_frame_at_a_time(tmp_path: Path) -> None:
    spec = replace(SPEC, encoder="rows", input="rgb", frames=1)
    assert load_model(model_file(tmp_path / "model.safetensors", spec)).spec == spec
    with pytest.raises(ModelError, match="makes no sense"):
        load_model(model_file(tmp_path / "model.safetensors", replace(spec, frames=6)))


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_model_file_cut_short(tmp_path: Path, share: float) -> None:
    path = model_file(tmp_path / "model.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match="damaged, cut short or no model"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"spec": None},
        {"labels": ["a"]},
        {"labels": ["a", "a"]},
        {"labels": ["a", 3]},
        {"labels": ["a", "\ud83d"]},
        {"labels": ["a", "b", "c"]},
        {"fps": float("nan")},
        {"fps": "10"},
        {"fps": 0},
        {"size": 10**9},
        {"hidden": 10**9},
        {"hidden": 9},
        {"hidden": True},
        {"frames": 0},
        {"frames": 2},
        {"frames": 1},
        {"encoder": "rows"},
        {"encoder": "nope"},
        {"gated_update": "nope"},
        {"core": "gated"},
        {"core": "nope"},
        {"input": "diff"},
        {"task": "nope"},
        {"extra": 1},
        {"confidence": None},
        {"confidence": {}},
        *(
            {"confidence": {"temperature": temperature, "answers": []}}
            for temperature in (0, 0.01, 20.1, -1, "1", True, None, float("nan"), float("inf"))
        ),
        *(
            {"confidence": {"temperature": 1.0, "answers": answers}}
            for answers in (
                None,
                5,
                [1],
                [[0.5]],
                [[0.5, 1]],
                [[1.5, True]],
                [[-0.1, True]],
                [[float("nan"), True]],
                [["0.5", True]],
                [[True, True]],
                [[0.5, True, 1]],
                [[0.5, True]] * 4097,
                {"ab": 1},
            )
        ),
    ],
)
def test_a_header_is_not_believed(tmp_path: Path, change: dict[str, object]) -> None:
    path = model_file(tmp_path / "model.safetensors")
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    inner = json.loads(header["__metadata__"]["vidgru"])
    (inner if change.keys() & {"version", "spec", "confidence"} else inner["spec"]).update(change)
    header["__metadata__"]["vidgru"] = json.dumps(inner)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])
    with pytest.raises(ModelError, match=r"damaged|another version"):
        load_model(path)


def test_other_peoples_files(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(save({"x": torch.zeros(3)}))
    with pytest.raises(ModelError, match="not a model of vidgru"):
        load_model(path)
    torch.save({"x": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)
    with pytest.raises(ModelError, match="No model at"):
        load_model(tmp_path / "absent")
    (tmp_path / "last.ckpt").write_bytes(b"junk")
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(tmp_path / "last.ckpt")


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    net = Network(NetworkConfig("both", "gru", 2, hidden=8))
    state = net.state_dict()
    state["head.bias"][0] = float("nan")
    save_model(tmp_path / "model.safetensors", state, SPEC, {})
    with pytest.raises(ModelError, match="not finite"):
        load_model(tmp_path)


@pytest.mark.parametrize("label", ["x", "x\r", "x\ry", "x\ny", 'x,"y'])
def test_what_was_trained_on_is_known_whatever_its_name(tmp_path: Path, label: str) -> None:
    clips = [Clip(Path("a.mp4"), "a.mp4", label), Clip(Path("b.mp4"), "b.mp4", label)]
    keys = dict(zip(clips, ("one-1", "two-1"), strict=True))
    readings = Readings({}, {}, keys, dict(zip(clips, ("v", "w"), strict=True)), ())
    write_split(tmp_path, {"train": clips[:1], "val": clips[1:]}, readings)
    known = read_split(tmp_path)
    assert known is not None
    assert known.clips == {content_of(keys[clips[0]]): "train", content_of(keys[clips[1]]): "val"}
    assert known.parts("v") == {"train"}


def test_the_newest_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No trained model in .*train one first"):
        newest_run(tmp_path)
    for name, when in (("x-1", 30), ("x-2", 20), ("x-3", 10)):
        path = tmp_path / name / "model.safetensors"
        path.parent.mkdir()
        path.write_bytes(b"")
        os.utime(path, (when, when))
    assert newest_run(tmp_path) == tmp_path / "x-1"


class TestTransforms:
    """How training clips are mirrored and turned; classes a, b and c."""

    def trainer(self, augmentation: Augmentation) -> ClassifyTrainStep:
        torch.manual_seed(0)
        rng = np.random.default_rng(0)
        clips = [rng.integers(0, 255, (1, 6, 24, 24, 3), dtype=np.uint8) for _ in range(12)]
        return ClassifyTrainStep(
            Network(NetworkConfig("both", "gru", 3, hidden=8)),
            Classify(("a", "b", "c")),
            Examples(clips, torch.arange(3).repeat_interleave(4)),
            SPEC,
            batch_size=12,
            lr=1e-2,
            seed=0,
            augmentation=augmentation,
            device=torch.device("cpu"),
        )

    def drawn(
        self, monkeypatch: pytest.MonkeyPatch, found: ClassifyTrainStep, batches: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the views (N, 2, 3) and targets (N,) of so many training batches."""
        seen: list[torch.Tensor] = []
        monkeypatch.setattr(
            loop, "warp", lambda w, view, size: seen.append(view) or warp(w, view, size)
        )
        targets = torch.cat([found._draw()[1] for _ in range(batches)])
        return torch.stack(seen), targets

    def test_only_classes_that_bear_it_are_mirrored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.trainer(AUGMENTATIONS["light"])
        found.mirrored = torch.tensor([True, True, False])
        views, targets = self.drawn(monkeypatch, found, 4)
        mirrored = views[:, :, :2].det() < 0
        assert not mirrored[targets == 2].any()
        assert 8 < mirrored[targets != 2].sum() < 24

    def test_mirrored_clips_keep_their_class(self) -> None:
        found = self.trainer(AUGMENTATIONS["light"])
        state = found.generator.get_state()
        mirrored = found._draw()
        found.generator.set_state(state)
        found.mirrored = torch.zeros(3, dtype=torch.bool)
        straight = found._draw()
        assert torch.equal(mirrored[1], straight[1])
        changed = (mirrored[0] != straight[0]).flatten(1).any(1)
        assert 2 < changed.sum() < 10

    def test_clips_are_turned_by_what_their_class_bears(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.trainer(replace(AUGMENTATIONS["none"], rotation=40))
        found.turns = torch.tensor([0.0, 20.0, 40.0])
        views, targets = self.drawn(monkeypatch, found, 20)
        degrees = torch.rad2deg(torch.atan2(views[:, 1, 0], views[:, 0, 0])).abs()
        for target, (low, high) in enumerate([(-1, 1e-4), (15, 20.1), (35, 40.1)]):
            assert low < degrees[targets == target].max() < high


def test_adam_is_adamw_without_decay() -> None:
    decays = [
        {decay for _, decay in trainer(optimizer=name).optimizer.groups}
        for name in ("adam", "adamw")
    ]
    assert decays == [{0.0}, {0.0, 0.05}]
