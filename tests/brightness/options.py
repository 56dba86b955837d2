from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import option
from vidgru.engine.train_config import TrainConfig
from vidgru.tasks.contract import About


@dataclass(frozen=True)
class BrightnessConfig(TrainConfig):
    labelled: ClassVar = False
    unused: ClassVar = frozenset({"folds"})
    task: str = option("brightness", "What to train.", choices=("brightness",))
    later: int = option(1, "Frames from what is seen to what is predicted.", low=1)


ABOUT = About(
    name="brightness",
    noun="model of brightness",
    use="predicts brightness: use `vidgru brightness`",
    subject="brightness",
    train_config=BrightnessConfig,
)
