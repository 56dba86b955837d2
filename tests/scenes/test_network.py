"""The network of scenes: what it compares, its streams, how it is read; made-up transitions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import made_scenes
import numpy as np
import pytest
import torch
from helpers import build, save_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import vidgru
from vidgru.core.errors import ModelError
from vidgru.nn.unroll import unroll
from vidgru.tasks.scenes import disturb, transitions
from vidgru.tasks.scenes.finder import TokenStream, Watcher, find, tell, watch
from vidgru.tasks.scenes.model_file import SHIPPED_SCENES, load_scenes
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
from vidgru.tasks.scenes.reader import CLEAR, LONGEST, NEAR, Reader, tellable
from vidgru.tasks.scenes.results import KINDS, Boundary
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.transitions import join_shots
from vidgru.video.read import open_video

SIZE = 48
ROOT = Path(__file__).parents[2]


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
        return tuple(told[0] for told in network(torch.from_numpy(frames)[None]))


# What it compares.


def test_what_is_compared_is_what_the_comments_say(network: SceneNetwork) -> None:
    frames = film(60)
    with torch.inference_mode():
        seen = network.see(torch.from_numpy(frames)[None])
        told = network.compare(seen)[0].numpy()
    assert told.shape == (60, COMPARED)
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
        np.testing.assert_allclose(told[t], wanted, atol=2e-3)
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
        colours = network.see(pixels).colours[0]
        steps = 1 - (colours[1:] * colours[:-1]).sum(-1)
        hard = SceneNetwork(SIZE, 16, "hard").eval().see(pixels).colours[0]
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
            network.compare(network.see(torch.from_numpy(frames)[None]))[0, 19, -len(HALFWAY) :]
            for frames in (dissolve, cut)
        ]
    assert bends[0][1:4].max() < 0.2  # 2, 4 and 8 frames before and after
    assert bends[1][1:4].min() > 0.8


# Streams.


@pytest.mark.parametrize("chunks", [[1] * 130, [7, 60, 1, 62], [130], [3, 127]])
def test_a_stream_reads_what_the_clip_does(network: SceneNetwork, chunks: list[int]) -> None:
    frames = torch.from_numpy(film(130))
    with torch.inference_mode():
        wanted = network.tokens(network.see(frames[None]))
        stream = TokenStream(network)
        parts = [stream.push(part) for part in frames.split(chunks)]
        late = 130 - sum(part.shape[1] for part in parts)
        parts.append(stream.finish())
    assert late == LATE
    assert (torch.cat(parts, dim=1) - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("count", [1, 2, LATE, LATE + 1, 40, 150])
def test_forward_only_a_stream_tells_what_its_clip_does(network: SceneNetwork, count: int) -> None:
    frames = film(count)
    wanted, _ = outputs_of(network, frames)
    watcher, stream = Watcher(network, 0.5), TokenStream(network)
    told = [watcher.outputs(stream.push(torch.from_numpy(frame)[None])) for frame in frames]
    told.append(watcher.outputs(stream.finish()))
    assert (torch.cat(told) - wanted).abs().max() <= 1e-5


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


def test_in_both_directions_files_of_any_length_are_told_alike(network: SceneNetwork) -> None:
    for count in (1, 30, 63, 64, 65, 96, 97):
        frames = film(count)
        (both,) = outputs_of(network, frames)[1:]
        told = list(tell(network, frames))
        assert sum(map(len, told)) == count
        if count <= 96:  # all at once
            assert (torch.cat(told) - both).abs().max() <= 1e-5


def test_long_files_are_told_from_enough_around(network: SceneNetwork) -> None:
    frames = film(400)
    whole = torch.cat(list(tell(network, frames)))
    # What is far away makes no difference at all.
    other = frames.copy()
    other[300:] = 255 - other[300:]
    parts = torch.cat(list(tell(network, other)))
    assert torch.equal(whole[:192], parts[:192])


def test_the_core_runs_as_its_equations_say(network: SceneNetwork) -> None:
    with torch.inference_mode():
        tokens = network.tokens(network.see(torch.from_numpy(film(50))[None]))
        for core in (network.core, network.back):
            fused, loop = unroll(core, tokens)[0], unroll(core, tokens, fused=False)[0]
            assert (fused - loop).abs().max() <= 1e-5


def test_memory_does_not_grow(network: SceneNetwork) -> None:
    stream, watcher = TokenStream(network), Watcher(network, 0.5)
    kept = []
    with torch.inference_mode():
        for n in range(3):
            for part in torch.from_numpy(film(256, n)).split(64):
                watcher._reader.push(watcher.outputs(stream.push(part)))
            kept.append((stream._kept.coarse.shape[1], len(watcher._reader._rows)))  # type: ignore[union-attr]
    assert kept[1] == kept[2]
    assert kept[2] == (BACK + LATE, 2 * (LONGEST + NEAR))


def test_nothing_comes_of_no_frames(network: SceneNetwork) -> None:
    assert list(find(network, [], 0.5)) == []
    assert list(watch(network, [], 0.5)) == []


def test_watching_counts_frames(network: SceneNetwork) -> None:
    counts = [count for count, _ in watch(network, film(40), 0.999)]
    assert sorted(set(counts)) == list(range(1, 41))


# How outputs are read.


def rows(
    count: int,
    chances: dict[int, float],
    inside: Sequence[tuple[int, int]] = (),
    kinds: dict[int, str] | None = None,
) -> torch.Tensor:
    """Return outputs (count, 6) that say so."""
    told = torch.full((count, 6), -9.0)
    for frame, chance in chances.items():
        told[frame, 0] = torch.logit(torch.tensor(chance))
    for start, end in inside:
        told[start:end, 1] = 9
    for frame in range(count):
        told[frame, 2 + KINDS.index((kinds or {}).get(frame, "cut"))] = 9
    return told


def read(told: torch.Tensor, threshold: float = 0.5, step: int = 1) -> list[Boundary]:
    reader, found = Reader(threshold), []
    for part in told.split(step):
        found += reader.push(part)
    return found + reader.finish()


def test_a_cut_is_read() -> None:
    assert read(rows(60, {20: 0.9})) == [Boundary(20, "cut", 0.9, 20, 20)]
    assert read(rows(60, {20: 0.49})) == []
    assert read(rows(60, {20: 0.49}), 0.4) == [Boundary(20, "cut", 0.49, 20, 20)]


def test_a_dissolve_is_read_with_its_length() -> None:
    told = rows(60, {25: 0.8}, [(18, 30)], dict.fromkeys(range(18, 30), "dissolve"))
    assert read(told) == [Boundary(24, "dissolve", 0.8, 18, 30)]


@pytest.mark.parametrize(
    ("kind", "chance", "found"),
    [
        ("dissolve", 0.46, True),
        ("dissolve", 0.44, False),
        ("wipe", 0.59, False),
        ("fade", 0.59, False),
    ],
)
def test_a_dissolve_counts_from_three_quarters_of_the_threshold(
    kind: str, chance: float, found: bool
) -> None:
    told = rows(60, {25: chance}, [(18, 30)], dict.fromkeys(range(18, 30), kind))
    assert [b.kind for b in read(told, 0.6)] == [kind] * found
    # One of a single frame is a cut, and counts as one.
    assert read(rows(60, {25: 0.59}, [(25, 26)], {25: "dissolve"}), 0.6) == []


def test_within_a_transition_there_is_but_one_boundary() -> None:
    told = rows(90, {25: 0.7, 40: 0.8}, [(18, 50)], dict.fromkeys(range(90), "wipe"))
    assert read(told) == [Boundary(34, "wipe", 0.8, 18, 50)]
    apart = rows(
        90, {25: 0.7, 48: 0.8}, [(18, 32), (32 + CLEAR, 60)], dict.fromkeys(range(90), "wipe")
    )
    assert [b.start for b in read(apart)] == [18, 32 + CLEAR]


@pytest.mark.parametrize("clear", [CLEAR - 1, CLEAR])
@pytest.mark.parametrize("first", ["cut", "dissolve"])
def test_a_scene_shows_itself_clearly(first: str, clear: int) -> None:
    begin = 30 + clear
    inside = [(begin, begin + 12)]
    kinds = dict.fromkeys(range(begin, begin + 12), "dissolve")
    sure = {30: 0.7, begin + 6: 0.9}
    if first == "dissolve":
        inside, kinds = [(30 - 12, 30)], dict.fromkeys(range(18, 30), "dissolve")
        sure = {24: 0.9, begin: 0.7}
    found = read(rows(90, sure, inside, kinds))
    # However sure the dissolve is, the cut counts.
    wanted = [30] if first == "cut" else [begin]
    both = [30, begin + 6] if first == "cut" else [24, begin]
    assert [b.frame for b in found] == (both if clear == CLEAR else wanted)


def test_of_boundaries_that_are_near_the_surest_counts() -> None:
    assert [b.frame for b in read(rows(60, {20: 0.7, 20 + NEAR: 0.9}))] == [20 + NEAR]
    assert [b.frame for b in read(rows(60, {20: 0.7, 21 + NEAR: 0.9}))] == [20, 21 + NEAR]


def test_the_first_scene_shows_itself_too_and_the_last_one() -> None:
    for frame in range(1, 40):
        found = CLEAR <= frame <= 40 - CLEAR
        assert [b.frame for b in read(rows(40, {frame: 0.9}))] == [frame] * found
        assert tellable(Boundary(frame, "cut", 1.0, frame, frame), 40) == found
        fade = [(frame, frame + 6)]
        told = rows(50, {frame + 3: 0.9}, fade, dict.fromkeys(range(50), "fade"))
        found = CLEAR <= frame <= 40 - CLEAR - 6
        assert [b.start for b in read(told[:40])] == [frame] * found
        assert tellable(Boundary(frame + 3, "fade", 1.0, frame, frame + 6), 40) == found


def test_a_blink_of_a_transition_is_a_cut() -> None:
    told = rows(60, {25: 0.8}, [(25, 26)], {25: "dissolve"})
    assert read(told) == [Boundary(25, "cut", 0.8, 25, 25)]


def test_a_transition_without_end_is_told_all_the_same() -> None:
    told = rows(900, {200: 0.8}, [(150, 900)], dict.fromkeys(range(900), "fade"))
    reader = Reader(0.5)
    known = [(n, b) for n, row in enumerate(told.split(1)) for b in reader.push(row)]
    assert [(b.start, b.end) for _, b in known] == [(150, 200 + LONGEST)]
    assert known[0][0] <= 200 + LONGEST + CLEAR + NEAR


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-4, 4), st.floats(-4, 4), st.integers(0, 3)), min_size=1, max_size=120
    ),
    st.integers(1, 50),
)
def test_however_outputs_come_boundaries_are_in_order(
    values: list[tuple[float, float, int]], step: int
) -> None:
    told = torch.tensor([[a, b, *(5.0 * (k == n) for n in range(4))] for a, b, k in values])
    found = read(told, 0.5, step)
    assert found == read(told, 0.5)
    last = 0
    for boundary in found:
        assert last < boundary.frame + 1
        assert last <= boundary.start <= boundary.frame <= boundary.end <= len(told)
        assert (boundary.start == boundary.end) == (boundary.kind == "cut")
        last = max(boundary.end, boundary.frame + 1)


# Made-up transitions.


def still_shots(count: int) -> list[list[NDArray[np.uint8]]]:
    """Return families of one shot each, in which nothing moves."""
    rng = np.random.default_rng(9)
    pictures = rng.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    large = [cv2.resize(picture, (72, 72)) for picture in pictures]
    return [[np.stack([picture] * 12)] for picture in large]


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing happen but transitions."""
    monkeypatch.setattr(transitions, "disturb", lambda rng, frames, shown: frames)
    monkeypatch.setattr(transitions, "grain", lambda rng, frames: None)
    monkeypatch.setattr(transitions, "panel", lambda rng, frames: None)
    monkeypatch.setattr(transitions, "ALIKE", 0.0)
    monkeypatch.setattr(transitions, "SLIPPED", 0.0)
    for share in ("PLAIN", "PASSED", "DRIFTING", "DARK"):
        monkeypatch.setattr(transitions, share, 0.0)
    monkeypatch.setattr(
        transitions, "_path", lambda rng, frames, place: np.repeat(place[None], frames, 0)
    )


