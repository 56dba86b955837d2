"""Labels are in the file after each change, and nothing is lost that others wrote."""

import csv
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import touch

from vidgru.core.errors import DataError, OptionError
from vidgru.data.csv_list import read_list
from vidgru.tools.label.options import BACKGROUND, LabelConfig
from vidgru.tools.label.store import Conflict, Store

Spans = list[tuple[str, float | None, float | None]]


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    touch(tmp_path, "footage/a.mp4", "footage/=b.mp4")
    return [tmp_path / "footage" / "a.mp4", tmp_path / "footage" / "=b.mp4"]


@pytest.fixture
def store(videos: list[Path], tmp_path: Path) -> Store:
    return Store(tmp_path / "labels.csv", videos, ["jump", "run"])


def spans(store: Store, video: int = 0) -> Spans:
    """Return the rows of a video, which are in memory what they are in the file."""
    again = Store(store.path, [store.path.parent / "footage" / n for n in ("a.mp4", "=b.mp4")])
    found = [
        [(r.label, r.start, r.end) for r in one.rows if r.video == video] for one in (store, again)
    ]
    assert found[0] == found[1]
    return found[0]


def test_what_is_marked_is_a_list_that_train_reads(store: Store, videos: list[Path]) -> None:
    store.put(0, "run", 4.0, 5.123456789)
    store.put(0, "jump", 1.0, 2.5)
    store.put(1, "jump", 0.0, 1.0)
    assert spans(store) == [("jump", 1.0, 2.5), ("run", 4.0, 5.123457)]
    text = store.path.read_text()
    assert text.splitlines()[0] == "path,label,start,end"
    assert "\n./footage" not in text
    clips = read_list(store.path)
    assert {(clip.path.resolve(), clip.label, clip.start) for clip in clips} == {
        (videos[0], "jump", 1.0), (videos[0], "run", 4.0), (videos[1], "jump", 0.0),
    }  # fmt: skip
    assert list(store.path.parent.glob(".*")) == []  # no temporary file is left


def test_a_pipe_in_place_of_the_list_is_not_waited_for(store: Store) -> None:
    store.put(0, "run", 1, 2)
    store.path.unlink()
    os.mkfifo(store.path)
    found: list[str] = []

    def sync() -> None:
        with pytest.raises(DataError) as failed:
            store.sync(quick=True)
        found.append(str(failed.value))

    thread = threading.Thread(target=sync, daemon=True)
    thread.start()
    thread.join(30)
    assert found == [f"Cannot read {store.path}: not a regular file."]
    store.path.unlink()
    store.put(0, "run", 3, 4)
    assert spans(store) == [("run", 1.0, 2.0), ("run", 3.0, 4.0)]


def test_a_path_is_no_formula(tmp_path: Path) -> None:
    touch(tmp_path, "=1.mp4")
    store = Store(tmp_path / "labels.csv", [tmp_path / "=1.mp4"])
    store.put_clip(0, "jump")
    assert store.path.read_text().splitlines()[1] == "./=1.mp4,jump,,"


def test_a_mark_replaces_what_lies_under_it(store: Store) -> None:
    store.put(0, "run", 0.0, 10.0)
    store.put(0, "jump", 4.0, 6.0)
    assert spans(store) == [("run", 0.0, 4.0), ("jump", 4.0, 6.0), ("run", 6.0, 10.0)]
    store.put(0, "jump", 3.0, 11.0)
    assert spans(store) == [("run", 0.0, 3.0), ("jump", 3.0, 11.0)]
    store.put_clip(0, "run")
    assert spans(store) == [("run", None, None)]


def test_suggestions_and_background_never_replace_anything(store: Store) -> None:
    store.put(0, "run", 2.0, 4.0)
    store.put(0, "run", 4.2, 6.0)
    made = store.accept([(0, "jump", 1.0, 5.0), (1, "jump", 0.0, 1.0)])
    assert made == 3
    assert spans(store) == [
        ("jump", 1.0, 2.0),
        ("run", 2.0, 4.0),
        ("jump", 4.0, 4.2),
        ("run", 4.2, 6.0),
    ]
    assert spans(store, 1) == [("jump", 0.0, 1.0)]
    store.undo()
    store.fill(0, 9.0)
    # A gap of a fifth of a second is no background.
    assert spans(store) == [
        (BACKGROUND, 0.0, 2.0), ("run", 2.0, 4.0), ("run", 4.2, 6.0), (BACKGROUND, 6.0, 9.0),
    ]  # fmt: skip


def test_edits_deletions_and_undo_of_the_whole_sitting(store: Store) -> None:
    rng, states = random.Random(0), [spans(store)]
    for _ in range(60):
        rows = [row for row in store.rows if row.video == 0]
        kind = rng.choice(["put", "put", "edit", "delete", "fill", "label"])
        start = rng.uniform(0, 90)
        before = store.revision
        if kind == "put" or not rows:
            store.put(0, rng.choice(["jump", "run"]), start, start + rng.uniform(0.1, 20))
        elif kind == "edit":
            store.edit(rng.choice(rows).number, span=(start, start + 3))
        elif kind == "label":
            store.edit(rng.choice(rows).number, label=rng.choice(["jump", "run"]))
        elif kind == "delete":
            store.delete(rng.choice(rows).number)
        else:
            store.fill(0, start + 1)
        if store.revision != before:
            states.append(spans(store))
    for state in reversed(states[:-1]):
        store.undo()
        assert spans(store) == state
    with pytest.raises(Conflict, match="nothing to undo"):
        store.undo()


