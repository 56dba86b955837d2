"""A classifier as an ONNX graph of one step: a frame and the state in, probabilities and state out.

All windows of a video that are open read the same frame: the state of each is a row of those inputs
whose first axis is `windows`, and the frame is encoded for all of them together. A stream is one
such window. Zeros are the state before the first frame. Where there is a picture encoder, its
features are an input, `looks`, which counts every fourth frame of a window from its first one on.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.data.augment import VIEW
from vidgru.nn.choices import LOOKS, map_side
from vidgru.nn.inputs import DIFFERENCE_GAIN, MEAN, STD
from vidgru.nn.onnx_graph import Graph, Shape
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.rows import RowsNetwork
from vidgru.tasks.classify.spec import SIDE_EVERY, ModelSpec

BITS = 5  # of OpenCV's coordinates behind the point, in pixels
WINDOWS = "windows"


def step_graph(model: LoadedModel) -> Graph:
    """Return the graph of one step of a classifier."""
    graph, spec = Graph(), model.spec
    graph.input("frame", "uint8", [spec.side, spec.side, 3])
    network = model.network
    rows: int | str = WINDOWS
    if isinstance(network, RowsNetwork):
        logits, rows = _rows(graph, network, _cropped(graph, spec)), 1
    else:
        if network.looks is not None:
            graph.input("looks", "float32", [1, spec.looks_features])
        logits = _windows(graph, network, "" if spec.input == LOOKS else _cropped(graph, spec))
    heat = graph.weight(1 / model.confidence.temperature)
    shares = graph.add("Softmax", graph.add("Mul", logits, heat), axis=1)
    # The results come first, then the state in the order of the inputs.
    states, graph.outputs = graph.outputs, []
    graph.output("probabilities", shares, "float32", [rows, len(spec.labels)])
    graph.output("logits", logits, "float32", [rows, len(spec.labels)])
    graph.outputs += states
    return graph


def crop_axis(size: int, side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, along one side of the straight view, pixels before each of its own and shares of 32.

    The share is that of the pixel after it. It is the view of `augment.warp`, in the numbers with a
    fixed point that OpenCV reduces it to.
    """
    view, half = float(np.float32(VIEW)), side / 2
    scale, start = view * side / size, half * view * (1 / size - 1) + half - 0.5
    unit = 1 << 10
    whole = np.rint(scale * np.arange(size) * unit) + np.rint(start * unit)
    place = (whole.astype(np.int64) + (unit >> BITS + 1)) >> (10 - BITS)
    return place >> BITS, place & ((1 << BITS) - 1)


def _cropped(graph: Graph, spec: ModelSpec) -> str:
    """Return the normalised view (3, S, S) of the input frame, exactly as OpenCV cuts it out."""
    pixels = graph.add("Transpose", graph.add("Cast", "frame", to=1), perm=[2, 0, 1])
    first, share = crop_axis(spec.size, spec.side)
    for axis, shape in ((1, (-1, 1)), (2, (-1,))):
        parts = []
        for at, weight in ((first, (1 << BITS) - share), (first + 1, share)):
            index = graph.weight(at.clip(0, spec.side - 1))
            taken = graph.add("Gather", pixels, index, axis=axis)
            factor = graph.weight(weight.reshape(shape).astype(np.float32))
            parts.append(graph.add("Mul", taken, factor))
        pixels = graph.add("Add", *parts)
    # All numbers up to here are whole ones: rounded as OpenCV rounds them.
    half = graph.add("Add", pixels, graph.weight(float(1 << (2 * BITS - 1))))
    levels = graph.add("Floor", graph.add("Mul", half, graph.weight(2.0 ** (-2 * BITS))))
    scaled = graph.add("Mul", levels, graph.weight(1 / (255 * STD)))
    return graph.add("Sub", scaled, graph.weight(MEAN / STD))


