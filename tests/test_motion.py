"""`vidgru motion`: the network's numbers in the source's units, by the second; how it fails."""

import csv
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, retime, turn, write_clip, write_images
from test_moves import CAR, Thing, scene

import vidgru as library
from vidgru import MotionField, TrainResult
from vidgru.data.flow import FlowMeter, cell_means
from vidgru.engine.checkpoint import LoadedMotion, save_model
from vidgru.errors import ModelError, OptionError, VideoError
from vidgru.nn.inputs import normalise
from vidgru.nn.motion import MotionNetwork
from vidgru.spec import MotionSpec
from vidgru.tasks.motion import read_outputs
from vidgru.verbs import motion
from vidgru.verbs.motion import MotionModel, Probe
from vidgru.verbs.predict import Pace
from vidgru.video.read import Frame

Vidgru = Callable[..., Done]
SPEC = MotionSpec("motion", "convgru", 8, 12.5, 8, 32)


def network() -> MotionNetwork:
    """Return a network of random weights that tells pictures apart."""
    torch.manual_seed(0)
    made = MotionNetwork(SPEC.size, SPEC.hidden)
    for _ in range(20):  # batch norms that know what pictures look like
        clip, flow = torch.randn(2, 6, 3, SPEC.size, SPEC.size), torch.randn(2, 6, 8, 8, 2)
        made.train()(clip, flow, torch.tensor([12.5, 10.0]))
    for part in made.head.parameters():
        part.data *= 4
    torch.nn.init.normal_(made.tell.weight, std=0.3)  # a new network tells nothing of its own
    return made.eval()


def loaded() -> LoadedMotion:
    return LoadedMotion(Path("motion.safetensors"), network(), SPEC, {})


@pytest.fixture
def model() -> MotionModel:
    return MotionModel(loaded(), torch.device("cpu"))


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "motion.safetensors"
    save_model(path, network().state_dict(), SPEC, {})
    return path


