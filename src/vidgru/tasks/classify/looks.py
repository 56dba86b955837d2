"""The features of a picture encoder for the clips that a classifier learns from."""

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vidgru.core.errors import ModelError, OptionError, OutputError
from vidgru.core.files import write_bytes
from vidgru.core.results import Progress
from vidgru.data.cache import Sampling
from vidgru.data.dataset import Dataset, build_dataset
from vidgru.data.decode import Decoded
from vidgru.data.folder import Clip
from vidgru.engine.looks import PRESETS, Features, Looks, LooksEncoder, parse_colour
from vidgru.engine.looks_cache import LooksClip, features_steps
from vidgru.engine.looks_views import VIEWS
from vidgru.engine.model_file import CHECKPOINT_NAME
from vidgru.tasks.classify.augment import augmentation
from vidgru.tasks.classify.looks_file import LOOKS_NAME
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import ModelSpec, looks_every

MAX_PACKED = 30 * 10**6  # bytes of such a copy


@dataclass(frozen=True)
class LooksDataset(Dataset):
    """Clips with the features of a picture encoder, (segments, views, n, F) of each."""

    looks: Looks
    features: Mapping[Clip, Features]


def encoder_path(config: ClassifyTrainConfig) -> Path:
    """Return the file of the picture encoder of a training, or its copy in the run folder."""
    # A new run has no copy yet.
    copy = None if config.out is None else Path(config.out) / LOOKS_NAME
    return copy if copy is not None and os.path.isfile(copy) else Path(str(config.looks))


def open_for_training(config: ClassifyTrainConfig) -> LooksEncoder | None:
    """Return the picture encoder of a training if there is one; raises ModelError, OptionError."""
    if config.looks is None:
        return None
    given = config.looks_mean
    mean = parse_colour("--looks-mean", given, 0)
    std = parse_colour("--looks-std", given if config.looks_std is None and given in PRESETS
                       else config.looks_std, 1)  # fmt: skip
    path = encoder_path(config)
    run = None if config.out is None else Path(config.out)
    if run is not None and not os.path.isfile(path) and any(run.glob(f"**/{CHECKPOINT_NAME}")):
        raise ModelError(
            f"No picture encoder at {path}: restore it, or put it there as {run / LOOKS_NAME}."
        )
    encoder = LooksEncoder(path, mean=mean, std=std)
    # A copy in the run folder has another name, which the model does not take.
    encoder.looks = replace(encoder.looks, name=Path(config.looks).name)
    return encoder


def pack(config: ClassifyTrainConfig, run: Path) -> None:
    """Copy the picture encoder into a run folder if that is wanted; raises OptionError."""
    if not config.pack or config.looks is None or (run / LOOKS_NAME).exists():
        return
    path = encoder_path(config)
    check_packable(path)
    try:
        write_bytes(run / LOOKS_NAME, path.read_bytes())
    except OSError as error:
        raise OutputError(f"Cannot copy {path}: {error.strerror or error}.") from error


def check_packable(path: Path) -> None:
    """Raise OptionError where a picture encoder is too large to be copied."""
    if os.path.isfile(path) and (size := os.path.getsize(path)) > MAX_PACKED:
        raise OptionError(
            f"{path} has {size / 1e6:.0f} MB, and --pack copies {MAX_PACKED / 1e6:.0f} MB at most: "
            "leave out --pack, and keep the file."
        )


def looks_dataset(
    clips: list[Clip], sampling: Sampling, config: ClassifyTrainConfig, folder: Path
) -> Generator[Progress, None, Dataset]:
    """Decode and split clips, and compute the features of a picture encoder if there is one.

    Yields Progress. Raises DataError, ModelError, OptionError, OutputError.
    """
    encoder = open_for_training(config)
    data = yield from build_dataset(clips, sampling, config, folder)
    if encoder is None:
        return data
    ranges = augmentation(config)
    random = ranges.flip or ranges.zoom or ranges.shift
    learned = set(data.parts["train"]) if random else set()
    wanted = [
        LooksClip(clip, data.keys[clip], segments, len(VIEWS) if clip in learned else 1)
        for clip, segments in data.frames.items()
    ]
    every = looks_every(sampling.window)
    features = yield from features_steps(encoder.path, encoder.looks, wanted, sampling, every)
    return LooksDataset(**vars(data), looks=encoder.looks, features=features)


def looks_settings(data: Dataset) -> dict[str, Any]:
    """Return the fields of a ModelSpec that describe the picture encoder of clips, if any."""
    if not isinstance(data, LooksDataset):
        return {}
    looks = data.looks
    return {
        "looks": looks.digest,
        "looks_name": looks.name,
        "looks_features": looks.features,
        "looks_side": looks.side,
        "looks_mean": looks.mean,
        "looks_std": looks.std,
    }


def held_out_features(
    results: Sequence[Decoded], spec: ModelSpec, encoder: LooksEncoder | None
) -> Generator[Progress, None, dict[Clip, Features]]:
    """Return the features of decoded clips, of the whole picture only; none without an encoder."""
    if encoder is None:
        return {}
    wanted = [LooksClip(one.clip, one.key, one.segments, 1) for one in results
              if one.segments is not None]  # fmt: skip
    sampling = Sampling(spec.fps, spec.side, spec.frames)
    return (
        yield from features_steps(encoder.path, encoder.looks, wanted, sampling, spec.looks_every)
    )
