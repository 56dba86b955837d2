"""Strangers' .onnx files: one sentence each, and nothing is read but the file itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import needs_onnx

from vidgru.engine.onnx_file import header_text

pytestmark = needs_onnx

Vidgru = Callable[..., Done]


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """Return the content of a file whose parsed model is changed."""
    import onnx

    model = onnx.load_model_from_string(data)
    change(model)
    return bytes(model.SerializeToString())


def external(model: Any) -> None:
    from onnx import TensorProto

    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    weight.external_data.add(key="location", value="/etc/passwd")


def header(**fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        found = json.loads(model.metadata_props[0].value)
        model.metadata_props[0].value = header_text({**found, **fields})

    return change


def custom(model: Any) -> None:
    model.graph.node[0].op_type, model.graph.node[0].domain = "Custom", "own.domain"
    model.opset_import.add(domain="own.domain", version=1)


def growing(model: Any) -> None:
    """Let the graph return two rows of a state for each that it is given."""
    from onnx import helper

    (last,) = [node for node in model.graph.node if "next_total" in node.output]
    last.output[0] = "half_total"
    model.graph.node.append(
        helper.make_node("Concat", ["half_total", "half_total"], ["next_total"], axis=0)
    )


def other_value(output: str, kind: str) -> Callable[[Any], None]:
    """Return what makes an output a sequence, or words."""

    def change(model: Any) -> None:
        from onnx import TensorProto, helper

        (node,) = [node for node in model.graph.node if output in node.output]
        node.output[[*node.output].index(output)] = "before"
        (info,) = [info for info in model.graph.output if info.name == output]
        if kind == "sequence":
            model.graph.node.append(helper.make_node("SequenceConstruct", ["before"], [output]))
            known = helper.make_tensor_sequence_value_info(output, TensorProto.FLOAT, None)
        else:
            words = helper.make_node("Cast", ["before"], [output], to=TensorProto.STRING)
            model.graph.node.append(words)
            known = helper.make_tensor_value_info(output, TensorProto.STRING, None)
        info.CopyFrom(known)
        for other in model.graph.node:  # who reads it inside
            for place, name in enumerate(other.input):
                if name == output:
                    other.input[place] = "before"

    return change


def endless(model: Any) -> None:
    state = next(one for one in model.graph.input if one.name != "frame")
    dim = state.type.tensor_type.shape.dim.add()
    dim.dim_value = 1 << 44


def not_finite(model: Any) -> None:
    for weight in model.graph.initializer:
        if len(weight.dims) > 1 and weight.data_type == 1:
            weight.raw_data = b"\xff" * len(weight.raw_data)


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a text": (lambda data: b"hello", "it is damaged"),
    "nothing": (lambda data: b"", "it is damaged"),
    "half": (lambda data: data[: len(data) // 2], "it is damaged"),
    "of another format": (lambda data: b"\0\0\0\0ORTM" + data, "refers to other files"),
    "weights elsewhere": (lambda data: changed(data, external), "refers to other files"),
    "own operators": (lambda data: changed(data, custom), "it is damaged"),
    "not a number": (lambda data: changed(data, not_finite), "not finite numbers"),
    "growing state": (lambda data: changed(data, growing), "its state takes another shape"),
    "no header": (
        lambda data: changed(data, lambda m: m.metadata_props.pop()),
        "is not a model of vidgru",
    ),
    "header of a list": (
        lambda data: changed(data, lambda m: setattr(m.metadata_props[0], "value", "[]")),
        "description cannot be read",
    ),
    "later format": (lambda data: changed(data, header(format=2)), "another version of vidgru"),
    "no spec": (lambda data: changed(data, header(spec=None)), "it names no task"),
    "no confidence": (lambda data: changed(data, header(confidence=[])), "cannot be read"),
    "of another size": (
        lambda data: changed(
            data,
            header(
                spec={
                    "task": "classify",
                    "labels": ["a", "b"],
                    "input": "both",
                    "core": "gru",
                    "hidden": 8,
                    "fps": 10.0,
                    "frames": 8,
                    "size": 32,
                }
            ),
        ),
        "makes no sense",
    ),
    "other labels": (
        lambda data: changed(
            data,
            header(
                spec={
                    "task": "classify",
                    "labels": list("abcde"),
                    "input": "both",
                    "core": "gru",
                    "hidden": 8,
                    "fps": 10.0,
                    "frames": 8,
                    "size": 16,
                }
            ),
        ),
        "answers have another shape",
    ),
    "a sequence": (
        lambda data: changed(data, other_value("logits", "sequence")),
        "its answers are not numbers",
    ),
    "words": (
        lambda data: changed(data, other_value("logits", "words")),
        "its answers are not numbers",
    ),
    "a sequence as state": (
        lambda data: changed(data, other_value("next_total", "sequence")),
        "its answers are not numbers",
    ),
    "endless": (lambda data: changed(data, endless), "damaged"),
    "another task": (
        lambda data: changed(data, header(spec={"task": "motion"})),
        "is a model of motion: use `vidgru motion`, which reads no .onnx file.",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_strangers_file_is_one_sentence(vidgru: Vidgru, run: Path, data: Path, kind: str) -> None:
    change, words = HOSTILE[kind]
    path = run / "model.onnx"
    path.write_bytes(change(path.read_bytes()))
    done = vidgru("predict", data / "left" / "0.avi", "--model", path, "--quiet")
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert done.err.startswith("Error: ")
    assert len(done.err.splitlines()) == 1