def stepped(frames: list[np.ndarray], rate: float, width: int, height: int) -> list[np.ndarray]:
    """Return velocity, spread and moving of each frame by driving the network step by step."""
    made, state, found, meter = network(), None, [], FlowMeter(rate)
    for frame in frames:
        small = cv2.resize(frame, (SPEC.size, SPEC.size), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            pixels = normalise(torch.from_numpy(small)[None])
            flow = torch.from_numpy(cell_means(meter.next(small)))[None]
            outputs, state = made.step(pixels, flow, torch.tensor([rate]), state)
        told = read_outputs(outputs[0])
        scaled = told.velocity.numpy() * np.array([width, height])
        moving = 1 / (1 + np.exp(-told.moving.numpy()))
        found.append(
            np.concatenate([scaled.ravel() / width, told.spread.numpy().ravel(), moving.ravel()])
        )
    return found


def flat(field: MotionField, width: int) -> np.ndarray:
    parts = field.velocity / width, field.spread / width, field.moving
    return np.concatenate([part.ravel() for part in parts])


def test_chunks_give_what_steps_give(
    model: MotionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = noise(45, 64, 96)
    clip = write_clip(tmp_path / "clip.avi", frames, 12.5)
    fields = list(model.fields(clip))
    assert [field.time for field in fields] == pytest.approx(np.arange(1, 45) / 12.5)
    direct = stepped(list(frames), 12.5, 96, 64)
    assert np.abs(np.diff(direct, axis=0)).max() > 0.01  # they differ from frame to frame
    for field, wanted in zip(fields, direct[1:], strict=True):
        assert field.velocity.shape == (4, 2, 2, 2)
        assert flat(field, 96) == pytest.approx(wanted, abs=1e-5)
    model._most = 8  # other chunks
    again = list(model.fields(clip))
    for field, other in zip(fields, again, strict=True):
        assert flat(field, 96) == pytest.approx(flat(other, 96), abs=1e-5)


def test_pieces_are_of_few_sizes() -> None:
    frames = [Frame(np.zeros((1, 1, 3), np.uint8), float(n), n) for n in range(32)]
    flow = np.zeros((8, 8, 2), np.float32)
    marked = [motion._Seen(frame, frame.index in (0, 9, 10), flow) for frame in frames]
    pieces = [([s.frame.index for s in shown], new) for shown, new in motion._pieces(marked)]
    assert [(len(indices), new) for indices, new in pieces] == [
        (8, True), (1, False), (1, True), (16, True), (4, False), (2, False)
    ]  # fmt: skip
    assert [index for indices, _ in pieces for index in indices] == list(range(32))


def test_a_shot_begins_afresh(model: MotionModel, tmp_path: Path) -> None:
    base = noise(1, 32, 32)[0] // 4
    one = np.stack([np.roll(base, n, axis=1) for n in range(20)])
    two = np.stack([np.roll(255 - base, n, axis=0) for n in range(17)])
    both = write_clip(tmp_path / "both.avi", np.concatenate([one, two]), 12.5)
    alone = write_clip(tmp_path / "alone.avi", two, 12.5)
    fields = list(model.fields(both))
    missing = set(range(37)) - {round(field.time * 12.5) for field in fields}
    assert missing == {0, 20}
    for field, other in zip(fields[19:], model.fields(alone), strict=True):
        assert field.time == pytest.approx(other.time + 20 / 12.5)
        assert flat(field, 32) == pytest.approx(flat(other, 32), abs=1e-5)


def test_a_rotated_video_is_told_upright(model: MotionModel, tmp_path: Path) -> None:
    frames = noise(14, 48, 96)
    turned = turn(write_clip(tmp_path / "turned.mp4", frames, 12.5, "mp4v"))
    flat_one = write_clip(tmp_path / "flat.mp4", frames, 12.5, "mp4v")
    assert model.probe(flat_one) == Probe(96, 48, 12.5)
    assert model.probe(turned) == Probe(48, 96, 12.5)
    images = write_images(tmp_path / "images", frames[:3], ["1.png", "2.png", "3.png"])
    assert model.probe(images) == Probe(96, 48, 25.0)
    upright = list(model.fields(turned))
    assert len(upright) == 13
    said = model.analyse(turned)
    assert (said.width, said.height, said.frames, said.fps) == (48, 96, 14, 12.5)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(30, 15), (25, 12.5), (12.5, 12.5), (24, 12), (60, 12), (8, 8), (1, 1), (240, 240 / 19)],
)
def test_the_rate(model: MotionModel, tmp_path: Path, fps: float, rate: float) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(13), fps)
    assert model.probe(clip).rate == pytest.approx(rate)


def test_the_rate_where_frames_come_unevenly(model: MotionModel, tmp_path: Path) -> None:
    """One long hold makes the mean rate, which a file declares, far too low."""
    clip = write_clip(tmp_path / "clip.mp4", noise(20), 20, "mp4v")
    retime(clip, [512] * 15 + [100_000] + [512] * 4)
    capture = cv2.VideoCapture(str(clip))
    assert capture.get(cv2.CAP_PROP_FPS) < 4
    assert model.probe(clip).rate == pytest.approx(10)


