"""Make the initial weights of classifiers that come with vidgru, from generated videos only.

    python scripts/make_encoder.py [--steps 14000] [--clips 14000] [--seed 1] [--out FILE]

A classifier's own network learns what generated clips show: the action, who does it, where it is in
each frame and how it moves and turns, and how the camera moves. It takes 6 GB of memory and half an
hour on two cores. The same seed gives the same clips anywhere; the weights are equal bit for bit on
the same machine, and equally good elsewhere. The recipe and the accuracy on other clips are written
into the file.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from multiprocessing import get_context
from operator import add
from pathlib import Path

import cv2
import drawn_actions
import numpy as np
import torch
from drawn_actions import ALL, CAMERAS, FRAMES, KINDS, SIDE, Facts, make_clip
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    smooth_l1_loss,
)

from vidgru.core.files import write_bytes
from vidgru.data.augment import AUGMENTATIONS, random_light, random_views, straight_view, warp
from vidgru.engine.device import convolution_dtype, prepare
from vidgru.engine.train_step import GRADIENT_NORM, WEIGHT_DECAY
from vidgru.nn.choices import SIZE
from vidgru.nn.inputs import normalise
from vidgru.nn.unroll import unroll
from vidgru.tasks.classify.encoders import SHIPPED_ENCODER
from vidgru.tasks.classify.network import Network, NetworkConfig

CLIPS_SEED = 2
HELD = 160  # clips that are not trained on, the first ones
# Frames of a window, windows of a batch; every other batch has half as many, twice as long.
WINDOW, BATCH = 8, 24
LR, WARM_UP, DECAY = 2e-3, 500, 0.4  # warm-up in steps, decay as a share of all steps
DROPOUT, SMOOTHING = 0.1, 0.05
AUGMENTATION = replace(
    AUGMENTATIONS["light"], zoom=0.2, rotation=12, shift=0.08, brightness=0.3, contrast=0.4
)
# Numbers of outputs.
HEADS = {
    "action": len(ALL),
    "kind": len(KINDS),
    "camera": len(CAMERAS),
    "facing": 3,
    "fingers": 5,
    "tilt": 2,
    "turning": 1,
    "frequency": 1,
    "velocity": 3,
    "middle": 3,
    "camera_motion": 4,
    "color": 3,
}


def make(number: int) -> tuple[NDArray[np.uint8], Facts]:
    """Return a clip and what it shows, in one thread."""
    cv2.setNumThreads(1)
    return make_clip(CLIPS_SEED, number)


@dataclass
class Windows:
    """A batch: frames (B, T, 3, S, S), normalised, and what they show, as drawn in the view."""

    frames: Tensor
    facts: dict[str, Tensor]


class Clips:
    """Generated clips in memory."""

    def __init__(self, made: Iterable[tuple[NDArray[np.uint8], Facts]], count: int) -> None:
        self.frames = np.empty((count, FRAMES, SIDE, SIDE, 3), np.uint8)
        self.facts: list[Facts] = []
        for number, (frames, facts) in enumerate(made):
            self.frames[number] = frames
            self.facts.append(facts)

    def windows(
        self, chosen: Sequence[int], generator: torch.Generator | None, frames: int = WINDOW
    ) -> Windows:
        """Return a window of each chosen clip: at random, or always the same."""
        count = len(chosen)
        if generator is None:
            views = straight_view().expand(count, 2, 3)
        else:
            turns = torch.full((count,), AUGMENTATION.rotation)
            views = random_views(AUGMENTATION, turns, generator)
        pixels, spans = [], []
        for number, view in zip(chosen, views, strict=True):
            stride, start = 2, 4
            if generator is not None:
                widest = (FRAMES - 1) // (frames - 1)
                stride = int(torch.randint(1, widest + 1, (1,), generator=generator))
                starts = FRAMES - (frames - 1) * stride
                start = int(torch.randint(starts, (1,), generator=generator))
            spans.append(slice(start, start + (frames - 1) * stride + 1, stride))
            own = np.ascontiguousarray(self.frames[number, spans[-1]])
            pixels.append(warp(own, view, SIZE))
        shown = normalise(torch.from_numpy(np.stack(pixels)))
        channels = torch.arange(3).repeat(count, 1)
        if generator is not None:
            light = random_light(count, AUGMENTATION, generator)
            factor, offset = light.view(-1, 2, 1, 1, 1, 1).unbind(1)
            shown = shown.mul_(factor).add_(offset)
            channels = torch.stack([torch.randperm(3, generator=generator) for _ in chosen])
            shown = torch.stack(
                [clip[:, order] for clip, order in zip(shown, channels, strict=True)]
            )
        own_facts = [self.facts[number] for number in chosen]
        return Windows(shown, as_seen(own_facts, spans, views, channels))


def as_seen(
    facts: Sequence[Facts], spans: Sequence[slice], views: Tensor, channels: Tensor
) -> dict[str, Tensor]:
    """Return the facts of clips as tensors, in the coordinates of views (B, 2, 3)."""

    def numbers(name: str) -> Tensor:
        values = np.stack([np.asarray(getattr(one, name)) for one in facts])
        return torch.tensor(values, dtype=torch.float32)

    seen = {
        name: torch.tensor([getattr(one, name) for one in facts])
        for name in ("action", "kind", "camera", "shown", "tilted")
    }
    linear, offset = views[:, :, :2], views[:, :, 2]
    mirrored, scale = linear.det() < 0, linear.det().abs().sqrt()
    back = torch.linalg.inv(linear)  # from the picture to the view
    facing = torch.tensor([one.facing for one in facts])
    facing = torch.where(mirrored, -facing, facing)
    seen["facing"], seen["faces"] = facing + 1, facing != 0
    seen["fingers"] = numbers("fingers")
    seen["tilt"] = ((back * scale[:, None, None]) @ numbers("tilt")[..., None])[..., 0]
    motion = numbers("camera_motion")
    motion[:, :2] = (back @ motion[:, :2, None])[..., 0]
    motion[:, 3] = torch.where(mirrored, -motion[:, 3], motion[:, 3])
    seen["camera_motion"] = motion
    seen["color"] = numbers("color").gather(1, channels)
    seen["turning"] = torch.where(mirrored, -1, 1)[:, None] * numbers("turning")[:, None]
    seen["frequency"] = numbers("frequency")[:, None]
    track = np.stack([one.track[span] for one, span in zip(facts, spans, strict=True)])
    place = torch.tensor(track, dtype=torch.float32)  # (B, T, 3)
    middle = (place[..., :2] - 0.5) * 2 - offset[:, None]
    place[..., :2] = (back[:, None] @ middle[..., None])[..., 0]
    place[..., 2] = torch.log((place[..., 2] / scale[:, None]).clamp(min=0.05))
    place = place.clamp(-2, 2)
    seen["place"], seen["middle"] = place, place.mean(1)
    seen["velocity"] = (place[:, -2:].mean(1) - place[:, :2].mean(1)) * 1.5
    seen["hand"] = seen["kind"] == KINDS.index("hand")
    return seen


def masked(losses: Tensor, mask: Tensor) -> Tensor:
    """Return the mean loss of the examples in a mask (B,), 0 without any."""
    mask = mask.float()
    return (losses.flatten(1).mean(1) * mask).sum() / mask.sum().clamp(min=1)


def head_losses(outputs: Tensor, facts: dict[str, Tensor]) -> list[Tensor]:
    """Return the weighted loss of each head, for outputs (B, sum of HEADS)."""
    sizes = list(HEADS.values())
    out = dict(zip(HEADS, torch.split(outputs, sizes, 1), strict=True))
    shown = facts["shown"]

    def distance(name: str, mask: Tensor) -> Tensor:
        return masked(smooth_l1_loss(out[name], facts[name], reduction="none"), mask)

    facing = cross_entropy(out["facing"], facts["facing"], reduction="none")[:, None]
    fingers = binary_cross_entropy_with_logits(out["fingers"], facts["fingers"], reduction="none")
    return [
        cross_entropy(out["action"], facts["action"], label_smoothing=SMOOTHING),
        0.5 * cross_entropy(out["kind"], facts["kind"]),
        0.5 * cross_entropy(out["camera"], facts["camera"]),
        0.5 * masked(facing, facts["faces"]),
        2 * masked(fingers, facts["hand"]),
        1.5 * distance("tilt", facts["tilted"]),
        2 * distance("turning", shown),
        0.3 * distance("frequency", shown),
        2 * distance("velocity", shown),
        2 * distance("middle", shown),
        2 * smooth_l1_loss(3 * facts["camera_motion"], out["camera_motion"]),
        0.5 * distance("color", shown),
    ]


class Learner(nn.Module):
    """A classifier's network with heads for all facts, on its core and on its features."""

    def __init__(self) -> None:
        super().__init__()
        outputs = sum(HEADS.values())
        self.network = Network(NetworkConfig("both", "gru", outputs))
        self.network.dropout.p = DROPOUT
        self.place = nn.Linear(self.network.config.hidden, 3)
        self.direct = nn.Linear(self.network.norm.weight.numel(), outputs)

    def forward(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Return the loss, and the logits of the actions (B, actions)."""
        short = convolution_dtype(torch.device("cpu"))
        with torch.autocast("cpu", short, enabled=short != torch.float32):
            main, side = self.network.encode(windows.frames)
        features = self.network.join(main, side)  # (B, T, D)
        ys, _ = unroll(self.network.core, features)  # (B, T, hidden)
        outputs, facts = self.network.head(ys.mean(1)), windows.facts
        losses = head_losses(outputs, facts)
        distance = smooth_l1_loss(self.place(ys), facts["place"], reduction="none")
        losses.append(2 * masked(distance, facts["shown"]))
        losses.append(0.5 * total(head_losses(self.direct(features.mean(1)), facts)))
        return total(losses), outputs[:, : len(ALL)]


def total(losses: Sequence[Tensor]) -> Tensor:
    """Return the sum of losses."""
    return reduce(add, losses)


@torch.inference_mode()
def held_out_accuracy(learner: Learner, clips: Clips) -> float:
    """Return the share of held-out clips whose action is recognised."""
    learner.eval()
    right = 0
    for first in range(0, HELD, 16):
        windows = clips.windows(range(first, first + 16), None)
        _, logits = learner(windows)
        right += int((logits.argmax(1) == windows.facts["action"]).sum())
    learner.train()
    return right / HELD


def learn(clips: Clips, steps: int, seed: int) -> tuple[Learner, float]:
    """Train; return the network and its accuracy on held-out clips."""
    torch.manual_seed(seed)
    learner, generator = Learner(), torch.Generator().manual_seed(seed)
    parameters = list(learner.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=LR,
        fused=True,
    )
    order: list[int] = []
    mean, began = 0.0, time.monotonic()
    for step in range(steps):
        left = 1 - step / steps
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1, (step + 1) / WARM_UP) * min(1, left / DECAY)
        long = int(torch.randint(2, (1,), generator=generator))
        batch = BATCH >> long
        if len(order) < batch:
            learned = torch.randperm(len(clips.facts) - HELD, generator=generator)
            order += (learned + HELD).tolist()
        chosen, order = order[:batch], order[batch:]
        loss, _ = learner(clips.windows(chosen, generator, WINDOW << long))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        mean = loss.item() if step == 0 else 0.995 * mean + 0.005 * loss.item()
        if (step + 1) % 500 == 0:
            right = held_out_accuracy(learner, clips)
            seconds = time.monotonic() - began
            print(f"{step + 1} loss {mean:.3f}, held out {right:.3f}, {seconds:.0f} s", flush=True)
    return learner, held_out_accuracy(learner, clips)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=14000)
    parser.add_argument("--clips", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=SHIPPED_ENCODER)
    given = parser.parse_args()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        clips = Clips(pool.map(make, range(given.clips), chunksize=16), given.clips)
    prepare(1)
    learner, right = learn(clips, given.steps, given.seed)
    weights = {
        # Half precision for what is large; norms keep theirs.
        name: value.half() if value.ndim > 1 else value
        for name, value in learner.network.state_dict().items()
        if not name.startswith("head.")
    }
    recipe = {k: v for k, v in vars(given).items() if k != "out"}
    about = {
        "script": Path(__file__).name,
        "generator": Path(drawn_actions.__file__).name,
        **recipe,
        "held_out_accuracy": right,
    }
    write_bytes(given.out, save(weights, metadata={"vidgru": json.dumps(about)}))
    print(f"{given.out}: {given.out.stat().st_size} bytes, held out {right:.3f}")


if __name__ == "__main__":
    main()
