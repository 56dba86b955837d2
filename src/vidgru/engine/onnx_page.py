"""A web page that runs an ONNX file in a browser, with onnxruntime-web."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidgru.core.errors import OptionError
from vidgru.engine.onnx_file import OnnxFile

PARTS = {"code": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
# Pinned: a browser refuses a file at this address that has another hash.
ADDRESS = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/"
HASHES = {
    "code": "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    "wasm": "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
}


@dataclass(frozen=True)
class WebRuntime:
    """Where a page takes onnxruntime-web from: its parts, None for ADDRESS."""

    parts: dict[str, bytes] | None = None


def read_runtime(folder: str | None) -> WebRuntime:
    """Return onnxruntime-web from its npm package or the package's folder dist.

    Without a folder, the one at ADDRESS. Raises OptionError.
    """
    if folder is None:
        return WebRuntime()
    for place in (Path(folder), Path(folder) / "dist"):
        if all((place / name).is_file() for name in PARTS.values()):
            try:
                return WebRuntime({key: (place / name).read_bytes() for key, name in PARTS.items()})
            except OSError as error:
                raise OptionError(f"Cannot read {place}: {error.strerror or error}.") from error
    names = " and ".join(PARTS.values())
    raise OptionError(
        f"--ort-web {folder} has no {names}: give the folder dist of the npm package "
        "onnxruntime-web."
    )


def page(template: Path, file: OnnxFile, runtime: WebRuntime) -> bytes:
    """Return a page that holds a model, and onnxruntime-web where its parts are given.

    `template` is HTML with places for them, beside its script in a file ending with .js. The page
    asks for nothing else, and its policy lets it do nothing else.
    """
    script = template.with_suffix(".js").read_text("utf-8")
    html = template.read_text("utf-8")
    style = html[html.index("<style>") + len("<style>") : html.index("</style>")]
    connect = "'none'" if runtime.parts else ADDRESS
    policy = (
        f"default-src 'none'; script-src {_hash(script)} blob: 'wasm-unsafe-eval'; "
        f"style-src {_hash(style)}; connect-src {connect}; media-src blob:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    pinned = {key: (ADDRESS + name, HASHES[key]) for key, name in PARTS.items()}
    content: dict[str, Any] = {
        **file.header,
        "state": [_as_json(file, name) for name in file.states()],
        "runtime": None if runtime.parts else pinned,
    }
    values = {
        "policy": policy,
        "data": json.dumps(content).replace("<", "\\u003c"),
        "model": base64.b64encode(file.path.read_bytes()).decode(),
        **{key: base64.b64encode((runtime.parts or {}).get(key, b"")).decode() for key in PARTS},
        "script": script,
    }
    # In one pass, since a label may be called like a place.
    return re.sub(rf"{{({'|'.join(values)})}}", lambda found: values[found[1]], html).encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_json(file: OnnxFile, name: str) -> tuple[str, str, list[int]]:
    """Return the name, kind and shape of a state for a single window."""
    kind, shape = file.inputs[name]
    return name, kind.__name__, [size if isinstance(size, int) else 1 for size in shape]
