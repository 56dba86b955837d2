"""Scenes: find the boundaries between them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgru.engine.initial_weights import InitialNetwork, choose_initial
from vidgru.engine.model_config import EvaluateConfig
from vidgru.nn.choices import CORE, stored_side
from vidgru.tasks.contract import Steps, Task
from vidgru.tasks.scenes import model_file
from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.model_file import LoadedScenes
from vidgru.tasks.scenes.network import SceneNetwork
from vidgru.tasks.scenes.options import ABOUT, SceneTrainConfig
from vidgru.tasks.scenes.results import Scenes
from vidgru.tasks.scenes.spec import SCENE_FRAMES, SCENE_HIDDEN, SCENE_SIZE, SceneSpec
from vidgru.video.sample import FASTEST

if TYPE_CHECKING:  # training takes a tenth of a second to import
    import torch

    from vidgru.data.cache import Sampling
    from vidgru.data.dataset import Dataset
    from vidgru.data.folder import Clip
    from vidgru.engine.onnx_export import OnnxStep
    from vidgru.engine.trainer import TrainRun
    from vidgru.tasks.scenes.scores import SceneEvaluation, SceneTrainResult
    from vidgru.tasks.scenes.training import SceneTrainer

    Run = TrainRun[SceneTrainConfig, InitialNetwork]

UNDECIDED = 0.5  # threshold before one was chosen


class ScenesTask(Task[SceneTrainConfig, SceneSpec, InitialNetwork, "Dataset"]):
    """See `Task`."""

    about, answer = ABOUT, Scenes
    shipped = model_file.SHIPPED_SCENES

    def read_spec(self, content: dict[str, Any]) -> SceneSpec | None:
        """Return the spec of a file's header, None where it is invalid; raises as `Task`."""
        return model_file.read_spec(content)

    def network(self, spec: SceneSpec) -> SceneNetwork:
        """Return a new network with random weights."""
        return SceneNetwork(spec.size, spec.hidden, spec.histogram)

    def start(self, config: SceneTrainConfig, run: Path | None = None) -> InitialNetwork:
        """Return the shipped model, if it has the wanted size.

        Raises ModelError when it is damaged.
        """
        path = model_file.SHIPPED_SCENES
        shipped = model_file.load_scenes(path) if path.is_file() else None
        return choose_initial(shipped, config.size, InitialNetwork(SCENE_SIZE, SCENE_HIDDEN))

    def sampling(
        self, clips: "list[Clip]", config: SceneTrainConfig, start: InitialNetwork
    ) -> "Sampling":
        """Return a sampling of every frame, at whatever rate, from which views are cut."""
        from vidgru.data.cache import Sampling

        side = stored_side(start.size)
        return Sampling(FASTEST, side, config.frames or SCENE_FRAMES, even=True)

    def settings(
        self, config: SceneTrainConfig, sampling: "Sampling", start: InitialNetwork
    ) -> dict[str, Any]:
        """Return the settings that a config may leave open."""
        sizes = {"hidden": start.hidden, "frames": sampling.window, "size": start.size}
        return {"core": CORE, **sizes, "histogram": SceneSpec.histogram}

    def spec(self, run: "Run", data: "Dataset") -> SceneSpec:
        """Return the spec of the network that is to be trained."""
        settings = self.settings(run.config, run.sampling, run.start)
        return SceneSpec(ABOUT.name, threshold=UNDECIDED, **settings)

    def trainer(
        self, run: "Run", data: "Dataset", spec: SceneSpec, network: Any, device: "torch.device"
    ) -> "SceneTrainer":
        """Return the trainer of a network, which resumes from the run's checkpoint if any."""
        from vidgru.tasks.scenes.training import SceneTrainer

        return SceneTrainer(run, data, network, spec, device)

    def open(self, model: LoadedScenes, device: "torch.device") -> ScenesModel:
        """Return a model that is ready to predict."""
        return ScenesModel(model, device)

    def onnx_step(self, model: LoadedScenes) -> "OnnxStep":
        """Return a model as a graph of one step."""
        from vidgru.tasks.scenes.onnx_export import onnx_step

        return onnx_step(model)

    def evaluate(
        self, folder: Path, config: EvaluateConfig, model: LoadedScenes, device: "torch.device"
    ) -> Steps:
        """Measure a model on clips that it was not trained on."""
        from vidgru.tasks.scenes.evaluation import evaluate_scenes_steps

        return evaluate_scenes_steps(folder, model, device)

    def show(self, result: "SceneTrainResult | SceneEvaluation") -> None:
        """Print the result of a training or an evaluation."""
        from vidgru.tasks.scenes.score_tables import show

        show(result)


TASK = ScenesTask()