def test_a_few_frames(model: MotionModel, tmp_path: Path) -> None:
    # A change that is large would be a cut.
    two = write_clip(tmp_path / "two.avi", noise(2) // 32, 30)
    assert [round(field.time, 4) for field in model.fields(two)] == [0.0333]
    (second,) = model.analyse(two).seconds
    assert (second.start, second.end) == (0, pytest.approx(2 / 30))
    fast = write_clip(tmp_path / "fast.avi", noise(2), 120)
    with pytest.raises(VideoError, match=f"^{fast} is too short to tell what moves: 0.03 s.$"):
        model.analyse(fast)


class Known(MotionModel):
    """Says what it is told of a video of 1280x720 at 12.5 frames/s."""

    def __init__(self, fields: list[MotionField], frames: int) -> None:
        super().__init__(loaded(), torch.device("cpu"))
        self.spec = replace(SPEC, size=128)
        self.known, self.count = fields, frames

    def probe(self, source: str | Path) -> Probe:
        super().probe(source)
        return Probe(1280, 720, 12.5)

    def _read(self, source: Any, probe: Any, pace: Pace, tell: Any = None) -> Any:
        pace.frames += self.count
        yield self.known[:7]
        yield self.known[7:]


def driving(seconds: float, *things: Thing, **camera: Any) -> list[MotionField]:
    count = round(12.5 * seconds)
    return [scene(things, time=n / 12.5, **camera) for n in range(1, count)]


@pytest.mark.parametrize(
    ("frames", "spans"),
    [(5, [(0, 0.4)]), (13, [(0, 1.04)]), (18, [(0, 1.44)]), (19, [(0, 1), (1, 1.52)]),
     (25, [(0, 1), (1, 2)]), (31, [(0, 1), (1, 2.48)]), (32, [(0, 1), (1, 2), (2, 2.56)])],
)  # fmt: skip
def test_seconds(tmp_path: Path, frames: int, spans: list[tuple[float, float]]) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(3), 12.5)
    fields = [scene([CAR._replace(vx=100 + n)], time=n / 12.5, spread=1) for n in range(1, frames)]
    said = Known(fields, frames).analyse(clip)
    found = [(second.start, second.end) for second in said.seconds]
    assert found == [pytest.approx(span) for span in spans]
    assert said.frames == frames
    for second in said.seconds:
        # What is seen at a frame happened since the one before.
        within = [n for n in range(1, frames) if second.start < n / 12.5 <= second.end]
        assert second.field[4][2][0] == pytest.approx(100 + np.mean(within), abs=0.01)
    assert said.heat[4][2] == pytest.approx(100 + frames / 2, abs=0.01)
    assert said.heat[0][0] == 0


