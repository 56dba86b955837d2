"""`vidgru scenes`: what is told of scenes, and all that is written of them; how it fails."""

import csv
import json
import os
import re
import shutil
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, retime, turn, write_clip, write_images
from numpy.typing import NDArray

import vidgru as library
from vidgru.errors import ModelError, OptionError, OutputError, VideoError
from vidgru.scenes import Boundary, Scene, SceneChange, Scenes, divide, timecode
from vidgru.verbs import scenes as verb
from vidgru.verbs.edl import edit_list
from vidgru.verbs.scenes import ScenesModel
from vidgru.video import pieces, record
from vidgru.video.file_clock import FileClock
from vidgru.video.pieces import cut_video
from vidgru.video.read import Image, open_video, shrink
from vidgru.video.sheet import MOST, contact_sheet, pick, thumbnail_size

Vidgru = Callable[..., Done]
SIZE = 16
LATE = 3  # frames
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")
PIECES = ".mkv" if FFMPEG else ".mp4"  # of an .mkv


class Network:
    """Finds a cut where the picture changes much, or the boundaries that it is told."""

    def __init__(self) -> None:
        self.told: list[Boundary] | None = None
        self.seen: list[Image] = []
        self.thresholds: list[float] = []

    def to(self, device: torch.device) -> "Network":
        return self


def changed(frame: Image, last: Image) -> bool:
    return bool(np.abs(frame.astype(float) - last).mean() > 40)


def watch(
    network: Network, frames: Iterable[Image], threshold: float
) -> Iterator[tuple[int, Boundary | None]]:
    network.thresholds.append(threshold)
    last, waiting = None, list(network.told or [])
    for number, frame in enumerate(frames):
        assert frame.shape == (SIZE, SIZE, 3)
        network.seen.append(frame)
        if network.told is None and last is not None and changed(frame, last):
            waiting.append(Boundary(number, "cut", 0.9, number, number))
        last = frame
        late = waiting and waiting[0].frame + LATE <= number
        yield number, waiting.pop(0) if late else None
    yield from ((number, boundary) for boundary in waiting)


def find(network: Network, frames: Iterable[Image], threshold: float) -> Iterator[Boundary]:
    for _, boundary in watch(network, frames, threshold):
        if boundary is not None and boundary.confidence >= threshold:
            yield boundary


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(verb, "find", find)
    monkeypatch.setattr(verb, "watch", watch)
    monkeypatch.setattr(verb, "load_scenes", lambda *_, **__: loaded(made))
    return made


def loaded(network: Network) -> ScenesModel:
    spec = types.SimpleNamespace(task="scenes", size=SIZE, threshold=0.5)
    kept = types.SimpleNamespace(
        path=Path("scenes.safetensors"), network=network, spec=spec, metrics={}
    )
    return ScenesModel(kept, torch.device("cpu"))


@pytest.fixture
def model(network: Network) -> ScenesModel:
    return loaded(network)


def numbered(lengths: list[int], height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Return scenes of one shade each, in whose frames eight patches tell the frame's number."""
    frames = np.zeros((sum(lengths), height, width, 3), np.uint8)
    shades = np.repeat([(30, 200, 120)[n % 3] for n in range(len(lengths))], lengths)
    frames[:] = shades[:, None, None, None]
    for number, frame in enumerate(frames):
        for bit in range(8):
            frame[:8, 8 * bit : 8 * bit + 8] = 255 * (number >> bit & 1)
    return frames


def number_of(frame: Image) -> int:
    """Return the number that stands in a frame, also after lossy coding."""
    return sum(int(frame[4, 8 * bit + 4].mean() > 127) << bit for bit in range(8))


def read(path: Path) -> list[Image]:
    with open_video(path) as video:
        return [frame.rgb for frame in video]


LENGTHS = [20, 15, 25]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "film.mkv", numbered(LENGTHS), 10)


def gradual() -> list[Boundary]:
    return [
        Boundary(20, "dissolve", 0.8, 15, 25),
        Boundary(35, "fade", 0.75, 33, 38),
        Boundary(50, "wipe", 0.7, 50, 51),
    ]


# ---- what is told ----


def test_a_video_is_divided(model: ScenesModel, network: Network, film: Path) -> None:
    told = model.scenes(film)
    assert (told.frames, told.fps, told.variable, told.seconds) == (60, 10, False, 6)
    assert (told.width, told.height, told.source) == (64, 48, str(film))
    assert [(s.number, s.start, s.end) for s in told.scenes] == [
        (1, 0, 20), (2, 20, 35), (3, 35, 60)
    ]  # fmt: skip
    assert [(s.start_seconds, s.end_seconds) for s in told.scenes] == [(0, 2), (2, 3.5), (3.5, 6)]
    assert told.scenes[0].begins is None
    assert told.scenes[1].begins == Boundary(20, "cut", 0.9, 20, 20)
    # Each frame was seen once, in order, made as small as the network wants it.
    small = [cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in numbered(LENGTHS)]
    assert len(network.seen) == 60
    assert all((a == b).all() for a, b in zip(network.seen, small, strict=True))
    assert json.loads(json.dumps(told.to_dict()))["scenes"][1]["begins"]["kind"] == "cut"


