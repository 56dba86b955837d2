"""Exported classifiers: the same answers as torch gives, without torch."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, moving_squares, needs_onnx, noise, save_model

import vidgru as library
from vidgru.commands import export as export_command
from vidgru.core.errors import ModelError, OptionError
from vidgru.data.augment import straight_view, warp
from vidgru.engine.onnx_export import LENGTHS, _pictures, write_onnx
from vidgru.engine.onnx_file import OnnxFile
from vidgru.nn.choices import CORES, MAP_CORE
from vidgru.tasks.classify import backend
from vidgru.tasks.classify.backend import open_classifier
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.onnx_model import OnnxModel
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.registry import find_task

pytestmark = needs_onnx

Vidgru = Callable[..., Done]
SPEC = ModelSpec("classify", ("a", "b", "location"), "both", "gru", 8, 10.0, 8, 16)
SPECS = [
    *(replace(SPEC, core=core) for core in CORES),
    replace(SPEC, core=MAP_CORE, size=36, input="diff"),
    replace(SPEC, core="gated", gated_update="printed"),
    replace(SPEC, input="diff", frames=16, fps=5.0),
    replace(SPEC, input="rgb", size=33),
    replace(SPEC, input="rgb", frames=1),
    *(
        replace(SPEC, core=core, encoder="rows", input="rgb", frames=1)
        for core in CORES
        if core != MAP_CORE
    ),
]


def made(folder: Path, spec: ModelSpec = SPEC) -> Path:
    """Write a model of random weights whose answers differ clearly from frame to frame."""
    torch.manual_seed(0)
    network = build(spec)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.3, 2.0),
                (module.weight.data, 0.5, 2.0),
                (module.bias.data, -0.3, 0.3),
            ):
                assert values is not None
                values.uniform_(low, high)
    for name, weight in network.named_parameters():
        if name.startswith("head"):
            weight.data *= 2
    path = folder / "some.safetensors"
    save_model(path, network.state_dict(), spec, {}, Confidence(0.7, ((0.4, True),) * 20, 0.5))
    return path


def exported(path: Path) -> tuple[Model, OnnxModel]:
    loaded = load_model(path)
    write_onnx(find_task("classify").onnx_step(loaded), path, path.with_suffix(".onnx"))
    ours = open_classifier(path.with_suffix(".onnx"), max_error=0.3)
    assert isinstance(ours, OnnxModel)
    return Model(loaded, torch.device("cpu"), 0.3), ours


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.encoder}-{s.core}-{s.input}-{s.frames}")
def test_every_classifier_says_what_torch_says(spec: ModelSpec, tmp_path: Path) -> None:
    model, ours = exported(made(tmp_path, spec))
    assert ours.spec == model.spec
    # A cut in the middle: the timeline's windows begin anew there.
    frames = np.concatenate([noise(21, seed=1) // 4, 255 - noise(16, seed=2) // 4])
    source = library.Frames(frames, spec.fps)
    one, other = model.predict(source), ours.predict(source)
    assert [(w.start, w.end) for w in one.windows] == [(w.start, w.end) for w in other.windows]
    rows = [
        [answer.probabilities, *(w.probabilities for w in answer.windows)]
        for answer in (one, other)
    ]
    assert np.array(rows[1]) == pytest.approx(np.array(rows[0]), abs=1e-5)
    assert np.ptp(rows[0], axis=0).max() > 1e-4
    assert (one.unsure, one.threshold) == (other.unsure, other.threshold)
    for a, b in zip(model.timeline(source).segments, ours.timeline(source).segments, strict=True):
        assert (a.start, a.end, a.label, a.unsure) == (b.start, b.end, b.label, b.unsure)
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)
    moments = [list(each.stream(source)) for each in (model, ours)]
    for a, b in zip(*moments, strict=True):
        assert (a.time, a.seconds, a.label, a.held) == (b.time, b.seconds, b.label, b.held)
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)
    assert len(moments[0]) == len(frames)


@pytest.mark.parametrize("size", [8, 16, 33, 64, 100])
def test_the_graph_cuts_out_the_view_that_opencv_does(size: int) -> None:
    from vidgru.tasks.classify.onnx_step import crop_axis

    side = size * 3 // 2
    (picture,) = noise(1, side, side)
    first, share = crop_axis(size, side)
    matrix = np.zeros((size, side), int)
    for row, (n, part) in enumerate(zip(first, share, strict=True)):
        matrix[row, max(n, 0)] += 32 - part
        matrix[row, min(n + 1, side - 1)] += part
    wanted = warp(picture[None], straight_view(), size)[0]
    assert (
        (np.einsum("yi,ijc,xj->yxc", matrix, picture, matrix, optimize=True) + 512) // 1024
        == wanted
    ).all()


def test_a_graph_with_one_weight_changed_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path)
    loaded = load_model(path)
    step = find_task("classify").onnx_step(loaded)
    with torch.no_grad():
        loaded.network.main.layers[0][0].weight[0, 0, 0, 0] += 0.5
    with pytest.raises(ModelError, match=r"is not exported: for .* frames?, onnxruntime and torch"):
        write_onnx(step, path, tmp_path / "new" / "model.onnx")
    assert list((tmp_path / "new").iterdir()) == []


def test_the_command_prints_what_it_compared(vidgru: Vidgru, run: Path) -> None:
    (run / "model.onnx").unlink()
    done = vidgru("export", run, "--json")
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    file = OnnxFile(run / "model.onnx")
    assert result["source"] == file.header["source"]
    assert result["size"] == (run / "model.onnx").stat().st_size
    assert result["clip"].endswith(".avi")
    names = [f"{n} frame{'s' if n > 1 else ''}" for n in LENGTHS]
    assert [one["compared"] for one in result["differences"]] == [*names, "overlapping windows"]
    assert all(one["difference"] < 1e-5 for one in result["differences"])
    assert [one["same"] for one in result["differences"]] == [True] * len(names) + [None]
    done = vidgru("export", run, "--out", run / "other.onnx")
    assert "200 frames" in done.out
    assert f"Written: {run}/other.onnx" in done.out
    assert (run / "other.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_what_cannot_be_exported_is_one_sentence(
    vidgru: Vidgru, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = vidgru("export", run, "--out", tmp_path / "model.txt")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: Cannot write {tmp_path}/model.txt: the name must end with .onnx.\n"
    for verb in ("motion", "scenes", "forecast"):
        done = vidgru(verb, "x.mp4", "--model", run / "model.onnx")
        assert done.code == 1
        assert "x.mp4" in done.err or "which only `vidgru predict` reads." in done.err
    monkeypatch.setattr(export_command, "has_runtime", lambda export: False)
    done = vidgru("export", run)
    assert done.code == 2
    assert done.err == (
        "Error: `vidgru export` needs onnx and onnxruntime: "
        "pip install onnx onnxruntime onnxscript\n"
    )


def without_torch(*words: object) -> list[dict[str, Any]]:
    """Run `vidgru predict` in a process that must not import torch; return its answers."""
    program = (
        "import sys\nfrom vidgru.cli.main import main\ntry:\n    main()\n"
        "finally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, "predict", *map(str, words), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False"
    return [json.loads(line) for line in done.stdout.splitlines()]


def close(a: Any, b: Any) -> bool:
    """Return whether two answers in JSON are the same but for the last digits of numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return bool(a == (pytest.approx(b, abs=1e-5) if isinstance(a, float) else b))


