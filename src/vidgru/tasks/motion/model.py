"""Detect motion in videos, and predict it."""

import math
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vidgru.core.errors import ModelError, OutputError, VideoError
from vidgru.core.options import python_names
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.engine.device import prepare_inference
from vidgru.engine.inference import ReadingProgress, VideoModel, each
from vidgru.engine.model_file import shipped
from vidgru.nn.cells import State
from vidgru.nn.inputs import normalise
from vidgru.tasks.motion.fields import is_sure, read_outputs
from vidgru.tasks.motion.flow import Field, FlowMeter, cell_means
from vidgru.tasks.motion.model_file import SHIPPED_MOTION, LoadedMotion
from vidgru.tasks.motion.model_file import load_motion as read_model
from vidgru.tasks.motion.results import FrameThings, Motion, MotionField, MotionSecond, Outcomes
from vidgru.tasks.motion.save import save_motion
from vidgru.tasks.motion.summary import summarise_second
from vidgru.tasks.motion.tracking import Tracker
from vidgru.video.cadence import SeenPictures, find_cadence
from vidgru.video.cuts import mark_cuts
from vidgru.video.heat import read_picture, save_heat
from vidgru.video.info import VideoInfo
from vidgru.video.read import Frame, Source
from vidgru.video.sample import (
    FASTEST,
    LOOKED_AT,
    even_rate,
    first_look,
    log_warnings,
    read_ahead,
    sample_frames,
)

CHUNK = 32  # frames that go through the network together, a power of two,
CHUNK_PIXELS = 1 << 19  # or fewer where a model needs large pictures
GLIMPSE = 2  # samples from one frame to the next, which jitter explains,
KEPT_UP = 0.5  # or for longer ones the share of the path that continued motion would cover
SHORTEST = 0.5  # minimum seconds of the last part of a video for a row of its own


class Probe(NamedTuple):
    """What is known about a source before it is read.

    width, height: in pixels; rate: looks/s; start: seconds of the first frame to sample; looks: at
    each sampled frame, as one that is shown for long is read twice or more.
    """

    width: int
    height: int
    rate: float
    start: float = 0.0
    looks: int = 1


