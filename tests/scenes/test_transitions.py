"""Made-up transitions, and what disturbs them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidgru.tasks.scenes import disturb, transitions
from vidgru.tasks.scenes.results import KINDS
from vidgru.tasks.scenes.transitions import join_shots

SIZE = 48


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
