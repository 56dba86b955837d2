"""The network of scenes: what it compares, and its streams."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import build, save_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidgru.core.errors import ModelError
from vidgru.nn.unroll import unroll
from vidgru.tasks.scenes.evidence import evidence
from vidgru.tasks.scenes.finder import StreamingSceneDetector, TokenStream, find, predict, watch
from vidgru.tasks.scenes.model_file import load_scenes
from vidgru.tasks.scenes.network import (
    ACROSS,
    AROUND,
    BACK,
    COMPARED,
    HALFWAY,
    LATE,
    LIGHT,
    METRICS,
    WITHIN,
    SceneNetwork,
    moved,
)
from vidgru.tasks.scenes.reader import LONGEST, NEAR
from vidgru.tasks.scenes.spec import SceneSpec

SIZE = 48


@pytest.fixture(scope="module")
def network() -> SceneNetwork:
    torch.manual_seed(5)
    return SceneNetwork(SIZE, 16).eval()


def film(frames: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return frames that change a little all the time, and much every 40 frames."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 256, (frames // 40 + 1, SIZE, SIZE, 3)).repeat(40, 0)[:frames]
    return (places // 2 + 3 * np.arange(frames)[:, None, None, None] % 90).astype(np.uint8)


def outputs_of(network: SceneNetwork, frames: NDArray[np.uint8]) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        return tuple(predicted[0] for predicted in network(torch.from_numpy(frames)[None]))


# What it compares.


def test_what_is_compared_is_what_the_comments_say(network: SceneNetwork) -> None:
    frames = film(60)
    with torch.inference_mode():
        seen = network.extract_features(torch.from_numpy(frames)[None])
        predicted = network.compare(seen)[0].numpy()
    assert predicted.shape == (60, COMPARED)
    # Apart from the network: in NumPy and float64, frame by frame.
    levels = frames.astype(np.float64) / 255
    coarse = levels.reshape(60, 12, 4, 12, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    fine = levels.mean(-1).reshape(60, 24, 2, 24, 2).mean((2, 4)).reshape(60, -1)
    flat = (coarse - coarse.mean((2, 3), keepdims=True)).reshape(60, -1)
    structure = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 0.3)
    # Each of eight levels of a channel takes its share of what lies at most a seventh beside it.
    near = (1 - 7 * np.abs(levels.reshape(60, -1, 3, 1) - np.arange(8) / 7)).clip(0)
    colours = np.einsum("fpr,fpg,fpb->frgb", *near.transpose(2, 0, 1, 3)).reshape(60, 512)
    colours = np.sqrt(colours / colours.sum(1, keepdims=True))
    embedded = seen.embedded[0].double().numpy()

    def apart(a: int, b: int) -> list[float]:
        a, b = min(max(a, 0), 59), min(max(b, 0), 59)
        distances = [
            1 - embedded[a] @ embedded[b],
            1 - colours[a] @ colours[b],
            1 - structure[a] @ structure[b],
            np.abs(coarse[a] - coarse[b]).mean(),
        ]
        return [float(np.log1p(100 * max(distance, 0)) / 2) for distance in distances]

    def bent(part: NDArray[np.float64], t: int, k: int) -> float:
        ends = part[t - k].ravel(), part[t + k].ravel()
        middle = np.linalg.norm(2 * part[t].ravel() - ends[0] - ends[1])
        return float(middle / (np.linalg.norm(ends[1] - ends[0]) + 0.1))

    for t in (20, 38, 40, 41):  # far enough from both ends
        wanted = [
            x for shift in range(-AROUND, AROUND + 1) for x in apart(t + shift, t + shift - 1)
        ]
        wanted += [x for k in ACROSS for x in apart(t + k - 1, t - k)]
        wanted += [x for k in WITHIN for x in apart(t - 1, t - 1 - k)]
        wanted += [x for k in WITHIN for x in apart(t + k, t)]
        light = np.stack([fine.mean(1), 3 * fine.std(1, ddof=1)], axis=1)
        wanted += list(light[t])
        for k in LIGHT:
            wanted += [*(10 * (light[t - k] - light[t])), *(10 * (light[t + k] - light[t]))]
        wanted += [bent(part, t, k) for part in (coarse, fine) for k in HALFWAY]
        np.testing.assert_allclose(predicted[t], wanted, atol=2e-3)
    assert len(wanted) == COMPARED
    assert METRICS == 4


@given(shift=st.integers(-9, 9), steps=st.integers(1, 6))
def test_moved_repeats_the_ends(shift: int, steps: int) -> None:
    part = torch.arange(steps)[None, :, None]
    wanted = [min(max(t + shift, 0), steps - 1) for t in range(steps)]
    assert moved(part, shift)[0, :, 0].tolist() == wanted


def test_a_slow_fade_jumps_nowhere(network: SceneNetwork) -> None:
    levels = np.arange(256, dtype=np.uint8)[:, None, None, None]
    pixels = torch.from_numpy(np.broadcast_to(levels, (256, SIZE, SIZE, 3)).copy())[None]
    with torch.inference_mode():
        colours = network.extract_features(pixels).colours[0]
        steps = 1 - (colours[1:] * colours[:-1]).sum(-1)
        hard = SceneNetwork(SIZE, 16, "hard").eval().extract_features(pixels).colours[0]
    assert steps.max() < 0.1
    assert steps.min() > 1e-4  # in the dark, too
    # Models of before saw another colour where a plain picture's level passed to the next bin.
    assert (hard[1:] * hard[:-1]).sum(-1).min() == 0


def test_models_of_before_count_colours_as_they_did(tmp_path: Path) -> None:
    def written(spec: SceneSpec) -> Path:
        path = tmp_path / f"{spec.histogram}.safetensors"
        save_model(path, build(spec).state_dict(), spec, {})
        return path

    spec = SceneSpec("scenes", "gru", 16, 112, SIZE, 0.5)
    assert load_scenes(written(spec)).network.histogram == "soft"
    path = written(replace(spec, histogram="hard"))
    assert load_scenes(path).network.histogram == "hard"
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    for word, wanted in ((rb", \"histogram\": \"hard\"", b""), (rb"\"hard\"", rb"\"wood\"")):
        head = content[8 : size + 8].replace(word, wanted)
        assert head != content[8 : size + 8]
        path.write_bytes(len(head).to_bytes(8, "little") + head + content[size + 8 :])
        if wanted:
            with pytest.raises(ModelError, match="makes no sense"):
                load_scenes(path)
        else:
            assert load_scenes(path).network.histogram == "hard"


def test_a_dissolve_is_no_bend_and_a_cut_is_one(network: SceneNetwork) -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float64)
    share = np.clip((np.arange(40) - 10) / 20, 0, 1)[:, None, None, None]
    dissolve = np.rint(one + (other - one) * share).astype(np.uint8)
    cut = np.rint(np.where(share >= 0.5, other, one)).astype(np.uint8)
    with torch.inference_mode():
        bends = [
            network.compare(network.extract_features(torch.from_numpy(frames)[None]))[
                0, 19, -len(HALFWAY) :
            ]
            for frames in (dissolve, cut)
        ]
    assert bends[0][1:4].max() < 0.2  # 2, 4 and 8 frames before and after
    assert bends[1][1:4].min() > 0.8


# Streams.


@pytest.mark.parametrize("chunks", [[1] * 130, [7, 60, 1, 62], [130], [3, 127]])
def test_a_stream_reads_what_the_clip_does(network: SceneNetwork, chunks: list[int]) -> None:
    frames = torch.from_numpy(film(130))
    with torch.inference_mode():
        features = network.extract_features(frames[None])
        wanted = torch.cat([network.tokens(features), evidence(features.coarse)], dim=-1)
        stream = TokenStream(network)
        parts = [stream.push(part) for part in frames.split(chunks)]
        late = 130 - sum(part.shape[1] for part in parts)
        parts.append(stream.finish())
    assert late == LATE
    assert (torch.cat(parts, dim=1) - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("count", [1, 2, LATE, LATE + 1, 40, 150])
def test_forward_only_a_stream_predicts_what_its_clip_does(
    network: SceneNetwork, count: int
) -> None:
    frames = film(count)
    wanted, _ = outputs_of(network, frames)
    detector, stream = StreamingSceneDetector(network, 0.5), TokenStream(network)
    predicted = [detector.outputs(stream.push(torch.from_numpy(frame)[None])) for frame in frames]
    predicted.append(detector.outputs(stream.finish()))
    assert (torch.cat(predicted) - wanted).abs().max() <= 1e-5


def test_forward_only_knows_nothing_of_what_comes(network: SceneNetwork) -> None:
    frames = film(100)
    early, both = outputs_of(network, frames)
    other = frames.copy()
    other[60:] = 255 - other[60:]
    early_2, both_2 = outputs_of(network, other)
    known = 60 - LATE
    assert torch.equal(early[:known], early_2[:known])
    assert not torch.equal(early[known : known + 1], early_2[known : known + 1])
    assert (both[known - 1] - both_2[known - 1]).abs().max() > 1e-6


def test_in_both_directions_files_of_any_length_are_predicted_alike(network: SceneNetwork) -> None:
    for count in (1, 30, 63, 64, 65, 96, 97):
        frames = film(count)
        (both,) = outputs_of(network, frames)[1:]
        predicted = list(predict(network, frames))
        assert sum(map(len, predicted)) == count
        if count <= 96:  # all at once
            assert (torch.cat(predicted) - both).abs().max() <= 1e-5


def test_long_files_are_predicted_from_enough_around(network: SceneNetwork) -> None:
    frames = film(400)
    whole = torch.cat(list(predict(network, frames)))
    # What is far away makes no difference at all.
    other = frames.copy()
    other[300:] = 255 - other[300:]
    parts = torch.cat(list(predict(network, other)))
    assert torch.equal(whole[:192], parts[:192])


def test_the_core_runs_as_its_equations_say(network: SceneNetwork) -> None:
    with torch.inference_mode():
        tokens = network.tokens(network.extract_features(torch.from_numpy(film(50))[None]))
        for core in (network.core, network.back):
            fused, loop = unroll(core, tokens)[0], unroll(core, tokens, fused=False)[0]
            assert (fused - loop).abs().max() <= 1e-5


def test_memory_does_not_grow(network: SceneNetwork) -> None:
    stream, detector = TokenStream(network), StreamingSceneDetector(network, 0.5)
    kept = []
    with torch.inference_mode():
        for n in range(3):
            for part in torch.from_numpy(film(256, n)).split(64):
                detector._reader.push(detector.outputs(stream.push(part)))
            kept.append((stream._kept.coarse.shape[1], len(detector._reader._rows)))  # type: ignore[union-attr]
    assert kept[1] == kept[2]
    assert kept[2] == (BACK + LATE, 2 * (LONGEST + NEAR))


def test_nothing_comes_of_no_frames(network: SceneNetwork) -> None:
    assert list(find(network, [], 0.5)) == []
    assert list(watch(network, [], 0.5)) == []


def test_watching_counts_frames(network: SceneNetwork) -> None:
    counts = [count for count, _ in watch(network, film(40), 0.999)]
    assert sorted(set(counts)) == list(range(1, 41))
