"""Every example in the pages that begins with `$ vidgru` runs, on small videos so named."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from helpers import make_folder, moving_squares, noise, write_clip, write_images
from test_docs import PAGES, ROOT, examples

from vidgru.cli.main import VERBS, main

# What an example does in a minute or more, done in a moment: the last of two equal options holds.
SHORT = {
    "train": ["--epochs", "1", "--size", "16", "--threads", "1", "-q"],
    "compare": [
        "--core",
        "gru",
        "--core",
        "rnn",
        "--epochs",
        "1",
        "--size",
        "16",
        "--threads",
        "1",
        "-q",
    ],
}
FORECAST = ["--task", "forecast", "--minutes", "0.02", "--size", "32", "--threads", "1", "-q"]
LABELS = ("Walking", "Sitting", "Standing", "Falling (BW)", "Falling (SW)")


def _examples() -> dict[str, tuple[list[str], bool]]:
    """Return by their text the words of all examples, and whether an error is shown below."""
    found = {}
    for page in PAGES:
        for words, shown in examples(page, prompt=r"\$ "):
            # A camera is watched until Ctrl-C; tests of live predictions do that.
            if not any("://" in word for word in words):
                found[" ".join(words)] = words, "Error: " in shown
    return found


EXAMPLES = _examples()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that examples name; a short training each made the models."""
    root = tmp_path_factory.mktemp("examples")
    for clip in (ROOT / "sample_videos").glob("*/*/clip_*"):
        if clip.parts[-3] != "train" or clip.stem[-1] in "05":
            target = root / clip.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, target)
    for clip in (root / "sample_videos" / "test").glob("[lr]*/*"):
        target = root / "ut_interaction" / clip.parent.name / f"seq{clip.stem[-1]}_{clip.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, target)
    for label in ("0", "1"):
        names = [f"{number}.png" for number in range(12)]
        write_images(root / "digits" / label, noise(12, 28, 28, int(label)), names)
    write_clip(root / "film.mp4", noise(30), 10, "mp4v")
    write_clip(root / "joined.mp4", noise(40), 10, "mp4v")
    write_clip(root / "yard" / "gate.mp4", noise(30), 10, "mp4v")
    make_folder(root / "clips", 2)
    (root / "clips" / "broken.mp4").write_bytes(b"no video")
    _falls(root / "home_falls")
    _ucf(root)
    return root


def _falls(folder: Path) -> None:
    rows, groups = ["video,start_s,end_s,label"], ["path,subject"]
    for number in range(6):
        name = f"adl/S{number}_18.mp4"
        write_clip(folder / name, noise(150, seed=number), 10, "mp4v")
        groups.append(f"{name},{number}")
        rows += [f"{name},{3 * at},{3 * at + 3},{label}" for at, label in enumerate(LABELS)]
        rows.append(f"{name},2,4,Sitting")  # at the time of another
    (folder / "timeline.csv").write_text("\n".join(rows) + "\n")
    (folder / "groups.csv").write_text("\n".join(groups) + "\n")


def _ucf(root: Path) -> None:
    rows = []
    for number, label in enumerate(("Archery", "Bowling"), 1):
        for group in range(1, 7):
            path = f"{label}/v_{label}_g{group:02}_c01.avi"
            moving_squares(root / "UCF-101" / path, 2 * number, 10 * group + number)
            rows.append(f"{path} {number}")
    (root / "ucfTrainTestlist").mkdir()
    (root / "ucfTrainTestlist" / "trainlist01.txt").write_text("\n".join(rows) + "\n")
    (root / "ucfTrainTestlist" / "classInd.txt").write_text("1 Archery\n2 Bowling\n")


@pytest.fixture(scope="module")
def models(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the models that examples ask, too."""
    log = logging.getLogger("vidgru")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "handlers", list(log.handlers))
        patch.chdir(place)
        patch.setenv("VIDGRU_CACHE", str(tmp_path_factory.mktemp("cache")))
        for words in (SHORT["train"], FORECAST):
            with pytest.raises(SystemExit) as stop:
                main(["train", "sample_videos", *words])
            assert not stop.value.code
    for run in ("run", "runs/falls", "runs/ut_interaction-1", "runs/ut_interaction-1/fold-1"):
        shutil.copytree(place / "runs" / "sample_videos-1", place / run)
    return place


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(
    example: str, models: Path, vidgru: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, fails = EXAMPLES[example]
    short = FORECAST if "forecast" in words[1:] else SHORT.get(words[0], [])
    monkeypatch.chdir(models)
    done = vidgru(*words, *short)
    assert done.code == int(fails), done.out + done.err
    assert ("Error: " in done.err) == fails


def test_there_are_examples_of_every_command() -> None:
    # A page is served until Ctrl-C; tests of `vidgru label` do that.
    assert {words[0] for words, _ in EXAMPLES.values()} == {*VERBS} - {"label"}
