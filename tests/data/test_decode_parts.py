"""Many parts of one video are decoded in one pass, to the same frames as each by itself."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import noise, retime, write_clip

from vidgru.core.errors import VideoError
from vidgru.data import cache
from vidgru.data.cache import Sampling, Span, decode_clip, decode_parts
from vidgru.data.decode import _by_video, decode_clips
from vidgru.data.folder import Clip, clip_name
from vidgru.video.read import open_video


def parts_of(seed: int, seconds: float, count: int = 12) -> list[Span]:
    """Return parts that overlap, touch, or lie at and behind the end of a video."""
    chance = random.Random(seed)
    found: list[Span] = [(None, None), (0.0, 0.01), (seconds - 0.05, None)]
    found += [(seconds + 1, seconds + 2), (seconds - 0.15, seconds + 5)]
    for _ in range(count):
        start = round(chance.uniform(0, seconds), 3)
        found.append((start, round(start + chance.uniform(0.02, seconds / 2), 3)))
    chance.shuffle(found)
    return found


@pytest.fixture(params=["even", "uneven", "sudden"])
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a film; where frames suddenly come late, it must be read with all of them fetched."""
    path = write_clip(tmp_path / "a.mp4", noise(60), 10, "mp4v")
    gaps = {
        "even": [1024] * 60,
        "uneven": [512, 1536] * 30,
        "sudden": [512] * 40 + [4096] + [1890] * 19 + [1034],
    }
    return retime(path, gaps[request.param][:60])


@pytest.mark.parametrize("fps", [4.0, 10.0, 23.0])
@pytest.mark.parametrize("seed", range(3))
def test_parts_have_the_frames_that_each_has_by_itself(seed: int, fps: float, film: Path) -> None:
    sampling, parts = Sampling(fps, 16, 4), parts_of(seed, 6.0)
    found = dict(decode_parts(film, sampling, parts, lambda: None))
    assert found.keys() == {*range(len(parts))}
    for number, part in enumerate(parts):
        assert alike(found[number], film, sampling, part)
    assert 1 <= sum(isinstance(one, VideoError) for one in found.values()) <= 3


def alike(found: Any, film: Path, sampling: Sampling, part: Span) -> bool:
    """Return whether a part is what it is when decoded by itself."""
    try:
        segments, info = decode_clip(film, sampling, *part)
    except VideoError as error:
        return str(error) == str(found)
    return np.array_equal(segments, found[0]) and bool(info == found[1])


def test_long_parts_are_thinned_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_FRAMES", 16)
    film = write_clip(tmp_path / "a.avi", noise(90), 10)
    parts = [(0.0, 9.0), (1.0, 7.0), (2.0, 2.5)]
    for number, found in decode_parts(film, Sampling(10, 16, 2), parts, lambda: None):
        assert alike(found, film, Sampling(10, 16, 2), parts[number])


def clips_of(film: Path, parts: list[tuple[float, float]]) -> list[Clip]:
    return [Clip(film, clip_name(film.name, *p), "x", None, None, *p) for p in parts]


def test_what_is_cut_out_of_one_video_is_one_job(tmp_path: Path) -> None:
    cuts = [*clips_of(tmp_path / "a.avi", [(0.0, 1.0), (2.0, 3.0)])]
    cuts += clips_of(tmp_path / "b.avi", [(0.0, 1.0)])
    whole = [Clip(tmp_path / "a.avi", "a", "x"), Clip(tmp_path / "a.avi", "b", "y")]
    jobs = _by_video([(clip, "key") for clip in (cuts[0], whole[0], cuts[2], cuts[1], whole[1])])
    assert [[clip for clip, _ in job] for job in jobs] == [
        [cuts[0], cuts[1]], [whole[0]], [cuts[2]], [whole[1]],
    ]  # fmt: skip


def test_a_video_is_read_once_for_all_that_is_cut_out_of_it(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.avi", noise(40), 10)
    parts = [(0.0, 1.0), (3.0, 4.0), (2.0, 3.5), (7.0, 8.0)]
    results = list(decode_clips(clips_of(film, parts), Sampling(10, 16, 4), workers=1))
    assert [r.error for r in results][:3] == [None] * 3
    assert results[3].error == f"Cannot read {film} from 7 s to 8 s: no frame there."
    again = list(decode_clips(clips_of(film, parts[:3]), Sampling(10, 16, 4), workers=1))
    assert all(result.from_cache for result in again)


def test_what_is_wrong_with_a_video_is_said_of_each_part(tmp_path: Path) -> None:
    film = tmp_path / "a.avi"
    film.write_bytes(b"no video")
    parts = [(0.0, 1.0), (3.0, 4.0)]
    errors = [r.error for r in decode_clips(clips_of(film, parts), Sampling(10, 16, 4), workers=1)]
    assert errors == [f"Cannot read {film}: not a video that can be opened."] * 2


def test_parts_before_an_error_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = write_clip(tmp_path / "a.avi", noise(40), 10)
    with open_video(film) as video:
        kind = type(video)
    retrieve = kind.retrieve

    def broken(self: object, *size: object) -> object:
        if self.frames_read > 20:  # type: ignore[attr-defined]
            raise VideoError("broken")
        return retrieve(self, *size)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "retrieve", broken)
    parts = [(0.0, 1.0), (3.0, 4.0), (0.5, 1.5)]
    found = decode_parts(film, Sampling(10, 16, 4), parts, lambda: None)
    assert [next(found)[0], next(found)[0]] == [0, 2]
    with pytest.raises(VideoError, match="broken"):
        next(found)
