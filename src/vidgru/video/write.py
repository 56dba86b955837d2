"""Encode frames as images, and write them as files."""

import contextlib
from pathlib import Path

import cv2

from vidgru.core.errors import OutputError
from vidgru.core.files import write_bytes
from vidgru.video.read import Image

JPEG_SIDE = 65500  # longest possible side of a JPEG


def encode_image(rgb: Image, suffix: str, quality: int = 95) -> memoryview:
    """Return rgb uint8 (H, W, 3) as the bytes of a .jpg (with quality 1 to 100) or .png file.

    Raises OutputError where the format cannot hold the picture.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    good = False
    with contextlib.suppress(cv2.error):
        good, data = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not good:
        height, width = rgb.shape[:2]
        raise OutputError(f"the format cannot hold {width}x{height} pixels.")
    return data.data


def write_image(path: Path, rgb: Image, quality: int = 95) -> None:
    """Encode rgb uint8 (H, W, 3) by the path's suffix, .jpg (with quality 1 to 100) or .png.

    Raises OutputError, also where the format cannot hold the picture.
    """
    try:
        data = encode_image(rgb, path.suffix, quality)
    except OutputError as error:
        raise OutputError(f"Cannot write {path}: {error}") from None
    write_bytes(path, data)
