"""Write forecasts: pictures, a video, a filmstrip, errors and their curve."""

import contextlib
import csv
import io
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path

from vidgru.core.errors import OptionError, OutputError
from vidgru.core.files import check_folder, write_bytes
from vidgru.core.results import Failure, Progress
from vidgru.engine.inference import each
from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.options import ForecastConfig
from vidgru.tasks.forecast.plots import plot_horizons
from vidgru.tasks.forecast.results import Forecast, ForecastFrame, ForecastSummary, mean_scores
from vidgru.tasks.forecast.scores import BASELINES, FrameErrors
from vidgru.tasks.forecast.strip import film_strip, to_rgb
from vidgru.video.find import place
from vidgru.video.output_paths import plan_folders
from vidgru.video.panel import ORANGE
from vidgru.video.read import Image, shrink
from vidgru.video.record import open_recorder
from vidgru.video.write import write_image

VIDEO, STRIP, TABLE, CURVE = "forecast.mp4", "filmstrip.png", "frames.csv", "errors.png"
PICTURE = re.compile(r"frame_\d{3,}\.png")
OF_SECOND = re.compile(r"at-\d+\.\d\ds(-\d+)?")
ENDING = "-forecast"
LARGEST, SMALLEST = 512, 16  # sides of pictures, in pixels
MIN_FPS, MAX_FPS = 1, 240  # frames/s of the video
MEASURES = tuple(field.name for field in fields(FrameErrors))


@dataclass(frozen=True)
class OutputPaths:
    """The folders for a source's forecasts: its own, and one for each, in order of time."""

    folder: Path
    each: tuple[Path, ...]


def plan(
    sources: Sequence[str], found: Sequence[Path | Failure], config: ForecastConfig
) -> dict[Path, OutputPaths]:
    """Return the folders for each source's forecasts; several of one have a folder each in its own.

    Raises OutputError for a folder that is a file, or is not empty, unless the config sets
    `overwrite`; OptionError for one that is the source.
    """
    planned, read = {}, _places([item for item in found if isinstance(item, Path)])
    for source, folder in plan_folders(config.out, ENDING, sources, found).items():
        seconds, taken = sorted(set(config.at)), set[str]()
        names = [Path(f"at-{second:.2f}s") for second in seconds] if len(seconds) > 1 else [Path()]
        each = [folder / place(name, taken, True) if name.name else folder for name in names]
        planned[source] = OutputPaths(folder, tuple(each))
        for one in dict.fromkeys((folder, *each)):
            _check(one, read, config.overwrite)
    return planned


def _places(sources: Sequence[Path]) -> dict[str, Path]:
    """Return the sources by the folders whose forecasts would replace or remove them."""
    places: dict[str, Path] = {}
    for source in sources:
        path = Path(os.path.realpath(source))
        for folder in (path, path.parent) if _is_written(path.name) else (path,):
            places.setdefault(str(folder), source)
            if OF_SECOND.fullmatch(folder.name):  # an earlier forecast in a folder of its own
                places.setdefault(str(folder.parent), source)
    return places


def _check(folder: Path, read: Mapping[str, Path], overwrite: bool) -> None:
    check_folder(folder)
    if source := read.get(os.path.realpath(folder)):
        raise OptionError(f"{source} cannot be read and written at once: give another --out.")
    if not overwrite and os.path.isdir(folder) and os.listdir(folder):
        raise OutputError(
            f"{folder} exists and is not empty: choose another --out, or give --overwrite."
        )


def _is_written(name: str) -> bool:
    """Return whether a file of this name may be written into the folder of a forecast."""
    return name in (VIDEO, STRIP, TABLE, CURVE) or PICTURE.fullmatch(name) is not None


def forecast_each(
    model: ForecastModel,
    found: Sequence[Path | Failure],
    planned: Mapping[Path, OutputPaths],
    config: ForecastConfig,
) -> Iterator[Progress | Forecast | ForecastSummary | Failure]:
    """Yield each forecast when its files are written, and then the summary of its source.

    A source that cannot be read gives a Failure instead. Raises OutputError.
    """
    return each(found, lambda source: _forecast(model, source, planned[source], config))