def test_progress_comes_in_between(
    model: ScenesModel, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "WAIT", 0)
    progress = list(model.scenes_steps(film))
    assert progress
    assert all(isinstance(item, library.results.Progress) for item in progress)


def test_thresholds(model: ScenesModel, network: Network, film: Path) -> None:
    network.told = [Boundary(9, "cut", 0.6, 9, 9), Boundary(30, "cut", 0.95, 30, 30)]
    assert [scene.start for scene in model.scenes(film).scenes] == [0, 9, 30]
    assert [scene.start for scene in model.scenes(film, 0.7).scenes] == [0, 30]
    list(model.stream(film, 0.25))
    assert network.thresholds == [0.5, 0.7, 0.25]
    with pytest.raises(OptionError, match=r"Invalid --threshold 1.5. It must be less than 1."):
        model.scenes(film, 1.5)


def test_times_are_the_frames_own(model: ScenesModel, network: Network, tmp_path: Path) -> None:
    frames = noise(20, 48, 64)
    clip = write_clip(tmp_path / "clip.mp4", frames, 10, "mp4v")
    retime(clip, [512] * 10 + [1536] * 10)
    times = [frame.time for frame in open_frames(clip)]
    assert times[15] == pytest.approx(0.5 + 5 * 0.15)
    network.told = [Boundary(5, "cut", 1.0, 5, 5), Boundary(15, "cut", 1.0, 15, 15)]
    told = model.scenes(clip)
    assert told.variable
    assert [scene.start_seconds for scene in told.scenes] == pytest.approx(
        [0, times[5], times[15]], abs=1e-6
    )
    assert told.fps == pytest.approx(20 / told.seconds)


def open_frames(path: Path) -> Iterator[Any]:
    with open_video(path) as video:
        yield from video


def test_few_times_are_kept(
    model: ScenesModel, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "KEPT", LATE + 1)
    assert [scene.start_seconds for scene in model.scenes(film).scenes] == [0, 2, 3.5]
    assert [change.seconds for change in model.stream(film)] == [2, 3.5]
    monkeypatch.setattr(verb, "KEPT", LATE)
    with pytest.raises(IndexError):
        model.scenes(film)


def test_one_frame_is_one_scene(model: ScenesModel, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "one.avi", noise(1), 10)
    told = model.scenes(clip)
    assert told.scenes == (Scene(1, 0, 1, 0.0, 0.1, None),)
    assert list(model.stream(clip)) == []


def test_pictures_in_a_folder_are_a_sequence(model: ScenesModel, tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(12)]
    folder = write_images(tmp_path / "pictures", numbered([7, 5]), names)
    told = model.scenes(folder)
    assert [(scene.start, scene.end) for scene in told.scenes] == [(0, 7), (7, 12)]
    assert told.fps == 25


def test_a_turned_video_tells_its_size_as_shown(model: ScenesModel, tmp_path: Path) -> None:
    clip = turn(write_clip(tmp_path / "clip.mp4", noise(5, 48, 64), 10, "mp4v"))
    told = model.scenes(clip)
    assert (told.width, told.height) == (48, 64)


