"""Strangers' files: only a VidgruError may come of them. tests/fuzz/ tries many more."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from conftest import Done
from helpers import build, noise, save_model, write_clip, write_images
from safetensors.torch import load_file

import vidgru
from vidgru import TrainResult
from vidgru.commands.train import resume_steps
from vidgru.core.errors import DataError, ModelError, OptionError, VideoError
from vidgru.data.folder import Clip, read_folder
from vidgru.data.split import split_clips
from vidgru.engine.model_file import load_checkpoint
from vidgru.engine.run_folder import read_numbers, resume_run
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyTrainConfig as Config
from vidgru.tasks.classify.options import CompareConfig
from vidgru.tasks.classify.sliding import SlidingWindows, WindowOutput
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.registry import train_config
from vidgru.tools.extract.options import ExtractConfig
from vidgru.video.info import VideoInfo
from vidgru.video.read import open_video
from vidgru.video.sample import sample_frames, sample_indices

SPEC = ModelSpec("classify", ("a", "b"), "diff", "gru", 8, 10.0, 8, 16)


CHECKPOINTS: dict[str, Callable[[dict[str, Any]], object]] = {
    # Torch wrote outside of its memory here.
    "short moments": lambda s: s["optimizer"]["state"][0].update(exp_avg=torch.zeros(1)),
    "one moment for all": lambda s: s["optimizer"]["state"][0].update(
        exp_avg=torch.zeros(()).expand(s["optimizer"]["state"][0]["exp_avg"].shape)
    ),
    "no optimizer": lambda s: s.update(optimizer=torch.zeros(2, 2)),
    "no moments": lambda s: s["optimizer"]["state"][0].pop("exp_avg_sq"),
    "moments of nothing": lambda s: s["optimizer"]["state"].update({999: {}}),
    "sparse moments": lambda s: s["optimizer"]["state"][0].update(
        exp_avg=s["optimizer"]["state"][0]["exp_avg"].to_sparse()
    ),
    "no numbers": lambda s: next(iter(s["network"].values())).fill_(torch.nan),
    "huge tensor": lambda s: s.update(mirrored=torch.zeros(1, dtype=torch.bool).expand(2**40)),
    "no truth": lambda s: s.update(mirrored=torch.tensor([2, 3])),
    "confused by nothing": lambda s: s.update(confused=[{"first": "left"}]),
    "no check": lambda s: s.update(checked=1),
    "no schedule": lambda s: s.update(schedule=[10]),
    "more steps than planned": lambda s: s["schedule"].__setitem__(0, 10**6),
    "bent beyond its end": lambda s: s["schedule"].__setitem__(1, s["schedule"][0]),
    "share": lambda s: s["schedule"].__setitem__(2, float("nan")),
    "turned too far": lambda s: s["turns"].fill_(9),
    "no clip": lambda s: s.update(order=[10]),
    "half a clip": lambda s: s.update(order=[0.5]),
    "no step": lambda s: s.update(steps=-1),
    "too many steps": lambda s: s.update(steps=10**400),
    "generator": lambda s: s["generator"].fill_(7),
    "best of nothing": lambda s: s.update(rows=[]),
    "nothing best": lambda s: s.update(best_weights={}),
    "rows": lambda s: s["rows"][0].pop("step"),
    "row": lambda s: s["rows"][0].update(epoch="1"),
    "counts": lambda s: s.update(counts=[]),
    "no loss": lambda s: s.update(counts=[1, torch.zeros(2)]),
    "clock": lambda s: s.update(clock=[1.0, float("nan")]),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_lies(trained: TrainResult, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.run, run)
    state = load_checkpoint(run / "last.ckpt")
    CHECKPOINTS[name](state)
    torch.save(state, run / "last.ckpt")
    with pytest.raises(ModelError, match=r"^Cannot resume from .*last\.ckpt: it is damaged\.$"):
        list(resume_steps(run))


def test_settings_of_the_optimizer_come_from_the_config(
    trained: TrainResult, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.run, run)
    state = load_checkpoint(run / "last.ckpt")
    state["optimizer"]["param_groups"] = [{"betas": "evil"}]
    torch.save(state, run / "last.ckpt")
    assert vidgru.resume(run).validation == trained.validation


def test_a_packed_checkpoint(trained: TrainResult, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    with (
        zipfile.ZipFile(trained.run / "last.ckpt") as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, bytes(1 << 20) if name.endswith("data/0") else old.read(name))
    with pytest.raises(ModelError, match="it is damaged"):
        load_checkpoint(path)


def with_header(path: Path, **changes: Any) -> Path:
    """Write a model whose description says something else than its weights."""
    save_model(path, build(SPEC).state_dict(), SPEC, {})
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    about = json.loads(header["__metadata__"]["vidgru"])
    for name, value in changes.items():
        (about if name in about else about["spec"])[name] = value
    header["__metadata__"]["vidgru"] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 10**400}, "its description makes no sense"),
        ({"fps": 1e-300}, "its description makes no sense"),
        ({"version": [[]]}, "its description cannot be read"),
        ({"version": None}, "its description cannot be read"),
    ],
    ids=str,
)
def test_a_model_that_lies(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(with_header(tmp_path / "m.safetensors", **changes))


def test_a_model_that_asks_for_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [str(number) for number in range(100_000)]
    path = with_header(tmp_path / "m.safetensors", hidden=4096, labels=labels, core="gated")
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", refuse_memory)
    monkeypatch.setattr(torch.nn.init, "uniform_", refuse_memory)
    with pytest.raises(ModelError, match="its weights do not fit its description"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({"size": 512, "frames": 512, "hidden": 256}, True),
        ({"size": 512, "frames": 513}, False),
        ({"size": 1024, "frames": 129}, False),
        ({"hidden": 257}, False),
        ({"frames": 1, "input": "rgb", "encoder": "rows"}, False),
    ],
    ids=str,
)
def test_maps_that_would_take_all_memory(
    tmp_path: Path, changes: dict[str, Any], whole: bool
) -> None:
    path = with_header(tmp_path / "m.safetensors", **{"core": "convgru", **changes})
    # What makes sense is built, without memory, and then does not fit the weights.
    message = "its weights do not fit" if whole else "its description makes no sense"
    with pytest.raises(ModelError, match=message):
        load_model(path)


def refuse_memory(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    assert tensor.is_meta
    return tensor


def test_answers_that_are_no_numbers(trained: TrainResult, clip: Path, tmp_path: Path) -> None:
    weights = load_file(trained.model)
    variances = next(name for name in weights if name.endswith("running_var"))
    weights[variances].fill_(-1)
    path = tmp_path / "m.safetensors"
    save_model(path, weights, load_model(trained.model).spec, {})
    with pytest.raises(ModelError, match=r"m\.safetensors is damaged: its answers are not finite"):
        vidgru.load(path).predict(clip)


@pytest.mark.parametrize(
    ("size", "most", "frames"), [(64, 64, 66), (128, 32, 66), (256, 8, 20), (1024, 1, 14)]
)
def test_large_pictures_go_through_the_network_a_few_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, most: int, frames: int
) -> None:
    seen: list[int] = []
    push = SlidingWindows.push

    def count(self: SlidingWindows, frames: torch.Tensor, looks: None) -> list[WindowOutput]:
        seen.append(len(frames))
        return push(self, frames, looks)

    monkeypatch.setattr(SlidingWindows, "push", count)
    path = with_header(tmp_path / "m.safetensors", size=size)
    clip = write_clip(tmp_path / "clip.avi", noise(frames), 10)
    assert vidgru.load(path).predict(clip).frames == sum(seen) == frames
    assert max(seen) == most


def test_too_long_a_name() -> None:
    with pytest.raises(ModelError, match="No model at"):
        load_model(Path("x" * 5000))
    with pytest.raises(DataError, match="No such folder"):
        read_folder(Path("x" * 5000))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 2.5),
        ("seed", True),
        ("epochs", 10**400),
        ("group_by", 7),
        ("flip", "yes"),
        ("val", None),
        ("size", 8),
        ("folder", 3),
    ],
)
def test_a_config_that_lies(trained: TrainResult, tmp_path: Path, name: str, value: Any) -> None:
    content = json.loads((trained.run / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**content, name: value}))
    with (
        pytest.raises(ModelError, match=r"^Cannot resume .*: its config\.json is damaged\.$"),
        resume_run(tmp_path, train_config),
    ):
        pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config(seed=1.5), "Invalid --seed. It must be a whole number, not float."),  # type: ignore[arg-type]
        (lambda: Config(seed=True), "Invalid --seed. It must be a whole number, not bool."),
        (lambda: Config(lr="1"), "Invalid --lr. It must be a number, not str."),  # type: ignore[arg-type]
        (lambda: Config(task=None), "Invalid --task. It must be a text, not NoneType."),  # type: ignore[arg-type]
        (lambda: Config(flip=1), "Invalid --flip. It must be true or false, not int."),  # type: ignore[arg-type]
        (lambda: CompareConfig(core=("gru", 1)), "Invalid --core. It must be a text, not int."),  # type: ignore[arg-type]
        (lambda: Config(minutes=10**400), "Invalid --minutes. The number is too large."),
        (lambda: ExtractConfig(size="9" * 5000), "Give 320x240, or 320."),
    ],
)  # fmt: skip
def test_types_of_options(make: Callable[[], object], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        make()
    assert str(caught.value).endswith(message)


def test_whole_numbers_are_numbers() -> None:
    assert Config(fps=10, minutes=2).fps == 10
    assert CompareConfig(core=("gru", "rnn"), input=("rgb",)).input == ("rgb",)


@pytest.mark.parametrize(
    "text", [b"a\nx\n", b"a,b\n1\n", b"a\n1,2\n", b"\xff", b"a\n" + b"1" * 200_000], ids=len
)
def test_a_table_that_lies(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(text)
    with pytest.raises(ModelError, match=r"metrics\.csv: it is no whole table of numbers\.$"):
        read_numbers(tmp_path / "metrics.csv")


def test_groups_of_strange_names() -> None:
    names = ["a", "a\0", "a\0\0", "b" * 10_000_000, "c", "d"]
    clips = [
        Clip(Path(label), f"{label}{group[:3]}", label, group=group)
        for label in "xy"
        for group in names
    ]
    train, held = split_clips(clips, 0.4, 0)
    assert {clip.group for clip in train}.isdisjoint(clip.group for clip in held)
    assert len(train) + len(held) == len(clips)


@pytest.mark.parametrize("pattern", ["a{99999999999}", "(" * 5000 + ")" * 5000], ids=len)
def test_patterns_too_large(data: Path, pattern: str) -> None:
    with pytest.raises(OptionError, match=r"neither a column of groups\.csv nor a regular"):
        read_folder(data, pattern)


def pictures(folder: Path, times: list[str]) -> Path:
    names = [f"{number}.png" for number in range(len(times))]
    write_images(folder, noise(len(times)), names)
    rows = [f"{name},{time}" for name, time in zip(names, times, strict=True)]
    (folder / "frames.csv").write_text("\n".join(["file,seconds", *rows]) + "\n")
    return folder


@pytest.mark.parametrize("last", ["1e308", "1e-320", "2e9", "-1", "nan"])
def test_times_that_are_none(tmp_path: Path, last: str) -> None:
    folder = pictures(tmp_path / "f", ["-1e308" if last == "1e308" else "0", last])
    with open_video(folder) as video:
        assert (video.fps, [frame.time for frame in video]) == (25.0, [0.0, 0.04])


def test_a_picture_held_for_years(tmp_path: Path) -> None:
    folder, warnings = pictures(tmp_path / "f", ["0", "0.5", "1", "9e8"]), list[str]()
    frames = list(sample_frames(folder, 4.0, report=lambda info: warnings.extend(info.warnings)))
    assert [(frame.time, frame.index) for frame in frames] == [
        *((0.0, 0), (0.25, 0), (0.5, 1), (0.75, 1), (1.0, 2), (1.25, 2))
    ]
    assert warnings == [
        f"{folder} is read up to 1.00 s only: the next frame comes 899999999 s later."
    ]
    # Within what is asked for, nothing is amiss.
    reported = list[VideoInfo]()
    some = list(sample_frames(folder, 4.0, end=3.0, report=reported.append))
    assert [frame.index for frame in some] == [0, 0, 1, 1, *[2] * 8]
    assert reported[0].warnings == ()


def test_something_that_lasts_no_time_has_a_frame(
    trained: TrainResult, tmp_path: Path, clip: Path
) -> None:
    folder = pictures(tmp_path / "f", ["0", "0.00001"])
    for fps in (10.0, 1000.0):
        assert [frame.index for frame in sample_frames(folder, fps)] == [1]
        assert sample_indices([0.0, 0.00001], fps) == [1]
    assert sample_indices([0.0], 1000.0) == [0]
    (image,) = write_images(tmp_path / "one", noise(1), ["0.png"]).iterdir()
    assert [frame.index for frame in sample_frames(image, 1000.0)] == [0]
    assert list(sample_frames(image, 1000.0, end=0.0005)) == []


def test_a_picture_that_promises_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = write_images(tmp_path / "f", noise(1), ["0.png"]).iterdir()
    good = path.read_bytes()
    path.write_bytes(good + b"what follows the end")
    assert len(list(sample_frames(path, 10.0))) == 1
    monkeypatch.setattr(cv2, "imdecode", lambda *args: pytest.fail("must not be asked"))
    for bad in (good[:33] + b"\xf0" + good[34:], good[:-9], good[:40], good[:9]):
        path.write_bytes(bad)
        with pytest.raises(VideoError, match="no image in it can be read"):
            list(sample_frames(path, 10.0))


def test_opencv_running_out_of_memory(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise cv2.error("Insufficient memory")

    monkeypatch.setattr(cv2, "resize", fail)
    with pytest.raises(VideoError, match=r"clip\.avi: OpenCV fails on frame 0\.$"):
        list(sample_frames(clip, 10.0, size=8))


def test_a_file_named_like_an_option_gets_advice(
    vidgru: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.mp4").touch()
    done = vidgru("predict", "-a.mp4")
    assert done.err.splitlines()[1:] == [
        "Error: No such option '-a'. For the file -a.mp4, write ./-a.mp4."
    ]
    assert done.code == 2