def only(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "OFTEN", tuple(float(kind == one) for one in KINDS))


@pytest.mark.usefixtures("calm")
def test_cuts_are_where_pictures_change(monkeypatch: pytest.MonkeyPatch) -> None:
    only("cut", monkeypatch)
    total = 0
    for seed in range(30):
        window = join_shots(np.random.default_rng(seed), still_shots(8), 80, SIZE)
        change = np.abs(np.diff(window.frames.astype(int), axis=0)).max((1, 2, 3))
        cuts = [frame + 1 for frame in np.flatnonzero(change)]
        assert [b.frame for b in window.boundaries] == cuts
        assert all((b.start, b.end, b.kind) == (b.frame, b.frame, "cut") for b in window.boundaries)
        assert np.flatnonzero(window.boundary == 1).tolist() == [
            n for n in range(80) if n in cuts or (n == 0 and window.boundary[0] == 1)
        ]
        total += len(cuts)
    assert total > 20


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("kind", ["dissolve", "fade", "wipe"])
def test_gradual_transitions_last_as_long_as_they_say(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(kind, monkeypatch)
    total = 0
    for seed in range(20):
        window = join_shots(np.random.default_rng(seed), still_shots(8), 112, SIZE)
        for b in window.boundaries:
            assert (b.kind, window.boundary[b.frame], window.inside[b.frame]) == (kind, 1, 1)
            assert b.start <= b.frame < b.end
            if b.start < 1 or b.end >= 112:
                continue
            middle = window.frames[:, 10:-10].astype(int)  # without black bars
            old, new, mixed = middle[b.start - 1], middle[b.end], middle[b.start : b.end]
            assert (window.inside[b.start : b.end] == 1).all()
            assert (window.inside[[b.start - 1, b.end]] == 0).all()
            assert (window.kind[b.start : b.end] == KINDS.index(kind)).all()
            if kind == "dissolve":
                low, high = np.minimum(old, new) - 1, np.maximum(old, new) + 1
                assert ((low <= mixed) & (mixed <= high)).all()
            elif kind == "wipe":
                # Each pixel goes over from one to the other, and not back.
                way = (np.abs(mixed - old).sum(-1) <= 6) | (np.abs(mixed - new).sum(-1) <= 6)
                assert way.mean() > 0.5
            else:
                spread = mixed.std((1, 2)).mean(-1)
                assert spread.min() < 0.5 * max(p.std((0, 1)).mean() for p in (old, new))
                assert spread[b.frame - b.start] == spread.min()
            total += 1
    assert total > 5


def test_the_same_seed_makes_the_same_window() -> None:
    made = [join_shots(np.random.default_rng(3), still_shots(5), 64, SIZE) for _ in range(2)]
    assert np.array_equal(made[0].frames, made[1].frames)
    assert made[0].boundaries == made[1].boundaries
    other = join_shots(np.random.default_rng(4), still_shots(5), 64, SIZE)
    assert not np.array_equal(made[0].frames, other.frames)


@pytest.mark.parametrize("frames", [1, 2, 60])
@pytest.mark.parametrize("size", [32, 48])
def test_disturbances_leave_shots_as_they_are_sized(frames: int, size: int) -> None:
    before = np.full((frames, size, size, 3), 100, np.uint8)
    changed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        after = disturb.disturb(rng, before, frames)
        assert (after.shape, after.dtype) == (before.shape, np.uint8)
        changed += int((after != before).any())
        assert disturb.drift(rng, before).shape == before.shape
        for lay in (disturb.panel, disturb.grain):
            lay(rng, after)
    assert (before == 100).all()
    assert changed > 30


def test_a_fade_to_itself_comes_back() -> None:
    out = np.full((60, SIZE, SIZE, 3), 100, np.float32)
    for at in (0, 30, 59):
        disturb._fade_to_itself(np.random.default_rng(2), out, at)
        assert (out[-4:] == 100).all()
    assert (np.abs(out - 100).max((1, 2, 3)) > 50).any()


# Each way of what passes: whether it is seen before, in the middle and at the end.
@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        ("cross", (False, True, False)),
        ("reach", (False, True, False)),
        ("stay", (False, True, True)),
        ("go", (True, True, False)),
        ("bring", (False, True, True)),
    ],
)
def test_what_passes(way: str, wanted: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturb, "WAYS", {way: 1.0})
    total = np.zeros((3, 40))
    for seed in range(40):
        out = np.full((400, SIZE, SIZE, 3), 100, np.float32)
        disturb._thing(np.random.default_rng(seed), out, 60)
        seen = np.abs(out - 100).max((1, 2, 3)) > 2
        total[:, seed] = seen[:60].all(), seen[60:].any(), seen[-1]
    # Some begin or end outside of the view, behind a corner or in the same colour.
    assert (total.mean(1) > 0.7).tolist() == list(wanted)
    assert (total.mean(1) < 0.3).tolist() == [not one for one in wanted]