def test_warnings_of_a_source_are_logged(
    model: ScenesModel, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    told = model.scenes(film)
    assert told.frames < 60
    assert f"{film} ends early" in caplog.text


def test_what_cannot_be_read(model: ScenesModel, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        model.scenes(tmp_path / "missing.mp4")
    with pytest.raises(OptionError, match=r"camera:0 is no file or folder"):
        model.scenes("camera:0")


def test_leaving_early_ends_the_reading(
    model: ScenesModel, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "WAIT", 0)
    monkeypatch.setattr(verb, "CHUNK", 1)
    clip = write_clip(tmp_path / "long.avi", noise(200), 10)
    steps = model.scenes_steps(clip)
    next(steps)
    steps.close()
    assert len(network.seen) < 200


# ---- streams ----


def test_a_stream_tells_what_scenes_do_a_little_later(
    model: ScenesModel, network: Network, film: Path
) -> None:
    changes = list(model.stream(film))
    assert [change.frame for change in changes] == [20, 35]
    assert changes[0] == SceneChange(Boundary(20, "cut", 0.9, 20, 20), 2.0, pytest.approx(2.3))
    assert changes[1].to_dict()["boundary"]["start"] == 35


def test_a_live_stream_counts_on_after_a_reconnect(
    model: ScenesModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = [np.full((SIZE, SIZE, 3), shade, np.uint8) for shade in [0] * 6 + [200] * 6]

    def live(
        source: str, fps: float, size: tuple[int, int], tell: Any
    ) -> Iterator[types.SimpleNamespace]:
        assert (source, fps, size) == ("camera:0", 25, (SIZE, SIZE))
        for connection in range(2):
            for n, rgb in enumerate(shots):
                time = n / 25 + connection
                yield types.SimpleNamespace(rgb=rgb, time=time, connection=connection)

    monkeypatch.setattr(verb, "live_frames", live)
    changes = list(model.stream("camera:0"))
    assert [change.frame for change in changes] == [6, 18]
    assert [change.boundary.start for change in changes] == [6, 18]
    assert [change.seconds for change in changes] == pytest.approx([6 / 25, 1 + 6 / 25])
    assert [change.known for change in changes] == pytest.approx([9 / 25, 1 + 9 / 25])


# ---- scenes as such ----


def divided(frames: int = 60, fps: float = 10.0, source: str = "film.mkv") -> Scenes:
    pairs = [(boundary, boundary.frame / fps) for boundary in gradual()]
    scenes = divide(pairs, frames, frames / fps)
    return Scenes(source, "m", frames, fps, False, frames / fps, 64, 48, scenes)


def test_clear_frames_show_nothing_of_others() -> None:
    told = divided()
    assert [told.clear(scene) for scene in told.scenes] == [
        range(15), range(25, 33), range(38, 50), range(51, 60)
    ]  # fmt: skip
    pairs = [(Boundary(10, "dissolve", 1.0, 5, 15), 1.0), (Boundary(16, "fade", 1.0, 13, 20), 1.6)]
    crowded = Scenes("v", "m", 30, 10.0, False, 3.0, 9, 9, divide(pairs, 30, 3.0))
    assert crowded.clear(crowded.scenes[1]) == range(10, 16)


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3661.5, "01:01:01.500"),
     (360000.25, "100:00:00.250")],
)  # fmt: skip
def test_timecodes(seconds: float, wanted: str) -> None:
    assert timecode(seconds) == wanted


# ---- edit lists ----

EVENT = re.compile(
    r"(?P<number>\d{3,})  (?P<reel>\S{1,8}) {1,8} V     "
    r"(?P<code>C   |D   |W001) (?P<length>   |\d{3}) "
    + " ".join(rf"(?P<{name}>\d\d:\d\d:\d\d:\d\d)" for name in ("a", "b", "c", "d"))
)


def parse(text: str, rate: int) -> list[tuple[int, str, int, int, int]]:
    """Return the events of an edit list: number, code, length, first frame, last frame + 1."""

    def frames(code: str) -> int:
        hours, minutes, seconds, rest = map(int, code.split(":"))
        assert rest < rate
        return ((hours * 60 + minutes) * 60 + seconds) * rate + rest

    title, mode, *lines = text.splitlines()
    assert title.startswith("TITLE: ")
    assert mode == "FCM: NON-DROP FRAME"
    events = []
    for line in lines:
        if not line or line.startswith("* "):
            continue
        found = EVENT.fullmatch(line)
        assert found, line
        a, b, c, d = (frames(found[name]) for name in "abcd")
        assert (a, b) == (c, d)
        code, length = found["code"].strip(), int(found["length"].strip() or 0)
        events.append((int(found["number"]), code, length, a, b))
    return events


def test_an_edit_list_gives_the_source_again() -> None:
    text = edit_list(divided())
    assert parse(text, 10) == [
        (1, "C", 0, 0, 15),
        (2, "C", 0, 15, 15), (2, "D", 10, 15, 33),
        (3, "C", 0, 33, 33), (3, "D", 5, 33, 50),
        (4, "C", 0, 50, 50), (4, "W001", 1, 50, 60),
    ]  # fmt: skip
    assert text.count("* FROM CLIP NAME: film.mkv\n") == 4
    assert text.count("* TO CLIP NAME: film.mkv\n") == 3
    assert text.count("* COMMENT: FADE\n") == 1


def cuts_at(times: list[tuple[int, float]], frames: int, seconds: float, **more: Any) -> Scenes:
    pairs = [(Boundary(frame, "cut", 1.0, frame, frame), time) for frame, time in times]
    about = {"source": "v.mp4", "fps": frames / seconds, "variable": False} | more
    return Scenes(
        about["source"], "m", frames, about["fps"], about["variable"], seconds, 9, 9,
        divide(pairs, frames, seconds),
    )  # fmt: skip


