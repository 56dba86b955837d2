"""A process that computes the features of clips with a picture encoder, a child of `data.pool`."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from vidgru.core.errors import ModelError, OptionError, OutputError, VideoError, VidgruError
from vidgru.data.cache import Sampling, Segments, Span, decode_clip, decode_parts
from vidgru.data.worker import Beat, Line, serve
from vidgru.engine.looks import Features, LooksEncoder
from vidgru.engine.looks_cache import store
from vidgru.engine.looks_views import fixed_view


def clip_features(
    encoder: LooksEncoder, segments: Segments, every: int, views: int, beat: Beat
) -> Features:
    """Return the features (segments, views, ceil(frames / every), F) of a decoded clip."""
    found = []
    for segment in segments:
        images = list(segment[::every])
        for view in range(views):
            found.append(encoder.encode(fixed_view(images, view)))
            beat()
    return np.stack(found).reshape(len(segments), views, *found[0].shape)


def _decoded(
    path: Path, sampling: Sampling, spans: Sequence[Span], beat: Beat
) -> Iterator[tuple[int, Segments | VideoError]]:
    if len(spans) == 1:
        yield 0, decode_clip(path, sampling, *spans[0], beat)[0]
        return
    done = set[int]()
    with suppress(VideoError):  # what is behind an error is found out below
        for number, found in decode_parts(path, sampling, spans, beat):
            done.add(number)
            yield number, found if isinstance(found, VideoError) else found[0]
    for number, span in enumerate(spans):
        if number not in done:
            yield number, decode_clip(path, sampling, *span, beat)[0]


def _answer(opened: list[LooksEncoder], request: Line, beat: Beat) -> Line:
    path, every, views = Path(request["path"]), request["every"], request["views"]
    beat()
    try:
        if not opened:
            colours: dict[str, Any] = {name: tuple(request[name]) for name in ("mean", "std")}
            opened.append(LooksEncoder(Path(request["encoder"]), **colours))
        spans = [(start, end) for start, end, _ in request["parts"]]
        for number, found in _decoded(path, Sampling(**request["sampling"]), spans, beat):
            if isinstance(found, VideoError):
                return {"error": str(found)}
            features = clip_features(opened[0], found, every, views, beat)
            store(request["parts"][number][2], features, Path(request["folder"]))
    except (ModelError, OptionError, OutputError) as error:
        return {"error": str(error), "kind": type(error).__name__}
    except VidgruError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever fails in one file
        return {"error": f"Cannot read {path}: {type(error).__name__}: {error}"}
    return {}


def main() -> None:
    """Serve until standard input ends."""
    opened: list[LooksEncoder] = []
    serve(lambda request, beat: _answer(opened, request, beat))


if __name__ == "__main__":
    main()
