"""Suggesting what belongs together, without taking a running number for a person."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidgru.data.checks import report_groups
from vidgru.data.csv_list import read_list
from vidgru.data.folder import Clip, with_groups
from vidgru.data.groups import noun_of, suggest_groups, suggestions

NOWHERE = Path("nowhere")
LABELS = ("walk", "run", "sit")


def clips_of(names: Iterable[str], part: str | None = None) -> list[Clip]:
    """Return a clip for each <label>/<name>, or <part>/<label>/<name>."""
    place = 0 if part is None else 1
    return [Clip(Path(name), name, name.split("/")[place], part) for name in names]


def named(pattern: str, *values: Iterable[object], labels: Iterable[str] = LABELS) -> list[str]:
    """Return names for all labels and all values, in {0}, {1} ... of a pattern."""
    return [f"{x}/{pattern.format(*row, label=x)}" for x in labels for row in product(*values)]


SUGGESTED = {
    "seq": (named("seq{0:02}_{1}_x.avi", range(1, 9), "ab"), r"seq(\d+)_", 8),
    "kth": (named("person{0:02}_{label}_d{1}.avi", range(1, 7), "123"), r"person(\d+)_", 6),
    "a person in every class": (named("person{0:02}.mp4", range(1, 7)), r"person(\d+)", 6),
    "subject with a gap": (named("{1}-subject-{0}.mkv", range(6), "ab"), r"subject-(\d+)", 6),
    "ucf": (named("v_{label}_g{0:02}_c{1:02}.avi", range(1, 8), range(1, 5)), r"g(\d+)_", 7),
    "word in the class, too": (
        named("day{0}_{1}.mp4", range(5), "ab", labels=["day1_x", "day2_x"]),
        r"(?<![A-Za-z])day(\d+)_[^/]*$",
        5,
    ),
    "coarsest of five": (
        named("user{0}_day{1}_{2}.ts", range(6), range(9), "ab"),
        r"user(\d+)_",
        6,
    ),
    "coarsest of few": (named("{2}_cam{0}_day{1}_.ts", range(3), range(4), "abc"), r"cam(\d+)_", 3),
    "persons before places": (
        named("{2}_cam{0}_user{1}_.ts", range(3), range(4), "abc"),
        r"user(\d+)_",
        4,
    ),
    "names": (named("{0}_{1:02}.mp4", ["alice", "bob", "eve"], range(4)), r"([A-Za-z]+)_", 3),
    "folders of one class each": (
        [f"{x}/{x}{n}/{t}.mpg" for x in LABELS for n in range(3) for t in range(2)],
        r"^(?:[^/]+/){1}([^/]+)/",
        9,
    ),
    "folders": (named("{0}/{1}.mp4", ["s1", "s2", "s3"], range(4)), r"^(?:[^/]+/){1}([^/]+)/", 3),
    "dates": (
        named("{0}_{1}.mp4", ["2024-05-01", "2024-05-02", "2024-06-11"], range(3)),
        r"((?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?!\d)",
        3,
    ),
    "cage and day": (
        named("cage{0}_6_{1}_{2}.mkv", "12", range(20, 24), range(500, 503)),
        r"(cage\d+_\d+_\d+)_",
        8,
    ),
}


@pytest.mark.parametrize("case", SUGGESTED)
def test_what_names_say(case: str) -> None:
    names, pattern, count = SUGGESTED[case]
    clips = clips_of(names)
    grouping = suggest_groups(clips, NOWHERE, None)
    assert grouping is not None
    assert grouping.group_by == pattern
    assert len(set(grouping.groups.values())) == count
    # What is suggested does what was promised.
    again = with_groups(clips, NOWHERE, grouping.group_by)
    assert {clip.name: clip.group for clip in again} == grouping.groups


@pytest.mark.parametrize(
    "names",
    [
        named("clip_{0:02}.mp4", range(40)),
        named("video ({0}).mp4", range(40)),
        named("video_{0}.mp4", range(40)),
        named("seq{0:03}.avi", range(40)),
        named("{0}.mp4", range(40)),
        named("{label}_{0:02}.mp4", range(9)),
        named("{label}{0:02}_take{1}.mp4", range(9), range(3)),
        named("v_{label}_c{0:02}.avi", range(9)),
        named("{0}_{1}.mp4", ["part", "clip", "take"], range(5)),
        named("cam{0}_{1}.mp4", "12", range(9)),  # two groups are none to split by
        named("person{0}.mp4", range(9), labels=["a"]),
        [*named("person{0}_{1}.mp4", range(9), "x", labels="a"), "b/person1_0.mp4"],
        named("person{0}_{1}.mp4", range(4), "xy") + named("person1_{0}.mp4", range(40)),
        [f"{label}/{label}/{n}.mp4" for label in LABELS for n in range(3)],
    ],
    ids=lambda names: names[0],
)
def test_what_names_do_not_say(names: list[str]) -> None:
    assert suggest_groups(clips_of(names), NOWHERE, None) is None


@pytest.mark.parametrize("place", [0, 20, 36])
def test_a_few_odd_names_are_not_asked(place: int) -> None:
    names = named("cage{0}_6_{1}_{2}.mkv", "12", range(20, 23), "13")
    names.insert(place, "sit/copy of best.mkv")
    (found,) = suggestions(clips_of(names), NOWHERE, None)[:1]
    assert (found.group_by, found.odd) == (r"(cage\d+_\d+_\d+)_", ("sit/copy of best.mkv",))
    assert len(set(found.groups.values())) == 7
    assert found.groups["sit/copy of best.mkv"] == "sit/copy of best.mkv"
    assert "6 groups; train" in (text := report_groups(found, None).sentence)
    assert text.endswith("Names of another form count as a group each: sit/copy of best.mkv.")
    several = [*names, *(f"run/other {n}.mkv" for n in "abcd")]
    assert suggestions(clips_of(several), NOWHERE, None) == []


def test_parts_are_no_groups() -> None:
    names = [f"train/{name}" for name in named("{0}/{1}.mp4", ["x", "y", "z"], "ab")]
    grouping = suggest_groups(clips_of(names, "train"), NOWHERE, None)
    assert grouping is not None
    assert grouping.group_by == r"^(?:[^/]+/){2}([^/]+)/"


def looks(clips: list[Clip], groups: list[str], alike: bool) -> dict[Clip, NDArray[np.uint8]]:
    """Return frames whose colours identify the group, if they are alike, and the class."""
    random = np.random.default_rng(1)
    colours = {name: random.integers(20, 235, 3) for name in sorted({*groups, *LABELS})}
    frames = {}
    for clip, group in zip(clips, groups, strict=True):
        noise = random.integers(-15, 16, (1, 5, 24, 24, 3))
        picture = colours[group] if alike else random.integers(20, 235, 3)
        half = np.zeros((24, 24, 3)) + picture
        half[12:] = colours[clip.label]
        frames[clip] = np.clip(half + noise, 0, 255).astype(np.uint8)
    return frames


@pytest.mark.parametrize("pattern", ["foo{0}_{1}.mp4", "{0}_{1}.mp4", "video{0}.mp4"])
def test_unknown_words_are_decided_by_pictures(pattern: str) -> None:
    takes = range(2 if "{1}" in pattern else 1)
    clips = clips_of(named(pattern, range(10, 17), takes))
    groups = [str(10 + n // len(takes) % 7) for n in range(len(clips))]
    assert suggest_groups(clips, NOWHERE, None) is None
    assert suggest_groups(clips, NOWHERE, looks(clips, groups, alike=False)) is None
    grouping = suggest_groups(clips, NOWHERE, looks(clips, groups, alike=True))
    assert grouping is not None
    assert list(grouping.groups.values()) == groups


def table(folder: Path, clips: list[Clip], **columns: Iterable[object]) -> Path:
    rows = [["clip", *columns]]
    rows += [[c.name, *map(str, row)] for c, *row in zip(clips, *columns.values(), strict=True)]
    (folder / "groups.csv").write_text("\n".join(map(",".join, rows)))
    return folder


def test_a_table_says_it(tmp_path: Path) -> None:
    clips = clips_of(named("{0}.mp4", range(12)))
    numbers = range(len(clips))
    table(
        tmp_path,
        clips,
        label=[c.label for c in clips],
        split=[n % 3 for n in numbers],
        start=numbers,
        side=[n % 2 for n in numbers],
        kennel=[n % 6 for n in numbers],
        dog=[n % 12 for n in numbers],
    )
    grouping = suggest_groups(clips, tmp_path, None)
    assert grouping is not None
    assert grouping.group_by == "kennel"
    assert set(grouping.groups.values()) == set("012345")


@pytest.mark.parametrize(
    ("column", "noun"),
    [
        ("group", "group"),
        ("seq_group", "group"),
        ("subject_id", "subject"),
        ("patientID", "patient"),
        ("participants", "participant"),
        ("Person name", "person"),
        ("auto_scene", "scene"),
        ("userid", "user"),
        ("cam", "camera"),
        ("source_video", "video"),
        ("SESS", "session"),
        ("cage", "cage"),
        ("mouse", "mouse"),
    ],
)
def test_a_column_that_is_called_so_wins_over_one_with_more_values(
    column: str, noun: str, tmp_path: Path
) -> None:
    clips = clips_of(named("{0}.mp4", range(12)))
    numbers = range(len(clips))
    few, many = [n % 3 for n in numbers], [n % 7 for n in numbers]
    grouping = suggest_groups(clips, table(tmp_path, clips, batch=many, **{column: few}), None)
    assert grouping is not None
    assert (grouping.group_by, noun_of(grouping.group_by)) == (column, noun)
    # So do two groups, if these are all.
    two = [n % 2 for n in numbers]
    grouping = suggest_groups(clips, table(tmp_path, clips, batch=many, **{column: two}), None)
    assert grouping is not None
    assert grouping.group_by == column
    # What is another for each clip, or the same for all, is no group.
    for nothing in (numbers, [0] * len(clips)):
        table(tmp_path, clips, batch=many, **{column: nothing})
        grouping = suggest_groups(clips, tmp_path, None)
        assert grouping is not None
        assert grouping.group_by == "batch"


@pytest.mark.parametrize(
    "column",
    [
        *("day_or_night", "light", "Weather", "label", "classes", "start_frame", "subject_age"),
        *("scene_type", "fps", "frames", "sceneType", "split"),
    ],
)
def test_what_is_no_person_or_place_is_never_suggested(column: str, tmp_path: Path) -> None:
    clips = clips_of(named("{0}.mp4", range(12)))
    values = [n % 6 for n in range(len(clips))]
    assert suggest_groups(clips, table(tmp_path, clips, **{column: values}), None) is None
    assert noun_of(column) == "group"  # whoever asks for it all the same


def test_the_coarsest_of_persons_and_what_it_does_not_keep_apart(tmp_path: Path) -> None:
    clips = clips_of(named("{0}.mp4", range(12)))
    numbers = range(len(clips))
    columns = {
        "session": [n % 12 for n in numbers],
        "person": [n % 4 for n in numbers],
        "camera": [n // 12 for n in numbers],
        "cage": [n % 2 for n in numbers],
        "batch": [n // 6 for n in numbers],
    }
    table(tmp_path, clips, **columns)
    found = suggestions(clips, tmp_path, None)
    others = {one.group_by: [other.group_by for other in one.others] for one in found}
    assert list(others) == ["person", "camera", "session", "cage", "batch"]
    # All clips of a session are of one person, but not the other way round.
    assert others["person"] == ["camera", "cage"]
    assert others["session"] == ["person", "camera", "cage"]
    assert others["cage"] == ["camera"]


def test_columns_of_a_list(tmp_path: Path) -> None:
    rows = [f"{n}.mp4,{'ab'[n % 2]},{n // 2 % 3},{n % 7},{n / 9},{n / 9 + 1}" for n in range(24)]
    header = "path,label,Subject ,batch,start,end"
    (tmp_path / "list.csv").write_text("\n".join([header, *rows]))
    clips = read_list(tmp_path / "list.csv")[1:]  # not all need be readable
    grouping = suggest_groups(clips, tmp_path / "list.csv", None)
    assert grouping is not None
    assert grouping.group_by == "subject"
    assert grouping.groups == {c.name: str(int(c.path.stem) // 2 % 3) for c in clips}


def test_a_name_that_says_the_same_as_a_table_is_preferred(tmp_path: Path) -> None:
    clips = clips_of(named("person{0}_day{1}.mp4", range(6), range(8)))
    who = [c.name.split("person")[1][0] for c in clips]
    grouping = suggest_groups(clips, table(tmp_path, clips, who=who), None)
    assert grouping is not None
    assert grouping.group_by == r"person(\d+)_"
    codes = [c.name.replace("person", "P") for c in clips]
    short = clips_of(codes)
    grouping = suggest_groups(short, table(tmp_path, short, subject=who), None)
    assert grouping is not None
    assert grouping.group_by == "subject"  # P(\d+)_ says less
    odd = [f"{name}{n % 2}" for n, name in enumerate(who)]
    grouping = suggest_groups(clips, table(tmp_path, clips, who=odd), None)
    assert grouping is not None
    assert grouping.group_by == "who"


def test_a_table_that_cannot_be_used_is_passed_over(tmp_path: Path) -> None:
    clips = clips_of(named("person{0}_{1}.mp4", range(6), range(2)))
    for content in ("", "clip", "clip,who\nelsewhere.mp4,1\n"):
        (tmp_path / "groups.csv").write_text(content)
        grouping = suggest_groups(clips, tmp_path, None)
        assert grouping is not None
        assert grouping.group_by == r"person(\d+)_"


def test_nothing_is_suggested_next_to_a_table_that_is_no_text(tmp_path: Path) -> None:
    """Whatever is given to --group-by, that table would be looked into, and refused."""
    (tmp_path / "groups.csv").write_bytes(b"\xff\xfe\x00")
    clips = clips_of(named("person{0}_{1}.mp4", range(6), range(2)))
    assert suggest_groups(clips, tmp_path, None) is None


@given(st.lists(st.text("ab1_-. ()[+\\", min_size=1, max_size=12), max_size=12))
def test_any_names_do(words: list[str]) -> None:
    clips = clips_of([f"{'xy'[n % 2]}/{word}.mp4" for n, word in enumerate(words * 3)])
    grouping = suggest_groups(clips, NOWHERE, None) if clips else None
    if grouping is not None:
        again = with_groups(clips, NOWHERE, grouping.group_by)
        assert {clip.name: clip.group for clip in again} == grouping.groups
