"""Picture encoders for tests: small ONNX files of random weights, or of things to refuse."""

from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 24


def write_encoder(
    path: Path,
    kind: str = "pooled",
    *,
    batch: int | str = "n",
    side: int | str = 32,
    metadata: dict[str, str] | None = None,
    seed: int = 0,
    scale: float = 0.3,
) -> Path:
    """Write an encoder with an output of a kind: pooled, map, nhwc, nhwc-map, tokens, baked."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(seed).normal(0, scale, (FEATURES, 3, 8, 8)).astype(np.float32)
    constants = [numpy_helper.from_array(weight, "w")]
    last, shape, nodes = kind.startswith("nhwc"), [batch, 3, side, side], []
    name = "pixels"
    if last:
        shape = [batch, side, side, 3]
        nodes.append(helper.make_node("Transpose", ["pixels"], ["turned"], perm=[0, 3, 1, 2]))
        name = "turned"
    nodes.append(helper.make_node("Conv", [name, "w"], ["c"], strides=[8, 8]))
    nodes.append(helper.make_node("Relu", ["c"], ["maps"]))
    if kind in ("pooled", "nhwc", "baked"):
        nodes.append(helper.make_node("GlobalAveragePool", ["maps"], ["mean"]))
        nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    out = {"map": "maps", "nhwc-map": "back", "tokens": "tokens"}.get(kind, "flat")
    if kind == "nhwc-map":
        nodes.append(helper.make_node("Transpose", ["maps"], ["back"], perm=[0, 2, 3, 1]))
    if kind == "tokens":
        constants.append(numpy_helper.from_array(np.array([0, FEATURES, -1]), "places"))
        nodes.append(helper.make_node("Reshape", ["maps", "places"], ["rows"]))
        nodes.append(helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]))
    if kind == "baked":  # names a free batch, and has one of 1
        constants.append(numpy_helper.from_array(np.array([1, FEATURES]), "one"))
        nodes.append(helper.make_node("Reshape", ["flat", "one"], ["baked"]))
        out = "baked"
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)]
    save(path, nodes, inputs, outputs, constants, metadata)
    return path


def save(
    path: Path,
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    constants: list[Any],
    metadata: dict[str, str] | None = None,
) -> None:
    import onnx
    from onnx import helper

    graph = helper.make_graph(nodes, "encoder", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
