"""The cache of decoded frames: right pixels, decoded once, never believed when broken."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import numpy as np
import pytest
from helpers import noise, write_clip, write_images
from numpy.lib import format as npy
from numpy.typing import NDArray

from vidgru.core.errors import OutputError, ProcessError
from vidgru.data import cache, decode
from vidgru.data.cache import (
    SMALL,
    Sampling,
    cache_folder,
    cache_key,
    content_of,
    decode_clip,
    load,
    store,
    trim,
)
from vidgru.data.decode import Decoded, decode_clips
from vidgru.data.folder import Clip
from vidgru.video.info import VideoInfo
from vidgru.video.read import shrink

SAMPLING = Sampling(5.0, 16, 4)
CLIP = Path("clip.avi")
FACTS = VideoInfo(32, 24, 10.0, "ffv1", 0, 20, 20, 2.0, False)


# What may befall a file of the cache.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-1],
    "long": lambda content: content + b"x",
    "no info": lambda content: content[: content.rindex(b"{")],
    "no object": lambda content: content[: content.rindex(b"{")] + b"[]",
    "a fact too few": lambda content: content.replace(b'"rotation": 0, ', b""),
    "a fact too many": lambda content: content.replace(b'"rotation"', b'"x": 1, "rotation"'),
    "text for a number": lambda content: content.replace(b'"fps": 10.0', b'"fps": "10"'),
    "no number": lambda content: content.replace(b'"fps": 10.0', b'"fps": NaN'),
    "no warnings": lambda content: content.replace(b'"warnings": []', b'"warnings": [1]'),
    "empty": lambda content: b"",
    "text": lambda content: b"hello",
}


def as_clip(path: Path) -> Clip:
    return Clip(path, path.name, "a")


def run(*paths: Path, sampling: Sampling = SAMPLING) -> dict[str, Decoded]:
    return {r.clip.name: r for r in decode_clips([as_clip(p) for p in paths], sampling)}


def test_without_a_home_the_message_names_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    for name in ("VIDGRU_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(OutputError, match="has no home folder"):
        cache.cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "/kept")
    assert cache.cache_folder() == Path("/kept/vidgru")


def test_decodes_at_the_rate_and_size(clip: Path, frames: np.ndarray) -> None:
    result = run(clip)["clip.avi"]
    assert result.segments is not None
    expected = np.stack([shrink(frame, (16, 16)) for frame in frames[::2]])
    assert np.array_equal(result.segments[0], expected)
    assert not result.from_cache


def test_the_second_time_nothing_is_decoded(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(clip)["clip.avi"]
    monkeypatch.setattr(decode, "Pool", None)  # no worker can be made
    again = run(clip.rename(clip.with_name("moved.avi")))["moved.avi"]
    assert again.from_cache
    assert np.array_equal(again.segments, first.segments)


def test_info_and_warnings_come_the_second_time_too(tmp_path: Path, clip: Path) -> None:
    first = run(clip)["clip.avi"]
    assert first.info == VideoInfo(32, 24, 10.0, "ffv1", 0, 20, 20, 2.0, False)
    assert first.key == cache_key(clip, SAMPLING)
    folder = write_images(tmp_path / "images", noise(3), ["1.png", "2.png", "3.png"])
    (folder / "2.png").write_text("no image")
    moved = tmp_path / "moved"
    for path in (folder, moved):
        if path == moved:
            folder.rename(moved)
        result = run(clip, path)
        assert (result["clip.avi"].info, result["clip.avi"].key) == (first.info, first.key)
        info = result[path.name].info
        warning = f"Skipped {path / '2.png'}: not an image that OpenCV can read."
        assert info == VideoInfo(32, 24, 25.0, "images", 0, None, 2, 0.16, False, (warning,))
        assert result[path.name].from_cache == (path == moved)


def test_the_key_is_content_and_settings(tmp_path: Path, clip: Path) -> None:
    copy = tmp_path / "copy.avi"
    copy.write_bytes(clip.read_bytes())
    keys = {cache_key(clip, SAMPLING), cache_key(copy, SAMPLING)}
    assert len(keys) == 1
    copy.write_bytes(clip.read_bytes() + b"x")
    keys |= {cache_key(copy, SAMPLING)}
    keys |= {cache_key(clip, Sampling(*other)) for other in [(6, 16, 4), (5, 17, 4), (5, 16, 5)]}
    folder = write_images(tmp_path / "images", noise(2), ["1.png", "2.png"])
    keys.add(cache_key(folder, SAMPLING))
    (folder / "2.png").rename(folder / "0.png")
    keys.add(cache_key(folder, SAMPLING))
    assert len(keys) == 7
    # Of these, the settings are not content.
    assert len({content_of(key) for key in keys}) == 4


def test_results_carry_their_keys(clip: Path, tmp_path: Path) -> None:
    for _ in range(2):  # decoded, then from the cache
        results = run(clip, tmp_path / "absent.avi")
        assert results["clip.avi"].key == cache_key(clip, SAMPLING)
        assert results["absent.avi"].key == ""


@pytest.mark.parametrize("damage", [*DAMAGES, "header", "pickle"])
def test_a_broken_file_is_rebuilt(clip: Path, damage: str) -> None:
    whole = np.array(run(clip)["clip.avi"].segments)
    path = cache_folder() / f"{cache_key(clip, SAMPLING)}.npy"
    content = path.read_bytes()
    if damage == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        change = DAMAGES.get(damage, lambda content: content.replace(b"{", b"x", 1))
        path.write_bytes(change(content))
        assert path.read_bytes() != content
    again = run(clip)["clip.avi"]
    assert not again.from_cache
    assert np.array_equal(again.segments, whole)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "wrong",
    [
        noise(4, 16, 16),
        noise(4, 16, 8)[None],
        noise(0, 16, 16)[None],
        noise(4, 16, 16)[None].view(np.int8),
        np.asfortranarray(noise(4, 16, 16)[None]),
    ],
    ids=["four axes", "other side", "nothing", "signed", "other order"],
)
def test_another_array_is_not_believed(tmp_path: Path, wrong: np.ndarray) -> None:
    np.save(tmp_path / "key.npy", wrong)
    assert load("key", CLIP, SAMPLING, tmp_path) is None


@pytest.mark.parametrize("shape", [(1, 5), (1, 10**12), (-1, -4), (1.0, 4), "x"])
def test_a_header_that_lies_is_not_believed(tmp_path: Path, shape: object) -> None:
    whole = (*shape, 16, 16, 3) if isinstance(shape, tuple) else shape
    with open(tmp_path / "key.npy", "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": whole}
        npy.write_array_header_1_0(file, header)
        file.write(noise(4, 16, 16).tobytes())
    assert load("key", CLIP, SAMPLING, tmp_path) is None


def test_a_folder_in_the_place_of_a_file_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "key.npy").mkdir()
    assert load("key", CLIP, SAMPLING, tmp_path) is None


@pytest.mark.parametrize("name", [b"a b%s\n'\"", "caf\u00e9".encode(), b"caf\xe9"], ids=str)
def test_what_is_loaded_is_mapped_read_only_and_outlives_its_file(
    tmp_path: Path, name: bytes
) -> None:
    folder, segments = tmp_path / os.fsdecode(name), noise(4, 16, 16)[None]
    store("key", CLIP, segments, FACTS, folder)
    stored = load("key", CLIP, SAMPLING, folder)
    assert stored is not None
    loaded, info = stored
    assert info == FACTS
    (folder / "key.npy").unlink()
    assert np.array_equal(loaded, segments)
    assert not loaded.flags.writeable


def test_more_clips_than_files_may_be_open(tmp_path: Path) -> None:
    assert SMALL < 90 * 16 * 16 * 3
    for number in range(200):
        segments = np.full((1, 90, 16, 16, 3), number, dtype=np.uint8)
        store(str(number), CLIP, segments, FACTS, tmp_path)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from vidgru.data.cache import Sampling, load\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "folder, sampling = Path(sys.argv[1]), Sampling(5.0, 16, 4)\n"
        "clips = [load(str(n), folder, sampling, folder)[0] for n in range(200)]\n"
        "print([int(clip[-1, -1, -1, -1, -1]) for clip in clips] == list(range(200)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_more_clips_than_a_system_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, length: int) -> NDArray[np.uint8]:
        raise RuntimeError("unable to mmap: Cannot allocate memory (12)")

    monkeypatch.setattr(cache, "_map", refuse)
    sampling = Sampling(5.0, 16, 4)
    small, large = (np.full((1, n, 16, 16, 3), n, dtype=np.uint8) for n in (1, 90))
    store("small", CLIP, small, FACTS, tmp_path)
    store("large", CLIP, large, FACTS, tmp_path)
    loaded = load("small", CLIP, sampling, tmp_path)
    assert loaded is not None
    assert np.array_equal(loaded[0], small)
    with pytest.raises(OutputError, match=r"Cannot map one more .*train on fewer clips"):
        load("large", CLIP, sampling, tmp_path)


def test_decoding_processes_do_without_torch() -> None:
    """It would cost each of them a second and 200 MB."""
    program = "import sys, vidgru.data.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_a_file_that_cannot_be_marked_as_used_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    store("key", CLIP, noise(4, 16, 16)[None], FACTS, tmp_path)
    monkeypatch.setattr(os, "utime", refuse)
    assert load("key", CLIP, SAMPLING, tmp_path) is not None


def test_one_bad_clip_costs_only_itself(tmp_path: Path, clip: Path) -> None:
    bad, gone = tmp_path / "bad.mp4", tmp_path / "gone.mp4"
    bad.write_text("no video")
    results = run(clip, bad, gone)
    assert results["clip.avi"].segments is not None
    assert results["bad.mp4"].error == f"Cannot read {bad}: not a video that can be opened."
    assert results["gone.mp4"].error == f"Cannot read {gone}: No such file or directory."


def test_a_decoder_that_dies_or_hangs_costs_one_clip(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "SECONDS_PER_CLIP", 3.0)
    script = tmp_path / "worker.py"
    script.write_text(
        "import os, time\n"
        "from vidgru.data import worker\n"
        "real = worker.decode_clip\n"
        "def fake(path, *rest):\n"
        "    with open(path.with_suffix('.asked'), 'a') as file:\n"
        "        first = file.write('x') and file.tell() == 1\n"
        "    'die' in path.name and os._exit(9)\n"
        "    'once' in path.name and first and os.kill(os.getpid(), 9)\n"
        "    'hang' in path.name and time.sleep(60)\n"
        "    return real(path, *rest)\n"
        "worker.decode_clip = fake\n"
        "worker.main()\n"
    )
    monkeypatch.setattr(decode, "WORKER", [sys.executable, str(script)])
    paths = [clip]
    for number, name in enumerate(["die.avi", "hang.avi", "once.avi", "fine.avi"]):
        paths.append(write_clip(tmp_path / name, noise(6, seed=number + 5), 10))
    results = run(*paths)
    for name in ("die.avi", "hang.avi"):
        assert results[name].error == (
            f"Cannot read {tmp_path / name}: the decoder crashed or hung on it."
        )
    for name, count in (("die", 2), ("hang", 1), ("once", 2), ("fine", 1), ("clip", 1)):
        assert (results[f"{name}.avi"].segments is None) == (name in ("die", "hang"))
        assert (tmp_path / f"{name}.asked").read_text() == "x" * count


def test_decoders_that_cannot_start_are_no_bad_clips(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        decode, "WORKER", [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    )
    sentence = r"A process that reads videos ended before it began \(signal 9\)\. Where memory is"
    with pytest.raises(ProcessError, match=sentence):
        run(clip)


def test_long_clips_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_FRAMES", 32)
    frames = (
        np.zeros((150, 8, 8, 3), np.uint8) + np.arange(150, dtype=np.uint8)[:, None, None, None]
    )
    segments, info = decode_clip(write_clip(tmp_path / "a.avi", frames, 5), Sampling(5, 8, 4))
    starts = [int(segment[0, 0, 0, 0]) for segment in segments]
    assert info.warnings == ()
    assert segments.shape[1:] == (8, 8, 8, 3)
    assert len(segments) * 8 <= 32
    assert starts == list(range(0, 150, 64))[: len(starts)]
    assert starts[-1] > 100
    for segment in segments:
        assert [int(f[0, 0, 0]) for f in segment] == list(
            range(int(segment[0, 0, 0, 0]), int(segment[0, 0, 0, 0]) + 8)
        )


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDGRU_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="Set VIDGRU_CACHE to a folder with free space"):
        run(clip)


def test_trim_removes_what_was_not_used_lately(tmp_path: Path) -> None:
    segments = np.zeros((1, 2, 16, 16, 3), np.uint8)
    for key in ("a", "b", "c"):
        store(key, CLIP, segments, FACTS, tmp_path)
    size = (tmp_path / "a.npy").stat().st_size
    for key, when in (("a", 100), ("b", 50), ("c", 200)):
        path = tmp_path / f"{key}.npy"
        os.utime(path, (when, when))
    assert load("b", CLIP, SAMPLING, tmp_path) is not None  # now the latest
    trim(tmp_path, limit=2 * size)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.npy", "c.npy"]


def test_what_others_remove_or_own_does_not_stop_trimming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{n}.npy" for n in range(4)]
    for n, path in enumerate(paths):
        path.write_bytes(bytes(10))
        os.utime(path, (n, n))
    stat, unlink = Path.stat, Path.unlink

    def gone(path: Path, **options: Any) -> os.stat_result:
        if path == paths[0]:
            raise FileNotFoundError(2, "No such file")
        return stat(path, **options)

    def kept(path: Path, **options: Any) -> None:
        if path == paths[1]:
            raise PermissionError(1, "Not permitted")
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", gone)
        patch.setattr(Path, "unlink", kept)
        trim(tmp_path, limit=20)
    assert [path.exists() for path in paths] == [True, True, False, True]


def test_a_cache_that_loses_what_was_written_is_named(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "load", lambda *args: None)
    with pytest.raises(OutputError, match="lost a file just written"):
        run(clip)


def test_what_a_killed_process_left_half_written_is_removed_a_day_later(tmp_path: Path) -> None:
    old, new = tmp_path / "a.part", tmp_path / "b.part"
    for path, age in ((old, 2 * 86_400), (new, 60)):
        path.write_bytes(b"half")
        os.utime(path, (time() - age, time() - age))
    trim(tmp_path)
    assert [old.exists(), new.exists()] == [False, True]
