"""Distinguish live sources from files, and hide the secrets in an address."""

import os
import re
from pathlib import Path

from vidgru.core.errors import OptionError

CAMERA = re.compile(r"camera:([0-9]+)", re.IGNORECASE)
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # one letter is a drive
# Within a sentence: up to a space or the end of a quotation, unless an @ follows.
WITHIN = re.compile(r"[a-z][a-z0-9+.-]+://(?:\S*@)?[^\s'\"]*[^\s'\".,:]", re.IGNORECASE)
NO_FILE = (
    "{} is no file or folder. Live sources are only for `vidgru predict`, one at a time, and for "
    "stream() in Python."
)


def is_live(source: object) -> bool:
    """Return whether a source is a camera or an address: `camera:0`, or anything with `://`.

    A file of such a name can still be given as ./camera:0, or as a Path.
    """
    return isinstance(source, str) and bool(CAMERA.fullmatch(source) or URL.match(source.lstrip()))


def masked(source: str) -> str:
    """Return an address without its name, password and query, which may be secret."""
    if not URL.match(source.lstrip()):
        return source
    # Up to the last @: a password may contain any character, though it should not.
    hidden = re.sub(r"(?s)://.*@", "://***@", source)
    return re.sub(r"(?s)[?#].*", "?***", hidden)


def masked_within(text: str) -> str:
    """Return a sentence whose addresses are `masked`; what follows in quotes stays."""
    return WITHIN.sub(lambda found: masked(found[0]), text)


def check_path(path: str | Path) -> None:
    """Raise OptionError for what is no path, empty or live, where a file or folder is expected.

    No path has a null character: the system's functions fail on one with a ValueError.
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionError(f"A file or folder is given by its path, not by {type(path).__name__}.")
    if not os.fspath(path):  # which Path takes for the current folder
        raise OptionError("A path is empty: give a file or folder, such as . for this one.")
    if "\0" in os.fspath(path):
        raise OptionError(f"Invalid path {os.fspath(path)!r}. A path holds no null character.")
    if isinstance(path, str) and is_live(path):
        raise OptionError(NO_FILE.format(masked(path)))
