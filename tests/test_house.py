"""The house rules: which floor may import which, what help costs, and what stands where."""

import ast
import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from vidgru.cli.main import VERBS, cli
from vidgru.config import (
    CheckConfig,
    EvaluateConfig,
    ExtractConfig,
    ForecastConfig,
    MotionConfig,
    PredictConfig,
    ScenesConfig,
)
from vidgru.train_config import CompareConfig, TrainConfig

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "vidgru"
FILES = sorted(SOURCE.rglob("*.py"))
FLOORS = [
    {
        "errors",
        "option",
        "config",
        "train_config",
        "spec",
        "results",
        "findings",
        "timeline",
        "motion",
        "motion_scores",
        "forecast",
        "forecast_scores",
        "scenes",
        "scene_scores",
        "changes",
        "files",
    },
    {"video"},
    {"data"},
    {"nn"},
    {"tasks"},
    {"engine"},
    {"verbs"},
    {"cli", "__init__", "__main__"},
]
DRAWN = (  # where cv2 may be
    *(
        f"data/{name}.py"
        for name in ("views", "worker", "flow", "synth", "transitions", "disturb", "thumbnails")
    ),
    *(f"tasks/{name}.py" for name in ("changes", "stays", "things")),
)
DRAWING = ("engine/plots.py", "video/text.py", "video/heat.py")
# What each verb offers; fields of a later config replace those of the same name.
CONFIGS = {
    "check": (CheckConfig,),
    "train": (TrainConfig,),
    "compare": (TrainConfig, CompareConfig),
    "evaluate": (EvaluateConfig,),
    "predict": (PredictConfig,),
    "motion": (MotionConfig,),
    "forecast": (ForecastConfig,),
    "scenes": (ScenesConfig,),
    "extract": (ExtractConfig,),
}


def floor(part: str) -> int:
    (found,) = [number for number, parts in enumerate(FLOORS) if part in parts]
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every imported module, also of those imported inside functions."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module
            # `from vidgru import video` means the part, not the top.
            if node.module == "vidgru":
                yield from (f"vidgru.{alias.name}" for alias in node.names)


def outside(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    own = floor(part_of(path))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "vidgru":
            target = parts[1] if len(parts) > 1 else "__init__"
            assert floor(target) <= own, f"{name_of(path)} imports {name}, which lies above it"


def test_who_may_import_what() -> None:
    for path in FILES:
        part, name, used = part_of(path), name_of(path), outside(path)
        if floor(part) == 0:
            # Motion and forecasts are told in arrays; nothing that `--help` needs imports that.
            arrays = set() if part in ("motion", "forecast") else {"numpy"}
            assert not used & {"torch", "cv2", "click", *arrays}, name
        if part != "video" and name not in DRAWN:
            assert "cv2" not in used, name
        if part != "cli":
            assert not used & {"click", "rich", "tqdm"}, name
        assert not used & {"pickle", "marshal", "shelve", "dill"}, name
        if name not in DRAWING:
            assert "matplotlib" not in used, name


def test_no_asserts_and_no_prints_below_the_command_line() -> None:
    for path in FILES:
        nodes = list(ast.walk(tree(path)))
        assert not [n.lineno for n in nodes if isinstance(n, ast.Assert)], name_of(path)
        prints = [n.lineno for n in nodes if isinstance(n, ast.Name) and n.id == "print"]
        assert not prints or part_of(path) == "cli" or name_of(path) == "data/worker.py"


@pytest.mark.parametrize("name", DRAWING)
def test_matplotlib_is_imported_only_when_something_is_drawn(name: str) -> None:
    for node in tree(SOURCE / name).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "matplotlib" not in ast.dump(node)


def test_files_stay_short() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


@pytest.mark.parametrize("words", [[], *[[verb] for verb in VERBS]], ids=str)
def test_help_is_cheap(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from vidgru.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'torch', 'cv2', 'numpy', 'rich'} & set(sys.modules)), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout.startswith(f"Usage: {' '.join(['vidgru', *words])} ")
    for verb in () if words else VERBS:
        assert verb in done.stdout


def commands() -> Iterator[click.Command]:
    with click.Context(cli) as context:
        for verb in VERBS:
            command = cli.get_command(context, verb)
            assert command is not None
            yield command


def test_every_command_and_option_has_a_help_text() -> None:
    for command in (cli, *commands()):
        assert command.help
        for item in command.params:
            if isinstance(item, click.Option):
                assert item.help, f"{command.name} {item.name}"
                assert item.help[0].isupper(), f"{command.name} {item.name}"


def test_verbs_are_named_alike_everywhere() -> None:
    for verb, command in zip(VERBS, commands(), strict=True):
        assert command.name == verb
        assert (SOURCE / "verbs" / f"{verb}.py").is_file()


def test_a_default_stands_in_config_alone() -> None:
    for config in {config for configs in CONFIGS.values() for config in configs}:
        for item in dataclasses.fields(config):
            assert item.metadata["help"], item.name
        # What the program itself starts with is allowed, too.
        config()
    for command, configs in zip(commands(), CONFIGS.values(), strict=True):
        fields = {i.name: i.default for config in configs for i in dataclasses.fields(config)}
        if command.name == "compare":
            # A comparison splits once, and is of classes.
            for name in ("folds", "task", "ahead", "grey"):
                del fields[name]
        options = {p.name: p.default for p in command.params if p.name in fields}
        assert options == fields


def test_every_verb_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert f"vidgru {verb}" in readme
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.M))
    assert named
    assert named <= targets


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vidgru", *words], capture_output=True, text=True)


def test_as_a_module_it_says_its_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"vidgru {version('vidgru')}\n")


def test_an_unknown_verb_is_wrong_usage() -> None:
    done = run("trian", "clips")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error: No such command 'trian'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--debug", "extract"], ["extract", "--debug"]], ids=str)
def test_debug_shows_the_traceback(words: list[str], tmp_path: Path) -> None:
    options = ["clip.mp4", "-o", str(tmp_path / "out"), "--size", "none"]
    plain, debug = run("extract", *options), run(*words, *options)
    assert plain.returncode == 2
    assert plain.stderr == "Error: Invalid --size 'none'. Give 320x240, or 320.\n"
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
    assert "OptionError: Invalid --size 'none'" in debug.stderr


@pytest.mark.parametrize("first", ["vidgru.verbs.predict", "vidgru.verbs.extract"])
def test_opencv_keeps_its_own_messages_to_itself(tmp_path: Path, first: str) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    code = (
        f"import {first}\n"
        "from vidgru.video.read import open_video\n"
        "try:\n    open_video('no.mp4').__enter__()\n"
        "except Exception as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "Cannot read no.mp4: not a video that OpenCV can open.\n"
    assert done.stderr == ""
