"""Reads the untrusted header of a classifier's model file; imports no torch."""

import re
from typing import Any

from vidgru.core.values import are_whole, is_number
from vidgru.engine.looks import MAX_FEATURES, MAX_SIDE, MIN_SIDE, MIN_STD
from vidgru.nn.choices import CORES, ENCODERS, GATED_UPDATES, INPUTS, LOOKS, MAP_CORE, map_side
from vidgru.tasks.classify.spec import COLDEST, HOTTEST, MAX_ANSWERS, Confidence, ModelSpec

MAX_PLACES = 2**19  # of all maps of a window: 512 frames of 512 pixels a side


def read_spec(content: dict[str, Any]) -> ModelSpec | None:
    """Return the spec in an untrusted header of a classifier, None where it is invalid."""
    raw = content["spec"]
    lists = ("labels", "looks_mean", "looks_std")
    spec = ModelSpec(**{**raw, **{name: tuple(raw.get(name, ())) for name in lists}})
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
        and spec.input in (*INPUTS, LOOKS)
        and _is_looks(spec)
        and spec.core in CORES
        and spec.encoder in ENCODERS
        and spec.gated_update in GATED_UPDATES
        and all(isinstance(label, str) and _can_be_written(label) for label in spec.labels)
        and 2 <= len(set(spec.labels)) == len(spec.labels) <= 100_000
        and are_whole(spec.hidden, spec.frames, spec.size)
        and 1 <= spec.hidden <= 4096
        and (spec.encoder == "cnn" or spec.frames == 1)
        and ((spec.frames == 1 and spec.input in ("rgb", LOOKS)) or 4 <= spec.frames <= 4096)
        and 8 <= spec.size <= 1024
        and isinstance(spec.fps, int | float)
        and 1e-12 <= spec.fps <= 1000
        and (spec.core != MAP_CORE or _has_maps(spec))
        and (spec.bout is None or is_number(spec.bout, 1e-6, 1e7))
    )


def _can_be_written(label: str) -> bool:
    """Return whether a label is text, or the bytes of a name; half a letter of JSON is neither."""
    try:
        label.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_looks(spec: ModelSpec) -> bool:
    """Return whether a classifier's picture encoder is sound, or there is none."""
    if not spec.looks:
        return (
            spec.looks == ""
            and spec.input != LOOKS
            and not any((spec.looks_name, spec.looks_features, spec.looks_side))
        )
    return (
        re.fullmatch("[0-9a-f]{64}", spec.looks) is not None
        and isinstance(spec.looks_name, str)
        and are_whole(spec.looks_features, spec.looks_side)
        and 1 <= spec.looks_features <= MAX_FEATURES
        and MIN_SIDE <= spec.looks_side <= MAX_SIDE
        and len(spec.looks_mean) == len(spec.looks_std) == 3
        and all(is_number(value, -1e3, 1e3) for value in spec.looks_mean)
        and all(is_number(value, MIN_STD, 1e3) for value in spec.looks_std)
        and (spec.input in ("both", LOOKS) and spec.encoder == "cnn" and spec.core != MAP_CORE)
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
