"""Open a video file, an image or a folder of images; read its frames in order with true times."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidgru.core.address import check_path
from vidgru.core.errors import OptionError, VideoError
from vidgru.video.arrays import ArrayVideo, Frames, Source
from vidgru.video.file import VideoFile
from vidgru.video.libav_file import LibavFile
from vidgru.video.opencv_file import SLOW, OpenCVFile
from vidgru.video.pictures import (
    IMAGE_FOLDER_FPS,
    IMAGE_SUFFIXES,
    image_files,
    natural_key,
    open_pictures,
)
from vidgru.video.source import MAX_PIXELS, Frame, Image, Video, shrink
from vidgru.video.streams import StreamInfo, look

__all__ = [
    "IMAGE_FOLDER_FPS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "VIDEO_SUFFIXES",
    "Frame",
    "Frames",
    "Image",
    "Source",
    "Video",
    "image_files",
    "natural_key",
    "open_video",
    "shrink",
]

# ruff: noqa: SIM905
VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .divx .flv .gif .h264 .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf "
    ".ogv .ts .vob .webm .wmv".split()
)


def _open(path: Path) -> Video:
    try:
        if path.is_dir():
            paths = image_files(path)
            if not paths:
                raise VideoError(f"Cannot read {path}: the folder holds no images.")
            return open_pictures(path, paths)
        if not path.exists():
            raise VideoError(f"Cannot read {path}: no such file or folder.")
        if not path.is_file():
            raise VideoError(f"Cannot read {path}: not a regular file.")
        if path.stat().st_size == 0:
            raise VideoError(f"Cannot read {path}: the file is empty.")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise VideoError(f"Cannot read {path}: {error.strerror or error}.") from error
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return open_pictures(path, [path])
    return _open_file(path)


def _open_file(path: Path) -> VideoFile:
    """Open a video file with OpenCV, or with libav where OpenCV would show it wrongly."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # OpenCV would crash on it
        raise VideoError(f"Cannot read {path}: rename it, the name is not UTF-8.") from error
    known = look(path)
    video = _choose(path, known)
    if known is not None and known.videos > 1:
        video.notes.append(
            f"{path} holds {known.videos} videos; stream {known.stream} is read "
            f"({known.width}x{known.height}), as players do."
        )
    return video


def _choose(path: Path, known: StreamInfo | None) -> VideoFile:
    why = "" if known is None else _why_not_opencv(known)
    if known is not None and why:
        return LibavFile(path, known, why)
    try:
        video = OpenCVFile(path, known)
    except VideoError:
        if known is None or not known.decodes:
            raise
        return LibavFile(path, known, "OpenCV cannot open it")
    if known is not None and (why := video.differs()):
        video.close()
        return LibavFile(path, known, why)
    return video


def _why_not_opencv(known: StreamInfo) -> str:
    """Return what OpenCV does wrong with such a file, or ""."""
    if not known.decodes:
        return ""
    reasons = {
        "its video is not the first one: attached pictures come before it":
            not known.foremost and known.videos == 1,
        f"it holds {known.videos} videos, and players take another than the first":
            not known.foremost,
        "it may hold interlaced frames": known.interlaced,
        f"its pixels are not square ({known.aspect.numerator}:{known.aspect.denominator})":
            known.aspect != 1,
        "it is to be shown mirrored": known.orientation.mirrored,
        "it has frames that are not to be shown": known.trimmed,
        f"it is HDR ({known.hdr}), which OpenCV converts slowly": bool(known.hdr),
        "its frames come so slowly that OpenCV mistakes their times":
            known.rate is not None and known.rate < SLOW,
    }  # fmt: skip
    return next((reason for reason, holds in reasons.items() if holds), "")


@contextmanager
def open_video(source: Source) -> Iterator[Video]:
    """Open a video file, an image, a folder of images or Frames, and close it at the end.

    Times are seconds since the first frame. Pictures in a folder are in natural order, with the
    times in the folder's frames.csv (see `extract`) or else at 25 frames/s. Rotation flags are
    applied. Raises VideoError when nothing can be read, OptionError for a live source.
    """
    if isinstance(source, Frames):
        video: Video = ArrayVideo(source)
    elif not isinstance(source, str | Path):
        kind = type(source).__name__
        raise OptionError(f"A source is a path or vidgru.Frames(rgb, fps), not {kind}.")
    else:
        check_path(source)
        video = _open(Path(source))
    try:
        yield video
    finally:
        video.close()
