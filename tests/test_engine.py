"""The training loop, checkpoints and model files."""

import json
import math
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from vidgru.data.cache import Segments
from vidgru.data.views import AUGMENTATIONS, VIEW, cut
from vidgru.engine import loop
from vidgru.engine.checkpoint import (
    load_checkpoint,
    load_model,
    newest_run,
    save_checkpoint,
    save_model,
)
from vidgru.engine.learner import learning_rate
from vidgru.engine.loop import Examples, Trainer
from vidgru.errors import ModelError
from vidgru.nn.build import build
from vidgru.nn.network import Network, NetworkConfig
from vidgru.spec import Confidence, ModelSpec
from vidgru.tasks.classify import Classify

SPEC = ModelSpec("classify", ("a", "b"), "both", "gru", 8, 10.0, 6, 16)


def trainer(seed: int = 0, optimizer: str = "adamw", core: str = "gru") -> Trainer:
    torch.manual_seed(seed)
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 255, (1, n, 24, 24, 3), dtype=np.uint8) for n in (4, 6, 9, 12, 7)]
    for still in (clips[1], clips[3]):
        still[:] = still[:, :1]
    return Trainer(
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


def weights(model: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


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
    model.images, model.turns = torch.tensor([1, 0]), torch.tensor([0.0, 8.0])
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
    with pytest.raises(ModelError, match="damaged or cut short"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"spec": None},
        {"labels": ["a"]},
        {"labels": ["a", "a"]},
        {"labels": ["a", 3]},
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
    """What is learned from the answers to clips, mirrored or turned; classes a, b and c."""

    def trainer(
        self, monkeypatch: pytest.MonkeyPatch, plain: list[str], mirrored: list[str]
    ) -> Trainer:
        """Return a trainer of 4 clips a class whose network answers with these labels."""
        torch.manual_seed(0)
        rng = np.random.default_rng(0)
        clips = [rng.integers(0, 255, (1, 6, 24, 24, 3), dtype=np.uint8) for _ in range(12)]
        found = Trainer(
            Network(NetworkConfig("both", "gru", 3, hidden=8)),
            Classify(("a", "b", "c")),
            Examples(clips, torch.arange(3).repeat_interleave(4)),
            SPEC,
            batch_size=12,
            lr=1e-2,
            seed=0,
            augmentation=AUGMENTATIONS["light"],
            device=torch.device("cpu"),
        )

        self.answer(monkeypatch, found, plain, mirrored)
        found.learn_transforms()
        return found

    def answer(
        self,
        monkeypatch: pytest.MonkeyPatch,
        found: Trainer,
        plain: list[str],
        mirrored: list[str],
        turned: Callable[[str, float], str] = lambda label, degrees: label,
    ) -> list[tuple[str, float]]:
        """Make the network answer so, and return where the questions about turning are noted."""
        asked: list[tuple[str, float]] = []

        def look(seen: Sequence[tuple[Segments, int, torch.Tensor]]) -> torch.Tensor:
            answers = []
            for frames, _, view in seen:
                (n,) = [n for n, s in enumerate(found.examples.segments) if (s[0] == frames).all()]
                degrees = math.degrees(math.atan2(view[1, 1], -view[0, 1])) - 90
                if view[:, :2].det() < 0:
                    answers.append("".join(mirrored)[n])
                elif abs(degrees) > 0.1:
                    asked.append(("abc"[n // 4], round(degrees, 1)))
                    answers.append(turned(*asked[-1]))
                else:
                    answers.append("".join(plain)[n])
                assert view[:, :2].det().abs() == pytest.approx(VIEW**2)
            return torch.eye(3)[torch.tensor(["abc".index(answer) for answer in answers])]

        monkeypatch.setattr(found, "_look", look)
        return asked

    def drawn(
        self, monkeypatch: pytest.MonkeyPatch, found: Trainer, batches: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the views (N, 2, 3) and targets (N,) of so many training batches."""
        seen: list[torch.Tensor] = []
        monkeypatch.setattr(
            loop, "cut", lambda w, view, size: seen.append(view) or cut(w, view, size)
        )
        targets = torch.cat([found._draw()[1] for _ in range(batches)])
        return torch.stack(seen), targets

    @pytest.mark.parametrize(
        ("plain", "mirrored", "images"),
        [
            (["aaaa", "bbbb", "cccc"], ["aaaa", "bbbb", "cccc"], [0, 1, 2]),
            (["aaaa", "bbbb", "cccc"], ["bbbb", "aaaa", "cccc"], [1, 0, 2]),
            (["aaab", "bbbc", "ccca"], ["bbba", "aaac", "cccc"], [1, 0, 2]),
            # b is only ever shown on one side, or its images are nobody's.
            (["aaaa", "bbbb", "cccc"], ["aaaa", "aaaa", "cccc"], [0, -1, 2]),
            (["aaaa", "bbbb", "cccc"], ["aacc", "abcc", "cccc"], [0, -1, 2]),
            # Mutual by a quarter: may be a swap half learned.
            (["aaaa", "bbbb", "cccc"], ["aaab", "aaaa", "cccc"], [-1, -1, 2]),
            # Each half of two others': mutual, but with nobody more than with another.
            (["aaaa", "bbbb", "cccc"], ["aabb", "aacc", "bbcc"], [-1, -1, -1]),
            # c's clips are not known well enough to ask, nor are those that its images look like.
            (["aaaa", "bbbb", "caab"], ["aaaa", "cccc", "cccc"], [0, -1, -1]),
            (["aabb", "bbcc", "ccaa"], ["aaaa", "bbbb", "cccc"], [-1, -1, -1]),
        ],
    )
    def test_swaps_are_mutual(
        self,
        monkeypatch: pytest.MonkeyPatch,
        plain: list[str],
        mirrored: list[str],
        images: list[int],
    ) -> None:
        assert self.trainer(monkeypatch, plain, mirrored).images.tolist() == images

    def test_what_is_found_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cbbb"], ["bbbb", "aaaa", "cccc"])
        assert found.images.tolist() == [1, 0, -1]
        same = ["aaaa", "bbbb", "cccc"]
        self.answer(monkeypatch, found, same, same)
        found.learn_transforms()
        assert found.images.tolist() == [1, 0, 2]

    def test_what_is_unclear_is_not_mirrored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cbbb"], ["aaaa", "bbbb", "cccc"])
        views, targets = self.drawn(monkeypatch, found, 4)
        mirrored = views[:, :, :2].det() < 0
        assert not mirrored[targets == 2].any()
        assert 8 < mirrored[targets != 2].sum() < 24

    def test_mirrored_clips_count_as_their_images(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cccc"], ["bbbb", "aaaa", "cccc"])
        state = found.generator.get_state()
        swapped = found._draw()
        found.generator.set_state(state)
        found.images = torch.arange(3)
        own = found._draw()
        assert torch.equal(swapped[0], own[0])
        changed = swapped[1] != own[1]
        assert 0 < changed.sum() < 8
        assert torch.equal(swapped[1][changed], 1 - own[1][changed])

    @pytest.mark.parametrize("way", [1, -1])
    def test_a_class_is_turned_as_far_as_it_is_recognised(
        self, monkeypatch: pytest.MonkeyPatch, way: int
    ) -> None:
        same = ["aaaa", "bbbb", "cccc"]
        found = self.trainer(monkeypatch, same, same)
        assert found.turns.tolist() == [8, 8, 8]
        assert not found.unclear
        found.augmentation = AUGMENTATIONS["strong"]
        assert found.unclear
        # b turned one way by more than 20 degrees looks like c; c is not known without turning.
        asked = self.answer(
            monkeypatch,
            found,
            ["aaaa", "bbbb", "ccaa"],
            same,
            lambda label, degrees: "c" if label == "b" and way * degrees > 20 else label,
        )
        for turns in ([12, 12, 8], [18, 18, 8], [27, 18, 8], [40, 18, 8], [40, 18, 8]):
            asked.clear()
            assert found.next_looks == 3 * 12
            # Plain clips, and those of known classes that may be turned further, either way.
            assert found.learn_transforms() == 12 + len(asked)
            assert found.turns.tolist() == pytest.approx(turns, abs=0.6)
        # Only what is unclear is asked, and either way.
        assert set(asked) == {("b", -27.0), ("b", 27.0)}
        assert found.unclear

    def test_clips_are_turned_by_what_their_class_bears(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cccc"], ["aaaa", "bbbb", "cccc"])
        found.augmentation = replace(AUGMENTATIONS["none"], rotation=40)
        found.turns = torch.tensor([0.0, 20.0, 40.0])
        views, targets = self.drawn(monkeypatch, found, 20)
        degrees = torch.rad2deg(torch.atan2(views[:, 1, 0], views[:, 0, 0])).abs()
        for target, (low, high) in enumerate([(-1, 1e-4), (15, 20.1), (35, 40.1)]):
            assert low < degrees[targets == target].max() < high

    def test_a_mirrored_clip_is_turned_by_what_both_classes_bear(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cccc"], ["bbbb", "aaaa", "cccc"])
        found.augmentation = replace(AUGMENTATIONS["none"], rotation=40)
        found.turns = torch.tensor([40.0, 10.0, 40.0])
        views, targets = self.drawn(monkeypatch, found, 20)
        degrees = torch.rad2deg(torch.atan2(views[:, 1, 0], views[:, 0, 0])).abs()
        assert 5 < degrees[targets < 2].max() < 10.1
        assert 30 < degrees[targets == 2].max() < 40.1

    def test_nothing_is_asked_that_is_not_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.trainer(monkeypatch, ["aaaa", "bbbb", "cccc"], ["aaab", "bbba", "cccc"])
        assert found.unclear
        found.augmentation = AUGMENTATIONS["none"]
        assert not found.unclear


def test_adam_is_adamw_without_decay() -> None:
    decays = [
        {group["weight_decay"] for group in trainer(optimizer=name).optimizer.param_groups}
        for name in ("adam", "adamw")
    ]
    assert decays == [{0.0}, {0.0, 0.05}]
