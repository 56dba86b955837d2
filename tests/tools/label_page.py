"""A running `vidgru label`, for tests: its address, and requests as the page sends them."""

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from vidgru.tools.label.options import LabelConfig
from vidgru.tools.label.serve import serving


class Client:
    """Sends requests to the server, as the page does unless something else is given."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host = urlsplit(address).netloc
        self.cookie = ""

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        **headers: str | None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, headers and body of an answer; a header that is None is left out."""
        found: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie or None}
        if method == "POST":
            found |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
            found["Content-Length"] = str(len(body or b""))
        found |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in found.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        result = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return result

    def enter(self) -> None:
        """Exchange the token for the cookie."""
        _, headers, _ = self.send("GET", self.address.removeprefix(f"http://{self.host}"))
        self.cookie = headers["set-cookie"].partition(";")[0]

    def get(self, path: str) -> Any:
        status, _, body = self.send("GET", path)
        assert status == 200, body
        return json.loads(body)

    def post(self, path: str, **values: Any) -> tuple[int, Any]:
        status, _, body = self.send("POST", path, json.dumps({"by": "test", **values}).encode())
        return status, json.loads(body)


@contextmanager
def labelling(
    videos: Sequence[Path], out: Path, options: dict[str, Any] | None = None, **config: Any
) -> Iterator[Client]:
    with serving(videos, LabelConfig(out=str(out), **config), options) as address:
        yield Client(address)
