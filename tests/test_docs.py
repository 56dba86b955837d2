"""README.md and the pages of docs/ name everything that there is, and nothing else."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from conftest import Done

import vidgru as api
from vidgru.cli.main import VERBS, cli
from vidgru.tasks.contract import Task

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# Commands that answer at once, where they are asked about the sample clips.
QUICK = ("check", "motion", "scenes", "extract")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def command_of(verb: str) -> click.Command:
    found = cli.get_command(click.Context(cli), verb)
    assert found is not None
    return found


def options_of(command: click.Command) -> list[click.Option]:
    return [item for item in command.params if isinstance(item, click.Option)]


def names_of(verb: str) -> set[str]:
    options = options_of(command_of(verb))
    return {name for item in options for name in [*item.opts, *item.secondary_opts, "-h", "--help"]}


def rows(written: str) -> Iterator[list[str]]:
    """Yield the cells of every row of the tables of a page."""
    for line in written.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def examples(page: Path, prompt: str = r"(?:\$ )?") -> Iterator[tuple[list[str], str]]:
    """Yield the words of each fenced `vidgru VERB ...` line, and what stands below it."""
    for _, block in FENCE.findall(text(page)):
        lines = block.splitlines()
        for number, line in enumerate(lines):
            found = re.match(rf"{prompt}(?:\S*/|.* -m )?vidgru (?=[a-z])", line)
            if found is not None:
                after = lines[number + 1 :]
                end = next((n for n, below in enumerate(after) if below[:2] == "$ "), len(after))
                yield shlex.split(line[found.end() :]), "\n".join(after[:end])


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text(page)), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    ("page", "module"),
    [
        ("motion", "tasks.motion.tables"),
        ("motion", "tasks.motion.thing_tables"),
        ("scenes", "tasks.scenes.tables"),
        ("changes", "tools.changes.tables"),
    ],
    ids=str,
)
def test_every_column_of_a_table_stands_on_its_page(page: str, module: str) -> None:
    columns = importlib.import_module(f"vidgru.{module}").COLUMNS
    named = {re.sub(r"_(0\.5|1)s$", "_0.25s", column) for column in columns}  # one stands for all
    cells = " ".join(row[0] for row in rows(text(DOCS / f"{page}.md")))
    assert [column for column in named if f"`{column}`" not in cells] == []


def test_the_readme_is_short_and_there_are_pages() -> None:
    assert (ROOT / "README.md").stat().st_size <= 8000
    assert len(PAGES) > 15
    contents = text(DOCS / "README.md")
    assert [page.name for page in DOCS.glob("*.md") if f"({page.name})" not in contents] == [
        "README.md"
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_a_page_with_all_its_options(verb: str) -> None:
    _, tables = text(DOCS / f"{verb}.md").split("\n## Options\n")
    table = {
        option: cells
        for cells in rows(tables)
        for option in re.findall(r"`(-{1,2}[\w-]+)[^`]*`", cells[0])
    }
    options = options_of(command_of(verb))
    assert {*table} == names_of(verb)
    for item in options:
        _, meaning, default = table[item.opts[0]]
        assert meaning
        if isinstance(item.default, list | tuple) and item.default:
            assert default == ", ".join(item.default)
        elif item.show_default:
            assert default.split(";")[0] == str(item.default)
        if isinstance(item.type, click.Choice):
            shown = " ".join(table[item.opts[0]])
            assert [choice for choice in item.type.choices if choice not in shown] == []


def test_options_of_train_stand_in_the_groups_of_its_help(vidgru: Callable[..., Done]) -> None:
    _, tables = text(DOCS / "train.md").split("\n## Options\n")
    grouped = {}
    for group in tables.split("\n### ")[1:]:
        title, _, table = group.partition("\n")
        grouped[title] = [re.findall(r"`(-[\w-]+)", row[0])[-1:] for row in rows(table)][2:]
    shown = vidgru("train", "--help").out
    found = {}
    for title, lines in re.findall(r"^([A-Z][\w ]+):\n((?:  .*\n)+)", shown, re.M):
        names = re.findall(r"^  (-\S.*?)(?: [\[A-Z]|  |$)", lines, re.M)
        found[title] = [re.findall(r"-[\w-]+", name)[-1:] for name in names]
    assert found == grouped
    assert len(found["Main options"]) == 10
    # They fit on the first screen.
    assert shown.splitlines().index("Data:") <= 24


def test_every_name_of_the_library_stands_in_a_page() -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", text(DOCS / "python.md")))
    assert [name for name in api.__all__ if not re.search(rf"\b{name}\b", code)] == []
    used = {
        name for page in PAGES for name in re.findall(r"\bvidgru\.([A-Za-z_]\w*)\b", text(page))
    }
    packages = {path.stem for path in (ROOT / "src" / "vidgru").iterdir()}
    assert used - packages - {*api.__all__} == set()


def test_examples_in_python_have_the_right_types(tmp_path: Path) -> None:
    for page in PAGES:
        for number, (language, block) in enumerate(FENCE.findall(text(page))):
            if language == "python":
                (tmp_path / f"{page.stem}_{number}.py".replace("-", "_")).write_text(block)
    files = sorted(map(str, tmp_path.iterdir()))
    command = [
        sys.executable,
        "-m",
        "mypy",
        *files,
    ]  # with the options, and the cache, of `make lint`
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert f"{len(files)} source files" in done.stdout, done.stdout + done.stderr
    # What `evaluate` gives depends on the model's task, which no type shows.
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line for line in errors if not line.endswith("[union-attr]")] == []
    assert len(files) >= 4


def test_the_contract_of_tasks_stands_in_its_page() -> None:
    page = text(DOCS / "add-a-task.md")
    methods = {name for name in vars(Task) if not name.startswith("_")} - {"about", "answer"}
    table = {cells[0].strip("`"): cells[2] for cells in rows(page) if cells[2:]}
    assert {*table} >= methods
    assert {name for name in table if table[name] == "yes"} == Task.__abstractmethods__


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text(page))):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    for path in re.findall(r"\b(?:benchmarks|scripts|src|tests)/[\w/.]*\w", text(page)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_examples_exist(page: Path) -> None:
    """Let the command line parse every example; nothing runs."""
    for words, _ in examples(page):
        if "[OPTIONS]" not in words:
            command_of(words[0]).make_context(words[0], words[1:])
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text(page))):
        words = " ".join(code.split()).split(" ")
        if words[0] == "vidgru" and len(words) > 1 and words[1][0] != "-":
            assert {word for word in words if word[0] == "-"} <= names_of(words[1]), code


def quick(page: Path) -> Iterator[tuple[list[str], str]]:
    """Yield examples that need no model of their own, and ask about the sample clips."""
    for words, shown in examples(page):
        if words[0] in QUICK and words[1].startswith("sample_videos"):
            yield words, shown


EXAMPLES = sorted({(tuple(words), shown) for page in PAGES for words, shown in quick(page)})


@pytest.mark.parametrize(("words", "shown"), EXAMPLES, ids=[" ".join(e) for e, _ in EXAMPLES])
def test_quick_examples_print_what_their_page_shows(
    words: tuple[str, ...],
    shown: str,
    vidgru: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sample_videos", tmp_path / "sample_videos", ignore=caches)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    done = vidgru(*words)
    assert done.code == 0, done.err
    # Another machine may measure a little else: figures are alike, and words are the same.
    assert alike(done.out) == alike(shown)


def test_there_are_examples_of_all_that_answers_at_once() -> None:
    assert {words[0] for words, _ in EXAMPLES} == {*QUICK}


def alike(output: str) -> str:
    """Return an output with a # for each number, and lines and columns without their widths."""
    return " ".join(re.sub(r"\d+(\.\d+)?", "#", re.sub(r"─+", "─", output)).split())
