"""The run folder: the files of one training."""

import contextlib
import csv
import glob
import io
import itertools
import json
import math
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from vidgru.core.errors import ModelError, OptionError, OutputError
from vidgru.core.files import UnixLines, check_folder, lock, write_bytes
from vidgru.core.options import paths_of
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.cache import content_of
from vidgru.data.decode import Readings
from vidgru.data.folder import Clip
from vidgru.data.path_resolver import PathResolver
from vidgru.engine.distributed import from_main, is_main, launch, restarted
from vidgru.engine.model_file import CHECKPOINT_NAME
from vidgru.engine.newest_run import CONFIG_NAME, RUNS
from vidgru.engine.train_config import TrainConfig

SPLIT_NAME = "split.csv"
METRICS_NAME = "metrics.csv"
FIRST_FOLD = "fold-1"  # the run, in a run, of the first model that did not learn from all clips
NOTHING_KEPT = "Interrupted before the first checkpoint: nothing is kept."

# What `data_of` raises where files beside a model are missing, or not what they are called.
NO_DATA = (OSError, ValueError, TypeError, KeyError, StopIteration, RecursionError, csv.Error)

Config = TypeVar("Config")


def how_to_resume(run: Path) -> str:
    """Return the command that goes on with an interrupted training, in a sentence."""
    return f"Resume with: vidgru train --resume {shlex.quote(str(run))}"


def farewell(run: Path | None, resumed: bool = False) -> str:
    """Return what is kept of a training that was interrupted, perhaps one of several in a run."""
    if run is not None and (resumed or any(run.glob(f"**/{CHECKPOINT_NAME}"))):
        return f"Interrupted; what was trained so far is kept. {how_to_resume(run)}"
    return NOTHING_KEPT


def check_run(folder: Path, out: str | None, kind: str = "") -> Path:
    """Return the run folder that `create_run` makes if the name is free, without making it.

    Raises OutputError where it cannot be made, which is known before the clips are read.
    """
    run = RUNS / f"{_name(folder)}{kind}-1" if out is None else Path(out)
    try:
        if blocked := [path for path in run.parents if path.exists() and not path.is_dir()]:
            raise OutputError(f"Cannot make the run folder {run}: {blocked[0]} is a file.")
        if out is not None and os.path.lexists(run) and not (run.is_dir() and not os.listdir(run)):
            raise OutputError(f"{run} exists already: give another --out, or remove it.")
    except OSError as error:
        raise OutputError(f"Cannot make the run folder {run}: {error.strerror}.") from error
    check_folder(run)
    return run


def create_run(folder: Path, out: str | None, kind: str = "") -> Path:
    """Create and return a new run folder: `out`, or runs/<folder><kind>-<number>.

    Raises OutputError.
    """
    run = check_run(folder, out, kind)
    try:
        run.parent.mkdir(parents=True, exist_ok=True)
        if out is None:
            names = (f"{_name(folder)}{kind}-{number}" for number in itertools.count(1))
            run = next(RUNS / name for name in names if not os.path.lexists(RUNS / name))
        elif run.is_dir() and not any(run.iterdir()):
            return run
        run.mkdir()  # fails if a simultaneous training took the name
    except FileExistsError:
        raise OutputError(f"{run} exists already: give another --out, or remove it.") from None
    except OSError as error:
        raise OutputError(f"Cannot make the run folder {run}: {error.strerror}.") from error
    return run


def folders_there(out: str | None) -> list[Path]:
    """Return which of the folders that `discard_run` may remove are there before a run is made."""
    return [path for path in (RUNS, *([] if out is None else [Path(out)])) if path.is_dir()]


def discard_run(run: Path, kept: Sequence[Path] = ()) -> None:
    """Remove a run folder, and RUNS if nothing else is in it, as far as the system allows.

    Folders that are `kept` were there before: only what is in them goes.
    """
    # A link to a folder, or one where a disk is mounted, stays, too.
    for path in (*(run.iterdir() if run.is_dir() else ()), *([] if run in kept else [run])):
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if RUNS not in kept:
        with contextlib.suppress(OSError):
            RUNS.rmdir()


def _name(folder: Path) -> str:
    source = folder.resolve()
    return re.sub(r"[^\w.-]+", "_", source.stem if source.is_file() else source.name) or "run"


