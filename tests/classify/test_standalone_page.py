"""The page of `vidgru export --standalone` in a real browser.

onnxruntime-web is not part of the project. The tests give the page one of their own with the same
interface, whose model goes by the colours of the frames; `benchmarks/page.py` takes the real one.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from conftest import Done, Opened
from helpers import needs_onnx, write_clip
from numpy.typing import NDArray
from page_checks import CONTRAST, NAMES, WIDE, until

from vidgru.engine import onnx_page
from vidgru.engine.onnx_file import OnnxFile
from vidgru.engine.onnx_page import ADDRESS, PARTS, page, read_runtime
from vidgru.tasks.classify.probabilities import clip_probabilities
from vidgru.tasks.classify.task import TASK
from vidgru.video.sample import sample_frames

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = needs_onnx

HOSTILE = "</script><img src=x onerror=document.title=1>{model}\u202e"
# Logits are 8 x the mean red and blue of a window, from -4 to 4. It keeps what it is shown.
RUNTIME = """
export const env = { wasm: {} };
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
globalThis.frames = [];
let last;
export const InferenceSession = { create: async (model) => ({ run: async (given) => {
  if (env.wasm.wasmBinary.byteLength !== 4 || model.byteLength < 1000) throw new Error("parts");
  const { data, dims } = given.frame, steps = Number(given.steps.data[0]) + 1, next = {};
  for (const [name, one] of Object.entries(given)) if (name !== "frame") next["next_" + name] = one;
  next.next_steps = new Tensor("int64", BigInt64Array.from([BigInt(steps)]), [1]);
  const sums = Float32Array.from(given.total.data);
  for (let n = 0; n < data.length; n += 3) {
    sums[0] += 3 * data[n] / data.length;
    sums[1] += 3 * data[n + 2] / data.length;
  }
  next.next_total = new Tensor("float32", sums, given.total.dims);
  if (data !== last) globalThis.frames.push([...data]);
  last = data;
  const logits = [0, 1].map((k) => 8 * (sums[k] / steps / 255 - 0.5));
  const all = Math.exp(logits[0]) + Math.exp(logits[1]);
  return { ...next, logits: { data: Float32Array.from(logits) },
    probabilities: { data: Float32Array.from(logits, (one) => Math.exp(one) / all) } };
} }) };
"""
ROWS = """() => [...document.querySelectorAll("#done tbody tr")].map((row) =>
  [[...row.cells].map((cell) => cell.textContent), JSON.parse(row.dataset.probabilities || "[]")])
"""


@pytest.fixture
def ort_web(tmp_path: Path) -> Path:
    """Return a folder like that of the npm package, in which the page finds what it needs."""
    place = tmp_path / "package" / "dist"
    place.mkdir(parents=True)
    (place / PARTS["code"]).write_text(RUNTIME)
    (place / PARTS["wasm"]).write_bytes(b"wasm")
    return place.parent


@pytest.fixture
def place(run: Path, ort_web: Path, tmp_path: Path) -> Path:
    """Return the page of a model with a hostile label."""
    return written(tmp_path, run, str(ort_web))


def written(folder: Path, run: Path, ort_web: str | None) -> Path:
    file, path = OnnxFile(run / "model.onnx"), folder / "classify.html"
    file.header["spec"]["labels"] = ["red", HOSTILE]
    assert TASK.standalone is not None
    path.write_bytes(page(TASK.standalone.with_suffix(".html"), file, read_runtime(ort_web)))
    return path


def colours(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames of large blocks in colours that change from frame to frame."""
    cells = np.random.default_rng(3).integers(40, 220, (count, 2, 4, 3), dtype=np.uint8)
    return np.stack([cv2.resize(c, (width, height), interpolation=cv2.INTER_AREA) for c in cells])


def ready(opened: Opened) -> Opened:
    opened.page.wait_for_selector("#files:enabled")
    return opened


