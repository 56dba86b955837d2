"""What hiding a part of a window does to its answer: slow, but it relies on nothing else."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.nn.inputs import changes
from vidgru.tasks.classify.explain.relevance import blurred, core_outputs
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.spec import SIDE_EVERY

GRID = 16  # places across of the maps
PATCHES = 8  # across, each of twice the side of a step
STRETCH = SIDE_EVERY  # frames that are hidden together
ENCODED = 256  # frames that go through an encoder together


@torch.no_grad()
def occlusion_maps(network: Network, clip: Tensor, direction: Tensor) -> Iterator[Tensor]:
    """Yield for each stretch of a window its maps (frames, GRID, GRID), frame after frame.

    clip: (T, 3, H, W), normalised; direction: (K,), as for `relevance_maps`. A map has how much the
    sum of the logits falls when the patch around a place shows no change for four frames and its
    picture is blurred.
    """
    moves = network.config.input != "rgb"
    inputs = changes(clip[None])[0] if moves else clip
    plain = torch.zeros_like(inputs) if moves else blurred(clip)
    main, side = network.encode(clip[None])
    whole = _score(network, network.join(main, side), direction)
    masks = patch_masks(clip.shape[-1]).to(clip)  # (P, 1, H, W)
    for start in range(0, len(clip), STRETCH):
        end = min(start + STRETCH, len(clip))
        hidden = _mixed(inputs[start:end], plain[start:end], masks)  # (P (end - start), C, H, W)
        changed = main.repeat(len(masks), *[1] * (main.ndim - 1))
        encoded = torch.cat([network.main(part) for part in torch.split(hidden, ENCODED)])
        changed[:, start:end] = torch.unflatten(encoded, 0, (len(masks), -1))
        pictures = None
        if network.side is not None and side is not None:
            pictures = side.repeat(len(masks), *[1] * (side.ndim - 1))
            shown = clip[start : start + 1]
            pictures[:, start // SIDE_EVERY] = network.side(_mixed(shown, blurred(shown), masks))
        falls = whole - _score(network, network.join(changed, pictures), direction)  # (P,)
        coarse = falls.view(1, 1, PATCHES, PATCHES)
        maps = functional.interpolate(coarse, (GRID, GRID), mode="bilinear")[0]
        yield maps.repeat(end - start, 1, 1)


def _score(network: Network, read: Tensor, direction: Tensor) -> Tensor:
    """Return the weighted sum of the logits of windows (B,), for what the core reads."""
    logits: Tensor = network.head(core_outputs(network, read).mean(1))
    return logits @ direction


def patch_masks(side: int) -> Tensor:
    """Return soft masks (P, 1, side, side) of overlapping patches, 1 inside."""
    at = (torch.arange(side) + 0.5) * PATCHES / side
    middles = torch.arange(PATCHES) + 0.5
    one = (1.5 - (at[None] - middles[:, None]).abs() * 1.5).clamp(0, 1)  # (PATCHES, side)
    return torch.einsum("ay,bx->abyx", one, one).flatten(0, 1)[:, None]


def _mixed(frames: Tensor, plain: Tensor, masks: Tensor) -> Tensor:
    """Return frames (N, C, H, W) with each patch as in `plain`: (P N, C, H, W)."""
    mask = masks[:, None]
    return (frames * (1 - mask) + plain * mask).flatten(0, 1)
