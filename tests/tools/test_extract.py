"""`vidgru extract`: which frames of which sources become pictures."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extracted import files, indices, pixels, table
from helpers import noise, write_clip, write_images

from vidgru.core.errors import OptionError, OutputError
from vidgru.tools.extract import extract as verb
from vidgru.tools.extract.extract import extract
from vidgru.tools.extract.options import ExtractConfig
from vidgru.tools.extract.results import ExtractedFrame
from vidgru.video.read import Image, open_video

Cli = Callable[..., Any]


def test_every_frame_pixel_for_pixel(vidgru: Cli, clip: Path, frames: Image, out: Path) -> None:
    done = vidgru("extract", clip, "-o", out, "--format", "png")
    assert done == (0, f"{clip}: 20 frames in {out}\n", "")
    names = [f"{i:07d}_{i // 10:06d}.{i % 10}00s.png" for i in range(20)]
    assert files(out) == [*names, "frames.csv"]
    for name, frame in zip(names, frames, strict=True):
        assert (pixels(out / name) == frame).all()
    assert table(out) == [
        {"file": name, "source": str(clip), "index": str(i), "seconds": f"{i / 10:.6f}"}
        for i, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--every", 7], [0, 7, 14]),
        (["--every", 100], [0]),
        (["--every", 5, "--start", 0.3, "--end", 1.4], [3, 8, 13]),
        (["--start", 0.5, "--end", 0.8], [5, 6, 7]),
        (["--start", 1.85], [19]),
        (["--count", 1], [10]),
        (["--count", 4], [2, 7, 12, 17]),
        (["--count", 20], list(range(20))),
        (["--count", 3, "--start", 0.5, "--end", 1.1], [6, 8, 10]),
        (["--fps", 5], list(range(0, 20, 2))),
        (["--fps", 20, "--end", 0.2], [0, 0, 1, 1]),
        (["--fps", 2.5, "--start", 0.5, "--end", 1.5], [5, 9, 13]),
    ],
)
def test_which_frames(
    vidgru: Cli, clip: Path, frames: Image, out: Path, options: list[object], expected: list[int]
) -> None:
    done = vidgru("extract", clip, "-o", out, "--format", "png", *options)
    assert done.code == 0
    assert done.err == ""
    rows = table(out)
    assert [int(row["index"]) for row in rows] == expected
    assert [row["file"] for row in rows] == files(out)[:-1]
    assert all((pixels(out / row["file"]) == frames[int(row["index"])]).all() for row in rows)


def test_seconds_of_fps_are_the_samples_and_else_the_frames_own(clip: Path, out: Path) -> None:
    sampled = list(extract([clip], out / "a", ExtractConfig(fps=2.5, start=0.25, end=1.3)))
    assert [item.seconds for item in sampled] == pytest.approx([0.25, 0.65, 1.05])  # type: ignore[union-attr]
    own = list(extract([clip], out / "b", ExtractConfig(every=4, start=0.25, end=1.3)))
    assert [item.seconds for item in own] == pytest.approx([0.3, 0.7, 1.1])  # type: ignore[union-attr]


def test_a_quality_of_png_is_refused(vidgru: Cli, clip: Path, out: Path) -> None:
    done = vidgru("extract", clip, "-o", out, "--format", "png", "--quality", 20)
    words = "Error: --quality is of jpg: leave it out, or give --format jpg.\n"
    assert (done.code, done.out, done.err) == (2, "", words)


def test_count_beyond_the_frames_gives_all_and_says_so(vidgru: Cli, clip: Path, out: Path) -> None:
    done = vidgru("extract", clip, "-o", out, "--count", 50)
    assert done.code == 0
    assert done.err == f"Warning: {clip} has only 20 frames in that span; --count asks for 50.\n"
    assert indices(out) == list(range(20))
    done = vidgru("extract", clip, "-o", out, "--count", 2, "--end", 0.05, "--overwrite")
    assert done.err == f"Warning: {clip} has only 1 frame in that span; --count asks for 2.\n"


def test_count_does_not_believe_the_file(vidgru: Cli, tmp_path: Path, out: Path) -> None:
    path = write_clip(tmp_path / "cut.mkv", noise(20), 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = vidgru("extract", path, "-o", out, "--count", 2)
    with open_video(path) as video:
        total = len(list(video))
    assert indices(out) == [total // 4, 3 * total // 4]
    assert done.code == 0
    assert done.err.count("ends early") == 1


@pytest.mark.parametrize(("size", "shape"), [("16", (12, 16)), ("20x30", (30, 20))])
@pytest.mark.parametrize("option", [[], ["--fps", "5"]])
def test_size(
    vidgru: Cli, clip: Path, out: Path, size: str, shape: tuple[int, int], option: list[str]
) -> None:
    vidgru("extract", clip, "-o", out, "--size", size, *option)
    assert {pixels(out / row["file"]).shape for row in table(out)} == {(*shape, 3)}


def test_quality(vidgru: Cli, clip: Path, out: Path) -> None:
    sizes = []
    for quality in (10, 95):
        vidgru("extract", clip, "-o", out / str(quality), "--count", 1, "--quality", quality)
        sizes.append((out / str(quality) / "0000010_000001.000s.jpg").stat().st_size)
    assert sizes[0] < 0.5 * sizes[1]


def test_json_lines(vidgru: Cli, clip: Path, out: Path, tmp_path: Path) -> None:
    done = vidgru("extract", clip, tmp_path / "no.mp4", "-o", out, "--every", 10, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[0] == {
        "file": str(out / "clip" / "0000000_000000.000s.jpg"),
        "source": str(clip),
        "index": 0,
        "time": 0.0,
        "reader": "opencv",
        "why": "",
    }
    assert lines[1]["time"] == 1.0
    error = f"Cannot read {tmp_path / 'no.mp4'}: no such file or folder."
    assert lines[2:] == [{"source": str(tmp_path / "no.mp4"), "error": error}]
    assert done.err == f"Error: {error}\n"
    assert done.code == 1


def test_one_bad_source_among_many(vidgru: Cli, tmp_path: Path, clip: Path, out: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    other = write_clip(tmp_path / "other.avi", noise(3), 10)
    done = vidgru("extract", clip, tmp_path / "bad.mp4", other, "-o", out)
    assert done.code == 1
    assert done.out == (
        f"{clip}: 20 frames in {out}/clip\n{other}: 3 frames in {out}/other\n"
        "23 frames of 2 sources, 1 failed\n"
    )
    assert done.err.splitlines() == [
        f"Error: Cannot read {tmp_path / 'bad.mp4'}: not a video that can be opened."
    ]
    assert [row["file"].split("/")[0] for row in table(out)] == ["clip"] * 20 + ["other"] * 3
    assert not (out / "bad").exists()


def test_one_source_twice_counts_twice(vidgru: Cli, clip: Path, out: Path) -> None:
    assert vidgru("extract", clip, clip, "-o", out).out == (
        f"{clip}: 20 frames in {out}/clip\n{clip}: 20 frames in {out}/clip-2\n"
        "40 frames of 2 sources\n"
    )


def test_a_folder_of_videos_is_mirrored(vidgru: Cli, tmp_path: Path, out: Path) -> None:
    videos = tmp_path / "videos"
    for name in (
        "b/x.avi",
        "b/x.mkv",
        "b/X.v2.avi",
        "a10.avi",
        "a2.AVI",
        ".hidden.avi",
        ".x/a.avi",
    ):
        write_clip(videos / name, noise(2), 10)
    (videos / "b" / "X.divx").write_bytes((videos / "b" / "x.avi").read_bytes())
    (videos / "cover.jpg").write_bytes(b"")
    vidgru("extract", videos, "-o", out)
    first = [row["file"] for row in table(out)[::2]]
    folders = ["a2", "a10", "b/x", "b/X-2", "b/x-3", "b/X.v2"]
    assert [Path(name).parent.as_posix() for name in first] == folders
    assert all((out / name).is_file() for name in first)
    names = ["0000000_000000.000s.jpg", "0000001_000000.100s.jpg"]
    assert [row["file"] for row in table(out / "b" / "x-3")] == names


def test_an_image_folder_is_one_source(vidgru: Cli, tmp_path: Path, out: Path) -> None:
    folder = write_images(tmp_path / "v1.5", noise(3), ["2.png", "10.png", "1.png"])
    vidgru("extract", folder, "-o", out / "one", "--format", "png")
    assert (pixels(out / "one" / "0000000_000000.000s.png") == noise(3)[2]).all()
    assert [row["seconds"] for row in table(out / "one")] == ["0.000000", "0.040000", "0.080000"]
    vidgru("extract", folder, folder / "1.png", "-o", out / "two")
    assert {Path(row["file"]).parent.name for row in table(out / "two")} == {"v1.5", "1"}


def test_an_empty_folder_is_named(vidgru: Cli, tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = vidgru("extract", tmp_path / "empty", "-o", out)
    assert done.code == 1
    assert done.err.endswith("empty: the folder holds neither videos nor images.\n")
    assert not out.exists()


def test_extracted_frames_can_be_a_source_with_their_times(clip: Path, out: Path) -> None:
    list(extract([clip, clip], out, ExtractConfig(fps=4, start=0.5)))
    for name in ("clip", "clip-2"):
        with open_video(out / name) as video:
            assert [frame.time for frame in video] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25])


def test_a_consumer_may_stop_early(clip: Path, out: Path) -> None:
    results = extract([clip], out, ExtractConfig())
    item = next(results)
    assert isinstance(item, ExtractedFrame)
    assert item.file.is_file()
    results.close()
    assert [row["file"] for row in table(out)] == files(out)[:-1]
    assert len(table(out)) < 20


def test_few_frames_wait_for_their_encoder(
    clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = iter(range(1000))
    real = verb.choose_frames

    def counted(*args: Any) -> Iterator[Any]:
        return (frame for frame in real(*args) if next(taken) >= 0)

    monkeypatch.setattr(verb, "choose_frames", counted)
    monkeypatch.setattr(verb, "WAITING_BYTES", 2 * noise(1).nbytes)
    results = extract([clip], out, ExtractConfig())
    next(results)
    assert next(taken) <= 4
    results.close()


@pytest.mark.parametrize(
    "options",
    [
        ["--fps", "0"],
        ["--fps", "nan"],
        ["--fps", "2000"],
        ["--every", "0"],
        ["--count", "-1"],
        ["--every", "2", "--count", "3"],
        ["--start", "3", "--end", "2"],
        ["--size", "12y8"],
        ["--size", "0x5"],
        ["--quality", "101"],
        ["--format", "gif"],
        ["--start", "x"],
    ],
)
def test_wrong_usage(vidgru: Cli, clip: Path, out: Path, options: list[str]) -> None:
    done = vidgru("extract", clip, "-o", out, *options)
    assert done.code == 2
    assert done.out == ""
    assert options[0] in done.err or options[2] in done.err
    assert not out.exists()


def test_wrong_usage_from_python() -> None:
    with pytest.raises(OptionError, match="only one of"):
        ExtractConfig(fps=1, count=1)


def test_output_error_from_python(clip: Path) -> None:
    with pytest.raises(OutputError):
        list(extract([clip], clip, ExtractConfig()))


def test_light_imports(clip: Path, out: Path) -> None:
    code = """if 1:
        import sys
        from vidgru.cli.main import main
        try:
            main(sys.argv[1:])
        except SystemExit:
            pass
        print(sorted({"PIL", "cv2", "torch", "tqdm", "rich"} & set(sys.modules)))"""
    run = [sys.executable, "-c", code, "extract"]
    help_text = subprocess.run([*run, "--help"], capture_output=True, text=True, check=True).stdout
    assert help_text.splitlines()[-1] == "[]"
    full = subprocess.run([*run, clip, "-o", out], capture_output=True, text=True, check=True)
    assert full.stdout.splitlines()[-1] == "['cv2']"
    assert full.stderr == ""
    assert np.diff(indices(out)).min() == 1


def test_names_that_a_spreadsheet_would_compute(
    vidgru: Cli, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("=1+1.avi", "@2.avi"):
        Path(name).write_bytes(clip.read_bytes())
    assert vidgru("extract", "=1+1.avi", "@2.avi", "-o", "out", "--every", 7)[0] == 0
    rows = table(Path("out"))
    assert {row["source"] for row in rows} == {"./=1+1.avi", "./@2.avi"}
    assert {row["file"].rsplit("/", 1)[0] for row in rows} == {"./=1+1", "./@2"}
    assert all((Path("out") / row["file"]).is_file() for row in rows)
    with open_video(Path("out/=1+1")) as video:  # with the times of its table
        times = []
        while (time := video.grab()) is not None:
            times.append(time)
    assert times == pytest.approx([0.0, 0.7, 1.4])


def test_no_garbage_is_looked_for_at_the_end() -> None:
    code = """if 1:
        import atexit, gc
        atexit.register(lambda: print(len(gc.get_objects())))  # is called last
        from vidgru.cli.main import main
        main(["--version"])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) < 1000