def test_one_plain_colour_after_another_is_no_boundary() -> None:
    frames = np.zeros((60, SIZE, SIZE, 3), np.uint8)
    for seed in range(20):
        transitions._make_plain(np.random.default_rng(seed), frames)
        assert all(transitions._is_plain(frame) for frame in frames)
    grey, white = np.full_like(frames[0], 100), np.full_like(frames[0], 255)
    assert not transitions._differ(grey, white)
    half = grey.copy()
    half[:24] = 0
    assert transitions._differ(half, white)


@pytest.mark.usefixtures("calm")
def test_what_dissolves_into_plain_is_a_fade(monkeypatch: pytest.MonkeyPatch) -> None:
    only("dissolve", monkeypatch)
    monkeypatch.setattr(transitions, "PLAIN", 0.4)
    fades = 0
    for seed in range(30):
        window = join_shots(np.random.default_rng(seed), still_shots(8), 112, SIZE)
        for b in window.boundaries:
            if b.start < 1 or b.end >= 112 or b.kind == "cut":
                continue
            middle = window.frames[:, 10:-10]
            plain = [np.ptp(middle[n], (0, 1)).max() <= 2 for n in (b.start - 1, b.end)]
            assert (b.kind == "fade") == any(plain)
            fades += b.kind == "fade"
    assert fades > 3


