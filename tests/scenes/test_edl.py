"""Edit lists of scenes."""

from pathlib import Path

import pytest
from edit_lists import parse
from films import cuts_at
from scene_films import divided

from vidgru.tasks.scenes.edl import edit_list
from vidgru.video.file_clock import FileClock


def test_an_edit_list_gives_the_source_again() -> None:
    text = edit_list(divided())
    assert parse(text, 10) == [
        (1, "C", 0, 0, 15),
        (2, "C", 0, 15, 15), (2, "D", 10, 15, 33),
        (3, "C", 0, 33, 33), (3, "D", 5, 33, 50),
        (4, "C", 0, 50, 50), (4, "W001", 1, 50, 60),
    ]  # fmt: skip
    assert text.count("* FROM CLIP NAME: film.mkv\n") == 4
    assert text.count("* TO CLIP NAME: film.mkv\n") == 3
    assert text.count("* COMMENT: FADE\n") == 1


def test_timecodes_of_edit_lists_count_frames_at_the_rounded_rate() -> None:
    ntsc = cuts_at([(1800, 1800 * 1.001 / 30)], 108000, 3603.6, fps=30 / 1.001)
    text = edit_list(ntsc)
    assert "00:01:00:00 01:00:00:00" in text
    assert parse(text, 30) == [(1, "C", 0, 0, 1800), (2, "C", 0, 1800, 108000)]


def test_uneven_frames_go_by_time_in_edit_lists() -> None:
    uneven = cuts_at([(5, 0.5), (6, 0.51), (15, 4.0)], 20, 8.0, fps=10.0, variable=True)
    assert [(start, end) for *_, start, end in parse(edit_list(uneven), 10)] == [
        (0, 5), (5, 6), (6, 40), (40, 80)
    ]  # fmt: skip
    odd = cuts_at([(25, 2.0)], 125, 10.0)  # 12.5 frames/s, which no timecode has
    assert [(start, end) for *_, start, end in parse(edit_list(odd), 12)] == [(0, 24), (24, 120)]


def test_transitions_last_as_long_in_edit_lists() -> None:
    fast = edit_list(divided(60, 240.0))  # timecodes count 99 frames a second at most
    assert [event[2] for event in parse(fast, 99) if event[1] != "C"] == [4, 2, 1]
    slow = edit_list(divided(60, 0.5))
    assert [event[2] for event in parse(slow, 1) if event[1] != "C"] == [20, 10, 2]
    odd = edit_list(divided(60, 12.5))
    assert [event[2] for event in parse(odd, 12) if event[1] != "C"] == [10, 5, 1]


@pytest.mark.parametrize(("late", "first"), [(0.023, 0), (0.09, 0), (0.1, 1), (2.0, 20)])
def test_a_picture_less_than_a_frame_late_begins_at_0(late: float, first: int) -> None:
    text = edit_list(cuts_at([], 10, 1.0, fps=10.0), FileClock(start=late))
    seconds, frames = divmod(first, 10)
    assert f" 00:00:{seconds:02}:{frames:02} 00:00:{seconds + 1:02}:{frames:02} 00:00:00:00" in text


def test_names_in_edit_lists_stay_in_their_line() -> None:
    text = edit_list(cuts_at([], 10, 1.0, source="dir/-a\n* b\x1b\u202e.mp4"))
    assert "TITLE: -a?* b??.mp4\n" in text
    assert len(text.splitlines()) == 5


def test_many_scenes_in_an_edit_list(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    from vidgru.tasks.scenes.edl import write_edl

    many = cuts_at([(n, n / 10) for n in range(1, 1000)], 1000, 100.0)
    write_edl(many, tmp_path / "v.edl")
    assert "v.mp4 has 1000 scenes. The format has numbers up to 999" in caplog.text
    assert parse((tmp_path / "v.edl").read_text(), 10)[-1] == (1000, "C", 0, 999, 1000)
