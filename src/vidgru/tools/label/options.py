"""Options of labelling."""

from dataclasses import dataclass

from vidgru.core.errors import OptionError
from vidgru.core.options import check, documented, option

BACKGROUND = "none"  # the class of time in which nothing happens that counts
MAX_LABEL = 255  # characters, as for names of folders
FORMULA = ("=", "+", "-", "@")  # how cells that spreadsheets compute begin


@documented
@dataclass(frozen=True)
class LabelConfig:
    """How `label` starts."""

    out: str = option(
        "labels.csv",
        "List of labels to write, and to continue if it is there: path,label,start,end.",
        metavar="FILE",
    )
    classes: str | None = option(
        None, "Classes to begin with, separated by commas; more can be added on the page.",
        metavar="NAME,...",
    )  # fmt: skip
    model: str | None = option(
        None, "Run folder or model file of a classifier whose suggestions are shown.", metavar="RUN"
    )

    def __post_init__(self) -> None:
        check(self)
        for name in self.class_names():
            check_label(name)

    def class_names(self) -> list[str]:
        """Return the names in `classes`, each once."""
        names = (name.strip() for name in (self.classes or "").split(","))
        return list(dict.fromkeys(name for name in names if name))


def check_label(label: str) -> None:
    """Raise OptionError for a text that cannot be the name of a class in a list."""
    if not label or label != label.strip() or not label.isprintable():
        raise OptionError(f"{label!r} is no name for a class: give one line of text.")
    if len(label) > MAX_LABEL:
        raise OptionError(f"The name of a class has at most {MAX_LABEL} characters.")
    if label.startswith(FORMULA):
        raise OptionError(
            f"{label!r} is no name for a class: spreadsheets would compute it. Begin with a letter."
        )
