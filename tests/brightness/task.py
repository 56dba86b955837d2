from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from brightness.options import ABOUT
from vidgru.core.results import ToDict
from vidgru.core.values import are_whole, is_number
from vidgru.data.cache import Sampling
from vidgru.engine.held_out import decode_held_out_videos
from vidgru.engine.inference import VideoModel
from vidgru.engine.train_step import TrainStep
from vidgru.engine.trainer import Trainer
from vidgru.tasks.contract import Task
from vidgru.video.sample import sample_frames


@dataclass(frozen=True)
class Spec:
    task: str
    fps: float
    later: int


@dataclass(frozen=True)
class Answer(ToDict):  # of a training, an evaluation, or a video
    task: ClassVar = ABOUT.name
    value: float
    source: str


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.core, self.head = nn.GRU(1, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, seen: Tensor) -> Tensor:  # (T,) -> (T,)
        return self.head(self.core(seen[None, :, None])[0])[0, :, 0]


def levels(clip: Any) -> Tensor:
    """Return how bright each frame of a clip uint8 (..., T, H, W, 3) is, from 0 to 1."""
    return torch.from_numpy(np.asarray(clip).mean((-3, -2, -1)).reshape(-1) / 255).float()


def error(network: nn.Module, clip: Any, later: int) -> Tensor:
    values = levels(clip)
    return (network(values[:-later]) - values[later:]).abs().mean()


def mean_error(network: nn.Module, clips: list[Any], later: int) -> float:
    with torch.inference_mode():
        return sum(float(error(network, clip, later)) for clip in clips) / len(clips)


class Step(TrainStep):
    def __init__(self, network: nn.Module, clips: list[Any], later: int, **more: Any) -> None:
        super().__init__(network, len(clips), **more)
        self.network, self.films, self.later = network, clips, later

    def step(self, done: float) -> float:
        self._begin(done)
        errors = [error(self.network, self.films[n], self.later) for n in self._choose()]
        return self._follow(torch.stack(errors).mean())


class ToyTrainer(Trainer[Answer]):
    columns = ("val_error",)

    def __init__(self, run: Any, data: Any, spec: Spec, network: nn.Module, device: Any) -> None:
        super().__init__(run, data, spec)
        films = {part: [data.frames[c] for c in clips] for part, clips in data.parts.items()}
        self.held, self.found = films["val"], Answer(1.0, "")
        self.own = Step(network, films["train"], spec.later, **self.settings(device))
        self.plan(self.own, min_steps=60, default_epochs=5)

    def measure(self) -> tuple[dict[str, float], float]:
        found = mean_error(self.own.network, self.held, self.own.later)
        self.found = Answer(found, "validation clips")
        return {"val_error": found}, -found

    def write_model(self) -> None:
        self.save(self.found)

    def finish(self) -> Answer:
        return self.found


class BrightnessTask(Task[Any, Spec, Any, Any]):
    about, answer = ABOUT, Answer

    def read_spec(self, content: dict[str, Any]) -> Spec | None:
        spec = Spec(**content["spec"])
        return spec if is_number(spec.fps, 0.01, 1000) and are_whole(spec.later) else None

    def network(self, spec: Spec) -> nn.Module:
        return Network()

    def sampling(self, clips: Any, config: Any, start: Any) -> Sampling:
        return Sampling(config.fps or 5.0, config.size or 16, config.frames or 4)

    def settings(self, config: Any, sampling: Any, start: Any) -> dict[str, Any]:
        return {"fps": sampling.fps, "later": config.later}

    def spec(self, run: Any, data: Any) -> Spec:
        return Spec(ABOUT.name, **self.settings(run.config, run.sampling, run.start))

    def trainer(self, run: Any, data: Any, spec: Spec, network: Any, device: Any) -> ToyTrainer:
        return ToyTrainer(run, data, spec, network, device)

    def open(self, model: Any, device: Any) -> Any:
        return Ready(model)

    def evaluate(self, folder: Path, config: Any, model: Any, device: Any) -> Any:
        new = yield from decode_held_out_videos(folder, model.path, Sampling(model.spec.fps, 16, 4))
        clips = [clip.segments for clip in new.clips]
        return Answer(mean_error(model.network, clips, model.spec.later), str(folder))


class Ready(VideoModel[Answer]):
    def __init__(self, model: Any) -> None:
        self.model = model

    def steps(self, source: Any) -> Any:
        yield from ()
        frames = [f.rgb for f in sample_frames(source, self.model.spec.fps, size=(16, 16))]
        with torch.inference_mode():
            return Answer(float(self.model.network(levels(frames))[-1]), str(source))


TASK = BrightnessTask()
