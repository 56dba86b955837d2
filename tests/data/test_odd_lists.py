"""Lists and annotations that nobody would write by hand: one sentence each, and soon."""

from vidgru.video.read import natural_key


def test_a_number_of_thousands_of_digits_is_a_text() -> None:
    names = ["1" * 5000, "b", "2", "10", "1" * 5000 + "b"]
    assert sorted(names, key=natural_key) == ["2", "10", "1" * 5000, "1" * 5000 + "b", "b"]
