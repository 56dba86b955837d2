"""What each frame, and each place in it, adds to a class: by one pass back through the network."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.nn.encoders import FrameEncoder
from vidgru.nn.inputs import changes
from vidgru.nn.unroll import unroll
from vidgru.tasks.classify.network import SIDE_EVERY, Network

# Of the seven layers of an encoder: the maps behind it are a quarter of the picture's side, fine
# enough to tell two objects apart (measured, see docs/results.md).
LAYER = 2


class Forward(NamedTuple):
    """A pass over windows (B, T, 3, H, W) that can be gone back.

    contributions: (B, T, K), what each frame adds to each logit, their sum is the window's; state:
    (B, values), the mean of the core's outputs; read: what the core read (B, T, D[, h, w]); leaves:
    maps of the encoder of changes (B T, C, h, w) and, if there is one, that of pictures
    (B ceil(T / 4), E, h, w); plain: what they are where nothing changes and nothing is shown.
    """

    contributions: Tensor
    state: Tensor
    read: Tensor
    leaves: list[Tensor]
    plain: list[Tensor]


def core_outputs(network: Network, read: Tensor) -> Tensor:
    """Return what the head reads of each frame (B, T, values), for what the core reads."""
    ys, _ = unroll(network.core, read)
    return network.pooled(ys)


def forward(network: Network, clips: Tensor, layer: int = LAYER) -> Forward:
    """Run the network over normalised windows (B, T, 3, H, W); it must be in eval mode."""
    shape, moves = clips.shape[:2], network.config.input != "rgb"
    inputs = (changes(clips) if moves else clips).flatten(0, 1)
    # All frames without a change are alike.
    plain = torch.zeros_like(inputs[:1]) if moves else blurred(inputs)
    maps, still, features = _split(network.main, inputs, plain, layer)
    leaves, stills, side = [maps], [still], None
    if network.side is not None:
        frames = clips[:, ::SIDE_EVERY]
        pictures = frames.flatten(0, 1)
        maps, still, found = _split(network.side, pictures, blurred(pictures), layer)
        side = torch.unflatten(found, 0, frames.shape[:2])
        leaves.append(maps)
        stills.append(still)
    read = network.join(torch.unflatten(features, 0, shape), side)
    ys = core_outputs(network, read)
    # The last logits are the mean over frames of the head's: its bias is shared equally.
    contributions = network.head(ys) / ys.shape[1]
    return Forward(contributions, ys.detach().mean(1), read.detach(), leaves, stills)


def _split(
    encoder: FrameEncoder, inputs: Tensor, plain: Tensor, layer: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return maps behind a layer, as a leaf of the graph, those of plain inputs, and features."""
    with torch.no_grad():
        both = torch.cat([inputs, plain]).contiguous(memory_format=torch.channels_last)
        maps, still = torch.split(encoder.layers[:layer](both), [len(inputs), len(plain)])
    maps = maps.clone().requires_grad_()
    return maps, still, encoder.finish(encoder.layers[layer:](maps))


def backward(passed: Forward, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Return relevance maps (B, T, h, w) of windows, and how strong each encoder's are.

    direction: (B, K), the weights of the logits whose sum is explained. Relevance is the gradient
    times how an activation differs from where nothing changes and only blotches are shown: as in
    Grad-CAM (Selvaraju et al. 2017), but place by place, and through the core, so that a frame
    counts for all that it changes later. What the encoder of pictures finds counts equally in the
    frames for which it is held. Only what speaks for the sum counts: what speaks against it is in
    other channels, mostly at the same places.
    """
    batch, steps = passed.contributions.shape[:2]
    score = (passed.contributions.sum(1) * direction).sum()
    with torch.backends.cudnn.flags(enabled=False):  # its RNNs refuse to go back in eval mode
        gradients = torch.autograd.grad(score, passed.leaves)
    found = [
        torch.unflatten(_positive(leaf.detach() - still, gradient), 0, (batch, -1))
        for leaf, still, gradient in zip(passed.leaves, passed.plain, gradients, strict=True)
    ]
    if len(found) > 1:
        held = found[1].repeat_interleave(SIDE_EVERY, dim=1)[:, :steps]
        counts = torch.full((found[1].shape[1],), float(SIDE_EVERY), device=held.device)
        counts[-1] = steps - SIDE_EVERY * (len(counts) - 1)
        found[1] = held / counts.repeat_interleave(SIDE_EVERY)[:steps].view(1, -1, 1, 1)
    return torch.stack(found).sum(0), torch.stack([part.sum() for part in found])


def _positive(maps: Tensor, gradient: Tensor) -> Tensor:
    return (maps * gradient).clamp_min(0).sum(1)


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
