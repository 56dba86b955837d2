"""The info about a source after reading it."""

from pathlib import Path
from time import process_time

import PIL.Image
import pytest
from helpers import noise, retime, turn, write_clip, write_images

from vidgru.video.headers import may_interlace
from vidgru.video.info import Gaps, VideoInfo
from vidgru.video.read import open_video


def facts_of(path: Path) -> VideoInfo:
    with open_video(path) as video:
        while video.grab() is not None:
            pass
        return video.info()


def variable(gaps: list[float]) -> bool:
    counted = Gaps()
    for gap in gaps:
        counted.add(gap)
    return counted.variable


@pytest.mark.parametrize(
    ("gaps", "answer"),
    [
        ([], False),
        ([0.04], False),
        ([0.033, 0.033, 0.034] * 20, False),  # rounded to milliseconds
        ([0.001, 0.002, 0.002] * 20, False),
        ([0.066, 0.062, 0.071, 0.068] * 20, False),  # a webcam's jitter
        ([0.04] * 10 + [0.08] + [0.04] * 10 + [0.08], False),  # frames left out
        ([0.04] * 60 + [2.0], False),
        ([0.033] * 30 + [0.067] * 30, True),
        ([0.067] * 30 + [0.033] * 30, True),
        ([0.02, 0.1] * 6, True),
        ([0.1, 0.1, 3.0] * 3, True),
        ([0.1, 0.1, 1e6] * 3, True),
    ],
)
def test_when_gaps_between_frames_differ(gaps: list[float], answer: bool) -> None:
    assert variable(gaps) is answer
    assert variable(gaps[::-1]) is answer


def test_gaps_take_constant_memory() -> None:
    counted = Gaps()
    for number in range(20_000):
        counted.add(number / 1000)
    assert len(counted.counts) == 10_000


def test_an_ordinary_clip(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(12, 32, 48), 10, "mp4v")
    assert facts_of(path) == VideoInfo(48, 32, 10.0, "fmp4", 0, 12, 12, pytest.approx(1.2), False)


def test_a_turned_clip_has_the_size_that_is_shown(tmp_path: Path) -> None:
    info = facts_of(turn(write_clip(tmp_path / "a.mp4", noise(4, 32, 48), 10, "mp4v")))
    assert (info.width, info.height, info.rotation) == (32, 48, 90)


def test_a_variable_frame_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(8, 32, 48), 10, "mp4v")
    before = facts_of(path)
    # The clock of this file ticks 10240 times a second.
    after = facts_of(retime(path, [256, 1792] * 4))
    assert (before.variable, after.variable) == (False, True)
    assert after.frames == 8
    assert after.seconds == pytest.approx((8192 - 1792) / 10240 * 8 / 7, abs=0.002)


def test_a_clip_cut_short_declares_more(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", noise(20), 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    info = facts_of(path)
    assert info.declared == 20
    assert 5 < info.frames < 11
    assert info.ends_early
    assert f"{path} ends early" in info.warnings[0]


def test_a_last_frame_that_is_shown_for_long_is_no_early_end(tmp_path: Path) -> None:
    film = retime(write_clip(tmp_path / "a.mp4", noise(8), 10, "mp4v"), [1024] * 7 + [40960])
    first, *others = map(PIL.Image.fromarray, noise(8))
    animation, lengths = tmp_path / "a.gif", [100] * 7 + [4000]
    first.save(animation, save_all=True, append_images=others, duration=lengths)
    for path in (film, animation):
        info = facts_of(path)
        assert (info.frames, info.declared, info.ends_early, info.warnings) == (8, 8, False, ())


def test_what_is_read_in_part_cannot_be_judged(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "a.avi", noise(20), 10)) as video:
        for _ in range(5):
            video.grab()
        info = video.info()
    assert (info.declared, info.frames, info.ends_early) == (None, 5, False)


def test_pictures(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", noise(3), ["1.png", "2.png", "3.png"])
    assert facts_of(folder) == VideoInfo(32, 24, 25.0, "images", 0, None, 3, 0.12, False)
    assert facts_of(folder / "1.png") == VideoInfo(32, 24, 25.0, "png", 0, None, 1, 0.04, False)


def test_warnings_are_bounded(tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number}.png").write_text("no image")
    (tmp_path / "last.png").write_bytes(b"")
    write_images(tmp_path, noise(1), ["z.png"])
    warnings = facts_of(tmp_path).warnings
    assert len(warnings) == 101
    assert warnings[-1] == f"{tmp_path}: 51 more of such warnings."


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    began = process_time()
    assert not may_interlace("h264", b"\0\0\1\x67\x42" + bytes(100_000))
    assert process_time() - began < 5