class MotionModel(VideoModel[Motion]):
    """A trained model of motion; `vidgru.load` opens it."""

    def __init__(self, loaded: LoadedMotion, device: torch.device) -> None:
        self.path, self.spec, self.metrics = loaded.path, loaded.spec, loaded.metrics
        self.network = loaded.network.to(device)
        self.device = device
        self._most = max(1, min(CHUNK, CHUNK_PIXELS // loaded.spec.size**2))

    def fields(self, source: Source, *, things: bool = False) -> Generator[MotionField, None, None]:
        """Yield the motion at each sampled frame of a video or folder of images, and ahead of it.

        The first frame of each shot has none, as there is no frame before it. Memory
        stays constant. With `things`, each field has the things that move, see `MovingThing`.
        Raises VideoError, also for a source of only one frame; OptionError.
        """
        probe = self.probe(source)
        read = self._read(source, probe, ReadingProgress(source, probe.rate))
        chunks = _tracked(read, probe) if things else read
        # A generator, which lets go of the video when it is closed.
        return (field for fields in chunks for field in fields)

    def analyse(
        self, source: Source, *, things: bool = False, progress: OnProgress | None = None
    ) -> Motion:
        """Do as `predict`: return what moves in a video, a folder of images or Frames.

        With `things`, each second has those that moved in it, see `MovingThing`.
        """
        with python_names():
            return run_to_end(self.steps(source, things=things), progress)

    def steps(
        self, source: Source, *, things: bool = False
    ) -> Generator[Progress | FrameThings | MotionSecond, None, Motion]:
        """Find out what moves in a source, yielding each second, and how far that is.

        A last part of less than half a second belongs to the second before. With `things`, those
        of each sampled frame are yielded, too. Frames are read once, in order; memory grows by no
        more than the seconds. Raises VideoError, OptionError.
        """
        probe = self.probe(source)
        reading, grid = ReadingProgress(source, probe.rate), self.spec.grid
        seconds: list[MotionSecond] = []
        heat, count = np.zeros((grid, grid)), 0

        def summarise(fields: list[MotionField], number: int, end: float) -> MotionSecond:
            nonlocal heat, count
            predicted, hot = summarise_second(fields, probe.width, probe.height, float(number), end)
            heat, count = heat + hot, count + len(fields)
            seconds.append(predicted)
            return predicted

        before: list[MotionField] = []  # of the last whole second,
        now: list[MotionField] = []  # and of the current one
        first = number = 0  # when they began
        read = self._read(source, probe, reading)
        for fields in _tracked(read, probe) if things else read:
            for field in fields:
                if field.things is not None:
                    yield FrameThings(str(source), field.time, field.things)
                # Motion in a frame happened since the frame before.
                at = int(max(field.time - 0.5 / probe.rate, 0))
                if at > number and now:
                    if before:
                        yield summarise(before, first, first + 1.0)
                    before, now, first = now, [], number
                number = at
                now.append(field)
            yield reading.progress(0)
        end = reading.seconds
        if not now:
            raise VideoError(f"{source} is too short to measure motion: {end:.2f} s.")
        if before and end - number < SHORTEST and first + 1 == number:
            before, now = [], before + now
            number = first
        if before:
            yield summarise(before, first, first + 1.0)
        yield summarise(now, number, max(end, now[-1].time))
        return Motion(
            str(source), probe.width, probe.height, probe.rate / probe.looks,
            round(reading.frames / probe.looks), str(self.path),
            tuple(seconds), tuple(tuple(row) for row in (heat / count).round(3).tolist()),
        )  # fmt: skip

    def probe(self, source: Source) -> Probe:
        """Return what is known of a source by its first frames.

        Raises VideoError when there is only one, OptionError for a live source.
        """
        pictures = SeenPictures()
        look = first_look(source, pictures.add)
        if look.frames == 1:
            raise VideoError(f"{source} has only one frame: nothing moves.")
        wanted = self.spec.fps if look.frames == LOOKED_AT else FASTEST
        probe = Probe(look.width, look.height, min(even_rate(look.fps, wanted), FASTEST))
        # Where the first frames show that there is none, they are not read again.
        if pictures.all_new or (cadence := find_cadence(source)) is None:
            return probe
        rate = cadence.rate / max(1, int(round(cadence.rate / wanted, 3)))
        looks = math.ceil(round(wanted / rate, 3))
        return probe._replace(rate=rate * looks, start=cadence.middle, looks=looks)

    def save_steps(self, motion: Motion, path: str | Path) -> Generator[Progress, None, None]:
        """Write the video of a result with arrows, or boxes of its things: see `save_motion`.

        The fields are computed again. Raises VideoError, OutputError, OptionError.
        """
        probe = self.probe(motion.source)
        read = self._read(
            motion.source, probe, ReadingProgress(motion.source, probe.rate), lambda info: None
        )
        if things := motion.seconds[0].things is not None:
            read = _tracked(read, probe)
        starts = [second.start for second in motion.seconds]

        def caption(time: float) -> str:
            return motion.seconds[max(bisect_right(starts, time) - 1, 0)].words

        fields = chain.from_iterable(read)
        yield from save_motion(motion.source, fields, path, caption, things=things)

    @torch.inference_mode()
    def _read(
        self,
        source: Source,
        probe: Probe,
        reading: ReadingProgress,
        report: Callable[[VideoInfo], None] = log_warnings,
    ) -> Iterator[list[MotionField]]:
        """Yield the fields of some frames at a time, and count frames read."""
        side = self.spec.size, self.spec.size
        frames = sample_frames(
            source, probe.rate / probe.looks, size=side, start=probe.start, opened=reading.begin,
            report=report,
        )  # fmt: skip
        looked = mark_cuts(_looked_at(frames, probe))
        rate = torch.tensor([probe.rate], device=self.device)
        last: Tensor | None = None  # frame of the shot, (1, 3, S, S)
        state: State | None = None
        for chunk in read_ahead(_measured(looked, probe.rate, probe.looks), self._most):
            found: list[MotionField] = []
            for shown, new in _pieces(chunk):
                if new:
                    last = state = None
                pixels = torch.from_numpy(np.stack([seen.frame.rgb for seen in shown]))
                flow = torch.from_numpy(np.stack([seen.flow for seen in shown]))
                clip = normalise(pixels.to(self.device))[None]  # (1, T, 3, S, S)
                maps = self.network.encode(clip, flow.to(self.device)[None], last)
                outputs, state = self.network.decide(maps, rate, state)
                fields = self._predict(outputs[0], shown, probe)
                found += fields[1:] if new else fields
                last = clip[:, -1].clone()
            reading.frames += len(chunk)
            yield found

    def _predict(
        self, outputs: Tensor, shown: "Sequence[_FlowFrame]", probe: Probe
    ) -> list[MotionField]:
        """Return fields from outputs (T, outputs, grid, grid)."""
        # Each weight by itself may be finite, yet too large.
        if not torch.isfinite(outputs).all():
            raise ModelError(f"{self.path} is damaged: its answers are not finite numbers.")
        predicted = read_outputs(outputs.cpu())
        size = np.array([probe.width, probe.height], np.float32)
        parts = (
            predicted.velocity.numpy() * size,
            (predicted.spread * probe.width).numpy(),
            predicted.moving.sigmoid().numpy(),
            predicted.means.numpy() * size,
            (predicted.spreads * probe.width).numpy(),
            predicted.odds.sigmoid().numpy(),
            is_sure(predicted).numpy(),
        )
        found = []
        for seen, *rows in zip(shown, *parts, strict=True):
            # Copies: otherwise a whole chunk would stay as long as one of its fields.
            velocity, spread, moving, *either = (row.copy() for row in rows)
            outcomes = Outcomes(*either)
            flow = seen.flow * size
            found.append(
                MotionField(seen.frame.time, velocity, spread, moving, flow, None, outcomes)
            )
        return found


def _tracked(read: Iterator[list[MotionField]], probe: Probe) -> Iterator[list[MotionField]]:
    """Yield the same fields with the things that move in them."""
    tracker = Tracker(probe.width, probe.height, probe.rate)
    return ([tracker.next(field) for field in fields] for fields in read)


class _FlowFrame(NamedTuple):
    """A sampled frame, whether a shot begins with it, and the flow in it (F, F, 2)."""

    frame: Frame
    new: bool
    flow: Field


def _looked_at(frames: Iterator[Frame], probe: Probe) -> Iterator[Frame]:
    """Yield each frame as often as it is read, with the times of that."""
    if probe.looks == 1:
        yield from frames
        return
    for frame in frames:
        for look in range(probe.looks):
            time = frame.time + (look - (probe.looks - 1) / 2) / probe.rate
            if time >= 0:
                yield Frame(frame.rgb, time, frame.index)


def _measured(
    frames: Iterator[tuple[Frame, bool]], rate: float, looks: int = 1
) -> Iterator[_FlowFrame]:
    """Yield frames with the flow in them; repeated ones when the next frame is known.

    A frame held for a moment, because the next one comes late, continues to move. Held for longer,
    it does if the next frame shows that; else frames were left out as nothing moved.
    """
    meter, flow, last = FlowMeter(rate), None, -1
    held: list[Frame] = []
    for frame, new in frames:
        if not new and flow is not None and frame.index == last:
            held.append(frame)
            continue
        since = len(held) + 1
        if new:
            meter = FlowMeter(rate)
        measured = cell_means(meter.next(frame.rgb))
        moved = since <= GLIMPSE * looks
        if flow is not None:
            went_on = KEPT_UP * since * np.abs(flow).sum()
            moved = moved or (not new and 0 < went_on <= np.abs(measured).sum())
            yield from _held(held, flow, moved)
        # When motion resumed, and how fast, the next frame shows.
        flow = measured / np.float32(since) if moved else np.zeros_like(measured)
        last = frame.index
        yield _FlowFrame(frame, new, flow)
        held = []
    if flow is not None:
        yield from _held(held, flow, len(held) < GLIMPSE * looks)


def _held(frames: Sequence[Frame], flow: Field, moved: bool) -> Iterator[_FlowFrame]:
    still = flow if moved else np.zeros_like(flow)
    return (_FlowFrame(frame, False, still) for frame in frames)


def _pieces(chunk: Sequence[_FlowFrame]) -> Iterator[tuple[Sequence[_FlowFrame], bool]]:
    """Yield the frames of each shot in a chunk, and whether the shot begins with them.

    In powers of two: for each new size oneDNN makes and keeps kernels of its own, which add up.
    """
    begins = [n for n, seen in enumerate(chunk) if seen.new and n]
    for start, end in pairwise([0, *begins, len(chunk)]):
        new = chunk[start].new
        while start < end:
            size = 1 << ((end - start).bit_length() - 1)
            yield chunk[start : start + size], new
            start, new = start + size, False


def load_motion(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> MotionModel:
    """Open a run folder or file of a model of motion, or the model that comes with vidgru.

    `threads`: how many torch and OpenCV use in this process; left out, unchanged. Raises
    ModelError or OptionError.
    """
    chosen = prepare_inference(device, threads)
    found = shipped(SHIPPED_MOTION, "motion") if path is None else Path(path)
    return MotionModel(read_model(found), chosen)


def save_video(
    model: MotionModel, motion: Motion, path: Path
) -> Generator[Progress, None, Failure | None]:
    """Write a video with arrows for its motion, or return the Failure."""
    try:
        yield from model.save_steps(motion, path)
    except (VideoError, OutputError) as error:
        return Failure(motion.source, str(error))
    return None


def save_heatmap(motion: Motion, path: Path) -> Failure | None:
    """Write a picture of where things moved, or return the Failure."""
    try:
        picture = read_picture(motion.source, motion.seconds[-1].end)
        save_heat(path, picture, np.array(motion.heat, np.float32))
    except (VideoError, OutputError) as error:
        return Failure(motion.source, str(error))
    return None


def analyse_each(
    model: MotionModel, sources: Sequence[Path | Failure], *, things: bool = False
) -> Iterator[Progress | FrameThings | MotionSecond | Motion | Failure]:
    """Yield the motion in each source, second by second and then in all, or the Failure.

    Progress comes in between. `things`: see `MotionModel.analyse`.
    """
    return each(sources, partial(model.steps, things=things))
