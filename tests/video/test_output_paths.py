"""Where saved videos go, by themselves and from the command line."""

import os
import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest
from helpers import needs_onnx, noise, write_clip, write_images
from saving import left_in, read, timeline

from vidgru import TrainResult
from vidgru.core.errors import OptionError, OutputError
from vidgru.core.files import check_file
from vidgru.core.results import Failure, Progress
from vidgru.tasks.classify.annotate import annotate, save_one
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video.output_paths import name_each, plan_files

# Where they go


def plan_saves(
    target: str | Path, sources: Sequence[str | Path], found: Sequence[Path | Failure]
) -> dict[Path, Path]:
    return plan_files("--save", str(target), (".mp4", ".webm"), sources, found)


def test_one_file_for_one_video(tmp_path: Path) -> None:
    clip = tmp_path / "a.avi"
    clip.touch()
    assert plan_saves("out.webm", [clip], [clip]) == {clip: Path("out.webm")}
    two = [clip, tmp_path / "b.avi"]
    with pytest.raises(OptionError) as error:
        plan_saves("out.mp4", two, two)
    assert str(error.value) == "--save out.mp4 is one file for 2 videos: give a folder."
    with pytest.raises(OptionError, match=r"Cannot write out\.v2: the name must end with"):
        plan_saves("out.v2", [clip], [clip])
    with pytest.raises(OptionError, match=r"--save is empty: give a file or a folder\."):
        plan_saves("", [clip], [clip])


def test_a_folder_keeps_names_apart(tmp_path: Path) -> None:
    found = [Path("clips/x/a.avi"), Path("clips/x/a.mp4"), Path("clips/X/A.mkv"), Path("other.mp4")]
    sources = ["clips", "other.mp4"]
    names = ["x/a.mp4", "x/a-2.mp4", "X/A-3.mp4", "other.mp4"]
    for save_to in ("out", "out.v2/", tmp_path):
        plan = plan_saves(save_to, sources, [*found, Failure("gone", "Cannot read gone.")])
        assert plan == dict(zip(found, (Path(save_to, name) for name in names), strict=True))
    (tmp_path / "images.2").mkdir()
    one = tmp_path / "images.2"
    assert plan_saves("out", [one], [one]) == {one: Path("out/images.2.mp4")}


def test_videos_of_one_name_are_named_by_their_folders() -> None:
    given = ["t/m1/cam.mp4", "t/m2/cam.mp4", "t/m2/cam.avi", "t/other.mp4"]
    found = [Path(name) for name in given]
    assert [str(name) for name in name_each(found, given).values()] == [
        "m1/cam", "m2/cam", "m2/cam-2", "other"
    ]  # fmt: skip
    # By their sources they differ already, or as little above them.
    assert [str(n) for n in name_each(found[:2], ["t"]).values()] == ["m1/cam", "m2/cam"]
    deep = [Path("x/m/cam.mp4"), Path("y/m/cam.mp4")]
    assert [str(n) for n in name_each(deep).values()] == ["x/m/cam", "y/m/cam"]
    assert [str(n) for n in name_each(deep, ["x", "y"]).values()] == ["x/m/cam", "y/m/cam"]


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clips" / "a.mp4", noise(3), 10, "mp4v")
    before = clip.read_bytes()
    (tmp_path / "link.mp4").symlink_to(clip)
    os.link(clip, tmp_path / "hard.mp4")
    for save_to in (clip, clip.parent, tmp_path / "link.mp4", tmp_path / "hard.mp4"):
        with pytest.raises(OptionError) as error:
            plan_saves(save_to, [clip.parent], [clip])
        assert str(error.value) == f"{clip} cannot be read and written at once: write elsewhere."
    with pytest.raises(OptionError):
        list(annotate(clip, timeline(0.3), tmp_path / "hard.mp4"))
    assert clip.read_bytes() == before
    pictures = write_images(tmp_path / "pictures", noise(2), ["0.png", "1.png"])
    with pytest.raises(OptionError, match=r"pictures cannot be read and written at once"):
        plan_files("--heatmap", str(pictures / "1.png"), (".png",), [pictures], [pictures])
    plan_files("--heatmap", str(pictures / "heat.png"), (".png",), [pictures], [pictures])


