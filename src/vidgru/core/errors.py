"""Every error that vidgru raises on purpose.

VidgruError           anything the user can fix; the message says what, where and how
 +- VideoError        a video, image or image folder cannot be read
 +- DataError         a folder of clips cannot be used for training
 +- ModelError        a model file or run folder cannot be used
 +- OutputError       a result cannot be written
 +- OptionError       an option's value is invalid
 +- ProcessError      another process of the same job failed
"""


class VidgruError(Exception):
    """Root of all errors whose message is meant for the user."""


class VideoError(VidgruError):
    """A video, image or image folder cannot be read."""


class DataError(VidgruError):
    """A folder of clips cannot be used for training."""


class ModelError(VidgruError):
    """A model file or run folder cannot be used."""


class OutputError(VidgruError):
    """A result cannot be written."""


class ProcessError(VidgruError):
    """Another process of the same job failed."""


class OptionError(VidgruError):
    """An option's value is invalid; on the command line this is wrong usage."""
