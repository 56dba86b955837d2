"""Believe nothing that a checkpoint says: compare it with what the training itself would write."""

import math
from typing import Any

import torch

LARGEST = 2**53  # a float holds every whole number up to it


def matches_structure(value: Any, template: Any) -> bool:
    """Return whether a value is built as another: same types, keys and shapes, finite numbers.

    Lists may be of any length, of items like the other's first one. Torch believes much of this:
    moments of another shape, or with one number in place of all, let its fused optimizer write to
    memory that is not its own.
    """
    if type(value) is not type(template):
        return False
    if isinstance(value, torch.Tensor):
        plain = value.layout == torch.strided and value.device.type == "cpu"
        plain = plain and value.is_contiguous()
        alike = plain and (value.dtype, value.shape) == (template.dtype, template.shape)
        return alike and not value.requires_grad and bool(torch.isfinite(value).all())
    if isinstance(value, dict):
        return value.keys() == template.keys() and all(matches_structure(value[key], template[key]) for key in template)
    if isinstance(value, list):
        return all(matches_structure(one, template[0]) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= LARGEST
