"""The answers of the server: the page, frames of videos by number, and changes of labels."""

import json
import logging
import math
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from vidgru.core.errors import VidgruError
from vidgru.tools.label.frames import MAX_BATCH, SIZES, FrameSource
from vidgru.tools.label.helper import Helper
from vidgru.tools.label.options import BACKGROUND
from vidgru.tools.label.store import Conflict, Store

log = logging.getLogger("vidgru")

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MAX_ITEMS = 1000  # suggestions that one request accepts


class Wrong(Exception):  # noqa: N818
    """A request that the page never sends."""


class _Json(JSONResponse):
    """JSON in ASCII: names of files may be no text that UTF-8 could hold."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class LabelApp:
    """The application, over the videos and their labels."""

    def __init__(self, names: list[str], frames: FrameSource, store: Store, helper: Helper) -> None:
        self.names, self.frames, self.store, self.helper = names, frames, store, helper
        self._changes: dict[str, Callable[[dict[str, Any], str], Any]] = {
            "put": self._put,
            "clip": self._clip,
            "fill": self._fill,
            "accept": self._accept,
            "edit": self._edit,
            "delete": lambda body, by: store.delete(_whole(body, "number"), by),
            "undo": lambda body, by: store.undo(by),
            "class": lambda body, by: store.add_class(_text(body, "label")),
        }
        folder = files("vidgru.tools.label") / "page"
        self._page = {
            item.name: (item.read_bytes(), KINDS[Path(item.name).suffix])
            for item in folder.iterdir()
            if Path(item.name).suffix in KINDS
        }

    def routes(self) -> Starlette:
        """Return the application as a server runs it."""
        video = "/videos/{video:int}"
        routes = [
            Route("/", self._file),
            Route("/page/{name}", self._file),
            Route("/favicon.ico", lambda request: Response(status_code=204)),
            Route("/state", self._threaded(self._state)),
            Route(video, self._threaded(self._described)),
            Route(f"{video}/times", self._threaded(self._numbers(self.frames.times))),
            Route(f"{video}/energy", self._threaded(self._numbers(self.frames.energy))),
            Route(f"{video}/frames", self._frames),
            Route("/change/{kind}", self._change, methods=["POST"]),
            Route("/learn", self._job, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self._page:
            return _sentence(404, "There is no such page.")
        data, kind = self._page[name]
        return Response(data, media_type=kind)

    def _threaded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def run(request: Request) -> Response:
            try:
                return await run_in_threadpool(answer, request)
            except Wrong as error:
                return _sentence(400, str(error))
            except VidgruError as error:
                return _sentence(422, str(error))

        return run

    def _video(self, request: Request) -> int:
        video: int = request.path_params["video"]
        if not 0 <= video < len(self.names):
            raise Wrong("There is no such video.")
        return video

    def _state(self, request: Request) -> Response:
        """Answer with all that may change; short, where nothing has."""
        problem = ""
        try:
            self.store.sync(quick=True)
        except VidgruError as error:
            problem = str(error)
        state: dict[str, Any] = {
            "revision": self.store.revision,
            "problem": problem,
            "job": self.helper.job(),
            "suggested": self.helper.version,
        }
        known = _number(request, "revision", -1), _number(request, "suggested", -1)
        if known != (self.store.revision, self.helper.version) or _number(request, "all", 0):
            state |= self._labels(_number(request, "video", 0))
        return _Json(state)

    def _labels(self, video: int) -> dict[str, Any]:
        store, rows = self.store, self.store.rows
        summary = [[0, 0.0] for _ in self.names]
        for row in rows:
            if row.video is not None:
                summary[row.video][0] += 1
                low, high = row.span
                summary[row.video][1] += high - low if high < math.inf else math.inf
        return {
            "names": self.names,
            "classes": store.classes,
            "background": BACKGROUND,
            "notice": store.notice,
            "by": store.changed_by,
            "last": store.last,
            "out": str(store.path),
            # JSON has no infinity: a whole clip has -1 seconds.
            "summary": [[n, -1 if s == math.inf else round(s, 3)] for n, s in summary],
            "lengths": self.helper.lengths,
            "rows": [[r.number, r.label, r.start, r.end] for r in rows if r.video == video],
            "suggestions": self.helper.suggestions(video),
            "doubtful": self.helper.doubtful(rows),
        }

    def _described(self, request: Request) -> Response:
        return _Json(self.frames.describe(self._video(request)))

    def _numbers(self, give: Callable[[int, int], bytes]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            data = give(self._video(request), max(_number(request, "first", 0), 0))
            return Response(data, media_type="application/octet-stream")

        return answer

    async def _frames(self, request: Request) -> Response:
        """Answer with frames `first`, `first + step` ..., each after its length.

        With `key`, these are the key frames before, which are quick to decode.
        """
        try:
            video, first = self._video(request), _number(request, "first", 0)
            count, step = _number(request, "count", 1), _number(request, "step", 1)
            size, ahead = _number(request, "size", 960), _number(request, "ahead", 0)
            key = _number(request, "key", 0)
        except Wrong as error:
            return _sentence(400, str(error))
        if size not in SIZES or not 1 <= count <= MAX_BATCH or not 0 < abs(step) <= 100:
            return _sentence(400, "There are no such frames.")
        numbers = range(first, first + count * step, step)
        frames = self._batch(video, numbers, size, bool(ahead), bool(key))
        return StreamingResponse(frames, media_type="application/octet-stream")

    async def _batch(
        self, video: int, numbers: range, size: int, ahead: bool, key: bool
    ) -> AsyncIterator[bytes]:
        """Yield frames, each after its length in 4 bytes; 0 stands for one that is damaged."""
        stop = Event()

        def picture(number: int) -> bytes:
            try:
                return self.frames.picture(video, number, size, ahead=ahead, key=key, stop=stop)
            except VidgruError:
                return b""

        try:
            for number in numbers:
                # The thread ends soon after the page has stopped waiting.
                data = await run_sync(picture, number, abandon_on_cancel=True)
                yield len(data).to_bytes(4, "little") + data
        finally:
            stop.set()

    async def _change(self, request: Request) -> Response:
        change = self._changes.get(request.path_params["kind"])
        if change is None:
            return _sentence(404, "There is no such change.")
        return await self._posted(request, lambda body: change(body, _text(body, "by")))

    async def _posted(self, request: Request, run: Callable[[dict[str, Any]], Any]) -> Response:
        try:
            body = json.loads(await request.body())
            if not isinstance(body, dict):
                return _sentence(400, "Send an object.")
            result = await run_in_threadpool(run, body)
            return _Json({"result": result, "revision": self.store.revision})
        except ClientDisconnect:
            return _sentence(413, "The request is too large.")
        except (ValueError, RecursionError):
            return _sentence(400, "This is no JSON.")
        except Wrong as error:
            return _sentence(400, str(error))
        except Conflict as error:
            return _sentence(409, str(error))
        except VidgruError as error:
            return _sentence(422, str(error))

    def _put(self, body: dict[str, Any], by: str) -> None:
        span = _time(body, "start"), _time(body, "end")
        self.store.put(_whole(body, "video"), _text(body, "label"), *span, by)

    def _clip(self, body: dict[str, Any], by: str) -> None:
        self.store.put_clip(_whole(body, "video"), _text(body, "label"), by)

    def _fill(self, body: dict[str, Any], by: str) -> None:
        self.store.fill(_whole(body, "video"), _time(body, "until"), by)

    def _edit(self, body: dict[str, Any], by: str) -> None:
        label = _text(body, "label") if "label" in body else None
        span = (_time(body, "start"), _time(body, "end")) if "start" in body else None
        self.store.edit(_whole(body, "number"), label, span, by)

    def _accept(self, body: dict[str, Any], by: str) -> int:
        items = body.get("items")
        if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
            raise Wrong(f"Give up to {MAX_ITEMS} suggestions.")
        found = []
        for item in items:
            if not isinstance(item, dict):
                raise Wrong("A suggestion is an object.")
            span = _time(item, "start"), _time(item, "end")
            found.append((_whole(item, "video"), _text(item, "label"), *span))
        return self.store.accept(found, by)

    async def _job(self, request: Request) -> Response:
        def run(body: dict[str, Any]) -> None:
            if body.get("cancel") is True:
                self.helper.cancel()
            else:
                self.helper.learn()

        return await self._posted(request, run)


def _sentence(status: int, text: str) -> Response:
    return _Json({"error": text}, status)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise Wrong(f"{name} is no whole number.")
    return int(text)


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or abs(value) >= 1 << 31:
        raise Wrong(f"{name} is no whole number.")
    return value


def _time(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e7:
        raise Wrong(f"{name} is no time in seconds.")
    return float(value)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > 1000:
        raise Wrong(f"{name} is no text.")
    return value
