"""Pictures that are shown several times, or held: motion goes by time, not by picture."""

from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers import noise, write_clip
from numpy.typing import NDArray

from vidgru.tasks.motion.model import MotionModel, load_motion
from vidgru.tasks.motion.results import Motion
from vidgru.video import cadence, read, sample
from vidgru.video.cadence import find_cadence
from vidgru.video.read import Video

SPEED = 60.0  # pixels/s to the right
RNG = np.random.default_rng(3)
GROUND = cv2.resize(RNG.integers(60, 160, (24, 32, 3), np.uint8), (320, 240))
THING = cv2.resize(RNG.integers(0, 255, (13, 13, 3), np.uint8), (80, 80))


def picture(at: float) -> NDArray[np.uint8]:
    """Return the ground, rgb uint8 (240, 320, 3), an object moving for `at` seconds."""
    place = np.array([[1, 0, 30 + SPEED * at], [0, 1, 80]])
    covered = cv2.warpAffine(np.ones(THING.shape, np.float32), place, (320, 240))
    moved = cv2.warpAffine(THING, place, (320, 240))
    return (GROUND * (1 - covered) + moved * covered).astype(np.uint8)


def make(path: Path, times: list[float], shown: list[float], fps: float, bframes: int = 0) -> Path:
    """Write a video of frames at these times, which show the object as it is at others."""
    codec = "mpeg2video" if path.suffix == ".ts" else "libx264"
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as out:
        film = out.add_stream(codec, rate, options={"bf": str(bframes)})
        film.width, film.height, film.pix_fmt, film.bit_rate = 320, 240, "yuv420p", 4_000_000
        if codec == "libx264":
            film.codec_context.time_base = Fraction(1, 90000)
        base = film.codec_context.time_base or 1 / rate
        for time, at in zip(times, shown, strict=True):
            frame = av.VideoFrame.from_ndarray(picture(at))
            frame.pts, frame.time_base = round(time / base), base
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
    return path