def test_a_source_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    steps = save_one(timeline(2.0), gone, tmp_path / "out.mp4")
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == Failure(str(gone), f"Cannot read {gone}: no such file or folder.")


# The command line


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def predicted(
        self: Model, source: Path, min_seconds: float | None = None
    ) -> Generator[Progress, None, Timeline]:
        yield Progress(str(source), 1, 2)
        whole = timeline(read(source)[1].seconds)
        two = whole.labels[:2]  # those that the model knows
        parts = [
            replace(part, labels=two, probabilities=part.probabilities[:2])
            for part in whole.segments[:2]
        ]
        return replace(whole, source=str(source), labels=two, segments=tuple(parts))

    monkeypatch.setattr(Model, "timeline_steps", predicted)


@pytest.mark.usefixtures("timed")
def test_predict_saves(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip, out = data / "left" / "0.avi", tmp_path / "new" / "out.mp4"
    plain = vidgru("predict", clip, "--timeline", "--model", trained.run)
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", out)
    assert (code, said) == (0, plain[1])
    assert err == f"Saved: {out}\n"
    assert len(read(out)[0]) == 14
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", out, "-q", "--json")
    assert (code, said.count("\n"), err) == (0, 1, "")
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", "x.avi")
    assert (code, said) == (2, "")
    assert (
        err == "Error: Cannot write x.avi: the name must end with .mp4 or .webm, or be a folder.\n"
    )


@pytest.mark.usefixtures("timed")
def test_predict_saves_many_but_those_that_cannot_be_read(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    for name in ("a/x.avi", "b.avi"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "left" / "0.avi", clips / name)
    (clips / "c.mp4").write_text("no video")
    code, _, err = vidgru("predict", clips, "--model", trained.run, "--save", tmp_path / "out")
    assert code == 1
    assert err == (
        f"Saved: {tmp_path}/out/a/x.mp4\nSaved: {tmp_path}/out/b.mp4\n"
        f"Error: Cannot read {clips}/c.mp4: not a video that can be opened.\n"
    )
    assert left_in(tmp_path / "out") == ["a", "b.mp4"]


@pytest.mark.usefixtures("timed")
def test_a_video_that_cannot_be_written_costs_only_itself(
    vidgru: Callable[..., tuple[int, str, str]],
    trained: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(source: Path, timeline: Timeline, path: Path) -> Generator[Progress, None, None]:
        if source.name == "1.avi":
            raise OutputError(f"Cannot write {path}: ffmpeg says: no.")
        yield from annotate(source, timeline, path)

    monkeypatch.setattr("vidgru.tasks.classify.annotate.annotate", refuse)
    clips = [data / "left" / f"{n}.avi" for n in (0, 1, 2)]
    words = ("--model", trained.run, "--save", tmp_path / "out", "--csv", tmp_path / "t.csv")
    code, _, err = vidgru("predict", *clips, clips[0], *words)
    assert code == 1
    out = tmp_path / "out"
    # And a source that is given twice is saved once.
    assert err == (
        f"Saved: {out}/0.mp4\nError: Cannot write {out}/1.mp4: ffmpeg says: no.\n"
        f"Saved: {out}/2.mp4\nSaved: {tmp_path / 't.csv'}\n"
    )
    rows = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {str(clip) for clip in clips}


def test_what_is_there_in_a_folder_is_kept(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip = shutil.copy(data / "left" / "0.avi", tmp_path / "a.avi")
    for option, name in (("--save", "a.mp4"), ("--subtitles", "a.srt")):
        (tmp_path / name).write_text("of the user")
        code, out, err = vidgru("predict", clip, "--model", trained.run, option, tmp_path)
        assert (code, out) == (1, "")
        sentence = f"{tmp_path / name} exists. Give {option} another folder."
        assert err == f"Error: {sentence}\n"
        assert (tmp_path / name).read_text() == "of the user"


def test_a_table_takes_nobodys_place(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy(data / "left" / "0.avi", tmp_path / "a.avi"))
    before, words = clip.read_bytes(), ("predict", clip, "--model", trained.run)
    code, _, err = vidgru(*words, "--csv", clip)
    assert (code, err) == (
        2,
        f"Error: {clip} cannot be read and written at once: write elsewhere.\n",
    )
    assert clip.read_bytes() == before
    both = tmp_path / "x.mp4"
    code, _, err = vidgru(*words, "--save", both, "--csv", both)
    assert (code, err) == (
        2,
        f"Error: {both} would be written twice: give one of them another name.\n",
    )
    code, _, err = vidgru(*words, "--csv", tmp_path)
    assert (code, err) == (1, f"Error: Cannot write {tmp_path}: give the name of a file.\n")
    code, _, err = vidgru(*words, "--csv", "")
    sentence = "A path is empty: give a file or folder, such as . for this one."
    assert (code, err) == (2, f"Error: {sentence}\n")


OUTPUTS = {
    "predict": ("--csv t.csv", "--events t.tsv", "--save t.mp4", "--subtitles t.srt"),
    "motion": ("--csv t.csv", "--save t.mp4", "--heatmap t.png"),
    "scenes": ("--csv t.csv", "--edl t.edl", "--sheet t.png", "--images t", "--split t"),
    "changes": ("--csv t.csv", "--heatmap t.png", "--images t"),
    "extract": ("-o t",),
    "explain": ("-o t", "-o t --summary"),
}


@pytest.mark.parametrize("verb", OUTPUTS)
def test_no_work_for_what_cannot_be_written(
    vidgru: Callable[..., tuple[int, str, str]],
    trained: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    """Neither below a file, nor in a folder without the permission; tests may run as root."""
    note, shut = tmp_path / "note", tmp_path / "shut"
    note.touch()
    shut.mkdir()
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: path != shut and allowed(path, mode))
    monkeypatch.setattr("cv2.VideoCapture", None)  # nothing is read
    words = [verb, data / "left" / "0.avi"]
    words += ["--model", trained.run] if verb in ("predict", "explain") else []
    for option in OUTPUTS[verb]:
        flag, name, *more = option.split()
        for place, why in (
            (note / "x", f"{note} is a file, not a folder."),
            (shut / "x", f"no permission to write into {shut}. Write elsewhere."),
        ):
            code, out, err = vidgru(*words, flag, place / name, *more)
            assert (code, out) == (1, "")
            assert err.startswith("Error: Cannot write ")
            assert err.endswith(f"{place / name}: {why}\n")
            assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note", "shut"]


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to(os.devnull)
    with pytest.raises(OutputError, match=r"t\.csv: it is a device\. Give the name of a file\.$"):
        check_file(tmp_path / "t.csv")


@pytest.mark.parametrize("verb", ["train", "compare", "evaluate"])
def test_no_clip_is_read_for_what_cannot_be_written(
    vidgru: Callable[..., tuple[int, str, str]],
    trained: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    (tmp_path / "note").touch()
    for module in ("commands.train.read_clips", "tasks.classify.compare.read_clips"):
        monkeypatch.setattr(f"vidgru.{module}", None)
    monkeypatch.setattr("vidgru.tasks.classify.evaluation.read_source", None)
    words = ["--model", trained.run] if verb == "evaluate" else []
    code, out, err = vidgru(verb, data, *words, "--out", tmp_path / "note" / "x")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.endswith((" is a file.\n", f"{tmp_path / 'note'} is a file, not a folder.\n"))


@needs_onnx
@pytest.mark.parametrize("option", ["--out", "--standalone"])
def test_no_export_for_what_cannot_be_written(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, tmp_path: Path, option: str
) -> None:
    (tmp_path / "note").touch()
    code, out, err = vidgru("export", trained.run, option, tmp_path / "note" / "x.onnx")
    assert (code, out) == (1, "")
    assert err.endswith(f"x.onnx: {tmp_path / 'note'} is a file, not a folder.\n")


def test_thousands_of_videos_have_their_places_soon(tmp_path: Path) -> None:
    for names, wanted in (
        ([f"{n}/video.mp4" for n in range(1000)], [f"{n}/video.mp4" for n in range(1000)]),
        (
            [f"a/video.{n}" for n in range(1, 1001)],
            ["video.mp4", *(f"video-{n}.mp4" for n in range(2, 1001))],
        ),
    ):
        sources = [tmp_path / name for name in names]
        began = process_time()
        plan = plan_files("--save", f"{tmp_path}/out/", (".mp4",), sources, sources)
        assert process_time() - began < 5
        assert [str(path.relative_to(tmp_path / "out")) for path in plan.values()] == wanted
