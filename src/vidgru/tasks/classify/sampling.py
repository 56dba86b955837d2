"""Sampling of clips for a classifier."""

from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip
from vidgru.data.sampling import MIN_FRAMES, choose_fps_and_window, probe
from vidgru.nn.choices import AUTO, LOOKS
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.video.read import IMAGE_FOLDER_FPS, IMAGE_SUFFIXES


def choose_sampling(clips: list[Clip], config: ClassifyTrainConfig, side: int) -> Sampling:
    """Return frame rate and window length, from some of the clips where not given.

    The window is one frame where the network reads each frame by itself, or clips have no more.
    """
    fps, frames = config.fps, config.frames
    pictures = all(clip.path.suffix.lower() in IMAGE_SUFFIXES for clip in clips)
    still = pictures and frames is None and config.input in (None, "rgb", LOOKS, AUTO)
    if config.encoder == "rows" or still:
        frames = 1
    if pictures:
        return Sampling(fps or IMAGE_FOLDER_FPS, side, frames or MIN_FRAMES)
    if fps is None or frames is None:
        fps, frames = choose_fps_and_window(*probe(clips), fps, frames)
    return Sampling(fps, side, frames)
