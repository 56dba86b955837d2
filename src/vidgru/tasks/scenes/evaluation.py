"""Measure how well a model detects the boundaries between clips that it was not trained on."""

import logging
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.augment import Frames
from vidgru.data.cache import Sampling
from vidgru.data.decode import readings_of, too_short
from vidgru.engine.held_out import decode_held_out_videos
from vidgru.tasks.scenes.finder import find, model_named
from vidgru.tasks.scenes.metrics import count
from vidgru.tasks.scenes.model_file import LoadedScenes
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import JoinedScores, SceneEvaluation, SceneScores, scores_of
from vidgru.tasks.scenes.shots import TOO_SHORT, boundaries_of, joined, shots_of
from vidgru.tasks.scenes.train_step import find_ahead
from vidgru.tasks.scenes.transitions import SHORTEST
from vidgru.video.sample import FASTEST

DISSOLVE = 12  # frames
SEED = 0  # of the order in which clips are joined

log = logging.getLogger("vidgru")


def evaluate_scenes_steps(
    folder: Path, model: LoadedScenes, device: torch.device
) -> Generator[Progress, None, SceneEvaluation]:
    """Evaluate on the videos below a folder; parts and left-out clips are as for classifiers.

    The clips, of long ones the beginning, are joined in a random order, which is always the same:
    once by hard cuts, and once by dissolves of DISSOLVE frames, as far as clips are long enough.
    Raises DataError when too few clips are left.
    """
    spec = model.spec
    sampling = Sampling(FASTEST, spec.size, spec.frames, even=True)
    held_out = yield from decode_held_out_videos(folder, model.path, sampling)
    known = {clip: segments[0] for clip, segments in readings_of(held_out.clips).frames.items()}
    if short := [clip for clip, frames in known.items() if len(frames) < SHORTEST]:
        log.warning(TOO_SHORT, len(short), SHORTEST, short[0].name)
    clips = {clip: frames for clip, frames in known.items() if len(frames) >= SHORTEST}
    if len(clips) < 2:
        raise DataError(
            f"{folder} needs at least two clips of {SHORTEST} frames or more, which are joined to "
            "scenes."
        )
    if cut := [clip.name for clip, frames in clips.items() if len(shots_of([frames])) > 1]:
        log.warning(
            "Clips with cuts of their own, which count as false where they are found: %d; the "
            "first is %s.",
            len(cut),
            cut[0],
        )
    order = np.random.default_rng(SEED).permutation(len(clips))
    pieces = [list(clips.values())[number] for number in order]
    found = []
    for over in (0, DISSOLVE):
        # Between two dissolves there must be a scene.
        some = [piece for piece in pieces if not over or len(piece) >= 2 * over + SHORTEST]
        if len(some) >= 2:
            with model_named(model.path):
                found.append((yield from _joined_steps(model, device, some, over)))
    return SceneEvaluation(
        model=model.path,
        folder=folder,
        part=held_out.part,
        clips=len(clips),
        threshold=spec.threshold,
        dissolve=DISSOLVE,
        joined=tuple(found),
        trained_on=held_out.trained_on,
        validated_on=held_out.validated_on,
        skipped=(*held_out.skipped, *too_short(short, SHORTEST)),
    )


def _joined_steps(
    model: LoadedScenes, device: torch.device, pieces: Sequence[Frames], over: int
) -> Generator[Progress, None, JoinedScores]:
    """Detect the boundaries in joined clips in both ways, yielding Progress."""
    network, threshold = model.network.to(device), model.spec.threshold
    truth = boundaries_of([len(piece) for piece in pieces], over)
    kind = truth[0].kind
    scores: list[SceneScores] = []
    for search in (find, find_ahead):
        found: list[Boundary] = []
        for boundary in search(network, joined(pieces, over), threshold):
            found.append(boundary)
            done = sum(true.frame <= boundary.frame for true in truth)
            yield Progress(f"evaluating {kind}s", len(scores) * len(truth) + done, 2 * len(truth))
        scores.append(scores_of(count(found, truth)))
    return JoinedScores(kind, len(pieces), *scores)