@pytest.mark.usefixtures("calm")
def test_dark_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "DARK", 1.0)
    for seed in range(10):
        window = join_shots(np.random.default_rng(seed), still_shots(8), 64, SIZE)
        assert window.frames.max() <= 0.4 * 255
        assert window.frames[:, 10:-10].std() > 1


# The model that comes with vidgru.


def test_the_file_is_small_and_tells_how_it_was_made() -> None:
    assert SHIPPED_SCENES.stat().st_size <= 1_000_000
    loaded = load_scenes(SHIPPED_SCENES)
    recipe = loaded.metrics["recipe"]
    assert (ROOT / "scripts" / recipe["script"]).is_file()
    assert loaded.metrics["validation"]["tolerances"][2]["f1"] > 0.8
    assert loaded.spec.size == SIZE


def test_it_finds_where_sample_videos_are_joined(tmp_path: Path) -> None:
    clips = []
    for path in sorted((ROOT / "sample_videos" / "test").glob("*/*"))[:8]:
        with open_video(path) as video:
            clips.append(np.stack([frame.rgb for frame in video])[:40])
    lengths = [len(clip) for clip in clips]
    model = vidgru.load_scenes(threads=torch.get_num_threads())
    small = [
        cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        for clip in clips
        for frame in clip
    ]
    found = list(find(model.network, small, model.spec.threshold))
    truth = np.cumsum(lengths)[:-1].tolist()
    assert [b.frame for b in found] == truth
    assert {b.kind for b in found} == {"cut"}


