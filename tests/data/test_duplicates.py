"""Telling copies of the same footage from clips that only look alike."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidgru.data import duplicates
from vidgru.data.duplicates import Duplicate, find_duplicates
from vidgru.data.folder import Clip

Pixels = NDArray[np.uint8]
WORDS = ("walk", "jump", "run", "sit", "on")


def scene(seed: int) -> Pixels:
    """Return a background uint8 (96, 96, 3)."""
    small = np.random.default_rng(seed).integers(30, 220, (7, 7, 3), dtype=np.uint8)
    return cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def take(background: Pixels, seed: int, count: int = 40) -> Pixels:
    """Return a take (count, 96, 96, 3) of two discs that wander before a background."""
    rng = np.random.default_rng(seed)
    frames = background[None].repeat(count, axis=0)
    for grey in (20, 240):
        angles = np.outer(np.arange(count), rng.uniform(0.06, 0.14, 2)) + rng.uniform(0, 6, 2)
        places = 48 + 34 * np.sin(angles)
        for frame, place in zip(frames, places.astype(int).tolist(), strict=True):
            cv2.circle(frame, place, 10, (grey, grey, grey), -1)
    return frames


def lossy(frames: Pixels, scale: float = 0.5, quality: int = 15) -> Pixels:
    """Return frames as they come out of a small, badly encoded copy."""
    done = []
    for frame in frames:
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        done.append(cv2.resize(cv2.imdecode(data, 1), (96, 96)))
    return np.stack(done).astype(np.uint8)


def brighter(frames: Pixels) -> Pixels:
    return np.clip(frames * 1.1 + 5, 0, 255).astype(np.uint8)


def walk(seed: int, count: int = 36) -> Pixels:
    """Return one of several people (count, 96, 96, 3) who cross a scene at about the same pace."""
    rng = np.random.default_rng(seed)
    height, stride, phase = rng.uniform(36, 46), rng.uniform(0.4, 0.9), rng.uniform(0, 6)
    reading = rng.uniform(2.0, 2.4)
    frames = scene(0)[None].repeat(count, axis=0)
    for number, frame in enumerate(frames):
        x, hip = 8 + reading * number, 78 - height / 2
        swing = 9 * np.sin(stride * number + phase)
        for side in (-1, 1):
            foot = round(x + side * swing), 78
            cv2.line(frame, (round(x), round(hip)), foot, (25, 25, 25), 4)
        cv2.ellipse(frame, (round(x), round(hip - 8)), (5, 11), 0, 0, 360, (35, 30, 40), -1)
        cv2.circle(frame, (round(x), round(78 - height)), 4, (200, 170, 160), -1)
    return np.stack([cv2.GaussianBlur(frame, (3, 3), 0) for frame in frames]).astype(np.uint8)


COPIES = {
    "lossy": lossy,
    "brighter": brighter,
    "cut at the start": lambda frames: lossy(frames[8:], 0.8, 60),
    "cut at both ends": lambda frames: frames[4:-4],
    # Shown at two thirds of the rate: every third frame is the one before it.
    "a lower rate": lambda frames: frames[np.arange(40) - (np.arange(40) % 3 == 2)],
    "in a longer one": lambda frames: np.concatenate([take(scene(77), 5, 30), frames]),
    "the last half": lambda frames: frames[20:],
    "mirrored": lambda frames: lossy(frames[:, :, ::-1], 0.8, 60),
    "turned": lambda frames: lossy(frames.transpose(0, 2, 1, 3)[:, :, ::-1], 0.8, 60),
    "turned back": lambda frames: frames.transpose(0, 2, 1, 3)[:, ::-1],
    "upside down": lambda frames: frames[:, ::-1, ::-1],
    "mirrored and turned": lambda frames: frames.transpose(0, 2, 1, 3),
}


def found(
    takes: dict[str, Pixels], keys: dict[str, str] | None = None
) -> list[tuple[str, str, bool]]:
    clips = [Clip(Path(name), name, "a") for name in takes]
    keys = keys or {name: name for name in takes}
    pairs = find_duplicates(
        clips, {c: takes[c.name][None] for c in clips}, {c: keys[c.name] for c in clips}
    )
    return [(p.first.name, p.second.name, p.exact) for p in pairs]


@pytest.fixture(scope="module")
def others() -> dict[str, Pixels]:
    """Return takes that are no copies of each other, by one fixed camera and by others."""
    return {
        **{f"fixed {n}": take(scene(0), n) for n in range(6)},
        **{f"other {n}": take(scene(n), n) for n in range(10, 14)},
    }


def test_takes_of_one_camera_are_no_duplicates(others: dict[str, Pixels]) -> None:
    assert found(others) == []


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found_and_nothing_else(others: dict[str, Pixels], name: str) -> None:
    copies = {f"copy of {n}": COPIES[name](others[n]) for n in ("fixed 3", "other 11")}
    expected = [(n[8:], n, False) for n in copies]
    assert found({**others, **copies}) == expected


WALKS = {f"walk {n}": walk(n) for n in range(10)}


def test_people_who_cross_one_scene_are_no_duplicates_and_their_copies_are() -> None:
    assert found(WALKS) == []
    for copied in (brighter, COPIES["mirrored"], COPIES["cut at both ends"]):
        assert found({**WALKS, "copy": copied(WALKS["walk 4"])}) == [("walk 4", "copy", False)]


def card(text: str) -> Pixels:
    picture = np.full((96, 96, 3), (30, 60, 130), np.uint8)
    cv2.putText(picture, text, (8, 50), 0, 0.6, (255, 255, 255), 2)
    return picture[None].repeat(12, axis=0)


def clock(frames: Pixels) -> Pixels:
    stamped = frames.copy()
    for number, frame in enumerate(stamped):
        cv2.putText(frame, f"{number:04d}", (40, 14), 0, 0.5, (255, 255, 255), 2)
    return stamped


def fade(frames: Pixels) -> Pixels:
    gain = np.clip(np.arange(len(frames)) / 9, 0, 1)[:, None, None, None]
    return (frames * gain).astype(np.uint8)


def pillarbox(frames: Pixels) -> Pixels:
    boxed = frames.copy()
    boxed[0, :, :16] = boxed[0, :, -16:] = 0
    return boxed


SHARED = {
    "black first frame": lambda frames: np.concatenate([frames[:1] * 0, frames]),
    "pillarboxed first frame": pillarbox,
    "fade-in": fade,
    "title": lambda frames: np.concatenate([card("Walks"), frames]),
    "end card": lambda frames: np.concatenate([frames, card("The end")]),
    "both": lambda frames: np.concatenate([card("Walks"), frames, card("The end")]),
    "clock": clock,
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("count", [3, 10])
def test_what_all_clips_share_makes_no_duplicates(name: str, count: int) -> None:
    takes = {f"walk {n}": SHARED[name](WALKS[f"walk {n}"]) for n in range(count)}
    assert found(takes) == []
    takes["copy"] = lossy(takes["walk 1"], 0.8, 60)
    assert found(takes) == [("walk 1", "copy", False)]


def faint(number: int) -> Pixels:
    """Return a scene (36, 96, 96, 3) in which a little something stirs somewhere."""
    frames = scene(0)[None].repeat(36, axis=0)
    x, y = np.random.default_rng(number).integers(20, 76, 2).tolist()
    colour = [int(value) + 15 for value in frames[0, y, x]]
    for place, frame in enumerate(frames):
        cv2.circle(frame, (round(x + 3 * np.sin(0.3 * place + number)), y), 3, colour, -1)
    return frames


@pytest.mark.parametrize("name", SHARED)
def test_what_all_share_does_not_hide_how_faint_changes_differ(name: str) -> None:
    assert found({str(n): SHARED[name](faint(n)[:20]) for n in range(10)}) == []


def test_only_what_is_beyond_doubt_is_certain(others: dict[str, Pixels]) -> None:
    takes = {**others, "copy": lossy(others["fixed 3"], 0.8, 80), "end": others["other 11"][-6:]}
    clips = [Clip(Path(name), name, "a") for name in takes]
    pairs = find_duplicates(
        clips, {c: takes[c.name][None] for c in clips}, {c: c.name for c in clips}
    )
    assert {(p.first.name, p.second.name): p.certain for p in pairs} == {
        ("fixed 3", "copy"): True,
        ("other 11", "end"): False,
    }
    same = find_duplicates(
        clips[:2], {c: takes[c.name][None] for c in clips}, dict.fromkeys(clips, "1")
    )
    assert same == [Duplicate(clips[0], clips[1], exact=True, certain=True)]


def test_pieces_that_overlap_and_pieces_that_only_adjoin() -> None:
    whole = take(scene(0), 3, 60)
    assert found({"a": whole[:25], "b": whole[10:35]}) == [("a", "b", False)]
    assert found({"a": whole[:25], "b": whole[25:50]}) == []


def test_equal_keys_are_exact_and_compared_once(others: dict[str, Pixels]) -> None:
    first = others["fixed 0"]
    takes = {"a": first, "b": first, "c": first, "d": lossy(first), "e": others["fixed 1"]}
    keys = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "3"}
    assert found(takes, keys) == [("a", "b", True), ("a", "c", True), ("a", "d", False)]


def test_segments_of_long_clips_are_compared(others: dict[str, Pixels]) -> None:
    def long(*names: str) -> Pixels:
        return np.stack([others[name] for name in names])

    stacks = {
        "a": long("fixed 0", "fixed 1"),
        "b": long("fixed 2", "fixed 3"),
        "c": lossy(others["fixed 3"])[None],
    }
    clips = [Clip(Path(name), name, "a") for name in stacks]
    pairs = find_duplicates(clips, {c: stacks[c.name] for c in clips}, {c: c.name for c in clips})
    assert pairs == [Duplicate(clips[1], clips[2], exact=False, certain=False)]


def still(picture: Pixels, count: int) -> Pixels:
    return picture[None].repeat(count, axis=0)


@pytest.mark.parametrize("count", [1, 12])
def test_still_clips_by_their_pictures(count: int) -> None:
    takes = {str(n): still(scene(n), count) for n in range(8)}
    assert found(takes) == []
    takes["copy"] = still(lossy(scene(3)[None], 0.8, 50)[0], count)
    assert found(takes) == [("3", "copy", False)]


def test_still_scenes_are_told_apart_by_their_noise() -> None:
    def filmed(number: int) -> Pixels:
        noise = np.random.default_rng(number).normal(0, 1.7, (12, 24, 24, 1))
        grown = noise.repeat(4, axis=1).repeat(4, axis=2)
        return np.clip(scene(number // 2)[None] + grown, 0, 255).astype(np.uint8)

    takes = {str(n): filmed(n) for n in range(16)}
    assert found(takes) == []
    assert found({**takes, "copy": lossy(filmed(3), 0.9, 95)}) == [("3", "copy", False)]


def test_slides_of_one_template_are_no_duplicates() -> None:
    takes = {}
    for number in range(3):
        slide = np.full((96, 96, 3), 230, np.uint8)
        slide[:14], slide[90:] = (40, 60, 140), (90, 90, 90)
        for row, word in enumerate(WORDS[number:]):
            cv2.putText(slide, word, (10, 35 + 16 * row), 0, 0.5, (30, 30, 30))
        takes[str(number)] = still(slide, 10)
    assert found(takes) == []


def test_what_shows_nothing_is_no_duplicate() -> None:
    assert found({str(n): np.full((9, 96, 96, 3), 3 * n, np.uint8) for n in range(4)}) == []


def test_many_look_alikes_are_one_camera() -> None:
    rng = np.random.default_rng(0)
    noisy = (scene(0) + rng.integers(0, 3, (9, 96, 96, 3))).astype(np.uint8)
    takes = {str(n): still(picture, 6) for n, picture in enumerate(noisy)}
    assert found(takes) == []
    assert found({name: takes[name] for name in "01"}) == [("0", "1", False)]


def test_blocks_and_limits_change_nothing(
    others: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = {**others, "copy": lossy(others["fixed 3"]), "still": still(scene(50), 9)}
    takes["still copy"] = lossy(takes["still"], 0.8, 50)
    expected = [("fixed 3", "copy", False), ("still", "still copy", False)]
    assert found(takes) == expected
    monkeypatch.setattr(duplicates, "BLOCK", 3)
    monkeypatch.setattr(duplicates, "ROWS", 2)
    assert found(takes) == expected
    monkeypatch.setattr(duplicates, "MAX_FRAMES", 250)  # every second frame
    assert found(takes) == expected


def test_few_clips() -> None:
    assert find_duplicates([], {}, {}) == []
    one = take(scene(0), 0)
    assert found({"a": one}) == []
    assert found({"a": one[:2], "b": one[:1], "c": one[5:8]}) == []
