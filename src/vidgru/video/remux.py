"""Copy encoded pictures and sound into another file, without decoding them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from vidgru.video.streams import film_of, open_container

LONGEST_PACKET = 0.05  # seconds; with longer ones sound cannot be cut where pictures are
LOOKED_AT = 50  # packets
Data: TypeAlias = "Packet[Any]"
OWN_TAGS = {"timecode", "duration", "encoder"}  # lower case; these are not copied to a part


class Sound:
    """One stream of sound of a file, read once, piece by piece."""

    def __init__(self, stream: AudioStream, packets: Iterable[Data]) -> None:
        self.stream = stream
        self._packets = _timed(packets)
        self._left: tuple[float, float, Data] | None = None

    def piece(self, start: float, end: float) -> Iterator[tuple[float, Data]]:
        """Yield the packets whose middle lies from `start` on and before `end`, in seconds.

        Each comes with its time, and with its time stamps relative to `start`. Pieces are requested
        in order.
        """
        late: float | None = None  # so that the first one does not start before the pictures
        while (item := self._left or next(self._packets, None)) is not None:
            time, length, packet = self._left = item
            if time + length / 2 >= end:
                return
            self._left = None
            if time + length / 2 < start:
                continue
            late = max(start - time, 0.0) if late is None else late
            base = packet.time_base
            packet.pts = packet.dts = round((time - start + late) / base)
            yield time - start + late, packet


def open_sounds(path: Path, stack: ExitStack) -> list[Sound]:
    """Return the sound streams of a file, which stays open as long as `stack`."""
    sounds = []
    with open_container(path) as container:
        count = len(container.streams.audio)
    for number in range(count):
        # A container for each: badly interleaved streams would have to wait in memory.
        container = stack.enter_context(open_container(path))
        stream = container.streams.audio[number]
        sounds.append(Sound(stream, container.demux(stream)))
    return sounds


def longest_packet(path: Path) -> float:
    """Return the usual length of the sound packets of a file, in seconds; 0 without sound."""
    longest = 0.0
    with ExitStack() as stack:
        for sound in open_sounds(path, stack):
            lengths = [length for _, length, _ in islice(sound._packets, LOOKED_AT)]
            longest = max(longest, median(lengths) if lengths else 0.0)
    return longest


def _timed(packets: Iterable[Data]) -> Iterator[tuple[float, float, Data]]:
    """Yield packets with times and lengths in seconds; missing ones are derived from others."""
    end = 0.0
    before: tuple[float, float, Data] | None = None
    for packet in packets:
        if packet.size == 0:
            continue
        base = float(packet.time_base)
        time = end if packet.pts is None else packet.pts * base
        length = (packet.duration or 0) * base
        if before is not None:
            # Some containers store no lengths.
            yield before[0], before[1] or max(time - before[0], 0.0), before[2]
        before = time, length, packet
        end = time + length
    if before is not None:
        yield before


def join(
    video: Path,
    target: Path,
    *,
    later: float = 0.0,
    sounds: Sequence[Sound] = (),
    span: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write the pictures of a file with a span of sounds, without its timecode.

    The first picture is shown at `later`, in seconds. Raises libav's errors.
    """
    # Not as `options`: libav would warn of those that a format does not know.
    options = {"movflags": "+faststart"}
    with (
        open_container(video) as source,
        av.open(f"file:{os.path.abspath(target)}", "w", container_options=options) as out,
    ):
        film = film_of(source)
        if film is None:
            raise ValueError("There are no pictures.")
        out.metadata.update(_tags(source.metadata))
        if film.start_time is not None and film.time_base is not None:
            later -= float(film.start_time * film.time_base)
        parts = [_for(_copied(out, film), _pictures(source.demux(film), later))]
        parts += [_for(_copied(out, sound.stream), sound.piece(*span)) for sound in sounds]
        for _, packet in merge(*parts, key=lambda item: item[0]):
            out.mux(packet)


def _for(stream: Stream, packets: Iterable[tuple[float, Data]]) -> Iterator[tuple[float, Data]]:
    for time, packet in packets:
        packet.stream = stream
        yield time, packet


def _pictures(packets: Iterable[Data], later: float) -> Iterator[tuple[float, Data]]:
    """Yield packets with the seconds at which they are decoded, all times `later`."""
    # Matroska stores no decoding times, and libav does not compute those of the first packets.
    undated: list[Data] = []
    for packet in packets:
        if packet.size == 0:  # at the end
            continue
        shift = round(later / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + shift
        if packet.dts is None:
            undated.append(packet)
            continue
        packet.dts += shift
        for number, early in enumerate(undated):
            early.dts = packet.dts - (len(undated) - number) * (packet.duration or 1)
            yield float(early.dts * early.time_base), early
        undated = []
        yield float(packet.dts * packet.time_base), packet
    for packet in undated:
        packet.dts = packet.pts
        yield float((packet.dts or 0) * packet.time_base), packet


def _copied(out: OutputContainer, stream: Stream) -> Stream:
    copy = out.add_stream_from_template(stream, opaque=True)  # or it would need an encoder
    copy.metadata.update(_tags(stream.metadata))
    return copy


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if name.lower() not in OWN_TAGS}
