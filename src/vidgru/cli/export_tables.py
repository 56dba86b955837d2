"""The table of an export."""

from pathlib import Path
from shlex import quote

from rich.table import Table
from rich.text import Text

from vidgru.core.text import printable
from vidgru.data.results import counted
from vidgru.engine.onnx_export import ExportResult
from vidgru.terminal.results import as_typed
from vidgru.terminal.tables import open_console, percent


def show_export(result: ExportResult) -> None:
    """Print how far the file is from torch, and where it is."""
    labelled = any(one.same is not None for one in result.differences)
    table = Table(box=None, header_style="")
    table.add_column("compared")
    table.add_column("largest difference", justify="right")
    if labelled:
        table.add_column("label")
    for one in result.differences:
        label = {True: "same", False: "other", None: ""}[one.same]
        table.add_row(one.compared, f"{one.difference:.1e}", *([label] if labelled else []))
    console = open_console()
    console.print(table)
    if (int8 := result.int8) is not None:
        console.print(
            f"Accuracy on {counted(int8.clips, 'held-out clip')}: {percent(int8.before)} before, "
            f"{percent(int8.after)} with 8 bits."
        )
    of = (
        "drawn frames"
        if result.clip is None
        else f"frames of {printable(as_typed(Path(result.clip)))}"
    )
    size = f"{result.size / 1e6:.1f} MB"
    beside = "".join(f" It needs {printable(str(path))} beside it." for path in result.beside)
    written = f"Run on {of}. Written: {printable(str(result.path))}, {size}.{beside}"
    console.print(Text(written), soft_wrap=True)
    if result.alone:
        program, page = (printable(quote(str(path))) for path in result.alone)
        run = f"To classify a video: python {program} VIDEO. In a browser, open {page}."
        console.print(Text(run), soft_wrap=True)