def _windows(graph: Graph, network: Network, pixels: str) -> str:
    """Return the logits (windows, K) after one more frame."""
    size, side = network.config.size, map_side(network.config.size)
    maps: Shape = [side, side] if network.maps else []
    steps = graph.input("steps", "int64", [WINDOWS])
    frame = graph.add("Unsqueeze", pixels, graph.weight(np.array([0]))) if pixels else ""
    if not frame:
        features = ""
    elif network.config.input == "rgb":
        encoded = graph.encode(frame, network.main)
        nothing = graph.add("Mul", steps, graph.weight(np.array(0)))
        features = graph.add("Gather", encoded, nothing, axis=0)
    else:
        features = _changes(graph, network, frame, steps, size)
    if network.looks is not None:
        wide = network.looks.features
        seen = _norm(graph, network.looks.norm, "looks")
        linear = network.looks.linear
        new = graph.linear(seen, linear.weight, linear.bias)  # (1, wide)
        old = graph.input("side", "float32", [WINDOWS, wide])
        due = graph.add("Reshape", _due(graph, steps), graph.weight(np.array([-1, 1])))
        sides = graph.add("Where", due, new, old)
        graph.output("next_side", sides, "float32", [WINDOWS, wide])
        features = graph.add("Concat", features, sides, axis=1) if features else sides
    elif network.side is not None:
        wide = network.side.features
        old = graph.input("side", "float32", [WINDOWS, wide, *maps])
        due = _due(graph, steps)
        then, other = Graph("then_"), Graph("else_")
        then.output("then_side", then.encode(frame, network.side), "float32", [1, wide, *maps])
        zeros = other.weight(np.zeros((1, wide, *([side, side] if maps else [])), np.float32))
        other.output("else_side", zeros, "float32", [1, wide, *maps])
        new = graph.choose(_any(graph, due), then, other)
        shape = graph.weight(np.array([-1, 1, *([1, 1] if maps else [])]))
        sides = graph.add("Where", graph.add("Reshape", due, shape), new, old)
        graph.output("next_side", sides, "float32", [WINDOWS, wide, *maps])
        features = graph.add("Concat", features, sides, axis=1)
    features = _normed(graph, network, features)
    hidden: Shape = [WINDOWS, network.config.hidden, *maps]
    names = ["hidden", "cell"][: len(network.core.initial_state(1))]
    state = [graph.input(name, "float32", hidden) for name in names]
    state = graph.step(network.core, features, state)
    for name, value in zip(names, state, strict=True):
        graph.output(f"next_{name}", value, "float32", hidden)
    y = graph.pool(state[0]) if network.maps else state[0]
    width: Shape = [WINDOWS, network.head.in_features]
    total = graph.add("Add", graph.input("total", "float32", width), y)
    graph.output("next_total", total, "float32", width)
    done = graph.add("Add", steps, graph.weight(np.array(1)))
    graph.output("next_steps", done, "int64", [WINDOWS])
    divisor = graph.add("Unsqueeze", graph.add("Cast", done, to=1), graph.weight(np.array([1])))
    mean = graph.add("Div", total, divisor)
    return graph.linear(mean, network.head.weight, network.head.bias)


def _due(graph: Graph, steps: str) -> str:
    """Return which windows see the frame itself (windows,), every fourth one of theirs."""
    every, zero = graph.weight(np.array(SIDE_EVERY)), graph.weight(np.array(0))
    return graph.add("Equal", graph.add("Mod", steps, every), zero)


def _any(graph: Graph, flags: str) -> str:
    """Return whether any of the flags is set, a single one."""
    number = graph.add("ReduceMax", graph.add("Cast", flags, to=7), keepdims=0)
    return graph.add("Cast", number, to=9)