def animation(path: Path, pictures: int, fps: int, first: int = 0, **more: int) -> Path:
    """Write two seconds of so many pictures/s, shown at `fps`, from some frame on."""
    frames = [n + first for n in range(2 * fps)]
    shown = [(n * pictures // fps) / pictures for n in frames]
    return make(path, [n / fps for n in range(2 * fps)], shown, fps, **more)


@pytest.fixture(scope="module")
def model() -> MotionModel:
    return load_motion(device="cpu", threads=1)


def speeds(motion: Motion) -> list[float]:
    """Return how fast things go in each second, all of which must go to the right; 0: nothing."""
    found = [second.objects for second in motion.seconds]
    assert all(heading is None or heading.compass == "E" for heading in found)
    return [0.0 if heading is None else heading.speed for heading in found]


@pytest.mark.parametrize(
    ("name", "pictures", "fps", "more"),
    [
        ("a.mp4", 10, 30, {"bframes": 3}),
        ("a.mkv", 10, 30, {"first": 1}),
        ("a.mp4", 8, 24, {}),
        ("a.mkv", 6, 24, {"bframes": 3}),
        ("a.mov", 6, 24, {"first": 3}),
        ("a.mov", 12, 60, {}),
        ("a.ts", 10, 30, {}),
        ("a.mp4", 5, 25, {}),
        ("a.mp4", 10, 24, {}),  # two and three times
        ("a.mp4", 12, 25, {}),
        ("a.mp4", 20, 60, {}),
    ],
)
def test_repeated_pictures_move_at_their_true_speed(
    model: MotionModel, tmp_path: Path, name: str, pictures: int, fps: int, more: dict[str, int]
) -> None:
    clip = animation(tmp_path / name, pictures, fps, **more)
    cadence = find_cadence(clip)
    assert cadence is not None
    assert cadence.rate == pytest.approx(pictures, rel=0.002)
    motion = model.analyse(clip)
    assert motion.fps == pytest.approx(pictures, rel=0.002)
    assert motion.frames == pytest.approx(2 * pictures, abs=1)
    assert motion.seconds[-1].end == pytest.approx(2, abs=0.11)
    assert speeds(motion) == pytest.approx([SPEED] * 2, rel=0.1)


@pytest.mark.parametrize(("pictures", "fps"), [(10, 30), (6, 24), (12, 60), (10, 24), (8, 30)])
def test_each_picture_is_sampled_once(tmp_path: Path, pictures: int, fps: int) -> None:
    for first in range(fps // pictures + 1):
        clip = animation(tmp_path / f"{first}.mp4", pictures, fps, first)
        cadence = find_cadence(clip)
        assert cadence is not None
        samples = [cadence.middle + n / cadence.rate for n in range(2 * pictures - 1)]
        shown = [(int(time * fps + 1e-6) + first) * pictures // fps for time in samples]
        assert np.diff(shown).tolist() == [1] * (len(shown) - 1)


def test_pictures_that_are_all_new_have_no_cadence(tmp_path: Path) -> None:
    for fps in (10, 24, 25, 60):
        assert find_cadence(animation(tmp_path / f"{fps}.mp4", fps, fps)) is None
    assert find_cadence(write_clip(tmp_path / "noise.avi", noise(40), 25)) is None


@pytest.mark.parametrize(("pictures", "passes"), [(30, 1), (10, 2)])
def test_frames_that_are_all_new_are_read_once_before_the_rest(
    model: MotionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: int, passes: int
) -> None:
    clip = animation(tmp_path / "a.mp4", pictures, 30)
    opened = []

    def counted(source: Path) -> AbstractContextManager[Video]:
        opened.append(source)
        return read.open_video(source)

    for module in (cadence, sample):
        monkeypatch.setattr(module, "open_video", counted)
    assert model.probe(clip).rate == (15 if pictures == 30 else 20)
    assert opened == [clip] * passes


def test_what_stands_still_has_no_cadence(tmp_path: Path) -> None:
    still, moves = [0.0] * 40, [n / 25 for n in range(40)]
    times = [n / 25 for n in range(80)]
    assert find_cadence(make(tmp_path / "still.mp4", times[:40], still, 25)) is None
    assert find_cadence(make(tmp_path / "begins.mp4", times, still + moves, 25)) is None


def test_pictures_that_change_unevenly_have_no_cadence(tmp_path: Path) -> None:
    lasting = [2, 9, 3, 1, 7, 5, 2, 8, 4, 11, 3, 6, 1, 12, 6]
    shown = [n / 10 for n, frames in enumerate(lasting) for _ in range(frames)]
    times = [n / 25 for n in range(80)]
    assert find_cadence(make(tmp_path / "stops.mp4", times, shown, 25)) is None
    # Steps that differ, where none is a repetition.
    steps = np.cumsum([0.06, 0.01] * 25).tolist()
    assert find_cadence(make(tmp_path / "steps.mp4", times[:50], steps, 25)) is None


def test_one_frame_and_uneven_times_have_no_cadence(tmp_path: Path) -> None:
    assert find_cadence(write_clip(tmp_path / "one.avi", noise(1), 25)) is None
    times = [n / 30 + (n >= 20) for n in range(60)]
    shown = [n // 3 / 10 for n in range(60)]
    assert find_cadence(make(tmp_path / "gap.mp4", times, shown, 30)) is None


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_held_picture_stands_still(model: MotionModel, tmp_path: Path, suffix: str) -> None:
    moves = [n / 25 for n in range(50)]
    times = [*moves, *(4 + time for time in moves[:25])]
    clip = make(tmp_path / f"held{suffix}", times, [*moves, *(2 + t for t in moves[:25])], 25)
    motion = model.analyse(clip)
    assert speeds(motion) == pytest.approx([SPEED, SPEED, 0, 0, SPEED], rel=0.15)
    assert all(second.moving == 0 for second in motion.seconds[2:4])


def test_motion_continues_while_frames_are_lost(model: MotionModel, tmp_path: Path) -> None:
    times = [n / 25 for n in range(75) if not 30 <= n < 40]
    fields = list(model.fields(make(tmp_path / "lost.mp4", times, times, 25)))
    predicted = [abs(field.velocity[0]).max() for field in fields if 1.2 < field.time < 1.8]
    assert len(predicted) >= 7
    assert min(predicted) > 10  # else 0


def test_frames_that_come_a_little_late_change_nothing(model: MotionModel, tmp_path: Path) -> None:
    times = [n / 25 for n in range(50) if n % 4 != 2]
    motion = model.analyse(make(tmp_path / "late.mp4", times, times, 25))
    assert speeds(motion) == pytest.approx([SPEED] * 2, rel=0.2)