@pytest.mark.parametrize("words", [["--timeline"], ["--max-error", "0.2", "--workers", "2"]])
def test_predicting_needs_no_torch(words: list[str], run: Path, data: Path, vidgru: Vidgru) -> None:
    clips = [data / "left" / "0.avi", data / "right" / "0.avi"]
    answers = without_torch(*clips, "--model", run, *words)
    done = vidgru("predict", *clips, "--model", run, "--torch", "--json", "--quiet", *words)
    assert close(answers, [json.loads(line) for line in done.out.splitlines()])
    assert len(answers) == 2


def test_onnxruntime_sends_no_reports_to_its_makers(run: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom vidgru.engine.onnx_file import OnnxFile\n"
        "OnnxFile(Path(sys.argv[1]))\ntime.sleep(1)\n"
    )
    (home := tmp_path / "home").mkdir()
    usual = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", program, str(run / "model.onnx")]
    subprocess.run(command, env={**usual, "HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == []  # otherwise a number of this machine, and reports


def test_torch_can_be_asked_for(
    run: Path, data: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ModelError("opened")

    clip = data / "left" / "0.avi"
    monkeypatch.setattr(backend, "OnnxFile", refused)
    assert vidgru("predict", clip, "--model", run, "--torch", "--quiet").code == 0
    done = vidgru("predict", clip, "--model", run / "model.onnx")
    assert (done.code, done.err) == (1, "Error: opened\n")
    done = vidgru("predict", clip, "--model", run / "model.onnx", "--torch")
    assert done.code == 2
    assert done.err == f"Error: --torch cannot read {run}/model.onnx: give the run folder.\n"
    done = vidgru("predict", clip, "--model", run / "model.onnx", "--device", "cuda")
    assert done.code == 2
    assert "is computed by the CPU: leave out --device cuda." in done.err


def test_only_the_file_of_the_model_itself_stands_for_it(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(open_classifier(run), OnnxModel)
    assert open_classifier(run).path == run / "model.safetensors"
    assert isinstance(open_classifier(run, torch=True), Model)
    assert isinstance(open_classifier(run / "model.safetensors"), Model)
    shutil.copy(run / "model.onnx", tmp_path / "model.onnx")
    os.utime(run / "model.onnx", ns=(0, 0))  # older than the model
    assert isinstance(open_classifier(run), Model)
    shutil.copy(made(tmp_path), run / "model.safetensors")  # another model
    os.utime(run / "model.safetensors", ns=(0, 0))
    assert isinstance(open_classifier(run), Model)
    assert caplog.messages == []
    (run / "model.onnx").write_bytes(b"x")
    assert isinstance(open_classifier(run), Model)
    assert caplog.messages == [
        f"Cannot read the model {run}/model.onnx: it is damaged. Torch computes the model instead."
    ]


def test_the_library_opens_it(run: Path, data: Path) -> None:
    model = library.load(run / "model.onnx", max_error=0.2)
    assert isinstance(model, OnnxModel)
    wanted = library.load(run, max_error=0.2).predict(data / "left" / "0.avi")
    answer = model.predict(data / "left" / "0.avi")
    assert answer.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
    with pytest.raises(OptionError, match="max_error"):
        library.load(run / "model.onnx", max_error=2)


def test_a_long_stream_takes_constant_memory(run: Path, tmp_path: Path) -> None:
    model = open_classifier(run / "model.onnx")
    windows = model.windows(1, each=True)
    (picture,) = noise(1, model.spec.side, model.spec.side)
    for _ in range(40):
        assert len(windows.push([picture] * model.spec.frames)) <= model.spec.frames
    assert windows.pushed == 40 * model.spec.frames
    held = vars(windows)["_logits"]
    assert sum(map(len, held.values())) < model.spec.frames**2
    assert len(held) < model.spec.frames
    video = moving_squares(tmp_path / "long.avi", 2, 5, count=60)
    assert model.timeline(video).segments[-1].end == pytest.approx(6.0, abs=0.2)


def test_in_8_bits_it_is_smaller_and_its_accuracy_is_measured(vidgru: Vidgru, run: Path) -> None:
    before = (run / "model.onnx").read_bytes()
    done = vidgru("export", run, "--int8", "--json")
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert result["path"] == str(run / "model-int8.onnx")
    assert result["int8"] == {"clips": 2, "before": 0.5, "after": pytest.approx(0.5, abs=0.5)}
    assert result["size"] < 0.8 * len(before)
    assert (run / "model.onnx").read_bytes() == before
    other = shutil.copy(run / "model.safetensors", run / "other.safetensors")
    done = vidgru("export", other, "--int8", "--json")
    assert json.loads(done.out)["path"] == str(run / "other-int8.onnx")
    shutil.copy(run / "model-int8.onnx", run / "model.onnx")
    assert isinstance(open_classifier(run), Model)  # what it says differs a little
    assert isinstance(open_classifier(run / "model.onnx"), OnnxModel)


def test_8_bits_are_refused_where_accuracy_cannot_be_measured(
    vidgru: Vidgru, run: Path, tmp_path: Path
) -> None:
    path = made(tmp_path)
    done = vidgru("export", path, "--int8")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: --int8 needs clips that the model did not learn from, and ")
    (run / "split.csv").write_text((run / "split.csv").read_text().replace(",val,", ",train,"))
    assert vidgru("export", run, "--int8").err == done.err.replace(str(tmp_path), str(run))
    assert not list(tmp_path.rglob("*int8*"))


@pytest.mark.parametrize("config", ["[]", '{"folder": null}', '{"folder": "x", "val_folder": 3}'])
@pytest.mark.parametrize(
    "split", ["split,path\nval,a.avi\n", "path,split\na.avi\n", "split\nval\n"]
)
def test_files_beside_a_model_that_are_of_something_else(
    config: str, split: str, vidgru: Vidgru, tmp_path: Path
) -> None:
    path = made(tmp_path)
    (path.parent / "config.json").write_text(config)
    (path.parent / "split.csv").write_text(split)
    done = vidgru("export", path, "--int8")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: --int8 needs clips that the model did not learn from, and ")
    assert _pictures(path, 10.0, 32)[0] is None
