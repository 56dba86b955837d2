"""`vidgru compare`: the same clips and budget for all, what it writes and prints, how it fails."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import make_folder, noise, write_images

import vidgru as library
from vidgru import Comparison
from vidgru.core.errors import ModelError, OptionError, OutputError
from vidgru.data.folder import read_folder
from vidgru.engine.newest_run import newest_run
from vidgru.engine.run_folder import read_numbers
from vidgru.nn.choices import CORES
from vidgru.tasks.classify import compare as verb
from vidgru.tasks.classify.compare import best_first
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyTrainConfig, CompareConfig, without_folds
from vidgru.tasks.classify.scores import Compared
from vidgru.tasks.classify.train_step import ClassifyTrainStep

Vidgru = Callable[..., Done]

QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]
SETTINGS: dict[str, Any] = {"size": 16, "epochs": 2, "batch_size": 4, "threads": 1}
PAIR = ["--core", "gru", "--core", "lstm"]


@pytest.fixture(scope="module")
def watched(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, list[str]]:
    """Return two cores with the seeds 3 and 4, and the stages; tests must not change the folder."""
    place, stages = tmp_path_factory.mktemp("compared"), []
    config = ClassifyTrainConfig(**SETTINGS, seed=3, out=str(place / "out"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        steps = verb.compare_steps(data, config, CompareConfig(("lstm", "gru"), (), 2))
        while True:
            try:
                stages.append(next(steps).stage)
            except StopIteration as end:
                return end.value, stages


@pytest.fixture(scope="module")
def compared(watched: tuple[Comparison, list[str]]) -> Comparison:
    return watched[0]


def row(core: str, *accuracies: float, parameters: int = 1) -> Compared:
    seeds = tuple(range(len(accuracies)))
    return Compared(core, "both", parameters, 0.1, seeds, accuracies, accuracies, ())


def test_few_clips_are_split_once(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidgru.tasks.classify.training.MIN_STEPS", 2)
    monkeypatch.setattr("vidgru.tasks.classify.training.DEFAULT_EPOCHS", 0.1)
    few = ["--seeds", 1, "--batch-size", 4, "--threads", 1, "--json"]
    done = vidgru("compare", data, *PAIR, *few, "--out", tmp_path / "out")
    assert (done.code, "folds" in done.err) == (0, False)
    result = json.loads(done.out)
    assert (result["measured"], len(result["rows"])) == ("validation", 2)
    assert result["clips"] > 0


@pytest.mark.parametrize("given", [{"val_folder": "x"}, {"split": "x.csv"}, {"folds": 3}])
def test_a_split_that_is_given_stays(given: dict[str, Any]) -> None:
    config = ClassifyTrainConfig(**given)
    assert without_folds(config) == config


def test_all_learn_from_the_same_clips_and_each_from_its_seed(compared: Comparison) -> None:
    runs = [run for row in compared.rows for run in row.runs]
    assert len(runs) == 4
    (split,) = {(run / "split.csv").read_text() for run in runs}
    assert split.count(",val,") == 2
    for row in compared.rows:
        assert row.seeds == (3, 4)
        for run, seed in zip(row.runs, row.seeds, strict=True):
            config = json.loads((run / "config.json").read_text())
            assert run.name == f"{row.core}-seed{seed}"
            assert (config["core"], config["seed"], config["out"]) == (row.core, seed, str(run))
    models = [(run / "model.safetensors").read_bytes() for run in runs]
    assert len(set(models)) == 4


def test_the_first_seed_gives_the_model_that_train_gives(
    vidgru: Vidgru, compared: Comparison, data: Path, tmp_path: Path
) -> None:
    for core in ("gru", "lstm"):
        run = tmp_path / core
        words = ["--core", core, "--seed", 3, "--init", "none", "--out", run]
        assert vidgru("train", data, *QUICK, *words).code == 0
        (row,) = [row for row in compared.rows if row.core == core]
        for name in ("model.safetensors", "split.csv"):
            assert (run / name).read_bytes() == (row.runs[0] / name).read_bytes()


def test_a_row_says_what_its_runs_say(compared: Comparison) -> None:
    assert (compared.measured, compared.clips) == ("validation", 2)
    for row in compared.rows:
        models = [load_model(run) for run in row.runs]
        assert {(m.spec.core, m.spec.input) for m in models} == {(row.core, row.input)}
        assert row.input == "both"
        assert row.accuracies == tuple(m.metrics["validation"]["accuracy"] for m in models)
        assert row.parameters == sum(p.numel() for p in models[0].network.parameters())
        tables = [read_numbers(run / "metrics.csv") for run in row.runs]
        assert row.last == tuple(table[-1]["val_accuracy"] for table in tables)
        # Five steps, none of them longer than all, validations and saving.
        assert 0 < 5 * row.step_seconds < max(table[-1]["seconds"] for table in tables)


def test_what_the_folder_holds(compared: Comparison) -> None:
    names = {path.name for path in compared.folder.iterdir()}
    assert names == {
        "comparison.json",
        "comparison.png",
        *(f"{core}-seed{seed}" for core in ("gru", "lstm") for seed in (3, 4)),
    }
    said = json.loads((compared.folder / "comparison.json").read_text())
    assert said == json.loads(json.dumps(compared.to_dict()))
    assert (compared.folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_best_first_and_the_smaller_one_where_equal() -> None:
    rows = [
        row("rnn", 0.5, 0.6),
        row("lstm", 0.7, 0.9, parameters=3),
        row("gru", 0.9, 0.7, parameters=2),
        row("gated", 0.6, 1.0, 0.95),
    ]
    assert [r.core for r in best_first(rows)] == ["gated", "gru", "lstm", "rnn"]


def test_mean_and_spread() -> None:
    two = row("gru", 0.5, 0.7).to_dict()
    assert two["mean"] == pytest.approx(0.6)
    assert two["spread"] == pytest.approx(0.02**0.5)  # sample standard deviation
    assert (two["min"], two["max"], two["mean_last"]) == (0.5, 0.7, pytest.approx(0.6))
    assert row("gru", 0.5).to_dict()["spread"] is None


def test_the_table(
    vidgru: Vidgru, compared: Comparison, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = Comparison(
        tmp_path / "[red]x\x1b[31m",
        "validation",
        24,
        (
            row("gru", 0.875, 0.9375, parameters=381420),
            row("lstm", 0.5, 0.75, parameters=455000),
        ),
    )
    monkeypatch.setattr(verb, "compare_steps", lambda *_: steps(said))
    done = vidgru("compare", "clips")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "ms a validation last" in lines
    assert "core parameters step accuracy min - max epoch" in lines
    first = lines.index("gru 381,420 100.0 90.6 % +- 4.4 87.5 - 93.8 90.6 %")
    assert lines[first + 1] == "lstm 455,000 100.0 62.5 % +- 17.7 50.0 - 75.0 62.5 %"
    assert "24 validation clips: one clip is 4.2 %." in done.out
    assert "+- is the standard deviation over 2 seeds, all on the same split." in done.out
    assert "too optimistic" not in done.out  # of 24 clips, the last epoch is kept
    many = replace(said, clips=100)
    monkeypatch.setattr(verb, "compare_steps", lambda *_: steps(many))
    assert "The best epoch was chosen with these clips" in vidgru("compare", "clips").out
    assert "\x1b" not in done.out
    assert f"{tmp_path}/[red]x\\x1b[31m" in done.out


def steps(said: Comparison) -> Any:
    yield from ()
    return said


def test_one_seed_and_test_clips(vidgru: Vidgru, tmp_path: Path) -> None:
    for part, clips, seed in (("train", 5, 0), ("val", 1, 100), ("test", 3, 200)):
        make_folder(tmp_path / "data" / part, clips, seed)
    # Unlike halves, so that whoever says the same of all clips is measured apart.
    (tmp_path / "data" / "test" / "left" / "0.avi").unlink()
    (tmp_path / "data" / "test" / "left" / "1.avi").unlink()
    inputs = ["--core", "rnn", "--input", "diff", "--input", "rgb", "--input", "diff"]
    out = tmp_path / "out"
    done = vidgru("compare", tmp_path / "data", *inputs, *QUICK, "--seeds", 1, "--out", out)
    assert (done.code, done.err) == (0, "")  # no bar where nobody looks
    said = json.loads((out / "comparison.json").read_text())
    assert (said["measured"], said["clips"]) == ("test", 4)
    for row in said["rows"]:
        (run,) = row["runs"]
        assert Path(run).name == f"rnn-{row['input']}-seed0"
        assert row["accuracies"] == [load_model(Path(run)).metrics["test"]["accuracy"]]
    lines = [line.split() for line in done.out.splitlines()]
    assert ["core", "input", "parameters"] in [line[:3] for line in lines]
    shown = [line[1] for line in lines if line[:1] == ["rnn"]]
    assert shown == [row["input"] for row in said["rows"]]
    assert sorted(shown) == ["diff", "rgb"]
    assert "4 test clips: one clip is 25.0 %. One seed says nothing about chance" in done.out
    assert "The accuracy of the last epoch is on the validation clips." in done.out
    assert "+-" not in done.out
    assert "optimistic" not in done.out


def test_json_and_the_usual_folder_which_is_no_run(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made_up = [{"seconds": 1.0, "val_accuracy": 0.25}, {"seconds": 2.0, "val_accuracy": 0.75}]
    monkeypatch.setattr(verb, "read_numbers", lambda _: made_up)
    done = vidgru("compare", data, *PAIR, *QUICK, "--seeds", 1, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    said = json.loads(line)
    assert said["folder"] == str(Path("runs") / "squares-compare-1")
    assert said == json.loads((tmp_path / said["folder"] / "comparison.json").read_text())
    assert [row["last"] for row in said["rows"]] == [[0.75], [0.75]]
    with pytest.raises(ModelError):
        newest_run(Path("runs"))
    clip = data / "left" / "0.avi"
    assert vidgru("predict", clip, "--model", said["rows"][0]["runs"][0]).code == 0


def test_one_window_for_all_inputs_of_single_images(tmp_path: Path) -> None:
    for label in ("a", "b"):
        write_images(tmp_path / "data" / label, noise(4), [f"{n}.png" for n in range(4)])
    said = library.compare(
        tmp_path / "data",
        cores=["gru"],
        inputs=["rgb", "both"],
        seeds=1,
        out=str(tmp_path / "out"),
        **SETTINGS,
    )
    assert {load_model(row.runs[0]).spec.frames for row in said.rows} == {4}


def test_progress_names_the_variant_and_the_seed(watched: tuple[Comparison, list[str]]) -> None:
    assert list(dict.fromkeys(watched[1])) == [
        "reading clips",
        "lstm, seed 1 of 2",
        "gru, seed 1 of 2",
        "lstm, seed 2 of 2",
        "gru, seed 2 of 2",
    ]


def fail_in_training(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise an error in the last step of the training of this number, after a validation."""
    begun, init, step = [0], ClassifyTrainStep.__init__, ClassifyTrainStep.step

    def counted(self: ClassifyTrainStep, *args: Any, **options: Any) -> None:
        begun[0] += 1
        init(self, *args, **options)

    def broken(self: ClassifyTrainStep, done: float) -> float:
        if begun[0] == number and self.steps == 4:
            raise error
        return step(self, done)

    monkeypatch.setattr(ClassifyTrainStep, "__init__", counted)
    monkeypatch.setattr(ClassifyTrainStep, "step", broken)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "\nStopped: Interrupted after 1 of 4 trainings, kept and "),
        (OutputError("Cannot write."), 1, "Error: Cannot write.\n"),
    ],
    ids=["interrupted", "failed"],
)
def test_broken_off_in_the_second_training(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: str,
) -> None:
    fail_in_training(2, error, monkeypatch)
    out = tmp_path / "out"
    done = vidgru("compare", data, *PAIR, *QUICK, "--seeds", 2, "--out", out)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(words)
    assert (str(out) in done.err) == (code == 130)
    names = {path.name for path in out.iterdir()}
    assert names == {"comparison.json", "comparison.png", "gru-seed0"}
    (row,) = json.loads((out / "comparison.json").read_text())["rows"]
    assert (row["core"], row["seeds"], row["runs"]) == ("gru", [0], [str(out / "gru-seed0")])
    assert load_model(out / "gru-seed0").metrics["validation"]["accuracy"] == row["mean"]


