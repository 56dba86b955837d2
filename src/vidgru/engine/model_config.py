"""Which model to use, and on which device."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import check, option

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class ModelConfig:
    """Which model to use, and on which device. Everything about frames is in the model file."""

    model: str | None = option(
        None, "Run folder or model file. Default: the newest run in ./runs.", metavar="RUN"
    )
    device: str = option(
        "auto", "Device to compute on; auto: a GPU if there is one.", choices=DEVICES
    )
    threads: int = option(
        1, "CPU threads; 1 is enough, since decoding dominates.", low=1, high=1024
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class EvaluateConfig(ModelConfig):
    """How `evaluate` measures a model; further options belong to the task."""

    unused: ClassVar[frozenset[str]] = frozenset()
