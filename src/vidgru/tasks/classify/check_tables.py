"""Tables of problems of clips, on stdout."""

from rich.text import Text

from vidgru.core.text import printable
from vidgru.data.account import sentence
from vidgru.data.results import Checked, counted
from vidgru.terminal.tables import open_console


def show_checked(checked: Checked) -> None:
    """Print how many clips there are, and a sentence for each kind of problem."""
    console = open_console()
    counts = sorted(set(checked.clips.values())) or [0]
    each = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    clips, classes = (
        counted(sum(checked.clips.values()), "clip"),
        counted(len(checked.clips), "class"),
    )
    total = f"{clips} in {classes}, {each} each"
    if checked.groups is not None:
        total += f"; {counted(checked.groups, 'group')}"
    console.print(Text(f"{total}."))
    console.print(Text(sentence(checked.files, names=False)))
    styles = {"error": "bold red", "warning": "yellow", "note": "dim"}
    for finding in checked.findings:
        severity = (f"{finding.severity:<8} ", styles[finding.severity])
        console.print(Text.assemble(severity, printable(finding.sentence)), soft_wrap=True)
    if not checked.findings:
        console.print(Text("No problems found."))
