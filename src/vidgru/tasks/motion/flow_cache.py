"""Measure the motion in decoded clips, once, and cache it with them.

A child of `data.pool` does that; run as a program, this module is one.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import OutputError, VidgruError
from vidgru.core.files import replacing
from vidgru.core.results import Progress
from vidgru.data.cache import Sampling, Segments, cache_folder, load_numbers, trim
from vidgru.data.decode import SECONDS_PER_CLIP, Readings, crashed
from vidgru.data.folder import Clip
from vidgru.data.pool import Pool, cores, program
from vidgru.data.worker import Beat, Line, serve
from vidgru.tasks.motion.flow import FlowMeter, cell_means, moving_share
from vidgru.tasks.motion.spec import FINE
from vidgru.video.cuts import AROUND, mark_cuts
from vidgru.video.read import Frame

VERSION = 4  # raise it when the same frames would give other numbers
WORKER = program("vidgru.tasks.motion.flow_cache")

Flow = NDArray[np.float16]


def measure(segments: Segments, rate: float, aspect: float) -> Flow:
    """Return motion (segments, T, F, F, 3) of frames uint8 (segments, T, S, S, 3), F = S / FINE.

    The means over cells of FINE by FINE pixels: velocity in widths/s to the right and heights/s
    down, of the contents of a frame, since the frame before; and the share that moves. Zero for the
    first frame of a segment or a shot. rate: frames/s; aspect: height of the source for a width of
    one. The flow is that of Kroeger et al. 2016 (DIS).
    """
    count, length, side = segments.shape[:3]
    found = np.zeros((count, length, side // FINE, side // FINE, 3), np.float16)
    for frames, fields in zip(segments, found, strict=True):
        seen = (Frame(rgb, time / rate, time) for time, rgb in enumerate(frames))
        for frame, new in mark_cuts(seen):
            # With few frames around it, any large change would be a cut.
            if new and (frame.index == 0 or length > 2 * AROUND):
                meter = FlowMeter(rate)
            velocity, time = meter.next(frame.rgb), frame.index
            fields[time, ..., :2] = cell_means(velocity)
            fields[time, ..., 2] = moving_share(velocity, aspect)
    return found


def flow_steps(data: Readings, sampling: Sampling) -> Generator[Progress, None, dict[Clip, Flow]]:
    """Measure the motion in all clips, or find it in the cache, yielding Progress.

    Raises OutputError, ProcessError.
    """
    folder, flows = cache_folder(), dict[Clip, Flow]()
    missing = []
    for clip, segments in data.frames.items():
        name, shape = _name(data.keys[clip]), _shape(segments)
        if (stored := load_numbers(folder / name, shape, np.float16)) is not None:
            flows[clip] = stored
            yield Progress("measuring motion", len(flows), len(data.frames), "from the cache")
            continue
        info = data.info[clip]
        request: dict[str, Any] = {
            "frames": str(folder.absolute() / f"{data.keys[clip]}.npy"),
            "flow": str(folder.absolute() / name),
            "rate": sampling.rate(info.fps),
            "aspect": info.height / info.width,
        }
        missing.append((clip, request))
    requests = dict(missing)
    if not missing:
        return flows
    with Pool(WORKER, min(len(missing), cores()), SECONDS_PER_CLIP) as pool:
        for clip, reply in pool.replies(missing):
            if reply is None or "error" in reply:
                raise OutputError(reply["error"] if reply else crashed(clip.path))
            path = folder / _name(data.keys[clip])
            if reply.get("gone"):  # from a cache that is too small; they are still mapped here
                rate, aspect = requests[clip]["rate"], requests[clip]["aspect"]
                _write(path, measure(data.frames[clip], rate, aspect))
            stored = load_numbers(path, _shape(data.frames[clip]), np.float16)
            if stored is None:
                raise OutputError(f"The cache in {folder} lost a file just written.")
            flows[clip] = stored
            yield Progress("measuring motion", len(flows), len(data.frames))
    trim(folder)
    return flows


def _name(key: str) -> str:
    return f"{key}-flow{VERSION}.npy"  # like frames, it counts for the size of the cache


def _shape(segments: Segments) -> tuple[int, ...]:
    count, length, side = segments.shape[:3]
    return count, length, side // FINE, side // FINE, 3


def _write(path: Path, flow: Flow) -> None:
    with replacing(path) as temporary:
        np.save(temporary, flow)


def _answer(request: Line, beat: Beat) -> Line:
    """Measure and store one clip's motion; return nothing, or the error message."""
    beat()
    try:
        segments = np.load(request["frames"], mmap_mode="r", allow_pickle=False)
        _write(Path(request["flow"]), measure(segments, request["rate"], request["aspect"]))
    except FileNotFoundError:
        return {"gone": True}
    except VidgruError as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"Cannot measure motion in {request['frames']}: {error}"}
    return {}


if __name__ == "__main__":
    serve(_answer)
