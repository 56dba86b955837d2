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

    clip: (T, 3, H, W), normalised; direction: (K,), as for `relevance_maps`. A map has the mean of
    two changes of the sum of the logits: how far it falls when the patch around a place is hidden
    for four frames (it shows no change and its picture is blurred), and how far it rises when all
    of the window is hidden but that. These are the last and the first term of a Shapley value.
    """
    moves = network.config.input != "rgb"
    inputs = changes(clip[None])[0] if moves else clip
    plain = torch.zeros_like(inputs) if moves else blurred(clip)
    pictures, plain_pictures = clip[::SIDE_EVERY], blurred(clip[::SIDE_EVERY])
    whole = network.encode(clip[None])
    nothing = (
        torch.cat([network.main(part) for part in torch.split(plain, ENCODED)])[None],
        None if network.side is None else network.side(plain_pictures)[None],
    )
    masks = patch_masks(clip.shape[-1]).to(clip)  # (P, 1, H, W)
    for start in range(0, len(clip), STRETCH):
        stretch, picture = slice(start, min(start + STRETCH, len(clip))), start // SIDE_EVERY
        changed = torch.zeros(len(masks), device=clip.device)
        for mask, (main, side), sign in ((masks, whole, -1), (1 - masks, nothing, 1)):
            before = _score(network, network.join(main, side), direction)
            hidden = _mixed(inputs[stretch], plain[stretch], mask)  # (P frames, C, H, W)
            encoded = torch.cat([network.main(part) for part in torch.split(hidden, ENCODED)])
            main = main.repeat(len(mask), *[1] * (main.ndim - 1))
            main[:, stretch] = torch.unflatten(encoded, 0, (len(mask), -1))
            if network.side is not None and side is not None:
                side = side.repeat(len(mask), *[1] * (side.ndim - 1))
                at = slice(picture, picture + 1)
                side[:, picture] = network.side(_mixed(pictures[at], plain_pictures[at], mask))
            after = _score(network, network.join(main, side), direction)
            changed += sign * (after - before) / 2
        coarse = changed.view(1, 1, PATCHES, PATCHES)
        maps = functional.interpolate(coarse, (GRID, GRID), mode="bilinear")[0]
        yield maps.repeat(len(inputs[stretch]), 1, 1)


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
