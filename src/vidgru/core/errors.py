"""Every error that vidgru raises on purpose.

VidgruError           anything the user can mend; the message says what, where and how
 +- VideoError        a video, image or image folder cannot be read
 +- DataError         a folder of clips cannot be learned from
 +- ModelError        a model file or run folder cannot be used
 +- OutputError       a result cannot be written
 +- OptionError       an option's value makes no sense
 +- ProcessError      another process of the same job failed
"""


class VidgruError(Exception):
    """Root of all errors whose message is meant for the user."""


class VideoError(VidgruError):
    """A video, image or image folder cannot be read."""


class DataError(VidgruError):
    """A folder of clips cannot be learned from."""


class ModelError(VidgruError):
    """A model file or run folder cannot be used."""


class OutputError(VidgruError):
    """A result cannot be written."""


class ProcessError(VidgruError):
    """Another process of the same job failed."""


class OptionError(VidgruError):
    """An option's value makes no sense; on the command line this is wrong usage."""
