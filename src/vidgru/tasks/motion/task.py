"""Motion: predict velocities now and up to a second ahead, on a grid."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidgru.core.results import Progress
from vidgru.engine.initial_weights import InitialNetwork, choose_initial
from vidgru.engine.model_config import EvaluateConfig
from vidgru.nn.choices import MAP_CORE
from vidgru.tasks.contract import Steps, Task
from vidgru.tasks.motion import model_file
from vidgru.tasks.motion.model import MotionModel
from vidgru.tasks.motion.model_file import LoadedMotion
from vidgru.tasks.motion.network import MotionNetwork
from vidgru.tasks.motion.options import ABOUT, MotionTrainConfig
from vidgru.tasks.motion.results import Motion
from vidgru.tasks.motion.spec import MOTION_HIDDEN, MOTION_SECONDS, MOTION_SIZE, MotionSpec

if TYPE_CHECKING:  # training takes a tenth of a second to import
    import torch

    from vidgru.data.cache import Sampling
    from vidgru.data.dataset import Dataset
    from vidgru.data.folder import Clip
    from vidgru.engine.onnx_export import OnnxStep
    from vidgru.engine.trainer import TrainRun
    from vidgru.tasks.motion.flow_cache import Flow
    from vidgru.tasks.motion.scores import MotionEvaluation, MotionTrainResult
    from vidgru.tasks.motion.training import MotionTrainer

    Data = tuple[Dataset, dict[Clip, Flow]]
    Run = TrainRun[MotionTrainConfig, InitialNetwork]

MAX_FRAMES = 48  # of a window


class MotionTask(Task[MotionTrainConfig, MotionSpec, InitialNetwork, "Data"]):
    """See `Task`."""

    about, answer = ABOUT, Motion
    shipped = model_file.SHIPPED_MOTION

    def read_spec(self, content: dict[str, Any]) -> MotionSpec | None:
        """Return the spec of a file's header, None where it is invalid; raises as `Task`."""
        return model_file.read_spec(content)

    def network(self, spec: MotionSpec) -> MotionNetwork:
        """Return a new network with random weights."""
        return MotionNetwork(spec.size, spec.hidden)

    def start(self, config: MotionTrainConfig, run: Path | None = None) -> InitialNetwork:
        """Return the shipped model, if it has the wanted size.

        Raises ModelError when it is damaged.
        """
        path = model_file.SHIPPED_MOTION
        shipped = model_file.load_motion(path) if path.is_file() else None
        return choose_initial(shipped, config.size, InitialNetwork(MOTION_SIZE, MOTION_HIDDEN))

    def sampling(
        self, clips: "list[Clip]", config: MotionTrainConfig, start: InitialNetwork
    ) -> "Sampling":
        """Return a sampling whose windows include the targets ahead, or else most clips whole."""
        from vidgru.data.cache import Sampling
        from vidgru.data.sampling import MIN_FRAMES, choose_fps_and_window, probe

        rates, seconds = probe(clips)
        fps, _ = choose_fps_and_window(rates, seconds, config.fps, None)
        length = min(MOTION_SECONDS, float(np.quantile(seconds, 0.9)))
        frames = config.frames or min(MAX_FRAMES, max(MIN_FRAMES, round(length * fps)))
        return Sampling(fps, start.size, frames, even=True)

    def settings(
        self, config: MotionTrainConfig, sampling: "Sampling", start: InitialNetwork
    ) -> dict[str, Any]:
        """Return the settings that a config may leave open."""
        return {
            "core": MAP_CORE,
            "hidden": start.hidden,
            "fps": sampling.fps,
            "frames": sampling.window,
            "size": start.size,
        }

    def prepare(
        self, clips: "list[Clip]", sampling: "Sampling", config: MotionTrainConfig, folder: Path
    ) -> "Generator[Progress, None, Data]":
        """Decode and split clips, and measure the motion in them."""
        from vidgru.data.dataset import build_dataset
        from vidgru.tasks.motion.flow_cache import flow_steps

        data = yield from build_dataset(clips, sampling, config, folder)
        return data, (yield from flow_steps(data, sampling))

    def spec(self, run: "Run", data: "Data") -> MotionSpec:
        """Return the spec of the network that is to be trained."""
        return MotionSpec(ABOUT.name, **self.settings(run.config, run.sampling, run.start))

    def trainer(
        self, run: "Run", data: "Data", spec: MotionSpec, network: Any, device: "torch.device"
    ) -> "MotionTrainer":
        """Return the trainer of a network, which resumes from the run's checkpoint if any."""
        from vidgru.tasks.motion.training import MotionTrainer

        return MotionTrainer(run, *data, network, spec, device)

    def open(self, model: LoadedMotion, device: "torch.device") -> MotionModel:
        """Return a model that is ready to predict."""
        return MotionModel(model, device)

    def onnx_step(self, model: LoadedMotion) -> "OnnxStep":
        """Return a model as a graph of one step."""
        from vidgru.tasks.motion.onnx_export import onnx_step

        return onnx_step(model)

    def evaluate(
        self, folder: Path, config: EvaluateConfig, model: LoadedMotion, device: "torch.device"
    ) -> Steps:
        """Measure a model on clips that it was not trained on."""
        from vidgru.tasks.motion.evaluation import evaluate_motion_steps

        return evaluate_motion_steps(folder, model, device)

    def show(self, result: "MotionTrainResult | MotionEvaluation") -> None:
        """Print the result of a training or an evaluation."""
        from vidgru.tasks.motion.score_tables import show

        show(result)


TASK = MotionTask()
