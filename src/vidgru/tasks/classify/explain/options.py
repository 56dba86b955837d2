"""Options of `explain`."""

from dataclasses import dataclass

from vidgru.core.errors import OptionError
from vidgru.core.options import option
from vidgru.engine.model_config import ModelConfig

METHODS = ("gradient", "occlusion")


@dataclass(frozen=True)
class ExplainConfig(ModelConfig):
    """What `explain` explains, and how."""

    label: str | None = option(
        None, "Class to explain. Default: the predicted class.", metavar="NAME", flag="class"
    )
    against: str | None = option(
        None,
        "Explain why this class was not predicted: relevance is for --class and against it.",
        metavar="NAME",
    )
    method: str = option(
        "gradient",
        "How maps are computed: from the gradient, or by hiding each part in turn (slow).",
        choices=METHODS,
    )
    start: float | None = option(None, "Begin at this second.", low=0, metavar="SECONDS")
    end: float | None = option(None, "Stop before this second.", above=0, metavar="SECONDS")
    summary: bool = option(
        False,
        "Explain no single video, but what the model looks at in all of them: a map for each"
        " class, and whether it decides by a corner or an edge.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.summary and (self.label is not None or self.against is not None):
            raise OptionError("--summary is of all classes: leave out --class and --against.")
        begin = self.start or 0.0
        if self.end is not None and self.end <= begin:
            raise OptionError(f"--end {self.end:g} must be later than --start {begin:g}.")
        if self.summary and (self.start is not None or self.end is not None):
            raise OptionError("--summary is of whole videos: leave out --start and --end.")
        if self.summary and self.method != "gradient":
            raise OptionError("--summary uses the gradient: leave out --method.")
