"""Edit lists, read as an editor would."""

import re

EVENT = re.compile(
    r"(?P<number>\d{3,})  (?P<reel>\S{1,8}) {1,8} V     "
    r"(?P<code>C   |D   |W001) (?P<length>   |\d{3}) "
    + " ".join(rf"(?P<{name}>\d\d:\d\d:\d\d:\d\d)" for name in ("a", "b", "c", "d"))
)


def parse(text: str, rate: int) -> list[tuple[int, str, int, int, int]]:
    """Return the events of an edit list: number, code, length, first frame, last frame + 1."""

    def frames(code: str) -> int:
        hours, minutes, seconds, rest = map(int, code.split(":"))
        assert rest < rate
        return ((hours * 60 + minutes) * 60 + seconds) * rate + rest

    title, mode, *lines = text.splitlines()
    assert title.startswith("TITLE: ")
    assert mode == "FCM: NON-DROP FRAME"
    events = []
    for line in lines:
        if not line or line.startswith("* "):
            continue
        found = EVENT.fullmatch(line)
        assert found, line
        a, b, c, d = (frames(found[name]) for name in "abcd")
        assert (a, b) == (c, d)
        code, length = found["code"].strip(), int(found["length"].strip() or 0)
        events.append((int(found["number"]), code, length, a, b))
    return events
