"""What pixels alone show of boundaries, added to the logits of a network.

A clear case stands out of all frames around it, even in dark or unusual pictures that a network is
less sure about; its own output still has to agree to some degree.
"""

import torch
from torch import Tensor
from torch.nn import functional

CALM = 8  # frames around a cut that change less
RATIO, PER_RATIO, MAX_CUT = 1.5, 3.0, 3.0  # from which ratio a cut counts; logits
NOISE = 0.3 / 255  # change of a picture that is mere noise, and that of its structure ...
STRUCTURE_NOISE = 0.05
FAINT = 4 / 255  # contrast below which structure is weak
SPANS = (5, 8, 12)  # frames from the middle of a dissolve to either end
ASIDE = 3  # frames before and after it that show one scene only
STRAIGHT, PER_BEND, MAX_DISSOLVE = 0.14, 30.0, 2.0  # below which bend a dissolve counts; logits
OTHER = 0.25  # difference in structure between two scenes, at least
MIDDLE = 0.16  # by which the middle of a dissolve may be off, squared, in shares of its way
# Where only light changes: frames before and after, if it does so gradually; correlation of grey;
# what light leaves of a change, in shares of it.
LIGHT = ((0, 0.97, 0.2), (4, 0.98, 0.15), (8, 0.98, 0.15), (12, 0.98, 0.15))
SAME_GREY, ALIKE = 0.4, 0.95  # where only colour does: change of grey in shares of that of colour
OTHER_LIGHT = 3 / 255  # change of light or colour
NEVER = -20.0  # logit
LUMA = (0.299, 0.587, 0.114)
EVIDENCE = 2  # logits that it adds to
FARTHEST = 16  # frames around one


def evidence(coarse: Tensor) -> Tensor:
    """Return what to add to the logits of a boundary and of being within one (B, T, EVIDENCE).

    coarse: pictures (B, T, 3 * cells), channels first, from 0 to 1. It depends on FARTHEST frames
    before and after each one.
    """
    planes = coarse.view(*coarse.shape[:-1], 3, -1)
    structure = planes - planes.mean(-1, keepdim=True)
    spread = structure.flatten(2).square().mean(-1).sqrt()[..., None, None]
    structure = (structure / (spread + FAINT)).flatten(2)
    sharp = _stands_out(coarse, NOISE)
    clear = torch.minimum(sharp, _stands_out(structure, STRUCTURE_NOISE))
    here = (PER_RATIO * (clear - RATIO)).clamp(0, MAX_CUT)
    within = torch.zeros_like(here)
    for span in SPANS:
        mixed = _mixes(coarse, structure, span)
        here = torch.maximum(here, mixed)
        wide = min(span, FARTHEST - span - ASIDE)
        within = torch.maximum(within, functional.max_pool1d(mixed, 2 * wide + 1, 1, wide))
    return torch.stack([here + NEVER * _same_scene(planes, sharp > RATIO), within], dim=-1)


def _windows(values: Tensor, before: int, after: int) -> Tensor:
    """Return (B, T, ..., W) with the values around each frame; the ends are repeated."""
    first = values[:, :1].expand(-1, before, *values.shape[2:])
    last = values[:, -1:].expand(-1, after, *values.shape[2:])
    return torch.cat([first, values, last], dim=1).unfold(1, before + after + 1, 1)


def _changes(values: Tensor) -> Tensor:
    """Return by how much each frame differs from the one before (B, T)."""
    apart = (values[:, 1:] - values[:, :-1]).abs().mean(-1)
    return functional.pad(apart, (1, 0))


def _stands_out(values: Tensor, noise: float) -> Tensor:
    """Return each frame's change in shares of the largest one around it."""
    changes = _changes(values)
    around = _windows(changes, CALM, CALM).clone()
    around[..., CALM] = 0
    return changes / (around.amax(-1) + noise)


def _mixes(pictures: Tensor, structure: Tensor, span: int) -> Tensor:
    """Return logits for a dissolve with its middle here: even steps from one picture to another."""
    reach = span + ASIDE
    apart = (_moved(structure, span) - _moved(structure, -span)).abs().mean(-1) > OTHER
    first, last = _moved(pictures, -span), _moved(pictures, span)
    bent = (2 * pictures - first - last).square().sum(-1)
    apart &= bent < MIDDLE * (last - first).square().sum(-1)
    around = _windows(pictures, reach, reach)[apart]  # (N, D, W): few frames, mostly
    axis = around[..., ASIDE + 2 * span] - around[..., ASIDE]
    length = axis.square().sum(-1, keepdim=True) + 1e-9
    steps = around - around[..., ASIDE, None]
    share = (steps * axis[..., None]).sum(-2) / length
    off = (steps - share[..., None, :] * axis[..., None]).square().sum(-2) / length
    place = torch.arange(-ASIDE, 2 * span + ASIDE + 1, device=pictures.device)
    even = (place / (2 * span)).clamp(0, 1)
    bend = off.sqrt().mean(-1) + (share - even).abs().mean(-1)
    logits = torch.zeros_like(bent)
    logits[apart] = (PER_BEND * (STRAIGHT - bend)).clamp(0, MAX_DISSOLVE)
    return logits


def _same_scene(planes: Tensor, sharp: Tensor) -> Tensor:
    """Return where only light or colour changes, and the picture in grey stays up to that."""
    grey = (planes * planes.new_tensor(LUMA)[:, None]).sum(-2)  # (B, T, cells)
    shape, colours = grey - grey.mean(-1, keepdim=True), planes.flatten(2)
    tint = _changes((planes - grey[..., None, :]).flatten(2))
    before = _moved(shape, -1)
    alike = functional.cosine_similarity(before, shape, dim=-1, eps=1e-3) > ALIKE
    once = alike & (tint > OTHER_LIGHT) & (_changes(grey) < SAME_GREY * tint)
    slowly = torch.zeros_like(once)
    for aside, least, most in LIGHT:
        before, after = _moved(shape, -aside - 1), _moved(shape, aside)
        gain = (before * after).sum(-1) / (before.square().sum(-1) + 1e-9)
        left = (after - gain[..., None] * before).abs().mean(-1)
        alike = functional.cosine_similarity(before, after, dim=-1, eps=1e-3) > least
        change = (_moved(colours, aside) - _moved(colours, -aside - 1)).abs().mean(-1)
        other = alike & (change > OTHER_LIGHT) & (left < most * change)
        if aside:
            slowly |= other
        else:
            once |= other
    near = functional.max_pool1d((once & sharp).float(), 5, 1, 2)
    return torch.maximum(near, slowly.float())


def _moved(values: Tensor, shift: int) -> Tensor:
    """Return (B, T, D) with the values of `shift` frames later, the ends repeated."""
    return _windows(values, max(-shift, 0), max(shift, 0))[..., 0 if shift < 0 else -1]
