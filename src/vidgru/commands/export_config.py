"""Where and how `vidgru export` writes."""

from dataclasses import dataclass

from vidgru.core.errors import OptionError
from vidgru.core.options import check, option


@dataclass(frozen=True)
class ExportConfig:
    """Where and how a model is exported."""

    out: str | None = option(
        None, "File to write. Default: model.onnx in the run folder.", metavar="FILE"
    )
    standalone: str | None = option(
        None,
        "Write a folder instead: model.onnx, one Python file that classifies videos with it and"
        " needs only numpy, opencv-python and onnxruntime, and one web page that classifies videos"
        " and the camera in a browser.",
        metavar="DIR",
    )
    ort_web: str | None = option(
        None,
        "Put onnxruntime-web into that page, from the folder of its npm package, so that it needs"
        " no network. Else a browser loads it from its pinned address.",
        metavar="DIR",
    )
    int8: bool = option(
        False,
        "Store the weights of the core and the head in 8 bits. The accuracy before and after is"
        " measured on clips of the run that were not learned from; without any it is refused."
        " Default file: model-int8.onnx.",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.out is not None and self.standalone is not None:
            raise OptionError("Give only one of --out and --standalone.")
        if self.ort_web is not None and self.standalone is None:
            raise OptionError("--ort-web is for the page of --standalone: give both.")
