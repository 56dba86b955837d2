"""Pixels in and out: the only layer that opens videos and images."""

import shlex
import sys

from vidgru.core.errors import VidgruError

try:
    import cv2  # noqa: F401
except ImportError as error:
    pip = f"{shlex.quote(sys.executable)} -m pip"
    # opencv-python needs desktop libraries, which a server lacks.
    raise VidgruError(
        f"OpenCV does not load: {error}. On Debian and Ubuntu: apt install libgl1 libglib2.0-0. "
        f"Or take the OpenCV that needs neither: {pip} uninstall -y opencv-python && "
        f"{pip} install 'opencv-python-headless>=4.14,<5'"
    ) from error
