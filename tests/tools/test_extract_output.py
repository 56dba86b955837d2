"""Where `vidgru extract` writes: names, earlier files, disks that refuse, what breaks off."""

import errno
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from extracted import files, indices, table
from helpers import noise, write_clip, write_images

from vidgru.tools.extract import extract as verb
from vidgru.tools.extract.extract import extract
from vidgru.tools.extract.options import ExtractConfig

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["...avi", "..avi"], ["source", "source-2"]),
        (["a/b/..", "a"], ["a", "a-2"]),
        (["frames.csv.avi", "b.avi"], ["b", "frames.csv-2"]),
    ],
)
def test_no_name_leads_out_of_the_folder(
    vidgru: Cli, tmp_path: Path, out: Path, clip: Path, names: list[str], folders: list[str]
) -> None:
    inside = tmp_path / "in"
    write_images(inside / "a", noise(1), ["1.png"])
    (inside / "a" / "b").mkdir()
    for name in names:
        if name.endswith(".avi"):
            (inside / name).write_bytes(clip.read_bytes())
    before = set(tmp_path.rglob("*"))
    done = vidgru("extract", *(inside / name for name in names), "-o", out)
    assert done.code == 0
    assert {path for path in set(tmp_path.rglob("*")) - before if out not in path.parents} == {out}
    assert sorted({Path(row["file"]).parent.as_posix() for row in table(out)}) == folders
    assert (out / "frames.csv").is_file()


def test_hostile_names_do_not_steer_the_terminal(vidgru: Cli, clip: Path, out: Path) -> None:
    hostile = clip.rename(clip.with_name("\x1b[31m\u202ered.avi"))
    done = vidgru("extract", hostile, clip.with_name("\x1bno.avi"), "-o", out)
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out
    assert r"\x1b[31m\u202ered.avi: 20 frames in" in done.out
    assert r"\x1bno.avi" in done.err


def test_nothing_in_the_given_time_is_a_clear_failure(vidgru: Cli, clip: Path, out: Path) -> None:
    for option in ([], ["--fps", 5], ["--count", 2], ["--every", 3]):
        done = vidgru("extract", clip, "-o", out, "--start", 5, "--end", 7.5, *option)
        assert done.code == 1
        assert done.err == f"Error: Nothing to extract from {clip}: no frame from 5 s to 7.5 s.\n"
    assert not out.exists()


def test_nothing_is_overwritten_without_a_word(vidgru: Cli, clip: Path, out: Path) -> None:
    vidgru("extract", clip, "-o", out, "--every", 10)
    kept = {name: (out / name).read_bytes() for name in files(out)}
    done = vidgru("extract", clip, "-o", out, "--every", 3, "--size", 8)
    assert done.code == 1
    assert done.err == (
        f"Error: {out}/frames.csv exists. Choose another folder, or give --overwrite.\n"
    )
    (out / "frames.csv").unlink()
    assert "0.jpg is there" not in done.err
    assert "s.jpg exists" in vidgru("extract", clip, "-o", out).err
    assert {name: (out / name).read_bytes() for name in files(out)}.items() < kept.items()


def test_subfolders_are_not_overwritten_either(vidgru: Cli, clip: Path, out: Path) -> None:
    vidgru("extract", clip, "-o", out / "clip")
    other = write_clip(clip.with_name("a.avi"), noise(2), 10)
    assert vidgru("extract", other, clip, "-o", out).code == 1
    assert not (out / "a").exists()


def test_overwrite_leaves_only_the_new_frames(vidgru: Cli, clip: Path, out: Path) -> None:
    vidgru("extract", clip, "-o", out)
    (out / "mine.jpg").write_bytes(b"")
    assert vidgru("extract", clip, "-o", out, "--every", 10, "--overwrite").code == 0
    assert files(out) == [
        "0000000_000000.000s.jpg",
        "0000010_000001.000s.jpg",
        "frames.csv",
        "mine.jpg",
    ]
    assert indices(out) == [0, 10]


def test_without_overwrite_another_programs_frames_stay(clip: Path, out: Path) -> None:
    results = extract([clip], out, ExtractConfig())
    next(results)
    (out / "0000099_000009.900s.jpg").write_bytes(b"")
    assert len(list(results)) == 19
    assert (out / "0000099_000009.900s.jpg").exists()


def test_a_failed_overwrite_removes_nothing(vidgru: Cli, clip: Path, out: Path) -> None:
    vidgru("extract", clip, "-o", out)
    before = files(out)
    assert vidgru("extract", clip, "-o", out, "--start", 9, "--overwrite").code == 1
    assert files(out) == before