def test_a_segment_that_is_gone_is_a_conflict(store: Store) -> None:
    store.put(0, "run", 0.0, 1.0)
    number = store.rows[0].number
    store.delete(number)
    for change in (lambda: store.delete(number), lambda: store.edit(number, label="jump")):
        with pytest.raises(Conflict, match="not there any more"):
            change()


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (0.0, 1e9), (0.0, float("nan"))])
def test_a_span_must_be_one(store: Store, span: tuple[float, float]) -> None:
    with pytest.raises(OptionError, match="must end after"):
        store.put(0, "run", *span)
    assert store.rows == ()


@pytest.mark.parametrize("label", ["", " a", "=1+1", "@x", "a\nb", "\x1b[31m", "x" * 256, "\udc80"])
def test_a_class_must_have_a_name(store: Store, label: str) -> None:
    with pytest.raises(OptionError, match="name"):
        store.add_class(label)
    with pytest.raises(OptionError, match="name"):
        store.put(0, label, 0.0, 1.0)
    with pytest.raises(OptionError, match="no such video"):
        store.put(7, "run", 0.0, 1.0)
    if label.strip() == label != "":
        with pytest.raises(OptionError, match="name"):
            LabelConfig(classes=f"run,{label}")


def test_what_a_list_held_before_stays(videos: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    lines = [
        "label,path,start,end,note", "jump,footage/a.mp4,1.50,2,mine", "old,elsewhere.mp4,3,4,x",
        "'=x,footage/=b.mp4,,,",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    store = Store(path, videos, ["run"])
    assert store.classes == ["run", "jump", "old", "'=x"]
    store.put(0, "run", 5.0, 6.0)
    assert path.read_text().splitlines() == [*lines[:2], "run,footage/a.mp4,5,6,", *lines[2:]]
    store.edit(store.rows[0].number, span=(1.0, 2.0))
    assert path.read_text().splitlines()[1] == "jump,footage/a.mp4,1,2,mine"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n", "no list with the columns"),
        ("path,label,start,end\na.mp4,x,1\n", "line 2: 3 cells"),
        ("path,label,start,end\na.mp4,,1,2\n", "line 2: no label"),
        ("path,label,start,end\na.mp4,x,two,3\n", "'two' is not a time"),
        ("path,label,start,end\na.mp4,x,3,2\n", "end 2 must be later"),
        ('path,label,start,end\na.mp4,"x,1,2\n', "Cannot read"),
    ],
)
def test_what_is_no_list_is_refused_and_kept(
    text: str, sentence: str, store: Store, videos: list[Path]
) -> None:
    store.put(0, "run", 0.0, 1.0)
    store.path.write_text(text)
    with pytest.raises(DataError, match=sentence):
        Store(store.path, videos)
    for change in (lambda: store.put(0, "run", 5.0, 6.0), store.undo):
        with pytest.raises(DataError, match=sentence):
            change()
    assert store.path.read_text() == text
    with pytest.raises(DataError, match=sentence):
        store.sync(quick=True)


def test_what_another_program_wrote_is_read_and_kept(store: Store) -> None:
    store.put(0, "run", 0.0, 1.0)
    number = store.rows[0].number
    with open(store.path, "a") as file:
        file.write("footage/a.mp4,fall,7,8\n")
    store.put(0, "jump", 2.0, 3.0)
    assert spans(store) == [("run", 0.0, 1.0), ("jump", 2.0, 3.0), ("fall", 7.0, 8.0)]
    assert "changed by another program: 1 rows are new, 0 are gone" in store.notice
    assert store.rows[0].number == number
    assert store.classes == ["jump", "run", "fall"]
    store.path.write_text("path,label,start,end\n")
    store.sync(quick=True)
    assert spans(store) == []
    assert store.undo() == "what another program changed"
    assert len(spans(store)) == 3
    store.path.unlink()
    store.sync(quick=True)
    assert "is gone" in store.notice
    store.put(0, "run", 9.0, 10.0)
    assert len(spans(store)) == 4


def test_a_list_that_another_program_is_writing_is_waited_for(store: Store) -> None:
    store.put(0, "run", 0.0, 1.0)
    store.put(0, "run", 2.0, 3.0)
    text = store.path.read_text()

    def write() -> None:
        with open(store.path, "w") as file:  # which is empty for a while, then half of it
            opened.set()
            for part in (text[:40], text[40:]):
                time.sleep(0.02)
                file.write(part)
                file.flush()

    opened = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    opened.wait()
    store.put(0, "jump", 4.0, 5.0)
    writer.join()
    assert [label for label, _, _ in spans(store)] == ["run", "run", "jump"]


WRITER = """
import sys
from pathlib import Path
from vidgru.tools.label.store import Store

path = Path(sys.argv[1])
store = Store(path, [path.parent / "a.mp4"], ["run"])
for number in range(10**6):
    store.put(0, "run", number, number + 0.5)
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_list(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    path, rng = tmp_path / "labels.csv", random.Random(2)
    for _ in range(5):
        path.unlink(missing_ok=True)
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.15))
            os.kill(process.pid, signal.SIGKILL)
            saved = 1 + len(process.stdout.read().splitlines())
        with open(path, newline="") as file:
            rows = list(csv.reader(file))
        assert {len(row) for row in rows} == {4}
        # What was answered is there; one more may have been written.
        assert len(rows) - 1 in (saved, saved + 1)
