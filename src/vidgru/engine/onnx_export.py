"""Write an ONNX file of one step, after it was run and gave the same numbers as torch."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import ModelError, VideoError
from vidgru.core.files import replacing
from vidgru.core.results import ToDict
from vidgru.engine.onnx_file import FORMAT, KEY, Arrays, OnnxFile, hash_of, header_text, runtime
from vidgru.engine.run_folder import NO_DATA, data_of
from vidgru.video.sample import sample_frames

LENGTHS = (1, 2, 16, 17, 200)  # frames
CLOSE = 1e-4  # how far a result may be from torch's

Pixels = NDArray[np.uint8]
Numbers = NDArray[Any]


@dataclass(frozen=True)
class OnnxStep:
    """A model as a graph of one step, and how torch computes the same.

    make: gives the content of a file, from its metadata; header: what describes the model; fps,
    side: of the pictures uint8 (side, side, 3) that it reads; given: the inputs for each of them,
    besides the state; result: the output that is compared, with `reference` (T - late, ...) after
    each of T pictures but the first `late`; labelled: whether its last axis is one of labels;
    others: further comparisons, each with the largest difference for such pictures.
    """

    make: Callable[[dict[str, str]], bytes]
    header: dict[str, Any]
    fps: float
    side: int
    given: Callable[[Sequence[Pixels]], Iterable[Arrays]]
    result: str
    reference: Callable[[Sequence[Pixels]], Numbers]
    labelled: bool = False
    late: int = 0
    others: tuple[tuple[str, Callable[[OnnxFile, Sequence[Pixels]], float]], ...] = ()


@dataclass(frozen=True)
class Difference(ToDict):
    """How far the results of a file are from torch's.

    compared: what was run; difference: the largest of all; same: whether the last label is the
    same, None where there are none.
    """

    compared: str
    difference: float
    same: bool | None


@dataclass(frozen=True)
class Int8(ToDict):
    """Accuracy on held-out clips before and after weights were stored in 8 bits."""

    clips: int
    before: float
    after: float


@dataclass(frozen=True)
class ExportResult(ToDict):
    """An ONNX file that was written.

    size: in bytes; source: hash of the model file; clip: whose frames it was run on, None for drawn
    ones; beside: other files that it needs there; alone: the program and the page that run it.
    """

    path: Path
    task: str
    size: int
    source: str
    clip: str | None
    differences: tuple[Difference, ...]
    int8: Int8 | None = None
    beside: tuple[Path, ...] = ()
    alone: tuple[Path, ...] = ()


Measure = Callable[[OnnxFile], float]  # the share of held-out clips that a file labels right


def write_onnx(
    step: OnnxStep, model: Path, out: Path, measure: tuple[Measure, int] | None = None
) -> ExportResult:
    """Write a file, run it with onnxruntime, and put it into its place if it is right.

    `model` is the model file. With `measure`, and its number of clips, weights are then stored in
    8 bits. Raises ModelError where it gives other numbers than torch, OutputError.
    """
    source = hash_of(model)
    header = {"format": FORMAT, "version": version("vidgru"), "source": source, **step.header}
    clip, pictures = _pictures(model, step.fps, step.side)
    with replacing(out) as temporary:
        temporary.write_bytes(step.make({KEY: header_text(header)}))
        differences = tuple(compare(step, OnnxFile(temporary), pictures))
        for one in differences:
            if not one.difference <= CLOSE or one.same is False:  # nan is not close, either
                raise ModelError(
                    f"{model} is not exported: for {one.compared}, onnxruntime and torch differ "
                    f"by {one.difference:.2g}, more than {CLOSE:g}, or in the label."
                )
        int8 = None
        if measure is not None:
            share, count = measure
            before = share(OnnxFile(temporary))
            _quantise(temporary, step, {KEY: header_text({**header, "int8": True})})
            int8 = Int8(count, before, share(OnnxFile(temporary)))
        size = temporary.stat().st_size
    task = step.header["spec"]["task"]
    return ExportResult(out, task, size, source, clip, differences, int8)


def _quantise(path: Path, step: OnnxStep, metadata: dict[str, str]) -> None:
    """Write a file whose matrices are of 8 bits; convolutions so would take half as long again."""
    import onnx

    runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_is_other)  # it advises on the root logger
    try:
        quantize_dynamic(
            onnx.load_model_from_string(step.make(metadata)),
            path,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.getLogger().removeFilter(_is_other)


def _is_other(record: logging.LogRecord) -> bool:
    return "pre-process" not in record.getMessage()


def compare(step: OnnxStep, file: OnnxFile, pictures: Sequence[Pixels]) -> Iterator[Difference]:
    """Yield the differences of a file from torch, for LENGTHS of frames."""
    for length in (length for length in LENGTHS if length > step.late):
        shown = pictures[:length]
        wanted, found = step.reference(shown), []
        state = file.zeros()
        for given in step.given(shown):
            results, state = file.step(given, state)
            found.append(results[step.result][0])
        got = np.stack(found[step.late :])
        same = bool(got[-1].argmax(-1) == wanted[-1].argmax(-1)) if step.labelled else None
        frames = "1 frame" if length == 1 else f"{length} frames"
        yield Difference(frames, float(np.abs(got - wanted).max()), same)
    for name, other in step.others:
        yield Difference(name, other(file, pictures), None)


def _pictures(model: Path, fps: float, side: int) -> tuple[str | None, list[Pixels]]:
    """Return pictures of a clip of the model's run, over and over, or else drawn ones."""
    most = max(LENGTHS)
    try:
        clip = data_of(model.parent)[2]
        frames = islice(sample_frames(clip, fps, size=(side, side), report=lambda info: None), most)
        pictures: list[Pixels] = [frame.rgb for frame in frames]
        name = str(clip) if pictures else None
    except (*NO_DATA, VideoError):
        pictures, name = [], None
    return name, list(islice(cycle(pictures or _drawn(side, most)), most))


def _drawn(side: int, count: int) -> list[Pixels]:
    """Return pictures of blotches that move, with noise."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 200, (8, 8, 3), dtype=np.uint8)
    blotches = np.kron(cells, np.ones((-(-side // 8), -(-side // 8), 1), np.uint8))[:side, :side]
    noise = rng.integers(0, 50, (count, side, side, 3), dtype=np.uint8)
    return [np.roll(blotches, 2 * n, axis=1) + part for n, part in enumerate(noise)]
