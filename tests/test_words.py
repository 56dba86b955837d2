"""The field's words: names that were invented here are not to come back, nor phrases for users."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# ruff: noqa: SIM905
INVENTED = frozenset(
    "Course Learner learner go_on go_on_with Beginning begin_with began_with Held hold_videos "
    "Gathered gather suit Told told tolds told_by came see foresee foreseen Foreseen foresee_each "
    "GUESSES guesses guess Tally tally tell_second tell_camera tell_changes tell_model tell_groups "
    "Things things_of stays lasts waits judge judged Judged judge_folds Watch Watcher watcher "
    "Sight settle find_changes divide divide_each in_turn agree add_up launched own_share fits "
    "Pace pace Places keep_apart Facts facts Answered SHOWN ASKED asked_of".split()
)
# Parts of names, such as MOST_FRAMES and _tell_end.
INVENTED_PARTS = re.compile(r"^_*(?:(?:MOST|LEAST|FEWEST|USUAL)(?:_|$)|(?:tell|told|foresee)_)")
# Attributes of other libraries.
FOREIGN = {"gather", "tell", "divide"}
PHRASES = re.compile(
    r"\bforesee|\bforesaw|told right|taken for what|confidence can be trusted"
    r"|Beside what needs no|\bgo on with\b|\bgone on with\b",
    re.IGNORECASE,
)


def invented(path: Path) -> list[str]:
    """Return the invented names that a module uses, with their lines."""
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline))
    found = []
    for before, token in zip([tokens[0], *tokens], tokens, strict=False):
        name = token.string
        if token.type != tokenize.NAME or (before.string == "." and name in FOREIGN):
            continue
        if name in INVENTED or INVENTED_PARTS.match(name):
            found.append(f"{path}:{token.start[0]} {name}")
    return found


def test_names() -> None:
    assert [name for path in (ROOT / "src").rglob("*.py") for name in invented(path)] == []


@pytest.mark.parametrize("name", ["told", "MOST_FRAMES", "FEWEST", "_tell_end", "self.foresee_all"])
def test_an_invented_name_is_found(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"x = y.gather(1)\n{name} = 1\n")
    assert [one.split()[0] for one in invented(path)] == [f"{path}:2"]


def test_phrases_for_users() -> None:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text("utf-8").splitlines()
        if PHRASES.search(line)
    ] == []


# In docstrings and comments: predict, detect, report, or what a file contains.
DIALECT = re.compile(r"\b(?:told|tells?|said)\b(?! (?:\w+ ){0,2}apart)", re.IGNORECASE)


def dialect(source: str) -> list[str]:
    """Return the docstrings and comments of a module that speak of telling, but help texts."""
    found = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            # Click shows the docstrings of commands to users.
            shown = isinstance(node, ast.FunctionDef) and node.name in ("command", "cli")
            found += [] if shown else [ast.get_docstring(node) or ""]
    return [text for text in found if DIALECT.search(" ".join(text.split()))]


def test_docstrings_and_comments() -> None:
    assert {
        f"{path.relative_to(ROOT)}: {text}"
        for path in (ROOT / "src").rglob("*.py")
        for text in dialect(path.read_text("utf-8"))
    } == set()


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = 1  # as the file tells", 1),
        ('"""What is\ntold of a clip."""', 1),
        ('def f():\n    """Tell what moves."""\nclass A:\n    """What was said."""', 2),
        ('def command():\n    """Tell what moves."""', 0),
        ("# classes told apart; nobody can tell any classes apart\nsaid = 1", 0),
    ],
)
def test_dialect_in_docstrings_and_comments_is_found(source: str, count: int) -> None:
    assert len(dialect(source)) == count
