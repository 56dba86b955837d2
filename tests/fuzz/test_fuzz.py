"""A few inputs of each fuzzer: only a VidgruError may come of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import fuzz
import fuzz_child
import fuzz_opener
import pytest
from fuzz_child import GOOD, Child, attempt
from fuzz_loaders import LOADERS

from vidgru.core.errors import ModelError, VideoError


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    home = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(home))  # the maker sets its own
        fuzz.make_home(home)
        child = fuzz.begin_child(home, home / "child", 1, 60.0)
        yield child
        child.close()


@pytest.mark.parametrize("name", LOADERS)
def test_changed_files(child: Child, name: str) -> None:
    count = 40 if name == "video" else 20
    found = [child.ask(json.dumps((name, number))) for number in range(count)]
    assert [one for one in found if one[1] not in GOOD] == []


def test_changed_heads_of_videos(tmp_path: Path) -> None:
    trials = fuzz_opener.run_all(tmp_path, 60, 1, 60.0)
    found = [(path.name, end, note) for path, end, note, _ in trials]
    assert [one for one in found if one[1] not in GOOD] == []
    assert {end for _, end, _ in found} == set(GOOD)


def test_faults_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def fail_with(error: Exception) -> Callable[[], object]:
        def fail() -> None:
            raise error

        return fail

    assert attempt(lambda: None, path) == ("loaded", "")
    assert attempt(fail_with(ModelError(f"{path} is bad")), path) == ("refused", f"{path} is bad")
    assert attempt(fail_with(ModelError("bad")), path) == ("foreign", "unclear: 'bad'")
    assert attempt(fail_with(KeyError("a")), path)[0] == "foreign"
    assert attempt(fail_with(ModelError(f"{path} is bad")), path, VideoError)[0] == "foreign"


@pytest.mark.parametrize(
    ("peaks", "end"), [((100, 1600), "foreign"), ((1600, 1600), "loaded"), ((100, 200), "loaded")]
)
def test_memory_counts_for_the_file_that_takes_it(
    peaks: tuple[float, float], end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz_child, "peak", iter(peaks).__next__)
    assert attempt(lambda: None, tmp_path)[0] == end


@pytest.mark.parametrize(("command", "end"), [("exit 3", "crash"), ("exec sleep 60", "hang")])
def test_a_process_that_ends_and_one_that_does_not(command: str, end: str) -> None:
    child = Child(["sh", "-c", f"read x; echo a/x; {command}"], 0.3, starting=0.0)
    assert child.ask("")[:2] == (Path("a/x"), end)