def _forecast(
    model: ForecastModel, source: Path, outputs: OutputPaths, config: ForecastConfig
) -> Generator[Progress | Forecast, None, ForecastSummary]:
    """Forecast for one source, and write the results."""
    several: list[tuple[ForecastFrame, ...]] = []
    rate = 1.0
    try:
        for item in model.forecast_steps(source, config.ahead, config.at):
            if isinstance(item, Forecast):
                if not several:
                    remove_earlier(outputs.folder)
                item, rate = save_forecast(item, outputs.each[len(several)]), item.fps
                several.append(item.frames)
            yield item
    finally:
        # Also where a later second does not exist.
        scores = mean_scores(several, rate)
        if scores is not None:
            plot_horizons(outputs.folder / CURVE, scores)
    return ForecastSummary(str(source), outputs.folder, len(several), scores)


def remove_earlier(folder: Path) -> None:
    """Remove earlier forecasts' files from a folder and its folders of seconds, nothing else."""
    for one in (folder, *folder.glob("at-*s*")):
        try:
            with open(one / TABLE, newline="", encoding="utf-8") as file:
                table = csv.DictReader(file)
                if table.fieldnames != _columns():
                    continue
                pictures = [row["file"] for row in table if PICTURE.fullmatch(row["file"] or "")]
        except (OSError, ValueError, csv.Error):
            continue
        for name in (*pictures, VIDEO, STRIP, TABLE):
            (one / name).unlink(missing_ok=True)
        (folder / CURVE).unlink(missing_ok=True)
        if one != folder:
            with contextlib.suppress(OSError):
                one.rmdir()  # only if nothing else is in it


def save_forecast(forecast: Forecast, folder: Path) -> Forecast:
    """Write a forecast into a folder, and return it with the names of its pictures.

    Each forecast frame is a PNG (see `picture_size`); forecast.mp4 shows the context and then,
    with an orange border, the forecast, at the sampling rate, or the nearest from 1 to 240
    frames/s; filmstrip.png shows all side by side, and frames.csv lists times and errors.
    Raises OutputError.
    """
    size = picture_size(forecast.width, forecast.height, forecast.predicted.shape[1])
    pictures = [shrink(picture.copy(), size) for picture in to_rgb(forecast.predicted)]
    files = [folder / f"frame_{frame.number:03d}.png" for frame in forecast.frames]
    for file, picture in zip(files, pictures, strict=True):
        write_image(file, picture)
    fps = Fraction(min(max(forecast.fps, MIN_FPS), MAX_FPS)).limit_denominator(1001)
    with open_recorder(folder / VIDEO, size, fps) as recorder:
        for picture in to_rgb(forecast.context_pixels):
            recorder.write(shrink(picture.copy(), size))
        for picture in pictures:
            recorder.write(_framed(picture))
    write_image(folder / STRIP, film_strip(forecast))
    frames = [replace(frame, file=f) for frame, f in zip(forecast.frames, files, strict=True)]
    _write_table(folder / TABLE, frames)
    return replace(forecast, frames=tuple(frames))


def picture_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return (width, height) of pictures of a source, forecast as squares of this side.

    They have the source's size, but at most 512 pixels on the longer side, and at least `side` on
    the shorter one where both are possible.
    """
    longer, shorter = max(width, height), min(width, height)
    scale = max(min(1, LARGEST / longer), min(side / shorter, LARGEST / longer))
    return max(round(width * scale), SMALLEST), max(round(height * scale), SMALLEST)


def _framed(picture: Image) -> Image:
    """Return a copy of a picture with a thin orange edge."""
    framed, edge = picture.copy(), max(round(min(picture.shape[:2]) / 40), 2)
    framed[:edge] = framed[-edge:] = ORANGE
    framed[:, :edge] = framed[:, -edge:] = ORANGE
    return framed


def _columns() -> list[str]:
    names = [
        m if baseline == "model" else f"{baseline}_{m}" for baseline in BASELINES for m in MEASURES
    ]
    return ["number", "seconds", "file", *names]


def _write_table(path: Path, frames: Sequence[ForecastFrame]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_columns())
    for frame in frames:
        cells: list[str] = []
        for baseline in BASELINES:
            errors: FrameErrors | None = getattr(frame, baseline)
            values = asdict(errors).values() if errors is not None else ()
            cells += [f"{value:.6f}" for value in values] or [""] * len(MEASURES)
        file = "" if frame.file is None else frame.file.name
        table.writerow((frame.number, f"{frame.seconds:.6f}", file, *cells))
    write_bytes(path, text.getvalue().encode())
