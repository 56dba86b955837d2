"""What the server of `vidgru label` answers, and what it refuses."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import uvicorn
from conftest import Done
from helpers import noise, running, write_clip
from tools.label_page import Client, labelling

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("label")
    # The brightness of each frame is ten times its number.
    grey = np.arange(0, 200, 10, np.uint8)[:, None, None, None] * np.ones((24, 32, 3), np.uint8)
    videos = [write_clip(folder / f"{name}.avi", grey, 10) for name in ("a", HOSTILE)]
    (folder / "secret.txt").write_text("secret")
    with labelling(videos, folder / "labels.csv", classes="jump,run") as client:
        client.enter()
        yield client


def test_the_token_works_once_and_gives_a_cookie_that_no_script_reads(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.avi", noise(5), 10)
    with labelling([video], tmp_path / "labels.csv") as client:
        path = client.address.removeprefix(f"http://{client.host}")
        for wrong in ("/", "/?token=", "/?token=x", "/state", path.replace("/?", "/state?")):
            assert client.send("GET", wrong)[0] == 403
        status, headers, _ = client.send("GET", path)
        assert (status, headers["location"]) == (303, "/")
        cookie, *flags = headers["set-cookie"].split("; ")
        assert {*flags} >= {"HttpOnly", "SameSite=Strict", "Path=/"}
        status, _, body = client.send("GET", path)
        assert status == 403
        assert b"works once" in body
        # The browser that has the cookie may open it again.
        assert client.send("GET", path, Cookie=cookie)[0] == 303
        assert client.send("GET", "/", Cookie=cookie)[0] == 200
        for wrong in (cookie[:-1], f"{cookie}x", f"{cookie}; {cookie}", "x=1"):
            assert client.send("GET", "/state", Cookie=wrong)[0] == 403


def test_it_listens_on_one_address_only(server: Client) -> None:
    port = int(server.host.partition(":")[2])
    with pytest.raises(ConnectionRefusedError):  # this machine, too, but by another address
        socket.create_connection(("127.0.0.2", port)).close()


@pytest.mark.parametrize(
    "path",
    ["/", "/page/main.js", "/state", "/videos/0", "/videos/0/times", "/videos/0/frames?first=1"],
)
def test_only_the_page_itself_is_answered(path: str, server: Client) -> None:
    status, headers, _ = server.send("GET", path)
    assert status == 200
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    port = server.host.partition(":")[2]
    assert server.send("GET", path, Host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.nip.io:{port}"):
        assert server.send("GET", path, Host=host)[0] == 403
    for origin in ("http://evil.example", "null", f"https://{server.host}", "http://127.0.0.1"):
        assert server.send("GET", path, Origin=origin)[0] == 403
    assert server.send("GET", path, Cookie=None)[0] == 403
    assert server.send("DELETE", path)[0] == 405


def test_changes_come_only_from_the_page(server: Client) -> None:
    body = json.dumps({"by": "", "video": 0, "label": "jump", "start": 0, "end": 1}).encode()
    before = server.get("/state")["revision"]
    for wrong in (
        {"Origin": None}, {"Origin": "http://evil.example"}, {"Cookie": None},
        {"Host": "evil.example"}, {"Content-Type": "text/plain"}, {"Content-Type": None},
        {"Content-Length": None}, {"Content-Length": "-1"}, {"Content-Length": "9" * 12},
    ):  # fmt: skip
        headers = {name.replace("-", "_"): value for name, value in wrong.items()}
        # What is no HTTP is read no further: who sends a body as well may lose the answer.
        sent = None if wrong.get("Content-Length") == "-1" else body
        status = server.send("POST", "/change/put", sent, **headers)[0]
        assert status in (400, 403, 413, 415), wrong
    assert server.send("GET", "/change/put")[0] == 405
    assert server.get("/state")["revision"] == before


def test_large_bodies_and_addresses_are_refused(server: Client) -> None:
    size = 2 << 20
    assert server.send("POST", "/change/put", b"x", Content_Length=str(size))[0] == 413
    assert server.send("GET", f"/state?video={'1' * 3000}")[0] == 414
    # A body that grows beyond what it declared, in chunks.
    with socket.create_connection(("127.0.0.1", int(server.host.partition(":")[2]))) as raw:
        lines = [
            "POST /change/put HTTP/1.1", f"Host: {server.host}", f"Origin: http://{server.host}",
            f"Cookie: {server.cookie}", "Content-Type: application/json",
            "Transfer-Encoding: chunked", "", "",
        ]  # fmt: skip
        raw.sendall("\r\n".join(lines).encode())
        assert b" 413 " in raw.recv(100)
    with socket.create_connection(("127.0.0.1", int(server.host.partition(":")[2]))) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 16))
        assert b" 400 " in raw.recv(100)


def test_who_sends_a_large_body_slowly_gets_the_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After that time without a request, connections are closed.
    monkeypatch.setattr(uvicorn, "Config", partial(uvicorn.Config, timeout_keep_alive=1))
    video, piece = write_clip(tmp_path / "a.avi", noise(5), 10), bytes(1 << 20)
    with labelling([video], tmp_path / "labels.csv") as client:
        client.enter()
        lines = [
            "POST /change/put HTTP/1.1", f"Host: {client.host}", f"Origin: http://{client.host}",
            f"Cookie: {client.cookie}", "Content-Type: application/json",
            f"Content-Length: {3 * len(piece)}", "", "",
        ]  # fmt: skip
        with socket.create_connection(("127.0.0.1", int(client.host.partition(":")[2]))) as raw:
            raw.sendall("\r\n".join(lines).encode())
            for _ in range(3):
                time.sleep(1.5)
                raw.sendall(piece)
            answer = b"".join(iter(lambda: raw.recv(1000), b""))
        assert b" 413 " in answer.splitlines()[0]
        assert answer.endswith(b"The request is too large.")


@pytest.mark.parametrize(
    "path",
    [
        "/page/..%2fapp.py", "/page/../app.py", "/page/%2e%2e/app.py", "/page/secret.txt",
        "/page//etc/passwd", "/videos/..%2f..%2fsecret.txt", "/videos/a.avi", "/videos/2",
        "/videos/-1", "/videos/999999999999999999999", "/videos/2/frames?first=0", "/secret.txt",
        "/videos/0/frames?first=0&size=77", "/videos/0/frames?count=100000",
        "/videos/0/frames?step=0", "/videos/0/frames?first=x", "/state?video=1e9",
    ],
)  # fmt: skip
def test_no_address_reaches_a_file_but_by_number(path: str, server: Client) -> None:
    status, _, body = server.send("GET", path)
    assert status in (400, 404)
    assert b"secret" not in body


@pytest.mark.parametrize(
    ("kind", "values", "status"),
    [
        ("put", {"video": 0, "label": "jump", "start": 1, "end": 0}, 422),
        ("put", {"video": 5, "label": "jump", "start": 0, "end": 1}, 422),
        ("put", {"video": "0", "label": "jump", "start": 0, "end": 1}, 400),
        ("put", {"video": 0, "label": "=1+1", "start": 0, "end": 1}, 422),
        ("put", {"video": 0, "label": ["jump"], "start": 0, "end": 1}, 400),
        ("put", {"video": 0, "label": "jump", "start": float("nan"), "end": 1}, 400),
        ("put", {"video": True, "label": "jump", "start": 0, "end": 1}, 400),
        ("delete", {"number": 10**6}, 409),
        ("delete", {}, 400),
        ("accept", {"items": []}, 400),
        ("accept", {"items": [1]}, 400),
        ("accept", {"items": [{"video": 0, "label": "jump", "start": 0, "end": 1}] * 600}, 200),
        ("accept", {"items": [{"video": 0, "label": "a" * 255, "start": 0, "end": 1}] * 1000}, 200),
        ("undo", {}, 200),
        ("undo", {}, 409),
        ("nothing", {}, 404),
    ],
)
def test_wrong_changes_are_sentences(
    kind: str, values: dict[str, object], status: int, server: Client
) -> None:
    found, answer = server.post(f"/change/{kind}", **values)
    assert found == status
    assert ("error" in answer) == (status != 200)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 5000, b'{"by": 1}'])
def test_what_is_no_change_is_refused(body: bytes, server: Client) -> None:
    assert server.send("POST", "/change/undo", body)[0] == 400


def test_frames_come_by_number_each_after_its_length(server: Client) -> None:
    _, _, body = server.send("GET", "/videos/0/frames?first=3&count=2&step=2&size=160")
    found = []
    while body:
        size = int.from_bytes(body[:4], "little")
        found.append(cv2.imdecode(np.frombuffer(body[4 : 4 + size], np.uint8), cv2.IMREAD_COLOR))
        body = body[4 + size :]
    assert [round(image.mean() / 10) for image in found] == [3, 5]
    # There is no frame 20; it takes no place of another.
    assert server.send("GET", "/videos/0/frames?first=19&count=2&size=160")[2][-4:] == b"\0" * 4
    times = server.send("GET", "/videos/0/times?first=18")[2]
    assert np.frombuffer(times).tolist() == pytest.approx([1.8, 1.9])


def test_file_names_and_labels_are_data(server: Client) -> None:
    assert server.post("/change/class", label=HOSTILE)[0] == 200
    assert server.post("/change/put", video=0, label=HOSTILE, start=0, end=1)[0] == 200
    _, headers, body = server.send("GET", "/state")
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["names"][1].startswith("<img")
    page = Path(__file__).parents[2] / "src" / "vidgru" / "tools" / "label" / "page"
    for path in page.iterdir():
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
        assert not re.search(r"\son\w+=|style=|<style|https?://", text), path
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", (page / "index.html").read_text())
    assert scripts == [""]


def test_memory_stays_flat_over_many_requests(server: Client) -> None:
    def ask() -> None:
        for number in range(150):
            server.get("/state")
            server.send("GET", f"/videos/{number % 2}/frames?first={number % 20}&size=160")

    ask()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ask()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_the_command_prints_an_address_and_what_to_do_next(tmp_path: Path) -> None:
    write_clip(tmp_path / "clips" / "a.avi", noise(5), 10)
    command = [sys.executable, "-m", "vidgru", "label", "clips", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(command, cwd=tmp_path, text=True, **pipes) as process:
        client = Client(process.stdout.readline().strip())
        client.enter()
        assert client.post("/change/put", video=0, label="jump", start=0, end=0.3)[0] == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "Next: vidgru train labels.csv\n")
    assert "This address works once" in err
    rows = (tmp_path / "labels.csv").read_text().splitlines()
    assert rows == ["path,label,start,end", "clips/a.avi,jump,0,0.3"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("none.mp4",), 1, "There is no video to label."),
        (("a.avi", "--classes", "=x"), 2, "'=x' is no name for a class"),
        (("a.avi", "--out", "."), 1, "give the name of a file"),
        (("a.avi", "--out", "a.avi"), 1, "Cannot read a.avi as a list: "),
    ],
)
def test_what_cannot_be_labelled_is_one_sentence(
    words: tuple[str, ...],
    code: int,
    sentence: str,
    vidgru: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_clip(tmp_path / "a.avi", noise(5), 10)
    monkeypatch.chdir(tmp_path)
    done = vidgru("label", *words, "--no-browser")
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err


def test_a_name_that_no_file_can_have_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video, absent = write_clip(tmp_path / "a.avi", noise(5), 10), tmp_path / ("b" * 300)
    with labelling([absent, video], tmp_path / "labels.csv") as client:
        client.enter()
        assert client.get("/state")["names"] == ["a.avi"]
    assert f"Cannot read {absent}: no such file or folder." in caplog.text


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.avi", noise(5), 10)
    program = (
        "import sys\n"
        "sys.modules['uvicorn'] = None\n"
        "from vidgru.cli.main import main\n"
        "main(['label', 'a.avi', '--no-browser'])\n"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("-m pip install 'vidgru[label]'\n")
    assert "`vidgru label` needs uvicorn" in done.stderr


def test_the_command_names_no_list_where_nothing_was_labelled(tmp_path: Path) -> None:
    write_clip(tmp_path / "clips" / "a.avi", noise(5), 10)
    command = [sys.executable, "-m", "vidgru", "label", "clips", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(command, cwd=tmp_path, text=True, **pipes) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "Nothing was labelled.\n")


def test_what_is_no_text_is_answered() -> None:
    from vidgru.tools.label.app import _sentence

    answer = _sentence(422, "Cannot read \udcff.mp4: rename it, the name is not UTF-8.")
    assert json.loads(bytes(answer.body))["error"].startswith("Cannot read \udcff.mp4: rename")
