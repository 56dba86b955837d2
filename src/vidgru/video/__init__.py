"""Pixels in and out: the only floor that opens videos and images."""

import os

# OpenCV reads these when it is first imported or opens a first file. Its own messages would
# stand beside our one clear sentence, and a picture header may promise more than memory holds.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))
