"""What every request must show before anything answers it."""

import hmac
import secrets
from urllib.parse import parse_qs

from anyio import move_on_after
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1200 << 10  # bytes of a request: a thousand suggestions with the longest labels
MAX_DROPPED, DROP_SECONDS = 16 << 20, 10.0  # bytes that are read of a refused one, and for how long
MAX_TARGET = 2000  # bytes of an address
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
USED = (
    "This address works once, in the browser that opened it first. Open the page there, or end "
    "`vidgru label` with Ctrl-C and start it again."
)


class Guard:
    """Lets requests through that come from the page itself, by host, origin and cookie.

    The token in the first address works once: it is exchanged for a cookie that no script can read.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app, self.port = app, port
        self.token = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        # Cookies of a host are the same for all its ports.
        self._name = f"vidgru_label_{port}"
        self._hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """The address that opens the page, once."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if refused := self._refusal(scope, headers):
            await _refuse(receive, send, *refused)
        elif self._has_cookie(headers):
            if scope["query_string"] and scope["path"] == "/":
                await _answer(send, 303, "", [(b"location", b"/")])
            else:
                await self.app(scope, _bounded(receive), _with_headers(send))
        elif self._has_token(scope):
            self.token = ""
            cookie = f"{self._name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"
            found = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
            await _answer(send, 303, "", found)
        else:
            await _answer(send, 403, USED)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        names = [name for name, _ in scope["headers"]]
        if host not in self._hosts or names.count(b"host") != 1:
            return 403, "This page has another address."
        if origin is not None and origin != f"http://{host}":
            return 403, "Only the page itself may ask."
        if scope["method"] == "POST":
            if origin is None:
                return 403, "Only the page itself may ask."
            length = headers.get(b"content-length", "")
            if not length.isascii() or not length.isdecimal() or int(length[:9]) > MAX_BODY:
                return 413, "The request is too large."
            if headers.get(b"content-type") != "application/json":
                return 415, "Send JSON."
        elif scope["method"] != "GET":
            return 405, "There is no such method."
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
            return 414, "The address is too long."
        return None

    def _has_cookie(self, headers: dict[bytes, str]) -> bool:
        pairs = (part.strip().partition("=") for part in headers.get(b"cookie", "").split(";"))
        found = [value for name, _, value in pairs if name == self._name]
        return len(found) == 1 and hmac.compare_digest(found[0].encode(), self._cookie.encode())

    def _has_token(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        right = hmac.compare_digest(given.encode(), self.token.encode())
        return bool(self.token) and right and scope["path"] == "/" and scope["method"] == "GET"


def _bounded(receive: Receive) -> Receive:
    """Return a receiver that ends a body which is longer than it may be."""
    left = MAX_BODY

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
        await send(message)

    return sending


async def _refuse(receive: Receive, send: Send, status: int, text: str) -> None:
    """Answer, and read what is still sent: who sends to a closed connection loses the answer."""
    await _answer(send, status, text, more=True)
    dropped = 0
    with move_on_after(DROP_SECONDS):
        while dropped <= MAX_DROPPED:
            message = await receive()
            dropped += len(message.get("body", b""))
            if not message.get("more_body"):
                await send({"type": "http.response.body", "body": b""})
                return
    # What is too long is read no further: the server closes where an answer does not end.


async def _answer(
    send: Send,
    status: int,
    text: str,
    headers: list[tuple[bytes, bytes]] | None = None,
    *,
    more: bool = False,
) -> None:
    body = text.encode()
    found = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or ()), *HEADERS]
    found.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": body, "more_body": more})
