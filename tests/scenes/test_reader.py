"""How boundaries are decoded from the outputs of the scene network."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgru.tasks.scenes.reader import CLEAR, LONGEST, NEAR, Reader, is_detectable
from vidgru.tasks.scenes.results import KINDS, Boundary


def rows(
    count: int,
    chances: dict[int, float],
    inside: Sequence[tuple[int, int]] = (),
    kinds: dict[int, str] | None = None,
) -> torch.Tensor:
    """Return outputs (count, 6) for them."""
    predicted = torch.full((count, 6), -9.0)
    for frame, chance in chances.items():
        predicted[frame, 0] = torch.logit(torch.tensor(chance))
    for start, end in inside:
        predicted[start:end, 1] = 9
    for frame in range(count):
        predicted[frame, 2 + KINDS.index((kinds or {}).get(frame, "cut"))] = 9
    return predicted


def read(predicted: torch.Tensor, threshold: float = 0.5, step: int = 1) -> list[Boundary]:
    reader, found = Reader(threshold), []
    for part in predicted.split(step):
        found += reader.push(part)
    return found + reader.finish()


def test_a_cut_is_read() -> None:
    assert read(rows(60, {20: 0.9})) == [Boundary(20, "cut", 0.9, 20, 20)]
    assert read(rows(60, {20: 0.49})) == []
    assert read(rows(60, {20: 0.49}), 0.4) == [Boundary(20, "cut", 0.49, 20, 20)]


def test_a_dissolve_is_read_with_its_length() -> None:
    predicted = rows(60, {25: 0.8}, [(18, 30)], dict.fromkeys(range(18, 30), "dissolve"))
    assert read(predicted) == [Boundary(24, "dissolve", 0.8, 18, 30)]


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
    predicted = rows(60, {25: chance}, [(18, 30)], dict.fromkeys(range(18, 30), kind))
    assert [b.kind for b in read(predicted, 0.6)] == [kind] * found
    # One of a single frame is a cut, and counts as one.
    assert read(rows(60, {25: 0.59}, [(25, 26)], {25: "dissolve"}), 0.6) == []


def test_within_a_transition_there_is_but_one_boundary() -> None:
    predicted = rows(90, {25: 0.7, 40: 0.8}, [(18, 50)], dict.fromkeys(range(90), "wipe"))
    assert read(predicted) == [Boundary(34, "wipe", 0.8, 18, 50)]
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
    for apart in range(1 + NEAR, 10):
        assert [b.frame for b in read(rows(60, {20: 0.7, 20 + apart: 0.9}))] == [20, 20 + apart]


def test_the_first_scene_shows_itself_too_and_the_last_one() -> None:
    for frame in range(1, 40):
        found = CLEAR <= frame <= 40 - CLEAR
        assert [b.frame for b in read(rows(40, {frame: 0.9}))] == [frame] * found
        assert is_detectable(Boundary(frame, "cut", 1.0, frame, frame), 40) == found
        fade = [(frame, frame + 6)]
        predicted = rows(50, {frame + 3: 0.9}, fade, dict.fromkeys(range(50), "fade"))
        found = CLEAR <= frame <= 40 - CLEAR - 6
        assert [b.start for b in read(predicted[:40])] == [frame] * found
        assert is_detectable(Boundary(frame + 3, "fade", 1.0, frame, frame + 6), 40) == found


def test_a_blink_of_a_transition_is_a_cut() -> None:
    predicted = rows(60, {25: 0.8}, [(25, 26)], {25: "dissolve"})
    assert read(predicted) == [Boundary(25, "cut", 0.8, 25, 25)]


def test_a_transition_without_end_is_reported_all_the_same() -> None:
    predicted = rows(900, {200: 0.8}, [(150, 900)], dict.fromkeys(range(900), "fade"))
    reader = Reader(0.5)
    known = [(n, b) for n, row in enumerate(predicted.split(1)) for b in reader.push(row)]
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
    predicted = torch.tensor([[a, b, *(5.0 * (k == n) for n in range(4))] for a, b, k in values])
    found = read(predicted, 0.5, step)
    assert found == read(predicted, 0.5)
    last = 0
    for boundary in found:
        assert last < boundary.frame + 1
        assert last <= boundary.start <= boundary.frame <= boundary.end <= len(predicted)
        assert (boundary.start == boundary.end) == (boundary.kind == "cut")
        last = max(boundary.end, boundary.frame + 1)
