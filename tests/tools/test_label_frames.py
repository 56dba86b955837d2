"""A key waits for as few frames as possible, and gets the one that was asked for."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import write_film
from video.test_seek import COUNT, number_in, numbered

from vidgru.tools.label.frames import FrameSource
from vidgru.video.seekable_file import SeekableFile


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with one key frame, of which each frame shows its number."""
    path = tmp_path_factory.mktemp("frames") / "a.mp4"
    return write_film(path, numbered(), options={"bf": "3", "g": str(COUNT)})


@pytest.fixture
def source(film: Path) -> Iterator[FrameSource]:
    source = FrameSource([film])
    until = time.monotonic() + 60
    while not source.open(0).index.complete:
        assert time.monotonic() < until
        time.sleep(0.01)
    yield source
    source.close()


def number_of(data: bytes) -> int:
    return number_in(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the frames that are decoded."""
    counts, before = [0], SeekableFile.next_frame

    def next_frame(self: SeekableFile, whole: int | None = None) -> object:
        counts[0] += 1
        return before(self, whole)

    monkeypatch.setattr(SeekableFile, "next_frame", next_frame)
    return counts


def test_a_key_takes_the_decoder_that_is_nearest(source: FrameSource, decoded: list[int]) -> None:
    source.picture(0, 2, 160)
    source.picture(0, 100, 160, ahead=True)
    begun = decoded[0]
    assert number_of(source.picture(0, 101, 160)) == 101
    assert decoded[0] - begun == 1
    # The other one looks ahead from then on, and both stay where they are.
    assert number_of(source.picture(0, 3, 160, ahead=True)) == 3
    assert number_of(source.picture(0, 102, 160)) == 102
    assert decoded[0] - begun == 3


def test_a_decoder_that_is_busy_is_not_waited_for(source: FrameSource) -> None:
    source.picture(0, 2, 160)
    source.picture(0, 100, 160, ahead=True)
    with source._places[0, True].lock:
        assert number_of(source.picture(0, 101, 160)) == 101


def test_decoders_that_change_places_give_the_right_frames(source: FrameSource) -> None:
    rng = random.Random(1)
    for _ in range(60):
        number = rng.randrange(COUNT)
        assert number_of(source.picture(0, number, 160, ahead=rng.random() < 0.5)) == number
