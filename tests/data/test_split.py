"""Splits: stratified, seeded, by group; and the choice of frame rate and window."""

from collections import Counter
from pathlib import Path
from time import process_time

import pytest

from vidgru.core.errors import DataError
from vidgru.data.folder import Clip
from vidgru.data.sampling import choose_fps_and_window
from vidgru.data.split import leave_out, split_clips


def clips(counts: dict[str, int], groups: int | None = None) -> list[Clip]:
    return [
        Clip(Path(f"{label}/{n}"), f"{label}/{n}", label, group=str(n % groups) if groups else None)
        for label, count in counts.items()
        for n in range(count)
    ]


@pytest.mark.parametrize("val", [0.1, 0.2, 0.5])
def test_each_class_gives_its_share(val: float) -> None:
    train, held = split_clips(clips({"a": 40, "b": 10, "c": 3}), val, seed=0)
    assert not set(train) & set(held)
    assert len(train) + len(held) == 53
    assert Counter(c.label for c in held) == {
        "a": round(40 * val),
        "b": round(10 * val),
        "c": max(1, round(3 * val - 0.1)),
    }


def test_the_seed_decides() -> None:
    everything = clips({"a": 20, "b": 20})
    assert split_clips(everything, 0.2, 3) == split_clips(everything, 0.2, 3)
    assert split_clips(everything, 0.2, 3) != split_clips(everything, 0.2, 4)
    shuffled = split_clips(everything[::-1], 0.2, 3)[1]
    assert set(shuffled) == set(split_clips(everything, 0.2, 3)[1])


@pytest.mark.parametrize("seed", range(10))
def test_groups_stay_together(seed: int) -> None:
    train, held = split_clips(clips({"a": 40, "b": 30, "c": 20}, groups=10), 0.2, seed)
    assert not {c.group for c in train} & {c.group for c in held}
    shares = Counter(c.label for c in held)
    assert shares == {"a": 8, "b": 6, "c": 4}


def test_a_class_with_one_clip() -> None:
    with pytest.raises(DataError, match="class 'b' has only one clip"):
        split_clips(clips({"a": 5, "b": 1}), 0.2, 0)


def test_how_to_leave_classes_out() -> None:
    assert leave_out("abc", ["a"]) == ", or leave it out: --labels=b,c"
    assert leave_out(["a b", "c", "d"], ["d"]) == ", or leave it out: --labels='a b,c'"
    assert leave_out("abc", ["a", "b"]) == ""  # one class is none
    names = ", or leave {} out: give --labels the names of the others"
    assert leave_out(["a,b", "c", "d"], ["d"]) == names.format("it")
    assert leave_out("abcdefghijklm", "ab") == names.format("them")


def test_a_class_within_one_group() -> None:
    everything = [
        Clip(Path(f"{n}"), f"{n}", "ab"[n % 2], group="x" if n % 2 else str(n)) for n in range(8)
    ]
    with pytest.raises(DataError) as caught:
        split_clips(everything, 0.2, 0)
    assert str(caught.value) == (
        "Cannot keep 5 groups apart: no clip of the class 'b' is left to validate with, as its 4 "
        "clips are of 1 group. To split clip by clip: --group-by none. Or give other groups."
    )


@pytest.mark.parametrize("seed", range(6))
def test_two_groups_are_split_though_more_is_held_out_than_requested(seed: int) -> None:
    everything = [Clip(Path(f"{n}"), f"{n}", "ab"[n % 2], group="xy"[n % 9 > 4]) for n in range(36)]
    train, held = split_clips(everything, 0.2, seed)
    assert ({c.group for c in train}, {c.group for c in held}) == ({"x"}, {"y"})


@pytest.mark.parametrize("seed", range(12))
def test_a_class_that_few_groups_have_is_on_both_sides_whatever_the_seed(seed: int) -> None:
    groups = {"x": "aaaa", "y": "aaaa", "z": "aabb", "w": "aaab", "v": "aaaaaaaaaaaaaaaaaaa"}
    everything = [
        Clip(Path(f"{group}{n}"), f"{group}{n}", label, group=group)
        for group, labels in groups.items()
        for n, label in enumerate(labels)
    ]
    train, held = split_clips(everything, 0.05, seed)
    assert not {c.group for c in train} & {c.group for c in held}
    for side in (train, held):
        assert {c.label for c in side} == {"a", "b"}
    assert len(held) < len(train)


@pytest.mark.parametrize(
    ("rates", "seconds", "expected"),
    [
        ([30.0] * 9, [3.7] * 9, (15.0, 16)),
        ([25.0] * 9, [0.64] * 9, (25.0, 16)),  # short clips: every frame there is, no copies
        ([25.0] * 9, [0.32] * 9, (25.0, 8)),
        ([25.0] * 9, [4.0] * 9, (12.5, 16)),
        ([10.0] * 9, [4.0] * 9, (10.0, 16)),
        ([60.0] * 9, [0.7] * 9, (30.0, 16)),
        ([30.0] * 7 + [10.0] * 3, [2.0] * 10, (10.0, 16)),
        ([1.0], [2.0], (1.0, 4)),
    ],
)
def test_rate_and_window_suit_the_clips(
    rates: list[float], seconds: list[float], expected: tuple[float, int]
) -> None:
    fps, frames = choose_fps_and_window(rates, seconds, None, None)
    assert (pytest.approx(fps), frames) == expected


def test_given_rate_and_window_stay() -> None:
    assert choose_fps_and_window([30.0], [0.5], 7.0, None) == (7.0, 4)
    assert choose_fps_and_window([30.0], [3.0], None, 24) == (15.0, 24)
    assert choose_fps_and_window([30.0], [0.1], 5.0, 12) == (5.0, 12)


def test_a_thousand_classes_are_split_soon() -> None:
    clips = [Clip(Path(f"{n}"), f"{n}", f"c{n % 1000}") for n in range(20_000)]
    began = process_time()
    train, val = split_clips(clips, 0.2, 0)
    assert process_time() - began < 5
    assert (len(train), len(val)) == (16_000, 4_000)
    assert set(Counter(clip.label for clip in val).values()) == {4}