def test_broken_off_in_the_first_training(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_in_training(1, KeyboardInterrupt(), monkeypatch)
    monkeypatch.chdir(tmp_path)
    done = vidgru("compare", data, *PAIR, *QUICK)
    assert done.code == 130
    assert "Interrupted before the first training was finished: nothing is kept." in done.err
    assert list(tmp_path.iterdir()) == []


BAD = {
    "one variant": (
        ["--core", "gru", "--core", "gru"],
        2,
        "Nothing to compare: name at least two with --core or --input.",
    ),
    "no seed": ([*PAIR, "--seeds", 0], 2, "Invalid --seeds 0. It must be at least 1."),
    "last seed": ([*PAIR, "--seed", 2**63 - 1], 2, "Invalid --seed 9223372036854775808."),
    "core": (["--core", "transformer"], 2, "'transformer' is not one of"),
    "rows": (
        [*PAIR, "--encoder", "rows", "--input", "both"],
        2,
        "--encoder rows reads frames as they are",
    ),
    "out": ([*PAIR, "--out", "taken"], 1, "taken exists already: give another --out"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_sentence_and_leaves_nothing(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    options, code, words = BAD[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    done = vidgru("compare", data, *QUICK, *options)
    assert (done.code, done.out) == (code, "")
    (error,) = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert words in error
    assert {p.name for p in tmp_path.rglob("*")} == {"taken", "file"}


def test_the_library_refuses_what_the_command_refuses(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="Invalid --core 'transformer'"):
        CompareConfig(("gru", "transformer"))
    with pytest.raises(OptionError, match="Nothing to compare"):
        library.compare(data, cores=[])
    with pytest.raises(OptionError, match="Unknown option 'core'"):
        library.compare(data, core="gru", cores=["gru", "rnn"], seeds=1, **SETTINGS)


def test_all_cores_by_default() -> None:
    assert CompareConfig().variants() == [(core, None) for core in CORES]


def test_of_all_cores_those_that_read_rows(vidgru: Vidgru, data: Path, tmp_path: Path) -> None:
    rows = ClassifyTrainConfig(encoder="rows")
    assert verb.fitting(rows, CompareConfig(seeds=2)) == CompareConfig(
        tuple(core for core in CORES if core != "convgru"), seeds=2
    )
    assert verb.fitting(ClassifyTrainConfig(), CompareConfig()) == CompareConfig()
    options = [*QUICK, "--encoder", "rows", "--out", tmp_path / "out"]
    done = vidgru("compare", data, *options, "--core", "gru", "--core", "convgru")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "--core convgru reads maps, and --encoder rows makes none: leave out one of them.\n"
    )
    assert not any(tmp_path.iterdir())


def test_a_hostile_class_name_steers_nothing(vidgru: Vidgru, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data\x1b[31m", 2)
    (folder / "left").rename(folder / "[red]x\x1b[31m")
    done = vidgru("compare", folder, *PAIR, *QUICK, "--seeds", 1, "--out", folder / "out")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    assert "[red]x\\x1b[31m" in done.err
    assert "data\\x1b[31m" in done.out
    # A comparison in the folder that is learned from is not a class the next time.
    assert {clip.label for clip in read_folder(folder)} == {"[red]x\x1b[31m", "right"}