def told(frames: Iterable[NDArray[np.uint8]]) -> list[Boundary]:
    """Return what the shipped model finds."""
    model = vidgru.load_scenes(threads=torch.get_num_threads())
    small = (cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in frames)
    return list(find(model.network, small, model.spec.threshold))


@pytest.mark.parametrize("seed", range(4))
def test_what_passes_a_fixed_camera_is_no_scene(seed: int) -> None:
    assert told(made_scenes.passing(np.random.default_rng([100, seed]))) == []


def a_scene(label: str) -> NDArray[np.uint8]:
    with open_video(next((ROOT / "sample_videos" / "test" / label).glob("*"))) as video:
        frames = [frame.rgb for frame in video]
    return np.stack([*frames, *frames[::-1]] * 3)[:110]


def test_flashes_are_no_scenes() -> None:
    for label in ("left", "growing", "clockwise"):
        assert told(made_scenes.flashed(np.random.default_rng(1), a_scene(label))) == []


def test_one_plain_colour_that_fades_is_one_scene() -> None:
    for seed in range(4):
        assert told(made_scenes.plain(np.random.default_rng([101, seed]))) == []


def test_cuts_in_the_dark() -> None:
    scenes = [a_scene(label)[:40] for label in ("left", "growing", "up")]
    found = told(made_scenes.darkened(frame) for scene in scenes for frame in scene)
    assert [(b.frame, b.kind) for b in found] == [(40, "cut"), (80, "cut")]


def test_a_fade_through_black_is_called_so() -> None:
    first, second = a_scene("left")[:60], a_scene("growing")[:60]
    down, up = np.linspace(1, 0, 15), np.linspace(0, 1, 15)
    faded = [(f * share).astype(np.uint8) for f, share in zip(first[45:], down, strict=True)]
    risen = [(f * share).astype(np.uint8) for f, share in zip(second[:15], up, strict=True)]
    black = [np.zeros_like(first[0])] * 20
    found = told([*first[:45], *faded, *black, *risen, *second[15:]])
    assert [b.kind for b in found] == ["fade"]
    assert 55 <= found[0].frame <= 85
