"""Windows of stored clips, and the network's outputs for them."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import Frames, straight_view, warp
from vidgru.data.cache import Segments
from vidgru.engine.looks import Features
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


def looks_at(features: Features, start: int, spec: ModelSpec) -> Features:
    """Return the features (ceil(T / every), F) of a window of a clip, of (n, F) of all of it.

    start: its first frame, one that the picture encoder saw. A short clip's last ones repeat.
    """
    every = spec.looks_every
    found = features[start // every :][: -(-spec.frames // every)]
    missing = -(-spec.frames // every) - len(found)
    return np.concatenate([found, found[-1:].repeat(missing, axis=0)]) if missing else found


def clip_outputs(
    network: AnyNetwork, segments: Segments, spec: ModelSpec, looks: Features | None = None
) -> Tensor:
    """Return the outputs (windows, K) for all windows of a stored clip.

    looks: (segments, views, n, F), of a picture encoder; the first view is the whole picture.
    """
    own = [None] * len(segments) if looks is None else looks[:, 0]
    parts = zip(segments, own, strict=True)
    return torch.cat([whole_outputs(network, part, spec, seen) for part, seen in parts])


def whole_outputs(
    network: AnyNetwork, frames: Segments, spec: ModelSpec, looks: Features | None = None
) -> Tensor:
    """Return the outputs (windows, K) for all windows of stored frames uint8 (N, H, W, 3).

    looks: (n, F), of a picture encoder for those that it sees of them.
    """
    chunks = (frames[start : start + CHUNK] for start in range(0, len(frames), CHUNK))
    views = (warp(chunk, straight_view(), spec.size) for chunk in chunks)
    return view_outputs(network, views, spec.frames, looks)


@torch.inference_mode()
def view_outputs(
    network: AnyNetwork, views: Iterable[Frames], window: int, looks: Features | None = None
) -> Tensor:
    """Return the outputs (windows, K) for all windows of views uint8 (n, size, size, 3)."""
    network.eval()
    device = next(network.parameters()).device
    windows, found, rows = SlidingWindows(network, window), [], 0
    for pixels in views:
        seen = None
        if looks is not None:
            due = len(windows.due(len(pixels)))
            seen = torch.tensor(looks[rows : rows + due], device=device)
            rows += due
        found += windows.push(normalise(torch.from_numpy(pixels).to(device)), seen)
    found += windows.finish()
    return torch.stack([one.output for one in found]).cpu()
