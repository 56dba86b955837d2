"""Windows of stored clips, and the network's outputs for them."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import Frames, straight_view, warp
from vidgru.data.cache import Segments
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.sliding import SlidingWindows
from vidgru.tasks.classify.spec import ModelSpec

CHUNK = 64


def window_at(segment: Segments, start: int, spec: ModelSpec) -> Frames:
    """Return a window of stored frames uint8 (T, H, W, 3); a short clip's last frame repeats."""
    frames: Frames = np.asarray(segment[start : start + spec.frames])
    if len(frames) < spec.frames:
        missing = spec.frames - len(frames)
        frames = np.concatenate([frames, frames[-1:].repeat(missing, axis=0)])
    return frames


def clip_outputs(network: AnyNetwork, segments: Segments, spec: ModelSpec) -> Tensor:
    """Return the outputs (windows, K) for all windows of a stored clip."""
    return torch.cat([whole_outputs(network, part, spec) for part in segments])


def whole_outputs(network: AnyNetwork, frames: Segments, spec: ModelSpec) -> Tensor:
    """Return the outputs (windows, K) for all windows of stored frames uint8 (N, H, W, 3)."""
    chunks = (frames[start : start + CHUNK] for start in range(0, len(frames), CHUNK))
    views = (warp(chunk, straight_view(), spec.size) for chunk in chunks)
    return view_outputs(network, views, spec.frames)


@torch.inference_mode()
def view_outputs(network: AnyNetwork, views: Iterable[Frames], window: int) -> Tensor:
    """Return the outputs (windows, K) for all windows of views uint8 (n, size, size, 3)."""
    network.eval()
    device = next(network.parameters()).device
    windows, found = SlidingWindows(network, window), []
    for pixels in views:
        found += windows.push(normalise(torch.from_numpy(pixels).to(device)))
    found += windows.finish()
    return torch.stack([one.output for one in found]).cpu()
