"""Text for a terminal: untrusted names made harmless, times, and the model's name."""

NOTE = 25  # the level of what is logged that a person should know, but need not mend


def printable(text: str) -> str:
    r"""Return text with every character that could steer a terminal written as an escape.

    Line breaks, control characters, text direction marks and broken surrogates become \n, \x1b,
    \u202e and the like; letters of all scripts stay.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def short(text: str, most: int = 80) -> str:
    """Return what a sentence quotes of a text that may be anything: one line, not a long one."""
    line = printable(text[: most + 1])
    return line if len(line) <= most else f"{line[:most]}..."


def clock(seconds: float, digits: int = 2) -> str:
    """Return a time as h:mm:ss.hh, with that many digits after the point, and no hour of 0."""
    minutes, rest = divmod(round(seconds, digits), 60)
    hours, left = divmod(int(minutes), 60)
    start = f"{hours}:{left:02}" if hours else f"{left}"
    return f"{start}:{rest:0{3 + digits if digits else 2}.{digits}f}"


def timecode(seconds: float) -> str:
    """Return a time as HH:MM:SS.mmm."""
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"