def _settings(folder: Path, config: TrainConfig) -> dict[str, Any]:
    paths = {"folder": str(folder.absolute())}
    for name in paths_of(config):
        if name != "out" and (given := getattr(config, name)) is not None:
            paths[name] = str(Path(given).absolute())
    return {**paths, **asdict(config), **paths}


def run_before_restart(folder: Path, config: TrainConfig) -> Path | None:
    """Return the run of the processes that torchrun replaced by these, None if none."""
    if not restarted():
        return None
    sought = {**_settings(folder, config), "launch": launch()}
    runs = RUNS.glob(f"{glob.escape(_name(folder))}-*")
    for run in runs if config.out is None else [Path(config.out)]:
        try:
            written = json.loads((run / CONFIG_NAME).read_text("utf-8", "surrogateescape"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(written, dict) and {key: written.get(key) for key in sought} == sought:
            return run
    return None


@contextmanager
def begin_run(
    run: Path, folder: Path, config: TrainConfig, chosen: dict[str, Any]
) -> Iterator[None]:
    """Write the settings of a training, and lock the run folder against other processes.

    `chosen` are settings that the config left open. Only the main process does all this. Raises
    OutputError.
    """
    if not is_main():
        yield
        return
    content = {**_settings(folder, config), "chosen": chosen}
    if (started := launch()) is not None:
        content["launch"] = started
    text = json.dumps(content, indent=2) + "\n"
    try:
        # Fails when another process was faster.
        with open(run / CONFIG_NAME, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{run} exists already: give another --out, or remove it.") from None
    except OSError as error:
        raise OutputError(f"Cannot write {run / CONFIG_NAME}: {error.strerror}.") from error
    with _alone(run):
        yield


@contextmanager
def resume_run(
    run: Path, read_config: Callable[[dict[str, Any]], Config]
) -> Iterator[tuple[Path, Config]]:
    """Give the folder and config of a run, and lock it against other processes.

    Raises ModelError when there is no such run, OutputError when another process trains there.
    """
    found = read_run(run, read_config)
    with _alone(run):
        yield found


def read_run(run: Path, read_config: Callable[[dict[str, Any]], Config]) -> tuple[Path, Config]:
    """Return the folder and config of a run; raises ModelError when there is no such run."""
    path = run / CONFIG_NAME
    if is_main() and not os.path.exists(run):
        raise ModelError(f"Nothing to resume: there is no run {run}.")
    # path.is_file() fails on a folder without permission to read it.
    if is_main() and not os.path.isfile(path):
        raise ModelError(f"Nothing to resume in {run}: it is not a run folder of `vidgru train`.")
    try:
        written = json.loads(from_main(path.read_bytes).decode("utf-8", "surrogateescape"))
        folder, _ = Path(written.pop("folder")), written.pop("chosen")
        written.pop("launch", None)
        config = read_config({**written, "out": str(run)})
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"Cannot resume {run}: cannot read its {CONFIG_NAME}: {why}.") from error
    except (
        *(ValueError, TypeError, KeyError, AttributeError, RecursionError),
        OptionError,
    ) as error:
        raise ModelError(f"Cannot resume {run}: its {CONFIG_NAME} is damaged.") from error
    return folder, config


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold a lock until the process ends, however it ends; skipped where there are no locks."""
    if not is_main():
        yield
        return
    try:
        file = open(run / CONFIG_NAME, "rb")  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"Cannot read {run / CONFIG_NAME}: {error.strerror}.") from error
    with file:
        if not lock(file):
            raise OutputError(f"Another process is training in {run}.")
        yield


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON; raises OutputError."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of the same keys as CSV; raises OutputError."""
    text = io.StringIO()
    table = csv.DictWriter(UnixLines(text), list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))


def write_split(run: Path, parts: Mapping[str, Sequence[Clip]], readings: Readings) -> None:
    """Write which clips are trained on, validated on and tested on, in the format of --split.

    Raises OutputError.
    """
    rows = [
        {
            "path": clip.listed,
            "label": clip.label,
            "split": part,
            "group": clip.group or "",
            "start": "" if clip.start is None else clip.start,
            "end": "" if clip.end is None else clip.end,
            "content": content_of(readings.keys[clip]),
            "video": readings.videos[clip],
        }
        for part, clips in parts.items()
        for clip in clips
    ]
    # Cells stay unchanged, even =1+1: --split and `evaluate` must read the same names.
    write_table(run / SPLIT_NAME, rows)


@dataclass(frozen=True)
class KnownClips:
    """Which part of a training some clips were in, by hashes of contents.

    clips: part of a clip; videos: of each video the parts (start, end, part), in seconds.
    """

    clips: dict[str, str]
    videos: dict[str, list[tuple[float, float, str]]]

    def part(self, content: str, video: str, start: float | None, end: float | None) -> str | None:
        """Return the part of a clip, or of those that show some of it; None if it is new.

        Clips that were trained on take precedence, but for a clip that is listed itself.
        """
        if content in self.clips:
            return self.clips[content]
        low, high = start or 0.0, math.inf if end is None else end
        found = {part for a, b, part in self.videos.get(video, ()) if a < high and low < b}
        return next((part for part in ("train", "val", "test") if part in found), None)

    def parts(self, video: str) -> set[str]:
        """Return the parts that clips which are cut from a video, or are all of it, were in."""
        return {part for _, _, part in self.videos.get(video, ())}


def read_split(run: Path) -> KnownClips | None:
    """Return which clips a run was trained on; None where that is unknown.

    Of clips with the same content, one that was trained on takes precedence. Raises ModelError
    when the table is damaged.
    """
    path = run / SPLIT_NAME
    if not path.is_file():
        return None
    known = KnownClips({}, {})
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.DictReader(file)
            if "content" not in (rows.fieldnames or ()):
                return None
            for row in rows:
                content, part = row["content"], row["split"]
                if known.clips.get(content) != "train":
                    known.clips[content] = part
                start, end = row.get("start") or "", row.get("end") or ""
                # Tables of earlier versions do not say which video a clip was cut from.
                video = row.get("video") or ("" if start or end else content)
                span = float(start or 0), float(end or math.inf), part
                known.videos.setdefault(video, []).append(span)
    except (OSError, ValueError, csv.Error, KeyError) as error:
        raise ModelError(
            f"Cannot read which clips {run} was trained on: {path} is damaged."
        ) from error
    return known


def data_of(run: Path) -> tuple[str, Path, Path]:
    """Return a part of the data of a run, the folder or list that holds it, and its first clip.

    The part is "test" if there is one, or else "val"; "train" where no clip was held out.
    """
    config = _config_of(run)
    text: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
    with open(run / SPLIT_NAME, **text) as file:
        first = {row["split"]: row for row in reversed(list(csv.DictReader(file)))}
    part = next(part for part in ("test", "val", "train") if part in first)
    source = Path((part == "val" and config["val_folder"]) or config["folder"])
    return part, source, _file_of(first[part], source, annotations_of(run, part))


def _config_of(run: Path) -> dict[str, Any]:
    """Return the settings of a run, or of the run that a fold lies in."""
    own = run / CONFIG_NAME
    path = own if own.exists() else run.parent / CONFIG_NAME
    config: dict[str, Any] = json.loads(path.read_text("utf-8", "surrogateescape"))
    return config


def _file_of(row: Mapping[str, str], source: Path, config: AnnotationConfig) -> Path:
    """Return the path of a clip that is listed so, as it was found when it was read."""
    home = source.parent if source.is_file() else source
    folders = [home, *([Path(config.videos)] if config.videos else [])]
    if config.background_videos:
        folders.append(Path(config.background_videos).parent)
    for folder in folders:
        if os.path.lexists(folder / row["path"]):
            return folder / row["path"]
    names = [row["path"], f"{row['label']}/{row['path']}"]
    found = PathResolver(source).find(names) if source.is_file() else None
    return home / row["path"] if found is None else found


def annotations_of(run: Path, part: str) -> AnnotationConfig:
    """Return how annotations became the clips of the part of `data_of`; raises as that does."""
    config = _config_of(run)
    given = {field.name: config.get(field.name) for field in fields(AnnotationConfig)}
    if not all(value is None or isinstance(value, str) for value in given.values()):
        raise ValueError(f"{run / CONFIG_NAME} is damaged.")
    if part == "val" and config["val_folder"]:
        given["background_videos"] = None  # which are to learn from
    return AnnotationConfig(**given)


def read_numbers(path: Path) -> list[dict[str, float]]:
    """Return the rows of metrics.csv, at least one. Raises ModelError."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise ModelError(f"Cannot read {path}: it is no whole table of numbers.") from error
    if not rows or not {"epoch", "train_loss", "seconds"} <= rows[0].keys():
        raise ModelError(f"Cannot read {path}: it is no table of a training.")
    return rows
