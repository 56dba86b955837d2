"""Explanations of a stretch of a video and of mistakes, and the nearest training clips."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import moving_squares, noise, write_clip
from report_page import Page
from safetensors.numpy import load_file, save_file

import vidgru
from vidgru import Frames, TrainResult
from vidgru.core.errors import OptionError, VideoError
from vidgru.tasks.classify.explain.nearest import INDEX_NAME, NEAREST, ClipIndex, read_index
from vidgru.tasks.classify.explain.report import write_page
from vidgru.video.read import open_video

Vidgru = Callable[..., Done]


def test_nearest_training_clips(trained: TrainResult) -> None:
    model = vidgru.load(trained.run)
    index = read_index(model.path, model.network)
    assert index is not None
    assert len(index.clips) == trained.train_clips
    assert (trained.run / INDEX_NAME).stat().st_size < 1e6
    config = json.loads((trained.run / "config.json").read_text())
    folder = Path(config["folder"])
    number = len(index.clips) - 1
    own = model.explain(folder / index.clips[number])
    assert len(own.nearest) == NEAREST
    # A clip that was trained on looks most like itself; a short one has one window only.
    assert own.nearest[0].clip == index.clips[number]
    assert own.nearest[0].similarity == pytest.approx(1, abs=1e-4)
    assert own.nearest[0].label == Path(own.nearest[0].clip).parent.name
    alike = [one.similarity for one in own.nearest]
    assert alike == sorted(alike, reverse=True)
    assert alike[-1] < 1
    assert own.nearest[0].picture.startswith(b"\xff\xd8")
    plain = own.to_dict()["nearest"]
    assert [one.keys() for one in plain] == [{"clip", "label", "similarity"}] * NEAREST


def test_similarity_is_that_of_what_clips_do_not_share() -> None:
    states = np.array([[9, 1, 0], [9, -1, 0], [9, 0, 2], [9, 0, -2]], np.float32)
    index = ClipIndex(tuple("abcd"), tuple("xxyy"), states, (b"",) * 4)
    found = index.nearest(torch.tensor([9.0, 0, 5]))
    assert [one.clip for one in found] == ["c", "a", "b", "d"]
    assert [one.similarity for one in found] == pytest.approx([1, 0, 0, -1], abs=1e-6)


def test_a_run_without_an_index(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    square = moving_squares(tmp_path / "a.avi", 2, 77)
    path = run / INDEX_NAME
    whole = path.read_bytes()
    tensors = load_file(path)
    (other := tmp_path / "other").mkdir()
    save_file({**tensors, "states": tensors["states"][:, :0]}, other / "cut")
    content = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]
    strange = json.loads(content["vidgru"])
    save_file(tensors, other / "strange", {"vidgru": json.dumps({**strange, "weights": "00"})})
    wide = {**tensors, "states": np.tile(tensors["states"], 2)}
    save_file(wide, other / "wide", {"vidgru": json.dumps(strange)})
    save_file(tensors, other / "few", {"vidgru": json.dumps({**strange, "labels": ["a"]})})
    for content, sentence in (
        (None, f"there is no {path}, which `vidgru train` now writes."),
        (b"", f"{path} is damaged."),
        (whole[:-9], f"{path} is damaged."),
        ((other / "cut").read_bytes(), f"{path} is damaged."),
        ((other / "few").read_bytes(), f"{path} is damaged."),
        ((other / "strange").read_bytes(), f"{path} is of another model."),
        ((other / "wide").read_bytes(), f"{path} is of another model."),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        caplog.clear()
        model = vidgru.load(run)
        assert model.explain(square).nearest == ()
        assert caplog.messages == [f"The nearest training clips are not shown: {sentence}"]
    model.explain(square)
    assert len(caplog.messages) == 1  # once for a model


def test_a_stretch_of_a_long_video(trained: TrainResult, tmp_path: Path, vidgru: Vidgru) -> None:
    import vidgru as library

    square = moving_squares(tmp_path / "square.avi", 2, 5, count=20)
    with open_video(square) as video:
        frames = []
        while video.grab() is not None:
            frames.append(video.retrieve())
    long = write_clip(tmp_path / "long.avi", np.concatenate([noise(31, 40, 48), frames]), 10)
    model = library.load(trained.run)
    alone, part = model.explain(square), model.explain(long, start=3.1, end=5.1)
    assert part.seconds == pytest.approx([3.1 + time for time in alone.seconds])
    assert part.prediction.windows[0].start == pytest.approx(3.1)
    assert part.logits == pytest.approx(alone.logits, abs=0.05)  # but for compression
    words = ("--model", trained.run, "--start", "3.1", "--end", "5.1", "-o", tmp_path / "out")
    done = vidgru("explain", long, *words)
    assert done.code == 0, done.err
    page = (tmp_path / "out" / "explanation.html").read_text()
    data = json.loads(Page(tmp_path / "out" / "explanation.html").embedded.split('"use')[0])
    player = data["player"]
    assert (player["begin"], len(player["frames"])) == (3.1, len(part.seconds))
    assert "It looks like these" in page
    with open_video(tmp_path / "out" / "explanation.mp4") as video:
        count = 0
        while video.grab() is not None:
            count += 1
    assert count == 20


def test_a_stretch_that_is_none(trained: TrainResult) -> None:
    model = vidgru.load(trained.run)
    for start, end, sentence in (
        (2.0, 1.0, "end=1 must be later than start=2."),
        (-1.0, None, r"Invalid start=-1\.0\. It must be at least 0\."),
        (0.0, float("nan"), "Invalid end=nan. It must be a finite number."),
        (None, "x", "Invalid end. It must be a number, not str."),
    ):
        with pytest.raises(OptionError, match=sentence):
            model.explain(Frames(noise(5), 10), start=start, end=end)
    with pytest.raises(VideoError, match=r"one shows nothing from 9 s on: it is shorter\."):
        model.explain(Frames(noise(5), 10, "one"), start=9)


def test_where_a_core_of_maps_overwrites_its_state(trained: TrainResult, tmp_path: Path) -> None:
    found = vidgru.load(trained.run).explain(Frames(noise(12), 10))
    pictures = list(noise(len(found.seconds), 30, 40))
    write_page(tmp_path / "a.html", found, Path("run"), pictures)
    assert "overwritten there" not in (tmp_path / "a.html").read_text()
    kept = np.linspace(0.2, 0.9, len(found.seconds) * 16, dtype=np.float32).reshape(-1, 4, 4)
    of_maps = replace(found, kept_maps=kept)
    write_page(tmp_path / "b.html", of_maps, Path("run"), pictures)
    page = (tmp_path / "b.html").read_text()
    assert "The brighter, the more of the state is overwritten there: from 10.0 % to 80.0 %" in page
    assert np.asarray(of_maps.to_dict()["kept_maps"]).shape == kept.shape
    assert found.to_dict()["kept_maps"] is None


def test_mistakes_are_explained(run: Path, fresh: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", fresh, "--model", run, "--explain", 2, "--json", "-q")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    wrong = [answer for answer in said["answers"] if answer["label"] != answer["predicted"]]
    wrong.sort(key=lambda answer: -answer["confidence"])
    assert wrong
    assert said["explained"] == [str(run / "mistakes" / str(n + 1)) for n in range(len(wrong[:2]))]
    found = json.loads((run / "mistakes" / "1" / "explanation.json").read_text())
    assert found["source"] == str(fresh / wrong[0]["clip"])
    assert (found["label"], found["against"]) == (wrong[0]["predicted"], wrong[0]["label"])
    links = [attrs["href"] for tag, attrs in Page(run / "report.html").elements if tag == "a"]
    assert links == [f"mistakes/{n + 1}/explanation.html" for n in range(len(wrong[:2]))]
    assert all((run / link).is_file() for link in links)


def test_no_place_for_explained_mistakes(run: Path, fresh: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", fresh, "--model", run / "model.safetensors", "--explain", 1, "-q")
    assert (done.code, done.out) == (2, "")
    assert "--explain needs --out: the model is in no run folder." in done.err
    wrong = vidgru("evaluate", fresh, "--model", run, "--explain", 1, "--timeline")
    assert wrong.code == 2
    assert "--explain is for clips: leave out --timeline." in wrong.err