def test_timecodes_of_edit_lists_count_frames_at_the_rounded_rate() -> None:
    ntsc = cuts_at([(1800, 1800 * 1.001 / 30)], 108000, 3603.6, fps=30 / 1.001)
    text = edit_list(ntsc)
    assert "00:01:00:00 01:00:00:00" in text
    assert parse(text, 30) == [(1, "C", 0, 0, 1800), (2, "C", 0, 1800, 108000)]


def test_uneven_frames_go_by_time_in_edit_lists() -> None:
    uneven = cuts_at([(5, 0.5), (6, 0.51), (15, 4.0)], 20, 8.0, fps=10.0, variable=True)
    assert [(start, end) for *_, start, end in parse(edit_list(uneven), 10)] == [
        (0, 5), (5, 6), (6, 40), (40, 80)
    ]  # fmt: skip
    odd = cuts_at([(25, 2.0)], 125, 10.0)  # 12.5 frames/s, which no timecode has
    assert [(start, end) for *_, start, end in parse(edit_list(odd), 12)] == [(0, 24), (24, 120)]


def test_names_in_edit_lists_stay_in_their_line() -> None:
    text = edit_list(cuts_at([], 10, 1.0, source="dir/-a\n* b\x1b\u202e.mp4"))
    assert "TITLE: -a?* b??.mp4\n" in text
    assert len(text.splitlines()) == 5


def test_many_scenes_in_an_edit_list(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    from vidgru.verbs.edl import write_edl

    many = cuts_at([(n, n / 10) for n in range(1, 1000)], 1000, 100.0)
    write_edl(many, tmp_path / "v.edl")
    assert "v.mp4 has 1000 scenes. The format has numbers up to 999" in caplog.text
    assert parse((tmp_path / "v.edl").read_text(), 10)[-1] == (1000, "C", 0, 999, 1000)


# ---- the command ----


def test_the_table(vidgru: Vidgru, network: Network, film: Path) -> None:
    network.told = gradual()[:2]
    done = vidgru("scenes", film)
    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]
    assert lines[0] == str(film)
    assert lines[1] == "scene from to frames seconds count begins with confidence"
    assert lines[3:] == [
        "1 00:00:00.000 00:00:02.000 0-19 2.000 20 - -",
        "2 00:00:02.000 00:00:03.500 20-34 1.500 15 dissolve, 10 frames 80.0 %",
        "3 00:00:03.500 00:00:06.000 35-59 2.500 25 fade, 5 frames 75.0 %",
        "3 scenes in 0:06.00, 60 frames at 10/s, 64x48 pixels.",
    ]


def test_json_and_csv(vidgru: Vidgru, network: Network, film: Path, tmp_path: Path) -> None:
    broken, table = tmp_path / "broken.mp4", tmp_path / "t.csv"
    broken.write_text("no video")
    done = vidgru("scenes", film, broken, film, "--json", "--csv", table)
    assert done.code == 1
    sentence = f"Cannot read {broken}: not a video that can be opened."
    assert done.err == f"Error: {sentence}\n"
    first, failure = map(json.loads, done.out.splitlines())
    assert failure == {"source": str(broken), "error": sentence}
    assert [scene["start"] for scene in first["scenes"]] == [0, 20, 35]
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[1] == {
        "source": str(film), "scene": "2", "start": "00:00:02.000", "end": "00:00:03.500",
        "start_seconds": "2.000000", "end_seconds": "3.500000", "start_frame": "20",
        "end_frame": "35", "transition": "cut", "transition_start": "20", "transition_end": "20",
        "confidence": "0.900000", "error": "",
    }  # fmt: skip
    assert (rows[3]["source"], rows[3]["error"]) == (str(broken), sentence)


