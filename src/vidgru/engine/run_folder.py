"""The run folder: what one training leaves on disk."""

import csv
import glob
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from vidgru.core.errors import ModelError, OptionError, OutputError
from vidgru.core.files import lock, write_bytes
from vidgru.core.options import paths_of
from vidgru.data.cache import content_of
from vidgru.data.folder import Clip
from vidgru.engine.distributed import from_main, is_main, launch, restarted
from vidgru.engine.train_config import TrainConfig

RUNS = Path("runs")
CONFIG_NAME = "config.json"
SPLIT_NAME = "split.csv"
METRICS_NAME = "metrics.csv"

Config = TypeVar("Config")


def create_run(folder: Path, out: str | None, kind: str = "") -> Path:
    """Make and return a new run folder: `out`, or runs/<folder><kind>-<number>.

    Raises OutputError.
    """
    run = RUNS / f"{_name(folder)}{kind}-1" if out is None else Path(out)
    try:
        if blocked := [path for path in run.parents if path.exists() and not path.is_dir()]:
            raise OutputError(f"Cannot make the run folder {run}: {blocked[0]} is a file.")
        run.parent.mkdir(parents=True, exist_ok=True)
        if out is None:
            names = (f"{_name(folder)}{kind}-{number}" for number in itertools.count(1))
            run = next(RUNS / name for name in names if not os.path.lexists(RUNS / name))
        elif run.is_dir() and not any(run.iterdir()):
            return run
        run.mkdir()  # this is what keeps two trainings at once apart
    except FileExistsError:
        raise OutputError(f"{run} exists already: give another --out, or remove it.") from None
    except OSError as error:
        raise OutputError(f"Cannot make the run folder {run}: {error.strerror}.") from error
    return run


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
    """Return the run that processes began in whose place torchrun started these, None if none."""
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
    """Write down what is trained on and how, and keep other processes out of the run folder.

    `chosen` are settings that the config left open. Of several processes one does all this. Raises
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
    """Give the folder and config that a run began with, and keep other processes out of it.

    Raises ModelError when there is no such run, OutputError when another process trains there.
    """
    path = run / CONFIG_NAME
    # path.is_file() fails on a folder that nobody may look into.
    if is_main() and not os.path.isfile(path):
        raise ModelError(f"Nothing to go on with in {run}: it is no run folder of `vidgru train`.")
    try:
        written = json.loads(from_main(path.read_bytes).decode("utf-8", "surrogateescape"))
        folder, _ = Path(written.pop("folder")), written.pop("chosen")
        written.pop("launch", None)
        config = read_config({**written, "out": str(run)})
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError),
        OptionError,
    ) as error:
        raise ModelError(f"Cannot go on with {run}: its {CONFIG_NAME} is damaged.") from error
    with _alone(run):
        yield folder, config


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends; systems without go without."""
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
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))


def write_split(run: Path, parts: Mapping[str, Sequence[Clip]], keys: Mapping[Clip, str]) -> None:
    """Write down which clips are learned from, validated on and tested, to be given to --split.

    `keys` are those of the cache. Raises OutputError.
    """
    rows = [
        {
            "path": clip.listed,
            "label": clip.label,
            "split": part,
            "group": clip.group or "",
            "start": "" if clip.start is None else clip.start,
            "end": "" if clip.end is None else clip.end,
            "content": content_of(keys[clip]),
        }
        for part, clips in parts.items()
        for clip in clips
    ]
    # Words stay as they are, even =1+1: what --split and `evaluate` read must be the same ones.
    write_table(run / SPLIT_NAME, rows)


def read_split(run: Path) -> dict[str, str] | None:
    """Return {hash of its content: part} of the clips that a run knows; None where nothing tells.

    Of clips with the same content, one that was trained on decides. Raises ModelError when the
    table is damaged.
    """
    path = run / SPLIT_NAME
    if not path.is_file():
        return None
    parts: dict[str, str] = {}
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.DictReader(file)
            if "content" not in (rows.fieldnames or ()):
                return None
            for row in rows:
                if parts.get(row["content"]) != "train":
                    parts[row["content"]] = row["split"]
    except (OSError, csv.Error, KeyError) as error:
        raise ModelError(f"Cannot tell what {run} learned from: {path} is damaged.") from error
    return parts


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
