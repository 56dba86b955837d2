"""How the ONNX graph of a classifier is made and checked."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.core.errors import DataError, ModelError
from vidgru.core.results import run_to_end
from vidgru.data.cache import Sampling
from vidgru.data.dataset import read_all
from vidgru.data.sources import read_source
from vidgru.engine.held_out import part_of
from vidgru.engine.onnx_export import Measure, OnnxStep
from vidgru.engine.onnx_file import Arrays, OnnxFile
from vidgru.engine.run_folder import read_split
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.onnx_model import OnnxWindows
from vidgru.tasks.classify.onnx_step import step_graph
from vidgru.tasks.classify.probabilities import choose_threshold, clip_probabilities, softmax
from vidgru.tasks.classify.spec import stride_of
from vidgru.video.read import Image

MAX_ERROR = 0.05  # for the threshold in the header


def onnx_step(loaded: LoadedModel) -> OnnxStep:
    """Return a classifier as a graph of one step; raises ModelError."""
    if loaded.spec.looks:
        raise ModelError(
            f"{loaded.path} uses a picture encoder: such a model is not exported. Predict with the "
            "run folder."
        )
    spec, confidence = loaded.spec, loaded.confidence
    model = Model(loaded, torch.device("cpu"))
    answers = confidence.answers
    header = {
        "stride": stride_of(spec.frames),
        "side": spec.side,
        "threshold": choose_threshold([c for c, _ in answers], [r for _, r in answers], MAX_ERROR),
        "spec": asdict(spec),
        "confidence": asdict(confidence),
    }

    def given(images: Sequence[Image]) -> Iterator[Arrays]:
        return ({"frame": image} for image in images)

    @torch.inference_mode()
    def reference(images: Sequence[Image]) -> NDArray[np.float64]:
        logits = model.network(model.normalised(images)[None])[0].double().numpy()
        return softmax(logits / confidence.temperature)

    def windows(file: OnnxFile, images: Sequence[Image]) -> float:
        stride = max(1, spec.frames // 4)
        ours = OnnxWindows(file, spec, stride, each=True)
        torchs = model.windows(stride, each=True)
        differences = [
            np.abs(softmax(a.logits) - softmax(b.logits)).max()
            for a, b in zip(
                [*ours.push(images), *ours.finish()],
                [*torchs.push(images), *torchs.finish()],
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


def measure_onnx(loaded: LoadedModel, folder: Path) -> tuple[Measure, int]:
    """Return what measures the accuracy of an exported model, and on how many clips.

    They are those of the folder's test part, or its validation part, that the model did not learn
    from. Raises DataError where there are none.
    """
    spec = loaded.spec
    split = read_split(loaded.path.parent)
    results = run_to_end(
        read_all(
            [clip for clip in read_source(folder) if clip.label in spec.labels],
            Sampling(spec.fps, spec.side, spec.frames),
        ),
        None,
    )
    held_out = [
        (result.segments, result.clip.label)
        for result in results
        if result.segments is not None and part_of(split, result) in ("val", "test")
    ]
    if not held_out:
        raise DataError(f"{folder} has no clips that {loaded.path} did not learn from.")

    def measure(file: OnnxFile) -> float:
        right = 0
        for segments, label in held_out:
            outputs = []
            for part in segments:
                windows = OnnxWindows(file, spec)
                outputs += [*windows.push(list(part)), *windows.finish()]
            shares = clip_probabilities(np.stack([window.logits for window in outputs]), 1.0)
            right += spec.labels[int(shares.argmax())] == label
        return right / len(held_out)

    return measure, len(held_out)