def test_a_gap_is_no_row(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(3), 12.5)
    fields = [scene(time=t) for t in (0.5, 0.9, 3.2, 3.3)]
    said = Known(fields, 43).analyse(clip)
    assert [(second.start, second.end) for second in said.seconds] == [(0, 1), (3, 43 / 12.5)]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the model say known things, and return a video to ask it of."""
    fields = driving(1, CAR) + [
        scene(pan=(300, 0), zoom=1.25, turn=10, time=n / 12.5) for n in range(13, 26)
    ]
    fields += [scene(time=n / 12.5) for n in range(26, 38)]
    told = Known(fields, 38)
    monkeypatch.setattr(motion, "load_motion", lambda *path, **options: told)
    return write_clip(tmp_path / "clip.avi", noise(3), 12.5)


def test_table(vidgru: Vidgru, known: Path) -> None:
    done = vidgru("motion", known, known)
    assert (done.code, done.err) == (0, "")
    lines = [
        f"{known}",
        "   time  moves         speed   of width    moving  "
        "+0.25 s        +0.5 s         +1 s           camera",
        "   0:00  E   90°    300 px/s   23.4 %/s     7.5 %  "
        "E  300 px/s    E  300 px/s    E  300 px/s    still",
        "   0:01  -                 -          -     0.0 %  "
        "-              -              -              "
        "pans right 300 px/s, zooms in 1.25 x/s, turns clockwise 10°/s",
        "   0:02  -                 -          -     0.0 %  "
        "-              -              -              still",
        "0:03.04 in all, 1280x720 pixels, 38 frames at 12.5/s.",
        "",
    ]
    assert done.out.splitlines() == 2 * lines


def test_json(vidgru: Vidgru, known: Path) -> None:
    done = vidgru("motion", known, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    said = json.loads(line)
    assert said.keys() == {
        "source", "width", "height", "fps", "frames", "model", "seconds", "heat"
    }  # fmt: skip
    assert said["source"] == str(known)
    assert said["model"] == "motion.safetensors"
    assert np.shape(said["heat"]) == (8, 8)
    first, second, last = said["seconds"]
    assert first.keys() == {
        "start", "end", "motion", "moving", "objects", "camera", "ahead", "field"
    }  # fmt: skip
    assert first["objects"] == {
        "compass": "E",
        "degrees": pytest.approx(90),
        "speed": pytest.approx(300, rel=0.01),
        "share": pytest.approx(300 / 1280, rel=0.01),
    }
    assert first["camera"] == {"words": "still", "pan": None, "zoom": 1, "turn": 0}
    assert [ahead["seconds"] for ahead in first["ahead"]] == [0.25, 0.5, 1]
    assert first["ahead"][0]["heading"]["compass"] == "E"
    assert np.shape(first["field"]) == (8, 8, 2)
    assert second["camera"] == {
        "words": "pans right, zooms in, turns clockwise",
        "pan": {
            "compass": "E",
            "degrees": pytest.approx(90, abs=0.1),
            "speed": pytest.approx(300, rel=0.01),
            "share": pytest.approx(300 / 1280, rel=0.01),
        },
        "zoom": pytest.approx(1.25, rel=0.001),
        "turn": pytest.approx(10, rel=0.01),
    }
    assert (last["motion"], last["objects"], last["moving"]) == (None, None, 0)


def test_csv(vidgru: Vidgru, known: Path, tmp_path: Path) -> None:
    strange = tmp_path / '=cmd,"x"\n.avi'
    strange.write_bytes(known.read_bytes())
    absent = tmp_path / "absent.avi"
    table = tmp_path / "table.csv"
    done = vidgru("motion", strange, absent, known, "--csv", table, "--quiet")
    assert done.code == 1
    assert done.err == f"Error: Cannot read {absent}: no such file or folder.\n"
    assert '=cmd,"x"\\n.avi' in done.out  # the name keeps to its line
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [str(strange)] * 3 + [str(absent)] + [str(known)] * 3
    assert rows[3]["error"] == f"Cannot read {absent}: no such file or folder."
    assert {value for name, value in rows[3].items() if name not in ("source", "error")} == {""}
    first, second, last = rows[:3]
    assert (first["start"], first["end"], first["compass"], first["degrees"]) == (
        "0.000", "1.000", "E", "90.00"
    )  # fmt: skip
    assert float(first["speed"]) == pytest.approx(300, rel=0.01)
    assert float(first["moving"]) == pytest.approx(0.075, rel=0.03)
    assert first["compass_0.25s"] == first["compass_0.5s"] == first["compass_1s"] == "E"
    assert float(first["x_1s"]) == pytest.approx(0.325, abs=0.02)
    assert first["pan_compass"] == first["error"] == ""
    assert (first["zoom"], first["turn"]) == ("1.000000", "0.000")
    assert (second["pan_compass"], second["motion_compass"]) == ("E", "W")
    assert float(second["zoom"]) == pytest.approx(1.25, rel=0.001)
    assert (last["compass"], last["speed"], last["spread_1s"], last["x_1s"]) == ("", "", "", "")


def test_names_that_a_spreadsheet_would_compute(
    vidgru: Vidgru, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("=1+1.avi").write_bytes(known.read_bytes())
    assert vidgru("motion", "=1+1.avi", "@none.avi", "--csv", "t.csv", "--quiet").code == 1
    with open("t.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["./=1+1.avi"] * 3 + ["./@none.avi"]


def test_one_bad_source_costs_itself_only(vidgru: Vidgru, known: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.avi").write_text("no video")
    (folder / "b.avi").write_bytes(known.read_bytes())
    done = vidgru("motion", folder, "--json")
    assert done.code == 1
    assert done.err == f"Error: Cannot read {folder}/a.avi: not a video that can be opened.\n"
    bad, good = map(json.loads, done.out.splitlines())
    assert bad == {
        "source": f"{folder}/a.avi",
        "error": f"Cannot read {folder}/a.avi: not a video that can be opened.",
    }
    assert good["source"] == f"{folder}/b.avi"


def test_one_frame_does_not_move(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", noise(1), 10)
    picture = write_images(tmp_path / "images", noise(1), ["1.png"]) / "1.png"
    done = vidgru("motion", one, picture, "--model", model_file)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        f"Error: {source} has only one frame: nothing moves." for source in (one, picture)
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["camera:0"], 2, "camera:0 is no file or folder. Live sources"),
        (["rtsp://me:secret@host/x"], 2, "rtsp://***@host/x is no file or folder."),
        (["clip.avi", "--threads", 0], 2, "Invalid --threads 0. It must be at least 1."),
        (["clip.avi", "--model", "nowhere"], 1, "No model at nowhere: give a run folder"),
        (["clip.avi", "--csv", "clip.avi"], 2, "clip.avi cannot be read and written at once"),
        (["clip.avi", "--save", "x.txt"], 2, "Cannot write x.txt: the name must end with .mp4"),
        (["clip.avi", "--heatmap", "x.jpg"], 2, "Cannot write x.jpg: the name must end with .png"),
        (["clip.avi", "a.avi", "--heatmap", "x.png"], 2, "--heatmap x.png is one file for 2"),
        (["clip.avi", "--heatmap", "x.png", "--csv", "x.png"], 2, "x.png would be written twice"),
    ],
    ids=str,
)
def test_what_cannot_be(
    vidgru: Vidgru, clip: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[object], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(clip.parent)
    done = vidgru("motion", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"Error: {sentence}")
    assert len(done.err.splitlines()) == 1


def test_models(
    model_file: Path, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library.load_motion(model_file, threads=1).spec == SPEC
    with pytest.raises(ModelError, match="tells classes: use `vidgru predict`"):
        library.load_motion(trained.run, threads=1)
    shipped = tmp_path / "models" / "motion.safetensors"
    monkeypatch.setattr(motion, "SHIPPED_MOTION", shipped)
    with pytest.raises(ModelError, match=r"^This vidgru comes without its model of motion: inst"):
        library.load_motion(threads=1)
    shipped.parent.mkdir()
    shipped.write_bytes(model_file.read_bytes())
    assert library.load_motion(threads=1).path == shipped
    with pytest.raises(OptionError, match=r"^camera:0 is no file"):
        library.load_motion(threads=1).fields("camera:0")


def test_weights_that_overflow(vidgru: Vidgru, tmp_path: Path, clip: Path) -> None:
    made = network()
    made.tell.weight.data[:] = 3e38
    path = tmp_path / "large.safetensors"
    save_model(path, made.state_dict(), SPEC, {})
    done = vidgru("motion", clip, "--model", path)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: {path} is damaged: its answers are not finite numbers.\n"


def test_interrupted(vidgru: Vidgru, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told stays told."""
    whole = Known._read

    def broken(self: Known, source: Path, *others: Any) -> Iterator[list[MotionField]]:
        fields = list(whole(self, source, *others))
        yield fields[0]
        if source.name == "other.avi":
            yield fields[1]
            raise KeyboardInterrupt
        yield fields[1]

    monkeypatch.setattr(Known, "_read", broken)
    other = known.with_name("other.avi")
    other.write_bytes(known.read_bytes())
    table = known.with_name("table.csv")
    done = vidgru("motion", known, other, "--csv", table)
    assert done.code == 130
    assert done.err.strip() == "Stopped: Interrupted. 1 of 2 sources were told to their end."
    rows = [line for line in done.out.splitlines() if line.startswith("   0:0")]
    assert [row.split()[0] for row in rows] == ["0:00", "0:01", "0:02", "0:00"]
    assert len(table.read_text().splitlines()) == 5


