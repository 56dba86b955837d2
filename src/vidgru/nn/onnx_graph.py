"""Builds ONNX graphs node by node, from modules of this package; needs the package onnx."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from vidgru.nn.cells import Cell, ConvGRUCell, GatedCell, GRUCell, LSTMCell, RNNCell
from vidgru.nn.encoders import FrameEncoder

OPSET, IR_VERSION = 17, 8  # of 2022: all that read ONNX at all know them
KINDS = {"uint8": TensorProto.UINT8, "int64": TensorProto.INT64, "float32": TensorProto.FLOAT}

Shape = list[int | str]


class Graph:
    """A graph in the making; values are known by their names."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix, self._count = prefix, 0
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}v{self._count}"

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, return its output."""
        return self.split(op, 1, *inputs, **attributes)[0]

    def split(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node, return its `count` outputs."""
        names = [self._name() for _ in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def weight(self, value: Tensor | NDArray[Any] | float) -> str:
        """Add a constant; floats become float32."""
        array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        name = self._name()
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def input(self, name: str, kind: str, shape: Shape) -> str:
        """Add an input of the graph; an axis with a name is of any length."""
        self.inputs.append(helper.make_tensor_value_info(name, KINDS[kind], shape))
        return name

    def output(self, name: str, value: str, kind: str, shape: Shape) -> None:
        """Let a value be an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, KINDS[kind], shape))

    def choose(self, condition: str, then: "Graph", other: "Graph") -> str:
        """Return the output of one of two graphs without inputs."""
        return self.add("If", condition, then_branch=then.made("then"), else_branch=other.made("e"))

    def made(self, name: str) -> onnx.GraphProto:
        """Return the graph."""
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.weights)

    def model(self, metadata: dict[str, str]) -> bytes:
        """Return the graph as the content of a file."""
        model = helper.make_model(
            self.made("step"),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="vidgru",
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
        return data

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """Return x (N, inputs) times the transposed weight (outputs, inputs), and a bias."""
        terms = [x, self.weight(weight), *([] if bias is None else [self.weight(bias)])]
        return self.add("Gemm", *terms, transB=1)

    def convolve(self, x: str, layer: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> str:
        """Return the convolution of x, with a batch norm in its weights."""
        weight = layer.weight.detach().double()
        bias = torch.zeros(len(weight)).double() if layer.bias is None else layer.bias.double()
        if norm is not None and norm.running_mean is not None and norm.running_var is not None:
            factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = (bias - norm.running_mean.double()) * factor + norm.bias.double()
        return self.add(
            "Conv",
            x,
            self.weight(weight),
            self.weight(bias),
            strides=list(layer.stride),
            pads=[int(n) for n in layer.padding] * 2,
            group=layer.groups,
        )

    def encode(self, x: str, encoder: FrameEncoder) -> str:
        """Return an encoder's features (N, D), or maps, of pictures (N, C, S, S)."""
        for layer in encoder.layers:
            conv, norm, _ = cast(tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU], (*layer.children(),))
            x = self.add("Relu", self.convolve(x, conv, norm))
        return self.pool(x) if encoder.pooled else x

    def pool(self, maps: str) -> str:
        """Return mean and maximum over space (N, 2 C) of maps (N, C, h, w)."""
        both = [self.add("GlobalAveragePool", maps), self.add("GlobalMaxPool", maps)]
        return self.add("Flatten", self.add("Concat", *both, axis=1))

    def gate(self, *terms: str, squash: str = "Sigmoid") -> str:
        """Return the squashed sum of two terms."""
        return self.add(squash, self.add("Add", *terms))

    def step(self, cell: Cell, x: str, state: list[str]) -> list[str]:
        """Return a cell's state after one more input; its first part is the output."""
        return _STEPS[type(cell)](self, cell, x, state)


def _chunks(graph: Graph, x: str, count: int) -> list[str]:
    return graph.split("Split", count, x, axis=1)


def _blend(graph: Graph, z: str, old: str, new: str) -> str:
    """Return z * old + (1 - z) * new."""
    return graph.add("Add", new, graph.add("Mul", z, graph.add("Sub", old, new)))


def _shares(graph: Graph, cell: Any, x: str, h: str) -> tuple[str, str]:
    w_x, w_h, b_x, b_h = cell.fused.parameters()
    return graph.linear(x, w_x, b_x), graph.linear(h, w_h, b_h)


def _rnn(graph: Graph, cell: Any, x: str, state: list[str]) -> list[str]:
    return [graph.gate(*_shares(graph, cell, x, state[0]), squash="Tanh")]


def _gru_gates(graph: Graph, from_x: str, from_h: str, h: str) -> list[str]:
    x_r, x_z, x_n = _chunks(graph, from_x, 3)
    h_r, h_z, h_n = _chunks(graph, from_h, 3)
    r, z = graph.gate(x_r, h_r), graph.gate(x_z, h_z)
    new = graph.gate(x_n, graph.add("Mul", r, h_n), squash="Tanh")
    return [_blend(graph, z, h, new)]


def _gru(graph: Graph, cell: Any, x: str, state: list[str]) -> list[str]:
    return _gru_gates(graph, *_shares(graph, cell, x, state[0]), state[0])


def _convgru(graph: Graph, cell: Any, x: str, state: list[str]) -> list[str]:
    (h,) = state
    from_x, from_h = graph.convolve(x, cell.from_input), graph.convolve(h, cell.from_state)
    return _gru_gates(graph, from_x, from_h, h)


def _lstm(graph: Graph, cell: Any, x: str, state: list[str]) -> list[str]:
    h, c = state
    i, f, g, o = _chunks(graph, graph.add("Add", *_shares(graph, cell, x, h)), 4)
    kept = graph.add("Mul", graph.add("Sigmoid", f), c)
    added = graph.add("Mul", graph.add("Sigmoid", i), graph.add("Tanh", g))
    c = graph.add("Add", kept, added)
    return [graph.add("Mul", graph.add("Sigmoid", o), graph.add("Tanh", c)), c]


def _gated(graph: Graph, cell: Any, x: str, state: list[str]) -> list[str]:
    h, c = state
    from_x = graph.linear(x, cell.from_input.weight, cell.from_input.bias)
    *x_four, x_o = _chunks(graph, from_x, 5)
    before = graph.linear(graph.add("Concat", c, h, axis=1), cell.w_state)
    z, i, f, g = map(graph.add, ["Add"] * 4, x_four, _chunks(graph, before, 4))
    kept = graph.add("Mul", graph.add("Sigmoid", f), c)
    added = graph.add("Mul", graph.add("Sigmoid", i), graph.add("Tanh", g))
    new = graph.add("Add", kept, added)
    c = _blend(graph, graph.add("Sigmoid", z), new, c) if cell.blend else new
    o = graph.gate(x_o, graph.linear(graph.add("Concat", h, c, axis=1), cell.w_out))
    return [graph.add("Mul", o, graph.add("Tanh", c)), c]


_STEPS: dict[type[Cell], Callable[[Graph, Any, str, list[str]], list[str]]] = {
    RNNCell: _rnn,
    GRUCell: _gru,
    LSTMCell: _lstm,
    GatedCell: _gated,
    ConvGRUCell: _convgru,
}