def test_a_folder_is_not_extracted_into_itself(vidgru: Cli, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", noise(2), ["1.png", "2.png"])
    done = vidgru("extract", folder, "-o", folder, "--overwrite")
    assert done.code == 1
    assert "cannot be read and written at once" in done.err
    assert files(folder) == ["1.png", "2.png"]


def test_a_picture_of_an_extraction_is_not_extracted_beside_itself(
    vidgru: Cli, clip: Path, out: Path
) -> None:
    vidgru("extract", clip, "-o", out)
    before = files(out)
    done = vidgru("extract", out / before[3], "-o", out, "--size", 8, "--overwrite")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: {out / before[3]} cannot be read and written at once: choose another -o.\n"
    )
    assert files(out) == before


def test_output_that_is_a_file_or_below_one(vidgru: Cli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    done = vidgru("extract", clip, "-o", tmp_path / "file")
    assert done == (1, "", f"Error: Cannot write to {tmp_path}/file: it is a file, not a folder.\n")
    done = vidgru("extract", clip, "-o", tmp_path / "file" / "sub")
    sentence = f"Cannot write to {tmp_path}/file/sub: {tmp_path}/file is a file, not a folder."
    assert done == (1, "", f"Error: {sentence}\n")
    assert (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.parametrize(("owner", "name"), [(os, "replace"), (Path, "write_bytes")])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("table_too", [False, True])
def test_a_disk_that_refuses(
    vidgru: Cli,
    clip: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    code: int,
    table_too: bool,
) -> None:
    real, calls = getattr(owner, name), iter(range(1000))

    def refuse(path: Path, data: Any) -> Any:
        if next(calls) >= 5 and (table_too or path.suffix != ".csv"):
            raise OSError(code, os.strerror(code))
        return real(path, data)

    monkeypatch.setattr(owner, name, refuse)
    done = vidgru("extract", clip, "-o", out)
    monkeypatch.undo()
    assert done.code == 1
    assert done.err.startswith(f"Error: Cannot write {out}")
    assert done.err.endswith(f": {os.strerror(code)}.\n")
    assert done.err.count("\n") == 1
    listed = [] if table_too else [*(row["file"] for row in table(out)), "frames.csv"]
    assert table_too or files(out) == listed
    assert not [name for name in files(out) if name.startswith(".")]


def test_a_picture_too_large_for_jpg_fails_alone(vidgru: Cli, tmp_path: Path, out: Path) -> None:
    images = write_images(tmp_path / "in", noise(1, 1, 70000), ["long.png"])
    small = write_images(tmp_path / "in2", noise(1), ["small.png"])
    done = vidgru("extract", images, small, "-o", out)
    assert done.code == 1
    assert "too large for jpg: give --format png" in done.err
    assert len(table(out)) == 1


def stop_after(count: int, error: type[BaseException]) -> Callable[..., Iterator[Any]]:
    real = verb.choose_frames

    def chosen(*args: Any) -> Iterator[Any]:
        yield from islice(real(*args), count)
        raise error("broken")

    return chosen


def test_interrupted_the_table_lists_what_was_written(
    vidgru: Cli, clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "choose_frames", stop_after(9, KeyboardInterrupt))
    done = vidgru("extract", clip, clip, "-o", out)
    assert done.code == 130
    assert indices(out) == indices(out / "clip") == list(range(9))
    names = [row["file"] for row in table(out)]
    assert files(out) == sorted([*names, "clip/frames.csv", "frames.csv"])


def test_frames_before_a_failure_are_reported(
    vidgru: Cli, clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "choose_frames", stop_after(9, verb.VideoError))
    done = vidgru("extract", clip, "-o", out)
    assert done == (1, f"{clip}: 9 frames in {out}\n", "Error: broken\n")
    assert indices(out) == list(range(9))


def test_two_at_once_do_not_share_a_folder(vidgru: Cli, clip: Path, out: Path) -> None:
    first = extract(clip, out, ExtractConfig())
    next(first)
    for more in ([], ["--overwrite"]):
        done = vidgru("extract", clip, "-o", out, *more)
        assert done == (
            1, "", f"Error: Another process is writing to {out}. Choose another folder.\n",
        )  # fmt: skip
    assert len(list(first)) == 19
    assert indices(out) == list(range(20))
    assert vidgru("extract", clip, "-o", out, "--overwrite").code == 0
