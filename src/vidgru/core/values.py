"""Checks of untrusted values."""

from typing import Any


def is_number(value: Any, low: float, high: float) -> bool:
    """Return whether an untrusted value is a number in a range; nan is not."""
    return type(value) in (int, float) and low <= value <= high


def are_whole(*values: Any) -> bool:
    """Return whether untrusted values are integers; True and False are not."""
    return all(type(value) is int for value in values)
