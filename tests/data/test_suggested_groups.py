"""Groups that names or tables suggest, in the split of a training and in check."""

import shutil
from pathlib import Path

import pytest
from helpers import gathered, noise, write_clip

from vidgru.core.errors import DataError
from vidgru.data import dataset as gather_module
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.csv_list import listed_groups
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.data.split import units_of
from vidgru.tasks.classify.check import check
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.terminal.results import splitting


def table(folder: Path, **columns: dict[str, str]) -> Path:
    """Write groups.csv: of each column the value for a clip's number."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.avi"))
    rows = [",".join([name, *(c[name[-5]] for c in columns.values())]) for name in names]
    (folder / "groups.csv").write_text("\n".join([",".join(["clip", *columns]), *rows]))
    return folder


def test_a_column_named_for_its_sense_is_taken_and_named(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    table(
        folder,
        day_or_night=dict(zip("012345", "dndnde", strict=True)),
        batch=dict(zip("012345", "xyzxyz", strict=True)),
        subject=dict(zip("012345", "aabbcc", strict=True)),
        camera=dict(zip("012345", "lrlrlr", strict=True)),
    )
    split = gathered(folder).split
    assert split.clips == {"train": 8, "val": 4, "test": 0}
    assert (split.group_by, split.noun, split.mixed) == ("subject", "subject", ("camera",))
    assert splitting(split) == (
        "8 clips of 2 subjects train, 4 clips of 1 subject validate (column subject). Change: "
        "--group-by COLUMN, or none. Groups of --group-by camera are on both sides."
    )
    found = {finding.kind: finding for finding in check(folder, CheckConfig()).findings}
    assert found["groups"].sentence == (
        "Clips seem to be of 3 subjects; train keeps each on one side of the split, as with "
        "--group-by subject. Groups of --group-by camera are then on both sides."
    )


def test_a_column_that_cannot_be_used_is_told(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    groups = dict(zip("012345", "aabbcc", strict=True))
    table(folder, subject=groups, colour=dict(zip("012345", "      ", strict=True)))
    assert gathered(folder).split.group_by == "subject"
    assert caplog.messages == []
    path = folder / "groups.csv"
    path.write_text(f"{path.read_text()}\nleft/0.avi,b,")
    assert gathered(folder).split.group_by is None
    line = f"{path}, line 14: left/0.avi has the group 'b' there, but 'a' further up."
    assert caplog.messages == [f"Groups of groups.csv are not used. {line}"]
    path.write_text(path.read_text().replace("left/0.avi,a", "left/0.avi,").rpartition("\n")[0])
    caplog.clear()
    gathered(folder)
    assert [text.partition(":")[0] for text in caplog.messages] == [
        "Groups of groups.csv are not used. --group-by 'subject' gives no group for 1 of 12 clips,"
        " the first of them left/0.avi."
    ]


def test_of_two_columns_that_is_taken_which_can_be_kept_apart(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    rows = [
        f"{label}/{n}.avi,{'anna' if label == 'left' else f'bob{n % 2}'},{n // 2}"
        for label in ("left", "right")
        for n in range(6)
    ]
    (folder / "groups.csv").write_text("\n".join(["clip,subject,session", *rows]))
    split = gathered(folder).split
    assert (split.group_by, split.mixed) == ("session", ("subject",))
    found = {finding.kind: finding for finding in check(folder, CheckConfig()).findings}
    assert found["groups"].severity == "note"
    assert "as with --group-by session. Groups of" in found["groups"].sentence


def test_two_groups_do(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    table(folder, group=dict(zip("012345", "xxxxyy", strict=True)))
    split = gathered(folder).split
    assert (split.clips["val"], split.noun) == (4, "group")
    assert not caplog.records


def test_groups_are_not_suggested_if_most_clips_would_be_held_out() -> None:
    sizes = {("a", "x"): 60, ("a", "y"): 40, ("b", "x"): 1, ("b", "y"): 9}
    clips = [
        Clip(Path(f"{label}{group}{n}"), f"{label}{group}{n}", label, group=group)
        for (label, group), count in sizes.items()
        for n in range(count)
    ]
    reason = gather_module._why_not(units_of(clips), ClassifyTrainConfig())
    assert str(reason) == "Of 110 clips, 61 would be kept for validation."
    # Whoever wants that, gets it.
    assert gather_module._why_not(units_of(clips), ClassifyTrainConfig(val=0.4)) is None


def test_suggested_groups_that_cannot_be_kept_apart(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for label, who in (("left", "person1"), ("right", "person2")):
        for number in range(6):
            whose = "person3" if label == "right" and number > 2 else who
            copy = tmp_path / "named" / label / f"{whose}_{number}.avi"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / label / f"{number}.avi", copy)
    split = gathered(tmp_path / "named").split
    assert (split.groups, split.suggested) == (None, False)
    told = (
        r"Clips seem to be of 3 persons (--group-by 'person(\d+)_'), but are split clip by clip: "
        "scores may be too optimistic. Cannot keep 3 groups apart: no clip of the class 'left' is "
        "left to validate with, as its 6 clips are of 1 group. To split clip by clip: --group-by "
        "none. Or give other groups."
    )
    assert [record.getMessage() for record in caplog.records] == [told]
    assert splitting(split) == "10 clips train, 2 clips validate (no groups)."
    (finding,) = check(tmp_path / "named", CheckConfig()).findings
    assert (finding.kind, finding.severity, finding.sentence) == ("groups", "warning", told)
    with pytest.raises(DataError, match=r"Cannot keep 3 groups apart: .*: --group-by none"):
        gathered(tmp_path / "named", group_by=r"person(\d+)_")
    caplog.clear()
    gathered(tmp_path / "named", group_by="none")
    assert not caplog.records


def test_background_and_first_labels_of_a_list_are_of_the_groups_of_its_rows(
    tmp_path: Path,
) -> None:
    rows = ["path,label,subject,start,end"]
    for number in range(6):
        write_clip(tmp_path / f"{number}.avi", noise(30, seed=number), 10)
        rows += [f"{number}.avi,walk,s{number // 2},0,1", f"{number}.avi,rest,t,0.5,2"]
    path, options = tmp_path / "list.csv", {"background": "none", "overlap": "first"}
    path.write_text("\n".join(rows))
    clips = read_source(path, annotations=AnnotationConfig(**options))
    assert clips[1].name == "0.avi [1-2 s]"  # which is no row
    found = listed_groups(path, "subject", clips)
    assert (found[:2], found[12:]) == (("s0", "t"), ("s0", "s0", "s1", "s1", "s2", "s2"))
    rows[2::2] = [row.replace("rest,t", f"rest,s{n // 2}") for n, row in enumerate(rows[2::2])]
    path.write_text("\n".join(rows))
    split = gathered(path, **options).split
    assert (split.group_by, split.groups) == ("subject", {"train": 2, "val": 1, "test": 0})


def test_background_videos_leave_the_groups_of_all_others_as_they_are(
    data: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    table(folder, subject=dict(zip("012345", "aabbcc", strict=True)))
    for number in range(4):
        write_clip(tmp_path / "hall" / f"{number}.avi", noise(14, seed=number), 10)
    options = {"background": "none", "background_videos": str(tmp_path / "hall")}
    data_ = gathered(folder, **options)
    assert (data_.split.group_by, data_.split.noun) == ("subject", "subject")
    own = [clip for part in data_.parts.values() for clip in part if clip.label == "none"]
    assert [clip.group for clip in own] == [None] * 4
    found = {finding.kind: finding for finding in check(folder, CheckConfig(**options)).findings}
    assert found["groups"].sentence.startswith("Clips seem to be of 3 subjects; train keeps each")
    (folder / "groups.csv").unlink()
    split = gathered(folder, **options).split
    assert (split.group_by, split.groups) == (None, None)
