"""How the ONNX graph of a classifier is made and checked."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.core.errors import DataError, ModelError, OutputError
from vidgru.core.files import write_bytes
from vidgru.core.results import run_to_end
from vidgru.data.cache import Sampling
from vidgru.data.dataset import read_all
from vidgru.data.sources import read_source
from vidgru.engine.held_out import part_of
from vidgru.engine.looks import Features, LooksEncoder
from vidgru.engine.onnx_export import Measure, OnnxStep
from vidgru.engine.onnx_file import Arrays, OnnxFile, hash_of
from vidgru.engine.run_folder import annotations_of, data_of, read_split
from vidgru.tasks.classify.looks import held_out_features
from vidgru.tasks.classify.looks_file import LOOKS_NAME, open_looks
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.onnx_model import OnnxWindows
from vidgru.tasks.classify.onnx_step import step_graph
from vidgru.tasks.classify.probabilities import choose_threshold, clip_probabilities, softmax
from vidgru.tasks.classify.spec import SIDE_EVERY, stride_of
from vidgru.video.read import Image, shrink

MAX_ERROR = 0.05  # for the threshold in the header


def onnx_step(loaded: LoadedModel) -> OnnxStep:
    """Return a classifier as a graph of one step; raises ModelError."""
    spec, confidence = loaded.spec, loaded.confidence
    encoder = open_looks(spec, loaded.path, option=False)
    model = Model(loaded, torch.device("cpu"), looks=encoder.path if encoder else None)
    answers = confidence.answers
    header = {
        "stride": stride_of(spec.frames),
        "side": spec.side,
        "threshold": choose_threshold([c for c, _ in answers], [r for _, r in answers], MAX_ERROR),
        "spec": asdict(spec),
        "confidence": asdict(confidence),
    }

    def given(images: Sequence[Image]) -> Iterator[Arrays]:
        if model.looks is None:
            return ({"frame": image} for image in images)
        seen = _seen(model.looks, images)
        pairs = enumerate(images)
        return ({"frame": one, "looks": seen[n // SIDE_EVERY][None]} for n, one in pairs)

    @torch.inference_mode()
    def reference(images: Sequence[Image]) -> NDArray[np.float64]:
        clip = [model.normalised(images)[None]]
        if model.looks is not None:
            clip.append(torch.from_numpy(_seen(model.looks, images))[None])
        logits = model.network(*clip)[0].double().numpy()
        return softmax(logits / confidence.temperature)

    def windows(file: OnnxFile, images: Sequence[Image]) -> float:
        stride, large = max(1, spec.frames // 4), list[Image]()
        if model.looks is not None:
            large = _enlarged(model.looks, images)
        ours = OnnxWindows(file, spec, stride, each=True, looks=model.looks)
        torchs = model.windows(stride, each=True)
        differences = [
            np.abs(softmax(a.logits) - softmax(b.logits)).max()
            for a, b in zip(
                [*ours.push(images, large), *ours.finish()],
                [*torchs.push(images, large), *torchs.finish()],
                strict=True,
            )
        ]
        return float(max(differences))

    return OnnxStep(
        step_graph(loaded).model,
        header,
        spec.fps,
        spec.side,
        given,
        "probabilities",
        reference,
        labelled=True,
        others=(("overlapping windows", windows),),
    )


def write_beside(loaded: LoadedModel, out: Path, standalone: bool) -> tuple[Path, ...]:
    """Copy the picture encoder of a model beside its .onnx file, if it has one.

    Raises ModelError where it cannot be exported so, OutputError.
    """
    if (encoder := open_looks(loaded.spec, loaded.path, option=False)) is None:
        return ()
    if standalone:
        raise ModelError(
            f"{loaded.path} uses a picture encoder, which the files of --standalone cannot run: "
            "leave it out."
        )
    copy = out.with_name(LOOKS_NAME)
    # Wherever it lies: the copy that was found may not be the user's own.
    taken = out.exists() and hash_of(out) == loaded.spec.looks
    if taken or os.path.realpath(out) in (os.path.realpath(copy), os.path.realpath(encoder.path)):
        raise OutputError(f"{out} is the place of the picture encoder: give another --out.")
    if copy.exists() and hash_of(copy) == loaded.spec.looks:
        return (copy,)
    if copy.exists():
        raise OutputError(f"{copy} is another picture encoder: give --out in another folder.")
    try:
        write_bytes(copy, encoder.path.read_bytes())
    except OSError as error:
        raise OutputError(f"Cannot copy {encoder.path}: {error.strerror or error}.") from error
    return (copy,)


def _enlarged(looks: LooksEncoder, images: Sequence[Image]) -> list[Image]:
    side = looks.looks.side
    return [shrink(image, (side, side)) for image in images]


def _seen(looks: LooksEncoder, images: Sequence[Image]) -> Features:
    """Return the features (ceil(N / 4), F) of every fourth picture."""
    return looks.encode(_enlarged(looks, images[::SIDE_EVERY]))


def measure_onnx(loaded: LoadedModel, folder: Path) -> tuple[Measure, int]:
    """Return what measures the accuracy of an exported model, and on how many clips.

    They are those of the folder's test part, or its validation part, that the model did not learn
    from. Raises DataError where there are none.
    """
    spec, run = loaded.spec, loaded.path.parent
    split = read_split(run)
    source = read_source(folder, annotations=annotations_of(run, data_of(run)[0]))
    results = run_to_end(
        read_all(
            [clip for clip in source if clip.label in spec.labels],
            Sampling(spec.fps, spec.side, spec.frames),
        ),
        None,
    )
    held_out = [
        result
        for result in results
        if result.segments is not None and part_of(split, result) in ("val", "test")
    ]
    encoder = open_looks(spec, loaded.path, option=False)
    known = run_to_end(held_out_features(held_out, spec, encoder), None)
    if not held_out:
        raise DataError(f"{folder} has no clips that {loaded.path} did not learn from.")

    def measure(file: OnnxFile) -> float:
        right = 0
        for result in held_out:
            outputs, seen = [], known.get(result.clip)
            for n, part in enumerate(() if result.segments is None else result.segments):
                windows = OnnxWindows(file, spec)
                own = None if seen is None else seen[n, 0]
                outputs += [*windows.push_seen(list(part), own), *windows.finish()]
            shares = clip_probabilities(np.stack([window.logits for window in outputs]), 1.0)
            right += spec.labels[int(shares.argmax())] == result.clip.label
        return right / len(held_out)

    return measure, len(held_out)
