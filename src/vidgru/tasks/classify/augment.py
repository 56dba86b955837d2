"""The augmentation of a training, from its options."""

from dataclasses import replace

from vidgru.data.augment import AUGMENTATIONS, Augmentation
from vidgru.tasks.classify.options import ClassifyTrainConfig


def augmentation(config: ClassifyTrainConfig) -> Augmentation:
    """Return a config's augmentation: its level, with explicitly given settings."""
    names = ("zoom", "rotation", "shift", "shear", "flip")
    given = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    return replace(AUGMENTATIONS[config.augment], **given)
