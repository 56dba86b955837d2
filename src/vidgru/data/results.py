"""Results about a folder of clips: its split and its problems."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class Split(ToDict):
    """How clips were split into train, val and test.

    clips and groups: counts by part, groups None where there are none; group_by: what made them;
    suggested: whether that was taken from names or tables, not given; together and apart: number of
    pairs of copies on one side, or in one fold, and of the others; given: whether folders or
    tables define the validation part; noun: what a group is called; mixed: another possible value
    of `--group-by` whose groups lie on several sides.
    """

    clips: dict[str, int]
    groups: dict[str, int] | None
    group_by: str | None
    suggested: bool
    together: int
    apart: int
    given: bool
    noun: str | None
    mixed: tuple[str, ...]


NAMED = 3  # clips or files that a sentence names
IRREGULAR = {"class": "classes", "child": "children", "match": "matches", "mouse": "mice"}


def counted(count: int, noun: str) -> str:
    """Return "1 mouse" or "3 mice"."""
    return f"{count} {noun if count == 1 else IRREGULAR.get(noun, noun + 's')}"


def some_of(names: Sequence[str]) -> str:
    """Return up to three names, and how many more there are."""
    more = len(names) - NAMED
    shown = list(names[:NAMED]) + ([f"{more} more"] if more > 0 else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


@dataclass(frozen=True)
class Shortcut(ToDict):
    """How well one irrelevant property predicts the class.

    cue: "aspect ratio", "duration" ...; accuracy: balanced, cross-validated by group; chance: the
    accuracy of guessing; found: whether it is so far above chance that a network may rely on it.
    """

    cue: str
    accuracy: float
    chance: float
    found: bool


@dataclass(frozen=True)
class Finding(ToDict):
    """Something about a folder of clips that the user should know before training.

    kind: one word or two, the same for all of a kind; severity: "error" (those clips cannot be
    used), "warning" (figures will mislead) or "note"; clips: names of those concerned.
    """

    kind: str
    severity: str
    sentence: str
    clips: tuple[str, ...] = ()


REFUSED = "refused"  # the kind of a finding for which `train` refuses a folder


@dataclass(frozen=True)
class LeftOut(ToDict):
    """Files or rows that give no clip, and why.

    kind and severity: as those of a Finding; reason: completes "3 files are left out, ..."; advice:
    what to do, a sentence, or "".
    """

    kind: str
    severity: str
    reason: str
    files: tuple[str, ...]
    advice: str = ""


@dataclass(frozen=True)
class Account(ToDict):
    """What became of all files that lie in a folder, of annotations, or of all rows of a list.

    found: how many there are; used: how many by what they are: "videos", "pictures", "tables",
    "rows", "annotations"; clips: how many by part ("train", "val", "test" or "" for none). What is
    used and what is left out together are all that was found. notes: what else is to say of how
    they lie.
    """

    found: int
    used: dict[str, int]
    clips: dict[str, int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[Finding, ...]


@dataclass(frozen=True)
class Checked(ToDict):
    """What `check` found in a folder of clips.

    clips: readable clips by label; files: what became of all files; group_by: the `--group-by` to
    use, None where names and tables suggest none; groups: how many that makes; shortcuts: every cue
    that was tried; refused: how many findings, the first ones, are why `train` refuses the folder.
    """

    _keys = (..., "refused")

    folder: Path
    clips: dict[str, int]
    files: Account
    findings: tuple[Finding, ...]
    group_by: str | None
    groups: int | None
    shortcuts: tuple[Shortcut, ...]

    @property
    def refused(self) -> int:
        """Return for how many reasons `train` refuses the folder."""
        return sum(finding.kind == REFUSED for finding in self.findings)
