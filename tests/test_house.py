"""The house rules: which floor may import which, what help costs, and what stands where."""

import ast
import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from conftest import Done

import vidgru
from vidgru.cli.main import VERBS, cli
from vidgru.commands.export_config import ExportConfig
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.explain.options import ExplainConfig
from vidgru.tasks.classify.options import CompareConfig, PredictConfig
from vidgru.tasks.forecast.options import ForecastConfig
from vidgru.tasks.motion.options import MotionConfig
from vidgru.tasks.registry import PACKAGES, about
from vidgru.tasks.scenes.options import ScenesConfig
from vidgru.tools.changes.options import ChangesConfig
from vidgru.tools.extract.options import ExtractConfig
from vidgru.tools.label.options import LabelConfig

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "vidgru"
FILES = sorted(SOURCE.rglob("*.py"))
# From the lowest one up; the tasks lie side by side, and none imports another.
FLOORS = ("core", "video", "data", "nn", "engine", "terminal", "tools", "tasks", "commands", "cli")
PLAIN = re.compile(
    r"core/\w+|\w+/choices|(tasks|tools)/.*/(\w+_)?options|.*/(spec|\w+_config)"
    r"|tasks/registry"
)
TERMINAL = re.compile(r"tasks/command|terminal/\w+|cli/\w+|.*/(cli|\w+_cli|tables|\w+_tables)")
DRAWN = re.compile(  # where cv2 may be
    r"video/\w+|data/(augment|worker|thumbnails)|tools/changes/(detect|persistence|objects)"
    r"|tasks/\w+/(overlay|arrows|strip|sheet|flow|transitions|disturb)"
)
PLOTS = ("engine/plots.py", "tasks/classify/plots.py", "tasks/forecast/plots.py")
DRAWING = (*PLOTS, "video/text.py", "video/heat.py", "tasks/classify/explain/figure.py")
# What each verb offers; fields of a later config replace those of the same name.
ABOUT = [about(name) for name in PACKAGES]
CONFIGS: dict[str, tuple[type, ...]] = {
    "check": (CheckConfig,),
    "train": tuple(task.train_config for task in reversed(ABOUT)),
    "compare": (ABOUT[0].train_config, CompareConfig),
    "evaluate": tuple(task.evaluate_config for task in ABOUT),
    "predict": (PredictConfig,),
    "motion": (MotionConfig,),
    "forecast": (ForecastConfig,),
    "scenes": (ScenesConfig,),
    "explain": (ExplainConfig,),
    "export": (ExportConfig,),
    "changes": (ChangesConfig,),
    "extract": (ExtractConfig,),
    "label": (LabelConfig,),
}


def floor(parts: tuple[str, ...]) -> int:
    return FLOORS.index(parts[0]) if parts and parts[0] in FLOORS else len(FLOORS)


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


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    own = path.relative_to(SOURCE).with_suffix("").parts
    for name in imports(path):
        top, *parts = name.split(".")
        if top != "vidgru":
            continue
        where = f"{name_of(path)} imports {name}, which"
        assert floor(tuple(parts)) <= floor(own), f"{where} lies above it"
        if own[0] == "tasks" and len(own) > 2:
            assert parts[0] != "tasks" or parts[1] in (own[1], "contract", "registry"), (
                f"{where} is no part"
            )


def test_what_lies_below_the_tasks_names_none() -> None:
    for path in FILES:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if floor(parts) < FLOORS.index("tasks"):
            texts = {n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant)}
            assert not texts & {*PACKAGES}, name_of(path)


def test_who_may_import_what() -> None:
    for path in FILES:
        name, used, module = name_of(path), outside(path), name_of(path).removesuffix(".py")
        if PLAIN.fullmatch(module):
            assert not used & {"torch", "cv2", "numpy", "click"}, name
        if not DRAWN.fullmatch(module):
            assert "cv2" not in used, name
        if not TERMINAL.fullmatch(module):
            assert not used & {"click", "rich", "tqdm"}, name
        assert not used & {"pickle", "marshal", "shelve", "dill"}, name
        if name not in DRAWING:
            assert "matplotlib" not in used, name


def test_no_asserts_and_no_prints_below_the_command_line() -> None:
    for path in FILES:
        nodes = list(ast.walk(tree(path)))
        assert not [n.lineno for n in nodes if isinstance(n, ast.Assert)], name_of(path)
        prints = [n.lineno for n in nodes if isinstance(n, ast.Name) and n.id == "print"]
        may = TERMINAL.fullmatch(name_of(path).removesuffix(".py"))
        assert not prints or may or name_of(path) == "data/worker.py"


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
        "    heavy = {'torch', 'cv2', 'numpy', 'rich', 'av', 'PIL', 'tqdm'} & set(sys.modules)\n"
        "    print(sorted(heavy), file=sys.stderr)\n"
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
    assert [command.name for command in commands()] == [*VERBS]


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
            for name in ("folds", "task", "pack"):
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


STUB = """#!/bin/sh
case "$*" in *"-m venv"*)
  mkdir -p .venv/bin; for name in pip python vidgru; do cp "$0" .venv/bin/$name; done;;
esac
echo "$(basename "$0") $* $PIP_EXTRA_INDEX_URL"
"""


