"""Make names from strangers harmless before a person's terminal shows them."""


def printable(text: str) -> str:
    r"""Return text with every character that could steer a terminal written as an escape.

    Line breaks, control characters, text direction marks and broken surrogates become \n, \x1b,
    \u202e and the like; letters of all scripts stay.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
