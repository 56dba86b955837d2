"""VIA, the VGG video annotator 3: projects and exported tables (robots.ox.ac.uk/~vgg/software)."""

import json
from pathlib import PurePath
from typing import Any

from vidgru.data.annotations.reader import Annotations, Document, Event, Reader

CHECKBOX, RADIO, SELECT = 2, 3, 4  # kinds of attributes that have options
HEAD = "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates"
ATTRIBUTES = ("# ATTRIBUTE = ", "# ATTRIBUTES = ")


class Project(Reader):
    """A project: views of files, and labels of stretches of them."""

    name, suffixes = "VIA project", frozenset((".json",))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        found = document.json
        return isinstance(found, dict) and {"attribute", "file", "metadata", "view"} <= found.keys()

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        parts = [document.json[name] for name in ("attribute", "file", "metadata", "view")]
        if not all(
            isinstance(p, dict) and all(isinstance(v, dict) for v in p.values()) for p in parts
        ):
            raise document.wrong("the project is damaged.")
        attributes, files, metadata, views = parts
        videos = {}
        for name, view in views.items():
            numbers = view.get("fid_list")
            if not isinstance(numbers, list) or len(numbers) != 1:
                raise document.wrong(f"the view {name!r} does not show one file.")
            file = files.get(str(numbers[0])) or {}
            videos[name] = document.video(file.get("fname") or file.get("src"))
        found = Annotations(videos=[*dict.fromkeys(videos.values())])
        others = 0
        for item in metadata.values():
            video = videos.get(str(item.get("vid")))
            if video is None:
                raise document.wrong("it says something of a view that it does not have.")
            event = _event(
                document, video, item.get("z"), item.get("xy"), item.get("av"), attributes
            )
            others += event is None
            found.events += [event] if event else []
        return _with_others(found, others)


class Table(Reader):
    """An exported table, below lines that begin with #."""

    name, suffixes = "VIA table", frozenset((".csv", ".txt"))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        return document.first_line.startswith("#") and HEAD in document.text

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        lines = document.text.splitlines(keepends=True)
        attributes: Any = {}
        for line in lines:
            for begin in ATTRIBUTES:
                if line.startswith(begin):
                    attributes = _json(document, line.removeprefix(begin), None)
        if not isinstance(attributes, dict):
            raise document.wrong("its attributes are damaged.")
        # So that lines keep their numbers.
        rest = "".join("\n" if line.startswith("#") else line for line in lines)
        found, others, videos = Annotations(), 0, dict[PurePath, None]()
        for line_number, cells in document.table(rest, ","):
            if len(cells) != 6:
                raise document.wrong(f"{len(cells)} cells instead of 6.", line_number)
            files, _, times, place, said = (
                _json(document, cell, line_number) for cell in cells[1:]
            )
            if not isinstance(files, list) or len(files) != 1:
                raise document.wrong("it is not about one file.", line_number)
            video = document.video(files[0], line_number)
            videos[video] = None
            event = _event(document, video, times, place, said, attributes, line_number)
            others += event is None
            found.events += [event] if event else []
        found.videos = list(videos)
        return _with_others(found, others)


def _json(document: Document, text: str, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise document.wrong("what stands there is damaged.", line) from None


def _with_others(found: Annotations, others: int) -> Annotations:
    if others:
        found.warnings.append(f"{others} entries are about no stretch of time, or say nothing")
    return found


def _event(
    document: Document,
    video: PurePath,
    times: Any,
    place: Any,
    said: Any,
    attributes: dict[str, Any],
    line: int | None = None,
) -> Event | None:
    """Return the label of a stretch of time or a moment, None for one of pictures."""
    if not isinstance(times, list) or not isinstance(place, list) or not isinstance(said, dict):
        raise document.wrong("an entry is damaged.", line)
    values = {
        key: value for key, value in said.items() if value not in ("", "_DEFAULT", None, [], {})
    }
    if place or not times or not values:
        return None
    if len(times) > 2:
        raise document.wrong("an entry has more than two times.", line)
    if len(values) > 1:
        names = ", ".join(repr(_name(attributes, key)) for key in sorted(values))
        raise document.wrong(
            f"a stretch has values of {names}: one of them must be the label. Clear the others.",
            line,
        )
    ((key, value),) = values.items()
    start, end = document.span(times[0], times[-1], line)
    return Event(video, _label(document, attributes.get(key), value, line), start, end)


def _name(attributes: dict[str, Any], key: str) -> str:
    attribute = attributes.get(key)
    name = attribute.get("aname") if isinstance(attribute, dict) else attribute
    return name if isinstance(name, str) else key


def _label(document: Document, attribute: Any, value: Any, line: int | None) -> str:
    """Return the option that a value stands for, or the text that it is."""
    options = attribute.get("options") if isinstance(attribute, dict) else None
    kind = attribute.get("type") if isinstance(attribute, dict) else None
    if kind in (CHECKBOX, RADIO, SELECT) and isinstance(options, dict) and isinstance(value, str):
        if kind == CHECKBOX and "," in value.strip(","):
            raise document.wrong("a stretch has several labels: give it one.", line)
        value = options.get(value.strip(",") if kind == CHECKBOX else value, value)
    return document.label(value, line)
