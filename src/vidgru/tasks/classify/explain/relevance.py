"""What each frame, and each place in it, adds to a class: by going back through the network."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.nn.encoders import FrameEncoder
from vidgru.nn.inputs import changes
from vidgru.nn.unroll import unroll
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.spec import SIDE_EVERY

# Of the seven layers of an encoder: the maps behind it are a quarter of the picture's side, fine
# enough to tell two objects apart (measured, see docs/results.md).
LAYER = 2
STEPS = 2  # on the way from where nothing changes


class Forward(NamedTuple):
    """What a pass over windows (B, T, 3, H, W) comes to.

    contributions: (B, T, K), what each frame adds to each logit, their sum is the window's; state:
    (B, values), the mean of the core's outputs; read: what the core read (B, T, D[, h, w]); maps:
    of the encoder of changes (B T, C, h, w) and, if there is one, of that of pictures
    (B ceil(T / 4), E, h, w); plain: what they are where nothing changes and nothing is shown.
    """

    contributions: Tensor
    state: Tensor
    read: Tensor
    maps: list[Tensor]
    plain: list[Tensor]


def core_outputs(network: Network, read: Tensor) -> Tensor:
    """Return what the head reads of each frame (B, T, values), for what the core reads."""
    ys, _ = unroll(network.core, read)
    return network.pooled(ys)


@torch.no_grad()
def forward(network: Network, clips: Tensor) -> Forward:
    """Run the network over normalised windows (B, T, 3, H, W); it must be in eval mode."""
    moves = network.config.input != "rgb"
    inputs = (changes(clips) if moves else clips).flatten(0, 1)
    # All frames without a change are alike.
    found = [_split(network.main, inputs, torch.zeros_like(inputs[:1]) if moves else None)]
    if network.side is not None:
        found.append(_split(network.side, clips[:, ::SIDE_EVERY].flatten(0, 1), None))
    maps, plain = ([pair[n] for pair in found] for n in (0, 1))
    read = _read(network, maps, len(clips))
    ys = core_outputs(network, read)
    # The last logits are the mean over frames of the head's: its bias is shared equally.
    return Forward(network.head(ys) / ys.shape[1], ys.mean(1), read, maps, plain)


def _split(encoder: FrameEncoder, inputs: Tensor, plain: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the maps behind LAYER of inputs, and of plain ones: by default, blurred inputs."""
    plain = blurred(inputs) if plain is None else plain
    both = torch.cat([inputs, plain]).contiguous(memory_format=torch.channels_last)
    maps, still = torch.split(encoder.layers[:LAYER](both), [len(inputs), len(plain)])
    return maps, still


def _read(network: Network, maps: list[Tensor], batch: int) -> Tensor:
    """Return what the core reads of windows (B, T, D[, h, w]), from maps behind LAYER."""
    encoders = [network.main] if network.side is None else [network.main, network.side]
    main, *side = (
        torch.unflatten(encoder.finish(encoder.layers[LAYER:](one)), 0, (batch, -1))
        for encoder, one in zip(encoders, maps, strict=True)
    )
    return network.join(main, side[0] if side else None)


def relevance_maps(
    network: Network, passed: Forward, direction: Tensor, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """Return signed relevance maps (B, T, h, w) of windows, and how strong each encoder's are.

    direction: (B, K), the weights of the logits whose sum is explained. Relevance is how maps
    differ from where nothing changes and only blotches are shown, times the gradient on the way
    from there, as in integrated gradients (Sundararajan et al. 2017), but for maps, as in Grad-CAM
    (Selvaraju et al. 2017). It goes through the core, so a frame counts for all that it changes
    later. What the encoder of pictures finds counts equally in the frames for which it is held.
    With many `steps` all maps sum to how the weighted logits differ.
    """
    batch, frames = passed.contributions.shape[:2]
    differences = [one - plain for one, plain in zip(passed.maps, passed.plain, strict=True)]
    shares = [(n + 0.5) / steps for n in range(steps)]
    leaves = [
        torch.cat([plain + share * difference for share in shares]).requires_grad_()
        for plain, difference in zip(passed.plain, differences, strict=True)
    ]
    read = _read(network, leaves, steps * batch)
    score = (network.head(core_outputs(network, read).mean(1)) * direction.repeat(steps, 1)).sum()
    with torch.backends.cudnn.flags(enabled=False):  # its RNNs refuse to go back in eval mode
        gradients = torch.autograd.grad(score, leaves)
    found = [
        torch.unflatten(
            (difference * torch.unflatten(gradient, 0, (steps, -1)).mean(0)).sum(1), 0, (batch, -1)
        )
        for difference, gradient in zip(differences, gradients, strict=True)
    ]
    if len(found) > 1:
        held = found[1].repeat_interleave(SIDE_EVERY, dim=1)[:, :frames]
        counts = torch.full((found[1].shape[1],), float(SIDE_EVERY), device=held.device)
        counts[-1] = frames - SIDE_EVERY * (len(counts) - 1)
        found[1] = held / counts.repeat_interleave(SIDE_EVERY)[:frames].view(1, -1, 1, 1)
    return torch.stack(found).sum(0), torch.stack([part.abs().sum() for part in found])


def blurred(frames: Tensor) -> Tensor:
    """Return frames (N, C, H, W) of which only large blotches are left."""
    few = functional.adaptive_avg_pool2d(frames, 4)
    return functional.interpolate(few, frames.shape[-2:], mode="bilinear")


def odds(logits: Tensor, label: int, against: int | None) -> Tensor:
    """Return the direction (B, K) of the odds of a class, for logits (B, K).

    Against one other class it is the difference of their logits, otherwise that to the mean of all
    others, each weighted by its probability.
    """
    others = logits.detach().clone()
    others[:, label] = -torch.inf
    if against is None:
        direction = -others.softmax(1)
    else:
        direction = torch.zeros_like(others)
        direction[:, against] = -1
    direction[:, label] = 1
    return direction
