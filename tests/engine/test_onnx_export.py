"""Export of the tasks whose graphs torch makes: the same numbers, frame by frame."""

from pathlib import Path

import pytest
import torch
from helpers import build, needs_onnx, save_model
from torch import nn

from vidgru.core.errors import ModelError
from vidgru.engine.onnx_export import write_onnx
from vidgru.engine.onnx_file import OnnxFile
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.tasks.registry import find_task, load, locate

pytestmark = needs_onnx


def test_a_model_of_motion(tmp_path: Path) -> None:
    loaded = load(locate("motion"))
    result = write_onnx(find_task("motion").onnx_step(loaded), loaded.path, tmp_path / "m.onnx")
    assert [one.compared for one in result.differences][-1] == "200 frames"
    assert 0 < max(one.difference for one in result.differences) < 5e-5
    file = OnnxFile(tmp_path / "m.onnx")
    assert (result.task, file.task, result.clip) == ("motion", "motion", None)
    assert {*file.inputs} == {"frame", "flow", "rate", "steps", "previous", "hidden"}


def test_a_scene_detector(tmp_path: Path) -> None:
    loaded = load(locate("scenes"))
    result = write_onnx(find_task("scenes").onnx_step(loaded), loaded.path, tmp_path / "s.onnx")
    # Its answers come 16 frames late.
    assert [one.compared for one in result.differences] == ["17 frames", "200 frames"]
    assert 0 < max(one.difference for one in result.differences) < 5e-5
    file = OnnxFile(tmp_path / "s.onnx")
    assert file.header["late"] == 16
    assert file.header["threshold"] == loaded.spec.threshold


@pytest.mark.parametrize("channels", [1, 3])
def test_a_forecasting_model(tmp_path: Path, channels: int) -> None:
    spec = ForecastSpec("forecast", "convgru", 8, 10.0, 6, 6, 32, channels)
    torch.manual_seed(0)
    network = build(spec)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 2.0)
            module.bias.data.uniform_(-0.5, 0.5)
    path = tmp_path / "f.safetensors"
    save_model(path, network.state_dict(), spec, {})
    loaded = load(path)
    result = write_onnx(find_task("forecast").onnx_step(loaded), path, tmp_path / "f.onnx")
    assert [one.compared for one in result.differences][-1] == "10 frames ahead"
    assert 0 < max(one.difference for one in result.differences) < 5e-5
    assert [one.same for one in result.differences] == [None] * len(result.differences)


def test_what_torch_cannot_export_is_one_sentence() -> None:
    from vidgru.engine.onnx_torch import step_of

    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match=r"^torch cannot export this model: \w+\.$"):
        step_of(Branch(), {"x": torch.ones(3)}, {}, ["y"])
