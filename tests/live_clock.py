"""A clock that stands still between steps, for readers of live sources."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 5e8


class Nothing(Exception):  # noqa: N818
    """There is nothing to take yet."""


def nothing(seconds: float) -> None:
    assert 0 < seconds <= 0.5
    raise Nothing