def _changes(graph: Graph, network: Network, frame: str, steps: str, size: int) -> str:
    """Return the features (windows, D[, h, w]) of the last changes, as each window knows them.

    A window knows nothing before its first frame: that has no change, and the second one none
    before it. Only what some window needs is encoded.
    """
    shape: Shape = [1, 3, size, size]
    previous = graph.input("previous", "float32", shape)
    before = graph.input("change", "float32", shape)
    gain = graph.weight(DIFFERENCE_GAIN)
    change = graph.add("Mul", graph.add("Sub", frame, previous), gain)
    graph.output("next_previous", frame, "float32", shape)
    graph.output("next_change", change, "float32", shape)
    still = graph.weight(np.zeros((1, 3, size, size), np.float32))
    both = graph.add(
        "Concat",
        graph.add("Concat", change, before, axis=1),
        graph.add("Concat", change, still, axis=1),
        axis=0,
    )
    two, one = graph.weight(np.array(2)), graph.weight(np.array([1]))
    second = graph.add("Equal", steps, one)
    has_second = graph.add("Reshape", graph.add("Cast", _any(graph, second), to=7), one)
    older = graph.add("GreaterOrEqual", steps, two)
    has_older = graph.add("Reshape", graph.add("Cast", _any(graph, older), to=7), one)
    # At least one, since not all kernels take none.
    has_older = graph.add("Max", has_older, graph.add("Sub", one, has_second))
    needed = graph.add("Cast", graph.add("Concat", has_older, has_second, axis=0), to=9)
    encoded = graph.encode(graph.add("Compress", both, needed, axis=0), network.main)
    with torch.inference_mode():
        first = network.main(torch.zeros(1, 6, size, size))
    encoded = graph.add("Concat", encoded, graph.weight(first), axis=0)
    # Where the features of a first, a second and any later frame are.
    places = graph.add(
        "Concat",
        graph.add("Add", has_older, has_second),
        has_older,
        graph.weight(np.array([0])),
        axis=0,
    )
    place = graph.add("Gather", places, graph.add("Min", steps, two), axis=0)
    return graph.add("Gather", encoded, place, axis=0)


def _normed(graph: Graph, network: Network, features: str) -> str:
    norm = network.norm
    return _norm(graph, norm, features, map_side(network.config.size) if network.maps else 0)


def _norm(
    graph: Graph, norm: torch.nn.LayerNorm | torch.nn.GroupNorm, x: str, side: int = 0
) -> str:
    """Return features (N, D[, side, side]), normalised over all but their first axis."""
    weight, bias = norm.weight.detach(), norm.bias.detach()
    if side:
        weight, bias = (part.view(-1, 1, 1).expand(-1, side, side) for part in (weight, bias))
    return graph.add(
        "LayerNormalization",
        x,
        graph.weight(weight),
        graph.weight(bias),
        axis=1,
        epsilon=norm.eps,
    )


def _rows(graph: Graph, network: RowsNetwork, pixels: str) -> str:
    """Return the logits (1, K) of a picture, whose rows the core reads from the top."""
    size, hidden = network.config.size, network.config.hidden
    rows = graph.add("Transpose", pixels, perm=[1, 2, 0])
    rows = graph.add("Reshape", rows, graph.weight(np.array([size, 1, 3 * size])))
    rows = graph.add("Mul", rows, graph.weight(STD))
    rows = graph.add("Add", rows, graph.weight(MEAN))
    count = len(network.core.initial_state(1))
    body = Graph("row_")
    names = [body.input(f"row_state{n}", "float32", [1, hidden]) for n in range(count)]
    body.input("row_pixels", "float32", [1, 3 * size])
    for n, value in enumerate(body.step(network.core, "row_pixels", names)):
        body.output(f"row_next{n}", value, "float32", [1, hidden])
    zeros = graph.weight(np.zeros((1, hidden), np.float32))
    x = graph.split(
        "Scan", count, *[zeros] * count, rows, body=body.made("row"), num_scan_inputs=1
    )[0]
    for layer in network.head:
        if isinstance(layer, torch.nn.Linear):
            x = graph.linear(x, layer.weight, layer.bias)
        elif isinstance(layer, torch.nn.ReLU):
            x = graph.add("Relu", x)
    return x