def make_demo(folder: Path, *words: str) -> list[str]:
    """Return what `make demo` prints where all programs only say what they are asked."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "python").write_text(STUB)
    (folder / "python").chmod(0o755)
    # A make that runs the tests hands its own settings down.
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PIP_EXTRA_INDEX_URL")
    env = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "demo", "PYTHON=./python", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make is installed")
def test_the_demo_says_what_it_takes_and_what_comes_next(
    vidgru: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = make_demo(tmp_path)
    at = [line.startswith("make demo PIP_EXTRA_INDEX_URL=") for line in lines].index(True)
    assert " GB to download, " in lines[at - 1]
    assert at < [line.startswith("pip install ") for line in lines].index(True)
    assert lines[at] in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.endswith(": . .venv/bin/activate")]
    # The command is complete, and is followed.
    shutil.rmtree(tmp_path / ".venv")
    _, _, index = lines[at].partition("=")
    again = make_demo(tmp_path, *lines[at].split()[2:])
    assert lines[at] not in again
    (installed,) = [line for line in again if line.startswith("pip install ")]
    assert installed.endswith(f" {index}")
    # The last line is a command that works as it stands.
    program, *words = shlex.split(lines[-1])
    assert (tmp_path / program).is_file()
    monkeypatch.chdir(ROOT)
    assert vidgru(*words).code == 0


WITHOUT_OPENCV = """
import sys, vidgru
from vidgru.cli.main import main
model = vidgru.__path__[0] + "/models/motion.safetensors"
more = {"evaluate": ["--model", model], "extract": ["-o", "o"], "explain": ["-o", "o"]}
for verb in sys.argv[1:]:
    for n in [n for n in sys.modules if n.startswith(("vidgru.t", "vidgru.commands", "vidgru.v"))]:
        del sys.modules[n]  # one verb's failure must not be another's
    try:
        main([verb, "x", *more.get(verb, [])])
    except SystemExit as stop:
        print(verb, stop.code)
"""


def test_without_libraries_that_opencv_needs_each_verb_says_one_sentence(tmp_path: Path) -> None:
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({reason!r})")
    (wanted,) = re.findall(r'"opencv-python(>=[^"]*)"', (ROOT / "pyproject.toml").read_text())
    pip = f"{sys.executable} -m pip"
    sentence = (
        f"OpenCV does not load: {reason}. On Debian and Ubuntu: apt install libgl1 libglib2.0-0. "
        f"Or take the OpenCV that needs neither: {pip} uninstall -y opencv-python && "
        f"{pip} install 'opencv-python-headless{wanted}'"
    )
    (tmp_path / "main.py").write_text(WITHOUT_OPENCV)
    command = [sys.executable, "main.py", *VERBS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{verb} 1" for verb in VERBS]
    assert done.stderr.splitlines() == [f"Error: {sentence}"] * len(VERBS)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vidgru", *words], capture_output=True, text=True)


def test_as_a_module_it_says_its_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"vidgru {version('vidgru')}\n")


@pytest.mark.parametrize("words", [[], ["--debug"]], ids=str)
def test_without_a_verb_it_prints_help(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tran", "clips"), "No such command 'tran'. Did you mean 'train'?"),
        (("xyz", "clips"), "No such command 'xyz'."),
        (("train", "--epochss", "3"), "No such option '--epochss'. Did you mean '--epochs'?"),
    ],
)
def test_an_unknown_word_is_wrong_usage(words: tuple[str, ...], sentence: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    usage, error = done.stderr.splitlines()
    assert usage.startswith("Usage: vidgru ")
    assert error == f"Error: {sentence}"


@pytest.mark.parametrize("words", [["--debug", "extract"], ["extract", "--debug"]], ids=str)
def test_debug_shows_the_traceback(words: list[str], tmp_path: Path) -> None:
    options = ["clip.mp4", "-o", str(tmp_path / "out"), "--size", "none"]
    plain, debug = run("extract", *options), run(*words, *options)
    assert plain.returncode == 2
    assert plain.stderr == "Error: Invalid --size 'none'. Give 320x240, or 320.\n"
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
    assert "OptionError: Invalid --size 'none'" in debug.stderr


@pytest.mark.parametrize("first", ["vidgru.tasks.classify.model", "vidgru.tools.extract.extract"])
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
    assert done.stdout == "Cannot read no.mp4: not a video that can be opened.\n"
    assert done.stderr == ""


def test_all_that_the_library_offers_is_there() -> None:
    for name in vidgru.__all__:
        assert getattr(vidgru, name) is not None
    assert vidgru.Model.__name__ == "Model"
    with pytest.raises(AttributeError, match="module 'vidgru' has no attribute 'Modell'"):
        vidgru.Modell  # noqa: B018
    assert {*vidgru.__all__} <= {*dir(vidgru)}


def test_the_types_of_results_wait_until_they_are_asked_for() -> None:
    (block,) = (node for node in tree(SOURCE / "__init__.py").body if isinstance(node, ast.If))
    typed: dict[str, set[str]] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            typed[str(node.module)] = {name.name for name in node.names}
    assert typed == vidgru._LATER
    code = (
        "import sys, vidgru\n"
        "print(sorted(set(sys.modules) & vidgru._LATER.keys()))\n"
        "print(vidgru.Scenes.__module__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nvidgru.tasks.scenes.results\n"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: vidgru.train("x", epoch=3), "Unknown option 'epoch': did you mean 'epochs'?"),
        (lambda: vidgru.compare("x", inputs=[], folds=3), "Unknown option 'folds': "),
        (
            lambda: vidgru.evaluate("x", "y", maxerror=0.1),
            "Unknown option 'maxerror': did you mean 'max_error'?",
        ),
        (lambda: vidgru.evaluate("x", "y", zzzz=1), "Unknown option 'zzzz': choose from: "),
        (lambda: vidgru.extract("x", "y", rate=5), "Unknown option 'rate': "),
    ],
)
def test_a_misspelt_option_is_one_sentence(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(vidgru.VidgruError) as error:
        call()
    assert str(error.value).startswith(sentence)
