"""Detect the scenes of videos."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import closing
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

import torch

from vidgru.core.address import is_live
from vidgru.core.options import python_names
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.core.threads import ThreadPool
from vidgru.engine.device import prepare_inference
from vidgru.engine.inference import ReadingProgress, VideoModel, each
from vidgru.engine.model_file import shipped
from vidgru.tasks.scenes.finder import find, model_named, watch
from vidgru.tasks.scenes.model_file import SHIPPED_SCENES, LoadedScenes
from vidgru.tasks.scenes.model_file import load_scenes as read_model
from vidgru.tasks.scenes.options import ScenesConfig
from vidgru.tasks.scenes.results import Boundary, SceneChange, Scenes, scenes_between
from vidgru.video.info import VideoInfo
from vidgru.video.live import live_frames, log_event
from vidgru.video.read import Image, Source, Video, open_video
from vidgru.video.sample import log_warnings, read_ahead

CHUNK = 64  # frames that are read while the network processes those before
KEPT = 1 << 16  # times of the latest frames: far more than any network reads together
LIVE_FPS = 25.0  # frames/s of a live source
WAIT = 0.1  # seconds between two reports of progress


class _TimedFrame(NamedTuple):
    rgb: Image
    time: float


class ScenesModel(VideoModel[Scenes]):
    """A model that detects boundaries of scenes; `vidgru.load` opens it."""

    def __init__(self, loaded: LoadedScenes, device: torch.device) -> None:
        self.path, self.spec, self.metrics = loaded.path, loaded.spec, loaded.metrics
        self.network = loaded.network.to(device)

    def scenes(
        self,
        source: Source,
        threshold: float | None = None,
        *,
        progress: OnProgress | None = None,
    ) -> Scenes:
        """Return the scenes of a source, as `steps` finds them."""
        with python_names():
            return run_to_end(self.steps(source, threshold), progress)

    def steps(
        self, source: Source, threshold: float | None = None
    ) -> Generator[Progress, None, Scenes]:
        """Detect the scenes of a video or a folder of images, yielding Progress.

        Boundaries count from a confidence of `threshold` on; left out, it is the model's own. Every
        frame is read once, in order, with its own time; memory grows by the boundaries only. Raises
        VideoError, OptionError for a live source, ModelError for outputs that are not finite.
        """
        limit = self._threshold(threshold)
        reading = _Reading(source, self.spec.size)

        def search() -> list[tuple[Boundary, float]]:
            with closing(reading.frames()) as frames, model_named(self.path):
                found = find(self.network, frames, limit)
                return [(boundary, reading.seconds(boundary.frame)) for boundary in found]

        # The finder pulls frames without reporting progress: a thread allows that.
        with ThreadPool(1) as pool:
            job = pool.submit(search)
            try:
                while not wait([job], WAIT).done:
                    yield reading.progress()
            finally:
                reading.stopped = True
        return reading.scenes(str(self.path), job.result())

    def stream(self, source: Source, threshold: float | None = None) -> Iterator[SceneChange]:
        """Yield each boundary as soon as it is known, from what came so far and a few frames more.

        Memory stays constant, however long it runs. Live sources (the str "camera:0",
        "rtsp://...", "http://...") are read at 25 frames/s, as by `live_frames`; after a
        reconnect it starts anew. Raises VideoError, OptionError, ModelError.
        """
        limit = self._threshold(threshold)
        if isinstance(source, str) and is_live(source):
            return self._watch(source, limit)
        return self._follow(_Reading(source, self.spec.size).shown(), limit, 0)

    def _follow(
        self, shown: Iterable[_TimedFrame], threshold: float, first: int
    ) -> Generator[SceneChange, None, int]:
        """Yield the boundaries of a stream whose frames count from `first`; return the next one."""
        times = _Times()
        with model_named(self.path):
            for _, boundary in watch(self.network, times.noted(shown), threshold):
                if boundary is not None:
                    moved = replace(
                        boundary,
                        frame=first + boundary.frame,
                        start=first + boundary.start,
                        end=first + boundary.end,
                    )
                    yield SceneChange(moved, times.at(boundary.frame), times.latest[-1])
        return first + times.count

    def _watch(self, source: str, threshold: float) -> Iterator[SceneChange]:
        size, first = (self.spec.size, self.spec.size), 0
        with closing(live_frames(source, LIVE_FPS, size, log_event)) as frames:
            for _, session in groupby(frames, key=lambda frame: frame.connection):
                shown = (_TimedFrame(frame.rgb, frame.time) for frame in session)
                first = yield from self._follow(shown, threshold, first)

    def _threshold(self, threshold: float | None) -> float:
        with python_names():
            ScenesConfig(threshold=threshold)  # checks it
        return self.spec.threshold if threshold is None else threshold


class _Times:
    """The times of the latest frames, by their numbers."""

    def __init__(self) -> None:
        self.count = 0
        self.latest: deque[float] = deque(maxlen=KEPT)

    def noted(self, shown: Iterable[_TimedFrame]) -> Iterator[Image]:
        for rgb, time in shown:
            self.latest.append(time)
            self.count += 1
            yield rgb

    def at(self, frame: int) -> float:
        return self.latest[frame - self.count]


class _Reading:
    """Reads the frames of a source once, and describes them afterwards."""

    def __init__(self, source: Source, side: int) -> None:
        self.source, self.size = source, (side, side)
        self.stopped = False
        self.width = self.height = 0
        self._times, self._pace = _Times(), ReadingProgress(source, 25.0)
        self._info: VideoInfo | None = None

    def frames(self) -> Generator[Image, None, None]:
        for rgb in self._times.noted(self.shown()):
            if self.stopped:
                return
            yield rgb

    def shown(self) -> Iterator[_TimedFrame]:
        """Yield all frames; a thread reads ahead."""
        return chain.from_iterable(read_ahead(self._decoded(), CHUNK))

    def _decoded(self) -> Iterator[_TimedFrame]:
        with open_video(self.source) as video:
            self._begin(video)
            while (time := video.grab()) is not None:
                if not self.width:
                    self.height, self.width = video.retrieve().shape[:2]  # rotation applied
                yield _TimedFrame(video.retrieve(self.size), time)
            self._info = video.info()
        log_warnings(self._info)

    def _begin(self, video: Video) -> None:
        self._pace = ReadingProgress(self.source, video.fps)
        self._pace.begin(video)

    def seconds(self, frame: int) -> float:
        """Return the time of one of the latest frames."""
        return self._times.at(frame)

    def progress(self) -> Progress:
        return self._pace.progress(self._times.count - self._pace.frames)

    def scenes(self, model: str, boundaries: Sequence[tuple[Boundary, float]]) -> Scenes:
        """Return the scenes between boundaries, once all has been read."""
        if self._info is None:
            raise RuntimeError("The finder did not ask for all frames.")
        info, count = self._info, self._times.count
        fps = count / info.seconds
        # Times are rounded: the declared rate is more exact, unless it is wrong.
        if abs(info.fps / fps - 1) < 0.01:
            fps = info.fps
        return Scenes(
            str(self.source), model, count, fps, info.variable, round(info.seconds, 6),
            self.width, self.height, scenes_between(boundaries, count, info.seconds),
        )  # fmt: skip


def load_scenes(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> ScenesModel:
    """Open a run folder or file of a model of scenes, or the model that comes with vidgru.

    `threads`: how many torch and OpenCV use in this process; left out, unchanged. Raises
    ModelError or OptionError.
    """
    chosen = prepare_inference(device, threads)
    found = shipped(SHIPPED_SCENES, "scenes") if path is None else Path(path)
    return ScenesModel(read_model(found), chosen)


def detect_scenes_each(
    model: ScenesModel, sources: Sequence[Path | Failure], threshold: float | None = None
) -> Iterator[Progress | Scenes | Failure]:
    """Yield the scenes of each source, or why they are unknown; progress comes in between."""
    return each(sources, lambda source: model.steps(source, threshold))
