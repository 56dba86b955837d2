"""Measures of the house that may only get better; each states where it is to end."""

import ast
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from vidgru.tasks.registry import PACKAGES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "vidgru"
# Names of the task of a model, a training or a prediction.
TASK_TYPES = {
    *("ModelSpec", "MotionSpec", "ForecastSpec", "SceneSpec"),
    "LoadedModel",
    *("InitialNetwork", "PretrainedEncoder"),
    *("TrainResult", "MotionTrainResult", "ForecastTrainResult", "SceneTrainResult"),
    *("Evaluation", "MotionEvaluation", "ForecastEvaluation", "SceneEvaluation"),
    "TimelineEvaluation",
    *("Prediction", "Timeline", "Motion", "MotionSecond", "Forecast", "ForecastSummary", "Scenes"),
}


@cache
def trees() -> dict[str, ast.Module]:
    """Return the parsed modules of the package by their full names."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def outside_tasks() -> Iterator[ast.AST]:
    for name, tree in trees().items():
        if not name.startswith("vidgru.tasks."):
            yield from ast.walk(tree)


def names_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def lengths(folder: Path) -> list[int]:
    return [len(path.read_text("utf-8").splitlines()) for path in folder.rglob("*.py")]


def comparisons_with_task_names() -> int:
    """Count `==`, `in` and cases of `match`; keys of dicts are no branches."""
    branches = [n for n in outside_tasks() if isinstance(n, ast.Compare | ast.MatchValue)]
    texts = [[n.value for n in ast.walk(b) if isinstance(n, ast.Constant)] for b in branches]
    return sum(any(task in found for task in PACKAGES) for found in texts)


def isinstance_on_task_types() -> int:
    """Count isinstance, issubclass and cases of `match`."""
    asked: list[ast.AST] = []
    for node in outside_tasks():
        if isinstance(node, ast.Call) and {*names_in(node.func)} & {"isinstance", "issubclass"}:
            asked.append(node.args[1])
        elif isinstance(node, ast.MatchClass):
            asked.append(node.cls)
    return sum(not TASK_TYPES.isdisjoint(names_in(node)) for node in asked)


def loose_modules() -> int:
    return len(list(SOURCE.glob("[!_]*.py")))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield imported modules of the package, also of those imported inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in trees())
        elif isinstance(node, ast.ImportFrom) and node.module in trees():
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in trees() else node.module for name in inner)


def import_circles() -> int:
    """Count the groups of modules that each import all others of the group, in the end."""
    graph = {name: {*imports(tree)} for name, tree in trees().items()}
    reached: dict[str, set[str]] = {}
    for name in graph:
        found, left = set[str](), [name]
        while left:
            new = graph[left.pop()] - found
            found |= new
            left += new
        reached[name] = found
    return len({frozenset(b for b in reached[a] if a in reached[b]) for a in graph} - {frozenset()})


def to_dict_methods() -> int:
    nodes = [node for tree in trees().values() for node in ast.walk(tree)]
    return sum(isinstance(n, ast.FunctionDef) and n.name == "to_dict" for n in nodes)


def median_source_file() -> int:
    return int(median(lengths(SOURCE)))


def largest_source_file() -> int:
    return max(lengths(SOURCE))


def largest_test_file() -> int:
    return max(lengths(ROOT / "tests"))


def largest_benchmark() -> int:
    return max(lengths(ROOT / "benchmarks"))


def kilobytes_of_readme() -> int:
    return math.ceil((ROOT / "README.md").stat().st_size / 1000)


# What is counted, how many there are today, and how many there are to be.
RATCHETS: list[tuple[Callable[[], int], int, int]] = [
    (comparisons_with_task_names, 0, 0),
    (isinstance_on_task_types, 0, 0),
    (loose_modules, 0, 0),
    (import_circles, 0, 0),
    (to_dict_methods, 2, 3),
    (median_source_file, 135, 135),
    (largest_source_file, 396, 380),
    (largest_test_file, 400, 400),
    (largest_benchmark, 250, 250),
    (kilobytes_of_readme, 6, 8),
]


@pytest.mark.parametrize(("measure", "today", "goal"), RATCHETS)
def test_measures_only_fall(measure: Callable[[], int], today: int, goal: int) -> None:
    count = measure()
    assert count <= max(today, goal), f"{count} are more than there were; the goal is {goal}"
    slack = 0.05 * today if today > 50 else 0  # for lengths, a few lines are no matter
    assert today - slack <= max(count, goal), f"better than before: write {count} for {today}"


def test_task_types_are_known_by_their_names() -> None:
    nodes = [node for tree in trees().values() for node in ast.walk(tree)]
    defined = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    assert defined >= TASK_TYPES
    # All specs, trainings and evaluations are among them.
    ending = re.compile(r"(?<!Any)(Spec|TrainResult|Evaluation)$|^Loaded.")
    assert {name for name in defined if ending.search(name)} <= TASK_TYPES
