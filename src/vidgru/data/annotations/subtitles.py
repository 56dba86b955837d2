"""Subtitles, .srt and .vtt: each text is the label of the time for which it is shown."""

import re

from vidgru.data.annotations.reader import Annotations, Document, Event, Reader, without_markup

ARROW = re.compile(r"\s*(\S+)\s+-->\s+(\S+)(?:\s.*)?")


class Subtitles(Reader):
    """Texts with times, of the video that is called like the file."""

    name, suffixes = "subtitles", frozenset((".srt", ".vtt"))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        return " --> " in document.text

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        video = document.own_video()
        found = Annotations(videos=[video], named=False)
        lines = document.text.splitlines()
        for number, line in enumerate(lines, 1):
            if not (match := ARROW.fullmatch(line)):
                continue
            start, end = document.span(match[1], match[2], number)
            end_of_text = number
            while end_of_text < len(lines) and lines[end_of_text].strip():
                if ARROW.fullmatch(lines[end_of_text]):  # no blank line before the next text
                    end_of_text -= lines[end_of_text - 1].strip().isdecimal()
                    break
                end_of_text += 1
            label = without_markup(" ".join(lines[number:end_of_text]))
            found.events.append(Event(video, document.label(label, number), start, end))
        return found