def test_names_that_would_do_harm(
    vidgru: Vidgru, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "-dash.mkv"):
        write_clip(tmp_path / name, numbered([4, 4]), 10)
    options = ["--csv", "t.csv", "--edl", "edl", "--images", "im", "--sheet", "sh", "--split", "sp"]
    done = vidgru("scenes", *options, "--", "=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "-dash.mkv")
    assert done.code == 0, done.err
    assert r"[red]a\x1b[31m\nb.mkv" in done.out
    assert "\x1b" not in done.out + done.err
    with open("t.csv", newline="") as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources[::2] == ["./=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "./-dash.mkv"]
    names = {path.name for path in Path("edl").iterdir()}
    assert names == {"=cmd|x.edl", "[red]a\x1b[31m\nb.edl", "-dash.edl"}
    assert sorted(path.name for path in Path("sp/-dash").iterdir()) == [
        f"scene-001{PIECES}", f"scene-002{PIECES}"
    ]  # fmt: skip


def test_frames_of_scenes_as_pictures(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path
) -> None:
    network.told = gradual()
    out = tmp_path / "pictures"
    done = vidgru("scenes", film, "--images", out)
    assert done.code == 0
    assert done.err == f"Saved: {out}\n"
    wanted = [(0, 7, 14), (25, 29, 32), (38, 44, 49), (51, 55, 59)]
    kinds = "first", "last", "middle"
    names = [f"scene-00{n}-{kind}.jpg" for n in (1, 2, 3, 4) for kind in kinds]
    assert sorted(path.name for path in out.iterdir()) == names
    for number, frames in enumerate(wanted, 1):
        for what, frame in zip(("first", "middle", "last"), frames, strict=True):
            picture = cv2.imread(str(out / f"scene-00{number}-{what}.jpg"))
            assert picture is not None
            assert picture.shape == (48, 64, 3)
            assert number_of(picture) == frame


def test_a_scene_of_one_frame_has_three_pictures(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered([1, 1, 1]), 10)
    assert vidgru("scenes", clip, "--images", tmp_path / "out", "-q").code == 0
    pictures = {path.name: cv2.imread(str(path)) for path in (tmp_path / "out").iterdir()}
    assert len(pictures) == 9
    assert {number_of(pictures[f"scene-002-{w}.jpg"]) for w in ("first", "middle", "last")} == {1}


def test_several_sources_have_folders_of_their_own(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    for name in ("a/one.mkv", "b/two.mkv"):
        write_clip(tmp_path / "films" / name, numbered([4, 4]), 10)
    broken = tmp_path / "films/c.mkv"
    broken.write_text("no video")
    folders = [tmp_path / name for name in ("im", "sp", "edl", "sh")]
    done = vidgru(
        "scenes", tmp_path / "films", "--images", folders[0], "--split", folders[1],
        "--edl", folders[2], "--sheet", folders[3],
    )  # fmt: skip
    assert done.code == 1
    assert done.err.count("Saved: ") == 8
    assert done.err.count("Error: ") == 1
    for name in ("a/one", "b/two"):
        assert len(list((folders[0] / name).iterdir())) == 6
        assert [read_numbers(folders[1] / name / f"scene-00{n}{PIECES}") for n in (1, 2)] == [
            [0, 1, 2, 3], [4, 5, 6, 7]
        ]  # fmt: skip
        assert len(parse((folders[2] / f"{name}.edl").read_text(), 10)) == 2
        assert (folders[3] / f"{name}.png").is_file()


def read_numbers(path: Path) -> list[int]:
    return [number_of(frame) for frame in read(path)]


OUTPUTS = [
    ("--csv", "t.csv", "t.csv"),
    ("--edl", "t.edl", "t.edl"),
    ("--edl", "lists/", "lists/film.edl"),
    ("--sheet", "t.png", "t.png"),
    ("--images", "out", "out/scene-003-last.jpg"),
    ("--split", "out", "out/scene-003.mkv"),
]


@pytest.mark.parametrize(("option", "target", "file"), OUTPUTS, ids=str)
def test_nothing_is_overwritten_unless_that_is_said(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, option: str, target: str, file: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    other = tmp_path / file
    other.parent.mkdir(exist_ok=True)
    other.write_text("mine")
    (other.parent / "note.txt").write_text("mine")
    done = vidgru("scenes", film, option, target)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {file} is there already")
    assert other.read_text() == "mine"
    network.told = [Boundary(20, "cut", 0.9, 20, 20)]  # two scenes: the third one's file is old
    assert vidgru("scenes", film, option, target, "--overwrite").code == 0
    assert not other.exists() or other.read_bytes() != b"mine"
    assert other.exists() == (target != "out")
    assert (other.parent / "note.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--csv", "film.mkv"], "film.mkv cannot be read and written at once: write elsewhere."),
        (["--images", ""], "--images is empty: give a folder."),
        (["--edl", "t.txt"], "Cannot write t.txt: the name must end with .edl, or be a folder."),
        (["--sheet", "t.jpg"], "Cannot write t.jpg: the name must end with .png, or be a folder."),
        (["--csv", "t.edl", "--edl", "t.edl"], "t.edl would be written twice: give another name."),
        (
            ["--heatmap", "t.png"],
            "--heatmap shows what --objects tells: give that, too.",
        ),
        (["--threshold", "1"], "Invalid --threshold 1.0. It must be less than 1."),
    ],
    ids=str,
)
def test_wrong_usage(
    vidgru: Vidgru, network: Network, film: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(film.parent)
    done = vidgru("scenes", "film.mkv", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {sentence}\n"
    assert network.seen == []


def test_a_source_is_never_written_over(vidgru: Vidgru, network: Network, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "scene-001.mkv", numbered([4, 4]), 10)
    done = vidgru("scenes", clip, "--split", tmp_path, "--overwrite")
    assert done.code == 2
    assert done.err == (
        f"Error: {clip} cannot be read and written at once: give another --split.\n"
    )
    assert read_numbers(clip) == list(range(8))


def test_live_sources_are_for_python(vidgru: Vidgru, network: Network) -> None:
    done = vidgru("scenes", "camera:0")
    assert done.code == 2
    assert "camera:0 is no file or folder." in done.err


def test_a_folder_that_is_a_file(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    done = vidgru("scenes", film, "--images", tmp_path / "out", "--overwrite")
    assert done.code == 1
    assert done.err == f"Error: Cannot write to {tmp_path / 'out'}: it is a file, not a folder.\n"


def test_a_folder_that_cannot_be_made(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path
) -> None:
    (tmp_path / "note").touch()
    inside = tmp_path / "note" / "x"  # no permissions keep root out
    done = vidgru(
        "scenes", film, "--split", inside, "--images", inside, "--edl", tmp_path / "t.edl"
    )
    assert done.code == 1
    assert (tmp_path / "t.edl").is_file()
    errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    assert all(line.startswith(f"Error: Cannot write {inside}") for line in errors)
    assert all(line.endswith(": Not a directory.") for line in errors)


def test_a_full_disk_costs_one_output_only(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidgru.verbs import scenes_save

    def full(path: Path, rgb: Image) -> None:
        raise OutputError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(scenes_save, "write_image", full)
    other = write_clip(tmp_path / "other.mkv", numbered([4, 4]), 10)
    done = vidgru("scenes", film, other, "--images", tmp_path / "im", "--edl", tmp_path / "edl")
    assert done.code == 1
    assert done.err.count("No space left on device.") == 2
    assert {path.name for path in (tmp_path / "edl").iterdir()} == {"film.edl", "other.edl"}
    assert "2 scenes in" in done.out


def test_interrupted(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_clip(tmp_path / "other.mkv", numbered([4, 4]), 10)
    steps = ScenesModel.scenes_steps

    def stopped(self: ScenesModel, source: Path, threshold: float | None) -> Iterator[Any]:
        if source == other:
            raise KeyboardInterrupt
        return steps(self, source, threshold)

    monkeypatch.setattr(ScenesModel, "scenes_steps", stopped)
    table = tmp_path / "t.csv"
    done = vidgru("scenes", film, other, "--csv", table)
    assert done.code == 130
    assert done.err == "\nStopped: Interrupted. 1 of 2 sources were done to their end.\n"
    assert len(table.read_text().splitlines()) == 4


# ---- contact sheets ----


def test_a_contact_sheet_shows_middle_frames(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    frames = numbered(LENGTHS, 180, 320)
    film, sheet = write_clip(tmp_path / "film.mkv", frames, 10), tmp_path / "sheet.png"
    done = vidgru("scenes", film, "--sheet", sheet)
    assert done.code == 0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    shown = picture[..., ::-1]
    for index, middle in enumerate((10, 27, 47)):  # in two columns
        y, x = 8 + 28 + index // 2 * (135 + 28 + 8), 8 + index % 2 * (240 + 8)
        assert (shown[y : y + 135, x : x + 240] == shrink(frames[middle], (240, 135))).all()


def test_sheets_are_bounded() -> None:
    assert pick(5) == [0, 1, 2, 3, 4]
    shown = pick(1000)
    assert (len(shown), shown[0], shown[-1]) == (MOST, 0, 999)
    for size in [(1920, 1080), (48, 64), (1, 4000), (4000, 1)]:
        width, height = thumbnail_size(*size)
        assert 32000 < width * height < 52000
        assert width >= 144
    picture = np.zeros((135, 240, 3), np.uint8)
    full = contact_sheet([picture] * MOST, [(n, n) for n in range(MOST)], "t" * 300, "note")
    assert full.shape[0] < 3000
    assert full.shape[1] < 4000
    assert contact_sheet([picture[:, :90]], [(1, 0.0)], "name", "1 scene").shape[1] > 90


def test_a_sheet_that_leaves_scenes_out_says_so(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidgru.verbs import scenes_save
    from vidgru.video import sheet

    notes = []
    draw = contact_sheet
    monkeypatch.setattr(sheet, "MOST", 2)
    monkeypatch.setattr(
        scenes_save, "contact_sheet", lambda *words: notes.append(words[1:]) or draw(*words)
    )
    assert vidgru("scenes", film, "--sheet", tmp_path / "s.png").code == 0
    assert notes == [([(1, 0.0), (3, 3.5)], "film.mkv", "2 of 3 scenes")]


# ---- pieces ----


def cut(source: Path, lengths: list[int], out: Path) -> list[pieces.Piece]:
    ends = list(np.cumsum(lengths))
    spans = [(int(end) - length, int(end)) for end, length in zip(ends, lengths, strict=True)]
    times = [0.0, *(float(end) / 10 for end in ends)]
    steps = cut_video(source, spans, times, 10.0, lambda n: out / f"scene-{n + 1:03}")
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            made: list[pieces.Piece] = stop.value
            return made


def ffmpeg(*words: object) -> None:
    import subprocess

    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def check_pieces(made: list[pieces.Piece], lengths: list[int]) -> None:
    numbers = [read_numbers(piece.path) for piece in made]
    assert [len(each) for each in numbers] == lengths
    assert [number for each in numbers for number in each] == list(range(sum(lengths)))


@needs_ffmpeg
def test_pieces_between_key_frames_are_copied(film: Path, tmp_path: Path) -> None:
    lengths = [24, 12, 24]  # OpenCV's FFV1 has a key frame every 12 frames
    made = cut(film, lengths, tmp_path / "out")
    assert [piece.made for piece in made] == ["copied"] * 3
    check_pieces(made, lengths)
    frames = np.concatenate([read(piece.path) for piece in made])
    assert (frames == numbered(LENGTHS)).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "scene-001.mkv", "scene-002.mkv", "scene-003.mkv"
    ]  # fmt: skip


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("bframes", [0, 3])
def test_only_what_must_be_is_encoded_anew(
    film: Path, tmp_path: Path, suffix: str, bframes: int
) -> None:
    long, sound = tmp_path / f"100 %d{suffix}", ("-f", "lavfi", "-i", "sine=duration=6")
    ffmpeg(
        "-i", film, *sound, "-c:v", "libx264", "-bf", bframes, "-pix_fmt", "yuv420p", "-g", 20,
        "-keyint_min", 20, "-sc_threshold", 0, "-c:a", "aac", f"file:{long}",
    )  # fmt: skip
    lengths = [20, 15, 5, 20]  # key frames at 0, 20 and 40
    made = cut(long, lengths, tmp_path / "out %d")
    check_pieces(made, lengths)
    assert [piece.made for piece in made] == ["copied", "encoded", "encoded", "copied"]
    assert {piece.path.suffix for piece in made} == {".mp4" if suffix == ".mp4" else ".mkv"}
    for piece, length in zip(made, lengths, strict=True):
        assert sound_of(piece.path) == pytest.approx(length / 10, abs=0.06)


def sound_of(path: Path) -> float:
    """Return how many seconds of sound a file holds."""
    raw = path.with_suffix(".raw")
    ffmpeg("-i", f"file:{path}", "-map", "0:a:0", "-f", "s16le", "-ac", 1, "-ar", 8000, raw)
    seconds = raw.stat().st_size / 16000
    raw.unlink()
    return seconds


@needs_ffmpeg
def test_open_groups_are_not_cut_where_frames_would_be_lost(film: Path, tmp_path: Path) -> None:
    open_gop = tmp_path / "open.mp4"
    ffmpeg(
        "-i", film, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params",
        "open-gop=1:keyint=20:min-keyint=20:scenecut=0:bframes=3:b-adapt=0", open_gop,
    )  # fmt: skip
    lengths = [20, 20, 20]
    check_pieces(cut(open_gop, lengths, tmp_path / "out"), lengths)


@needs_ffmpeg
def test_uneven_times_stay_in_pieces(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", numbered([20]), 10, "mp4v")
    retime(clip, [512] * 10 + [1536] * 10)
    times = [frame.time for frame in open_frames(clip)]
    made = cut(clip, [5, 15], tmp_path / "out")
    check_pieces(made, [5, 15])
    got = [frame.time for frame in open_frames(made[1].path)]
    assert got == pytest.approx([time - times[5] for time in times[5:]], abs=0.002)


@needs_ffmpeg
def test_odd_sides_and_one_scene(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", numbered([12]), 10, "MJPG")
    (whole,) = cut(clip, [12], tmp_path / "whole")
    assert whole.made == "copied"
    check_pieces([whole], [12])
    odd = tmp_path / "odd.mp4"
    ffmpeg(
        "-i",
        clip,
        "-vf",
        "format=yuv444p,crop=63:47:0:0,format=yuv420p",
        "-c:v",
        "mpeg4",
        "-q:v",
        2,
        odd,
    )
    assert read(odd)[0].shape == (47, 63, 3)
    made = cut(odd, [5, 7], tmp_path / "out")
    assert [piece.made for piece in made] == ["encoded", "encoded"]
    check_pieces(made, [5, 7])
    assert read(made[1].path)[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("packets", "wanted"),
    [
        ("0,K__ 20,___ 10,___ 30,K__ 40,___", {0, 3}),
        ("0,K__ 30,K__ 10,___ 20,___ 40,___", {0}),  # frames after it are shown before it
        ("0,K__ 10,___ 40,___ 30,K__ 50,___", {0}),  # a frame before it is shown after it
        ("0,K__ 10,___  20,K__,  30,___ 40,K__", {0, 2, 4}),  # other versions, other lines
        ("0,K__ 10,K__ 20,K__ 30,K__", set()),  # it says less than is read
        ("N/A,K__ 10,___ 20,___ 30,___ 40,___", set()),
    ],
)
def test_where_a_file_can_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packets: str, wanted: set[int]
) -> None:
    lines = packets.replace(" ", "\\n")
    programs(tmp_path / "one", monkeypatch, ffprobe=f"printf '{lines}\\n'")
    work = pieces._Work("ffmpeg", "libx264", ".mkv", tmp_path, FileClock())
    steps = work._key_frames(tmp_path / "v.mp4", 5)
    assert library.results.run_to_end(steps) == wanted


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Let only these programs be found."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_without_ffmpeg_pieces_are_silent(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    programs(tmp_path / "none", monkeypatch)
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["silent"] * 3
    assert [piece.path.name for piece in made] == [f"scene-00{n}.mp4" for n in (1, 2, 3)]
    check_pieces(made, LENGTHS)
    assert (
        f"{film}: 3 of 3 pieces are written without sound and at an even rate: there is no ffmpeg"
        " program that can encode it."
    ) in caplog.text


@needs_ffmpeg
def test_without_ffprobe_all_is_encoded_anew(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "one", monkeypatch, ffmpeg=f'exec {FFMPEG} "$@"')
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["encoded"] * 3
    check_pieces(made, LENGTHS)


@needs_ffmpeg
def test_without_x264_it_is_mpeg4(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FFMPEG
    listing = f'case "$*" in *-encoders*) {real} "$@" | /bin/grep -v 264;; *) {real} "$@";; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=listing)
    made = cut(film, LENGTHS, tmp_path / "out")
    check_pieces(made, LENGTHS)
    capture = cv2.VideoCapture(str(made[0].path))
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") in (b"FMP4", b"mp4v")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo No space left on device. >&2; exit 1", "ffmpeg says: No space left on device"),
        ("exit 0", "what ffmpeg makes of it are not its frames"),
    ],
)
def test_a_program_that_fails_costs_no_piece(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    script: str, reason: str,
) -> None:  # fmt: skip
    answer = f'case "$*" in *-encoders*) echo " V..... libx264 x";; *) {script};; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    # The recorder would ask the same program.
    monkeypatch.setattr(record, "ENCODERS", {".mp4": {}, ".webm": {}})
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["silent"] * 3
    check_pieces(made, LENGTHS)
    assert f"even rate: {reason}." in caplog.text


def test_a_program_that_hangs_is_ended(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = 'case "$*" in *-encoders*) echo " V..... libx264 x";; *) exec /bin/sleep 60;; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    monkeypatch.setattr(pieces, "STUCK", 0.2)
    monkeypatch.setattr(record, "ENCODERS", {".mp4": {}, ".webm": {}})
    made = cut(film, LENGTHS, tmp_path / "out")
    check_pieces(made, LENGTHS)
    assert "ffmpeg wrote nothing for 0 s." in caplog.text


def test_ctrl_c_ends_the_program_and_leaves_nothing(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "pid"
    answer = (
        'case "$*" in *-encoders*) echo " V..... libx264 x";; '
        f"*) echo $$ > {note}; exec /bin/sleep 60;; esac"
    )
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    spans, times = [(0, 30), (30, 60)], [0.0, 3.0, 6.0]
    steps = cut_video(film, spans, times, 10.0, lambda n: tmp_path / f"out/{n}")
    while not note.exists() or not note.read_text().strip():
        next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_become_pieces_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{n}.png" for n in range(12)]
    folder = write_images(tmp_path / "pictures", numbered([12]), names)
    made = cut(folder, [7, 5], tmp_path / "out")
    check_pieces(made, [7, 5])
    assert "sound" not in caplog.text


def test_a_video_that_has_become_shorter(film: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"film.mkv has changed: it ends before frame 99."):
        cut(film, [30, 70], tmp_path / "out")


# ---- the model file ----


def test_the_shipped_model_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "SHIPPED_SCENES", tmp_path / "none")
    with pytest.raises(ModelError, match="This vidgru comes without its model of scenes"):
        verb.load_scenes()


def test_a_model_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(path: Path) -> types.SimpleNamespace:
        asked.append(path)
        return types.SimpleNamespace(path=path, network=Network(), spec=None, metrics={})

    monkeypatch.setattr(verb, "read_model", opened)
    shipped = tmp_path / "shipped"
    shipped.touch()
    monkeypatch.setattr(verb, "SHIPPED_SCENES", shipped)
    assert library.load_scenes().path == shipped
    assert library.load_scenes(tmp_path / "mine", device="cpu", threads=1).path == tmp_path / "mine"
    assert asked == [shipped, tmp_path / "mine"]
