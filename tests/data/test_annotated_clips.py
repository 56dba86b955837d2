"""What annotations of videos become: clips with groups, and what time they leave to background."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from annotation_files import EVENTS, FILES, told, write
from conftest import Done
from helpers import noise, verbs_that_work, write_clip, write_images

from vidgru import train
from vidgru.core.errors import DataError, OptionError
from vidgru.core.results import run_to_end
from vidgru.data.annotations.clips import first_only, merged, overlapping, with_draws
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.dataset import build_dataset, read_clips
from vidgru.data.folder import Clip, clip_name
from vidgru.data.groups import suggest_groups
from vidgru.data.sources import read_source
from vidgru.tasks.classify.check import check
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.train_step import ClassifyTrainStep
from vidgru.video.read import IMAGE_FOLDER_FPS

FILMS = ("one/p1_a.avi", "one/p1_b.avi", "two/p2_a.avi", "two/p3_a.avi")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for seed, video in enumerate(FILMS):
        write_clip(tmp_path / "films" / video, noise(40, seed=seed), 10)
    rows = [f"{video},{label},{start},{end}" for video in FILMS for label, start, end in EVENTS]
    write(tmp_path / "films" / "times.csv", "\n".join(["video,label,start,end", *rows]) + "\n")
    return tmp_path / "films"


def clip(label: str, start: float, end: float, video: str = "a.avi") -> Clip:
    return Clip(Path(video), clip_name(video, start, end), label, None, video, start, end)


def spans(clips: list[Clip]) -> list[tuple[str, float | None, float | None]]:
    return [(one.label, one.start, one.end) for one in clips]


def test_videos_lie_beside_or_below_or_where_they_are_said_to(place: Path, tmp_path: Path) -> None:
    there = told(read_source(place / "times.csv"))
    assert there[0] == ("one/p1_a.avi", *EVENTS[0])
    flat = write(place / "flat.csv", (place / "times.csv").read_text().replace("one/", ""))
    assert told(read_source(flat))[:4] == there[:4]
    (tmp_path / "notes").mkdir()
    away = write(tmp_path / "notes" / "times.csv", flat.read_text().replace("two/", r"D:\x" + "\\"))
    with pytest.raises(DataError, match="is about 4 videos, and none was found"):
        read_source(away)
    assert told(read_source(away, annotations=AnnotationConfig(videos=str(place)))) == there


def test_a_name_that_two_videos_have_is_told_apart_by_its_folder(place: Path) -> None:
    write_clip(place / "two" / "p1_a.avi", noise(40), 10)
    text = "video,label,start,end\n{}p1_a.avi,walk,0,1\n"
    there = write(place / "t.csv", text.format("C:\\films\\one\\"))
    assert [c.path for c in read_source(there)] == [place / "one" / "p1_a.avi"]
    with pytest.raises(DataError, match=r"Both .*one/p1_a.avi and .*two/p1_a.avi may be the video"):
        read_source(write(place / "t.csv", text.format("")))


def test_videos_elsewhere_are_listed_by_their_whole_paths(place: Path, tmp_path: Path) -> None:
    shutil.copy(place / "two" / "p2_a.avi", place / "one" / "p2_a.avi")
    rows = [f"{place}/{folder}/p2_a.avi,walk,0,1" for folder in ("one", "two")]
    (tmp_path / "notes").mkdir()
    path = write(tmp_path / "notes" / "t.csv", "\n".join(["video,label,start,end", *rows]))
    clips = read_source(path)
    assert [clip.listed for clip in clips] == [f"{place}/{d}/p2_a.avi" for d in ("one", "two")]
    assert len({clip.group for clip in clips}) == 2


@pytest.mark.parametrize("column", ["video", "path"])  # annotations, and a list
def test_a_video_that_is_named_in_two_ways_is_one(
    column: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, bare = f"{place}/one/p1_a.avi", "one/p1_a.avi"

    def table(*rows: str) -> Path:
        return write(place / "t.csv", "\n".join([f"{column},label,start,end", *rows]))

    config = AnnotationConfig(background="rest")
    clips = read_source(table(f"{bare},walk,0,1", f"{whole},run,2,3"), annotations=config)
    assert spans(clips) == [("walk", 0, 1), ("run", 2, 3), ("rest", 1, 2), ("rest", 3, 4)]
    assert {clip.path for clip in clips} == {place / bare}
    config = AnnotationConfig(overlap="first")
    clips = read_source(table(f"{whole},walk,0,2", f"{bare},run,1,3"), annotations=config)
    assert spans(clips) == [("walk", 0, 2), ("run", 2, 3)]
    assert caplog.messages[-1].endswith("an earlier label has that time: 1.0 s of 'run'.")


def test_a_folder_of_images_is_a_video(tmp_path: Path) -> None:
    write_images(tmp_path / "a", noise(40), [f"{n}.png" for n in range(40)])
    (walk, rest) = read_source(write(tmp_path / "a_labels.csv", FILES["a_labels.csv"]))
    rate = IMAGE_FOLDER_FPS
    assert (walk.path, walk.start, walk.end, rest.end) == (
        tmp_path / "a", 5 / rate, 20 / rate, 32 / rate
    )  # fmt: skip


def test_a_folder_of_annotations(place: Path) -> None:
    for name in ("one/p1_a", "two/p2_a"):
        write(place / f"{name}_labels.csv", FILES["a_labels.csv"])
        write(place / f"{name}.srt", "1\n00:00:03,500 --> 00:00:03,900\nrest\n")
    (place / "times.csv").unlink()
    clips = read_source(place, annotations=AnnotationConfig(videos=str(place)))
    assert sorted(told(clips)) == sorted(
        (video, *event)
        for event in (*EVENTS, ("rest", 3.5, 3.9))
        for video in ("one/p1_a.avi", "two/p2_a.avi")
    )
    # Where it holds nothing but videos and annotations, none need be asked for.
    assert len(read_source(place / "one")) == 3
    # But a folder of classes is one, whatever lies in it.
    assert {c.label for c in read_source(place)} == {"one", "two"}
    with pytest.raises(DataError, match="holds no annotations: leave out --videos"):
        read_source(
            write(place / "l.csv", "path,label\na.avi,x\n"),
            annotations=AnnotationConfig(videos="x"),
        )


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (None, {*FILMS}),
        (r"p(\d)_", {"1", "2", "3"}),
        ("day", {"mon", "tue"}),
        ("none", {None}),
    ],
)
def test_a_video_is_a_group_unless_something_else_is_asked_for(
    by: str | None, groups: set[str | None], place: Path
) -> None:
    days = [f"{p.relative_to(place).as_posix()},{p.parent.name}" for p in place.glob("*/*.avi")]
    text = "\n".join(["clip,day", *days]).replace(",one", ",mon").replace(",two", ",tue")
    write(place / "groups.csv", text)
    assert {c.group for c in read_source(place / "times.csv", by)} == groups


def test_groups_of_videos_are_suggested_but_not_taken(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [path.relative_to(place).as_posix() for path in place.glob("*/*.avi")]
    rows = [f"{name},{name[4:6]}" for name in names]
    write(place / "groups.csv", "\n".join(["clip,subject", *rows]))
    clips = read_source(place / "times.csv")
    assert {clip.group for clip in clips} == {*FILMS}
    assert [record.getMessage() for record in caplog.records] == [
        "The videos seem to be of 3 subjects. Each video is on one side of the split; what keeps "
        "these on one side, too, is --group-by subject."
    ]
    caplog.clear()
    read_source(place / "times.csv", "subject")
    read_source(place / "times.csv", "none")
    assert not caplog.records


def test_no_video_is_on_both_sides_of_a_split(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = ClassifyTrainConfig(folds=1)
    clips = read_clips(place / "times.csv", config)
    data = run_to_end(
        build_dataset(clips, choose_sampling(clips, config, 32), config, place / "times.csv")
    )
    sides = [{c.path for c in data.parts[part]} for part in ("train", "val")]
    assert not sides[0] & sides[1]
    assert (data.split.noun, data.split.groups) == ("video", {"train": 3, "val": 1, "test": 0})


def test_labels_that_overlap_are_refused_or_the_first_one_is_taken(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "video,label,start,end\n{0},rest,1,3\n{0},walk,0,1.05\n{0},walk,2.5,3.5\n{0},run,1.2,2\n"
    path = write(place / "t.csv", text.format("one/p1_a.avi"))
    sentence = (
        "gives one time two labels 2 times, first in one/p1_a.avi: 'rest' 1-3 s and 'run' 1.2-2 s."
        " A clip has one label: mend the times, make one label of both, or give --overlap first to"
        " keep the one that the file names first."
    )
    with pytest.raises(DataError) as caught:
        read_source(path)
    assert str(caught.value) == f"{path} {sentence}"
    clips = read_source(path, annotations=AnnotationConfig(overlap="first"))
    assert spans(clips) == [("rest", 1, 3), ("walk", 0, 1), ("walk", 3, 3.5)]
    assert [record.getMessage() for record in caplog.records] == [
        "Left out, since an earlier label has that time: 0.8 s of 'run', 0.5 s of 'walk'."
    ]
    clips = read_source(path, annotations=AnnotationConfig(labels="run, walk"))
    assert spans(clips) == [("walk", 0, 1.05), ("walk", 2.5, 3.5), ("run", 1.2, 2)]


def test_labels_that_do_not_overlap_stay_as_they_are(place: Path) -> None:
    clips = [clip("a", 0, 5), clip("b", 5, 7), clip("a", 7, 8), clip("b", 0, 5, "b.avi")]
    assert overlapping(clips) == []
    assert merged(clips) == first_only(clips) == clips
    # Of the same label, those that overlap are one.
    clips = [clip("a", 2, 4), clip("b", 9, 9.5), clip("a", 0, 3), clip("a", 4, 5)]
    assert spans(merged(clips)) == [("a", 0, 4), ("b", 9, 9.5), ("a", 4, 5)]


@pytest.mark.parametrize("seed", range(20))
def test_the_first_label_is_taken_frame_by_frame(seed: int) -> None:
    """Compare with what a loop over hundredths of a second finds."""
    import random

    chance = random.Random(seed)
    clips = []
    for number in range(12):
        start = chance.randrange(0, 300)
        end = start + chance.randrange(15, 120)
        clips.append(clip(f"{number}", start / 10, end / 10))
    truth: dict[int, str] = {}
    for one in clips:
        for tick in range(round(10 * (one.start or 0)), round(10 * (one.end or 0))):
            truth.setdefault(tick, one.label)
    found: dict[int, str] = {}
    for one in first_only(clips):
        for tick in range(round(10 * (one.start or 0)), round(10 * (one.end or 0))):
            assert found.setdefault(tick, one.label) == one.label
    lost = truth.keys() - found.keys()  # pieces of a tenth of a second
    assert all(truth.get(t - 1) != truth[t] != truth.get(t + 1) for t in lost)
    assert found == {tick: label for tick, label in truth.items() if tick not in lost}


def test_time_without_a_label_may_be_a_class_of_its_own(place: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "house" / "x" / "c.avi", noise(10), 10)
    config = AnnotationConfig(background="none", background_videos=str(tmp_path / "house"))
    clips = read_source(place / "times.csv", annotations=config)
    own = [c for c in clips if c.label == "none"]
    assert told(own)[:2] == [("one/p1_a.avi", "none", 0, 0.5), ("one/p1_a.avi", "none", 3.2, 4)]
    assert told(own)[-1] == ("house/x/c.avi", "none", None, None)
    assert (len(own), {c.group for c in own[:2]}) == (9, {"one/p1_a.avi"})
    # Names are told apart.
    text = "path,label\nhouse/x/c.avi,walk\none/p1_a.avi,rest\n"
    clips = read_source(write(place / "same.csv", text), annotations=config)
    assert [c.name for c in clips[1:]] == ["one/p1_a.avi", (tmp_path / "house/x/c.avi").as_posix()]
    # So do lists with times, where the rest of a video has the parts of its clips.
    text = "path,label,start,end,split\none/p1_a.avi,walk,0,1,val\none/p1_a.avi,rest,1,3,val\n"
    path = write(place / "list.csv", text)
    (more,) = read_source(path, annotations=AnnotationConfig(background="none"))[2:]
    assert (more.label, more.start, more.end, more.part) == ("none", 3, 4, "val")
    with pytest.raises(DataError, match="has no time without a label for --background"):
        read_source(place, annotations=AnnotationConfig(background="none"))
    with pytest.raises(OptionError, match="--background-videos needs --background"):
        read_source(place, annotations=AnnotationConfig(background_videos="x"))


def test_around_a_point_event_there_is_no_background(place: Path) -> None:
    text = "video,label,start,end\none/p1_a.avi,walk,0,0.5\none/p1_a.avi,sneeze,2,2\n"
    config = AnnotationConfig(background="none")
    clips = read_source(write(place / "t.csv", text), annotations=config)
    assert spans(clips) == [("walk", 0, 0.5), ("none", 0.5, 1), ("none", 3, 4)]


def test_longer_clips_are_drawn_more_often_but_not_in_proportion() -> None:
    lengths = (0.5, 1, 1, 4, 9, 100, 1e6)
    clips = [clip("a", 0, length, f"{n}.avi") for n, length in enumerate(lengths)]
    assert [c.draws for c in with_draws(clips)] == [1, 1, 1, 1, 2, 5, 64]


def test_what_is_learned_from_is_drawn_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.avi", noise(60), 10)
    write_clip(tmp_path / "b.avi", noise(60, seed=1), 10)
    rows = [f"{v},{label},{span}" for v in "ab" for label, span in (("x", "0,5"), ("y", "5,5.3"))]
    text = "\n".join(["video,label,start,end", *rows, "a,y,5.4,5.7"])
    counts: list[int] = []

    def counted(
        self: ClassifyTrainStep, network: Any, task: Any, examples: Any, *rest: Any, **more: Any
    ) -> None:
        counts.append(len(examples.segments))
        raise KeyboardInterrupt

    monkeypatch.setattr(ClassifyTrainStep, "__init__", counted)
    with pytest.raises(KeyboardInterrupt):
        train(write(tmp_path / "t.csv", text), out=str(tmp_path / "run"), size=16, folds=1)
    clips = read_source(tmp_path / "t.csv")
    assert [clip.draws for clip in clips] == [4, 1, 4, 1, 1]
    assert counts[0] in (6, 5)  # those of a.avi, or of b.avi


def test_what_is_wrong_with_labels_is_said(place: Path) -> None:
    for labels, error in (("walk,fly", "no label 'fly'. It has 'walk', 'rest'"), (" ", "Invalid")):
        with pytest.raises((DataError, OptionError), match=error):
            read_source(place / "times.csv", annotations=AnnotationConfig(labels=labels))


def test_videos_of_annotations_need_no_labels_for_other_tasks(place: Path) -> None:
    clips = read_source(place / "times.csv", labelled=False)
    assert told(clips)[0] == ("one/p1_a.avi", "", None, None)
    assert len(clips) == 4
    # A table of annotations is no list of them, in which groups could be found.
    assert suggest_groups(clips, place / "times.csv", None) is None


def test_what_is_typed_next_has_the_options_of_annotations(
    place: Path, tmp_path: Path, vidgru: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    notes = (place / "times.csv").rename(tmp_path / "notes" / "times.csv")
    write(notes, notes.read_text() + f"{FILMS[0]},run,0,0.5\n")
    monkeypatch.chdir(tmp_path)
    words = ("--videos", "films", "--labels", "walk,rest", "--overlap", "first", "--folds", "1")
    options = ("--epochs", "1", "--size", "16", "--threads", "1", "--out", "run", "-q")
    done: Done = vidgru("train", "notes/times.csv", *words, *options)
    assert done.code == 0, done.err
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "predict"]
    assert " --videos films --labels walk,rest --overlap first\n" in done.out
    done = vidgru("export", "run", "--int8", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["int8"]["clips"] > 0


def test_annotations_are_checked_trained_and_evaluated_on(
    place: Path, tmp_path: Path, vidgru: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("films/times.csv", "--background", "none", "-q")
    done: Done = vidgru("check", *words)
    assert (done.code, done.out.splitlines()[0]) == (
        0, "16 clips in 3 classes, 4 to 8 each; 4 groups."
    )  # fmt: skip
    options = ("--epochs", "1", "--size", "16", "--folds", "1", "--threads", "1")
    done = vidgru("train", *words, *options)
    assert done.code == 0, done.err
    assert "\n12 clips of 3 videos train, 4 clips of 1 video validate.\n" in done.out
    done = vidgru("evaluate", *words)
    assert done.code == 0, done.err
    assert "Left out 12 of 16 clips: the model was trained on them." in done.err


def test_the_commands_that_a_training_leads_to_find_the_same_clips(
    place: Path, tmp_path: Path, vidgru: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--epochs", "1", "--size", "16", "--folds", "1", "--threads", "1", "-q")
    (tmp_path / "notes").mkdir()
    text = (place / "times.csv").read_text() + "one/p1_a.avi,sneeze,0,1\n"
    write(tmp_path / "notes" / "times.csv", text)
    for number in range(5):
        write_clip(tmp_path / "hall" / f"{number}.avi", noise(20, seed=90 + number), 10)
    more = ("--videos", "films", "--background", "none", "--background-videos", "hall")
    words = ("notes/times.csv", *more, "--overlap", "first", "--labels", "walk,rest")
    done: Done = vidgru("train", *words, *options)
    assert done.code == 0, done.err
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "predict"]
    # The clips of a list that lie elsewhere.
    rows = [f"{video},{video[:3]}" for video in FILMS]
    write(tmp_path / "notes" / "list.csv", "\n".join(["path,label", *rows]) + "\n")
    done = vidgru("train", "notes/list.csv", *options, "--group-by", "none")
    assert done.code == 0, done.err
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "predict"]


def test_equal_videos_are_one_whatever_their_names_and_times(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(place / "one" / "p1_a.avi", place / "two" / "again.avi")
    rows = ["two/again.avi,walk,0,0.4", "two/again.avi,rest,3.3,3.9"]
    write(place / "times.csv", "\n".join([(place / "times.csv").read_text().strip(), *rows]) + "\n")
    config = ClassifyTrainConfig(folds=4)
    clips = read_clips(place / "times.csv", config)
    sampling = choose_sampling(clips, config, 24)
    data = run_to_end(build_dataset(clips, sampling, config, place / "times.csv"))
    units = {data.units[clip] for clip in data.frames if clip.listed in (FILMS[0], rows[0][:13])}
    assert (len(units), len(set(data.units.values()))) == (1, 4)
    assert len({data.videos[clip] for clip in data.frames}) == 4
    # Who groups clips himself is asked nothing, but hears of it.
    config = ClassifyTrainConfig(folds=4, group_by="none")
    clips = read_clips(place / "times.csv", config)
    data = run_to_end(build_dataset(clips, sampling, config, place / "times.csv"))
    assert len(set(data.units.values())) == len(clips)
    assert "Clips cut from one video are on both sides of the split" in caplog.text


def test_a_broken_video_is_named_once(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = place / "one" / "p1_a.avi"
    broken.write_bytes(b"none")
    found = {f.kind: f.sentence for f in check(place / "times.csv", CheckConfig()).findings}
    assert found["unreadable"] == f"{len(EVENTS)} clips cannot be read: {broken}."
    assert caplog.text.count("p1_a.avi") == 0
    clips = read_clips(place / "times.csv", config := ClassifyTrainConfig())
    sampling = choose_sampling(clips, config, 24)
    run_to_end(build_dataset(clips, sampling, config, place / "times.csv"))
    assert caplog.text.count("p1_a.avi") == 1