def test_video_and_picture(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{n}.avi", noise(16, 48, 64, n), 12.5) for n in range(2)]
    saved, maps = tmp_path / "saved", tmp_path / "maps"
    options = "--model", model_file, "--save", saved, "--heatmap", maps
    done = vidgru("motion", *clips, *options)
    assert done.code == 0
    assert done.err.splitlines() == [
        f"Saved: {path}" for n in range(2) for path in (maps / f"{n}.png", saved / f"{n}.mp4")
    ]
    for n in range(2):
        capture = cv2.VideoCapture(str(saved / f"{n}.mp4"))
        count = 0
        while capture.read()[0]:
            count += 1
        assert count == 16
        assert cv2.imread(str(maps / f"{n}.png")) is not None
    quiet = vidgru("motion", clips[0], *options[:2], "--save", tmp_path / "x.mp4", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_a_long_video_is_never_held_in_memory(
    model: MotionModel, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = most = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def endless(source: Path, fps: float, **_: Any) -> Iterator[Frame]:
        nonlocal alive, most
        for n in range(1500):
            picture = np.full((32, 32, 3), n % 256, np.uint8)
            weakref.finalize(picture, gone)
            alive += 1
            most = max(most, alive)
            yield Frame(picture, n / fps, n)

    monkeypatch.setattr(motion, "sample_frames", endless)
    said = model.analyse(clip)
    assert said.frames == 1500
    assert len(said.seconds) == 150
    assert most <= 4 * motion.CHUNK
