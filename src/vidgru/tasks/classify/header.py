"""Reads the untrusted header of a classifier's model file; imports no torch."""

from typing import Any

from vidgru.core.values import are_whole, is_number
from vidgru.nn.choices import CORES, ENCODERS, GATED_UPDATES, INPUTS, MAP_CORE, map_side
from vidgru.tasks.classify.spec import COLDEST, HOTTEST, MAX_ANSWERS, Confidence, ModelSpec

MAX_PLACES = 2**19  # of all maps of a window: 512 frames of 512 pixels a side


def read_spec(content: dict[str, Any]) -> ModelSpec | None:
    """Return the spec in an untrusted header of a classifier, None where it is invalid."""
    raw = content["spec"]
    spec = ModelSpec(**{**raw, "labels": tuple(raw["labels"])})
    sound = _is_classifier(spec) and _is_confidence(content["confidence"])
    return spec if sound else None


def read_confidence(content: dict[str, Any]) -> Confidence:
    """Return the Confidence in a header that `read_spec` accepted."""
    sure = content["confidence"]
    answers = tuple((float(c), right) for c, right in sure["answers"])
    return Confidence(sure["temperature"], answers, sure.get("windows"))


def _is_classifier(spec: ModelSpec) -> bool:
    """Return whether an untrusted spec is valid; raises TypeError or ValueError."""
    return (
        spec.task == "classify"
        and spec.input in INPUTS
        and spec.core in CORES
        and spec.encoder in ENCODERS
        and spec.gated_update in GATED_UPDATES
        and all(isinstance(label, str) for label in spec.labels)
        and 2 <= len(set(spec.labels)) == len(spec.labels) <= 100_000
        and are_whole(spec.hidden, spec.frames, spec.size)
        and 1 <= spec.hidden <= 4096
        and (spec.encoder == "cnn" or spec.frames == 1)
        and ((spec.frames == 1 and spec.input == "rgb") or 4 <= spec.frames <= 4096)
        and 8 <= spec.size <= 1024
        and isinstance(spec.fps, int | float)
        and 1e-12 <= spec.fps <= 1000
        and (spec.core != MAP_CORE or _has_maps(spec))
        and (spec.bout is None or is_number(spec.bout, 1e-6, 1e7))
    )


def _has_maps(spec: ModelSpec) -> bool:
    """Return whether a classifier may have maps: they take memory by frames, places and values."""
    places = spec.frames * map_side(spec.size) ** 2
    return spec.encoder == "cnn" and spec.hidden <= 256 and places <= MAX_PLACES


def _is_confidence(sure: Any) -> bool:
    return (
        is_number(sure["temperature"], COLDEST, HOTTEST)
        and (sure.get("windows") is None or is_number(sure["windows"], COLDEST, HOTTEST))
        and len(sure["answers"]) <= MAX_ANSWERS
        and all(is_number(c, 0, 1) and type(right) is bool for c, right in sure["answers"])
    )
