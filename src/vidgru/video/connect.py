"""Find out why a stream cannot be opened: OpenCV does not report it."""

import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

NO_VIDEO = "what comes from there is no video, but perhaps a web page"


def host(address: str) -> str:
    """Return the name of the computer in an address, empty where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def why_not(address: str, open_seconds: float, read_seconds: float) -> str | None:
    """Return why an address gives no video, or None where nothing is wrong with it.

    It is opened once more, with these timeouts.
    """
    import av  # costs a third of a second

    try:
        socket.getaddrinfo(host(address), None)
    except (OSError, UnicodeError):
        return "there is no such host, or no network"
    began, seconds = time.monotonic(), max(open_seconds, read_seconds)
    try:
        with closing(av.open(address, timeout=(open_seconds, read_seconds))) as stream:
            return None if stream.streams.video else NO_VIDEO
    except av.error.HTTPUnauthorizedError:
        return "it asks for a user name and password, or for others (401 Unauthorized)"
    except av.error.HTTPForbiddenError:
        return "it refuses access (403 Forbidden)"
    except av.error.HTTPNotFoundError:
        return "there is nothing at this address (404 Not Found)"
    except av.error.HTTPClientError:
        return "the server refuses the request (an error of the 400s)"
    except av.error.HTTPServerError:
        return "the server fails (an error of the 500s)"
    except av.error.ConnectionRefusedError:
        return "nobody answers there: the connection is refused"
    except av.error.FFmpegError as error:
        if time.monotonic() - began >= 0.9 * seconds:
            return f"it does not answer within {seconds:g} s"
        if isinstance(error, av.error.InvalidDataError):
            return NO_VIDEO
        # Never the error's own text: it contains the address.
        return f"it cannot be reached ({error.strerror})"