def test_videos_are_sampled_and_answered_as_predict_does(
    browse: Callable[..., Opened], place: Path, run: Path, tmp_path: Path
) -> None:
    sizes = {"large": (480, 640, 61), "small": (16, 20, 7), "tall": (100, 18, 31)}
    videos = [
        write_clip(tmp_path / f"{name}.webm", colours(count, height, width), 25, "VP80")
        for name, (height, width, count) in sizes.items()
    ]
    (tmp_path / "not \u202ea video.webm").write_bytes(b"x" * 1000)
    opened = ready(browse(place, 1200))
    model = OnnxFile(run / "model.onnx").header
    spec, stride, side = model["spec"], model["stride"], model["side"]
    chosen = [*videos, tmp_path / "not \u202ea video.webm"]
    opened.page.set_input_files("#files", [str(path) for path in chosen])
    opened.page.wait_for_selector("#stop", state="hidden")
    shown = iter(np.array(opened.page.evaluate("frames")).reshape(-1, side, side, 3))
    *answers, (refused, none) = opened.page.evaluate(ROWS)
    for video, (cells, shares) in zip(videos, answers, strict=True):
        frames = [f.rgb for f in sample_frames(video, spec["fps"], size=(side, side))]
        means = []
        for frame in frames:
            ours = next(shown)
            assert np.abs(ours - frame.astype(int)).mean() < 3  # those of others: 40 and more
            means.append(ours.mean((0, 1))[[0, 2]])
        outputs = []
        for start in range(0, len(frames), stride):
            part = means[start : start + spec["frames"]]
            full = len(part) == spec["frames"]
            left_over = not start or (
                len(frames) > start - stride + spec["frames"] and 2 * len(part) >= spec["frames"]
            )
            if full or left_over:
                outputs.append(8 * (np.mean(part, axis=0) / 255 - 0.5))
            if not full:
                break
        wanted = clip_probabilities(np.array(outputs), model["confidence"]["temperature"])
        assert shares == pytest.approx(wanted, abs=1e-4)
        best = int(wanted.argmax())
        label = ["red", HOSTILE.replace("\u202e", "\\u202e")][best]
        assert cells == [video.name, label, f"{100 * wanted[best]:.1f} %"]
    assert next(shown, None) is None
    assert refused == [
        "not \\u202ea video.webm",
        "Not classified: this browser cannot play it.",
        "–",  # noqa: RUF001
    ]
    assert none == []
    assert opened.page.text_content("#status") == "4 files are read."
    assert opened.page.title() == "Classify videos"
    assert opened.complaints == []
    assert {url.partition(":")[0] for url in opened.requests} <= {"file", "blob"}


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1200, False)])
def test_a_picture_can_be_dropped_and_all_is_readable(
    browse: Callable[..., Opened], place: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    opened = ready(browse(place, width, dark))
    blue = cv2.imencode(".png", np.full((40, 60, 3), (250, 10, 20), np.uint8))[1].tobytes()
    opened.page.evaluate(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const all = new DataTransfer();
          all.items.add(new File([bytes], "a b.png", { type: "image/png" }));
          const event = new DragEvent("drop", { dataTransfer: all, bubbles: true });
          document.body.dispatchEvent(event);
        }""",
        base64.b64encode(blue).decode(),
    )
    opened.page.wait_for_selector("#done tbody tr")
    ((cells, shares),) = opened.page.evaluate(ROWS)
    assert cells[:2] == ["a b.png", HOSTILE.replace("\u202e", "\\u202e")]
    assert shares[1] > 0.9
    assert opened.page.evaluate(WIDE) is False
    assert opened.page.evaluate(CONTRAST) == []
    assert opened.page.evaluate(NAMES) == []
    order = []
    for _ in range(2):
        opened.page.keyboard.press("Tab")
        order.append(opened.page.evaluate("document.activeElement.id"))
    assert order == ["camera", "files"]
    assert opened.complaints == []


def test_what_is_transparent_shows_nothing_of_the_picture_before(
    browse: Callable[..., Opened], place: Path, run: Path, tmp_path: Path
) -> None:
    opened = ready(browse(place, 800))
    red, holes = np.zeros((2, 40, 60, 4), np.uint8)
    red[:] = (0, 0, 250, 255)
    holes[:, 30:] = (250, 0, 0, 255)
    paths = [tmp_path / "red.png", tmp_path / "holes.png"]
    for path, picture in zip(paths, (red, holes), strict=True):
        cv2.imwrite(str(path), picture)
    opened.page.set_input_files("#files", [str(path) for path in paths])
    opened.page.wait_for_selector("#stop", state="hidden")
    side = OnnxFile(run / "model.onnx").header["side"]
    wanted = [next(sample_frames(path, 1, size=(side, side))).rgb for path in paths]
    shown = np.array(opened.page.evaluate("frames")).reshape(2, side, side, 3)
    assert np.abs(shown - np.stack(wanted).astype(int)).max() <= 2


class TestCamera:
    @pytest.fixture
    def browser_options(self, tmp_path: Path) -> list[str]:
        path = tmp_path / "camera.y4m"
        red = np.full((240, 320, 3), (240, 20, 20), np.uint8)
        frame = b"FRAME\n" + cv2.cvtColor(red, cv2.COLOR_RGB2YUV_I420).tobytes()
        path.write_bytes(b"YUV4MPEG2 W320 H240 F20:1 Ip A1:1 C420\n" + 20 * frame)
        return [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={path}",
        ]

    def test_the_camera_is_watched_until_stop(
        self, browse: Callable[..., Opened], place: Path, run: Path
    ) -> None:
        opened = ready(browse(place, 800))
        fps = OnnxFile(run / "model.onnx").header["spec"]["fps"]
        opened.page.click("#camera")
        until(opened.page, "globalThis.frames.length > 8")
        begun = opened.page.evaluate("[performance.now(), frames.length]")
        until(opened.page, f"globalThis.frames.length > {begun[1]} + 10")
        ended = opened.page.evaluate("[performance.now(), frames.length]")
        assert ended[1] - begun[1] <= (ended[0] - begun[0]) / 1000 * fps + 2
        assert re.fullmatch(r"red 9\d\.\d %", opened.page.inner_text("#answer"))
        assert (
            np.abs(opened.page.evaluate("frames[9].slice(0, 3)") - np.array([240, 20, 20])).max()
            < 12
        )
        opened.page.keyboard.press("Tab")
        opened.page.click("#stop")
        opened.page.wait_for_selector("#stop", state="hidden")
        assert opened.page.text_content("#status") == "The camera is off."
        assert opened.page.evaluate("document.querySelector('video').srcObject") is None
        assert opened.complaints == []


def test_the_runtime_comes_from_its_address_only_with_its_hash(
    browse: Callable[..., Opened],
    run: Path,
    ort_web: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = {ADDRESS + name: (ort_web / "dist" / name).read_bytes() for name in PARTS.values()}
    hashes = {
        key: "sha384-" + base64.b64encode(hashlib.sha384(bodies[ADDRESS + name]).digest()).decode()
        for key, name in PARTS.items()
    }

    def serve(route: "Route") -> None:
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(body=bodies[route.request.url], headers=headers)

    for right in (True, False):
        if right:
            monkeypatch.setattr(onnx_page, "HASHES", hashes)
        opened = browse(written(tmp_path, run, None), 800)
        opened.page.route(ADDRESS + "*", serve)
        opened.page.reload()
        until(opened.page, "!document.querySelector('#status').textContent.endsWith('…')")
        text = opened.page.text_content("#status") or ""
        assert text == "Ready." if right else text.startswith("The model cannot be loaded: ")
        assert opened.page.is_enabled("#files") is right
        monkeypatch.undo()


def test_the_command_writes_the_page_and_its_policy(
    vidgru: Callable[..., Done], run: Path, ort_web: Path, tmp_path: Path
) -> None:
    done = vidgru("export", run, "--standalone", tmp_path / "place", "--ort-web", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: --ort-web {tmp_path} has no ort.wasm.bundle.min.mjs and ")
    assert not (tmp_path / "place").exists()
    done = vidgru("export", run, "--ort-web", ort_web)
    assert done.err == "Error: --ort-web is for the page of --standalone: give both.\n"
    words = ["--standalone", tmp_path / "place", "--ort-web", ort_web / "dist", "--json"]
    done = vidgru("export", run, *words)
    assert (done.code, done.err) == (0, "")
    text = (tmp_path / "place" / "classify.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'none'" in policy
    assert "unsafe-inline" not in policy
    (content,) = re.findall(r'<script type="application/json" id="data">(.+)</script>', text)
    assert json.loads(content)["spec"]["labels"] == ["left", "right"]
    (model,) = re.findall(r'<script type="text/plain" id="model">(.+)</script>', text)
    assert base64.b64decode(model) == (tmp_path / "place" / "model.onnx").read_bytes()
