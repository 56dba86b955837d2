"""Files of models that the system does not let us read."""

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidgru
from vidgru.core.errors import ModelError
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.classify import encoders
from vidgru.tasks.classify.looks_file import open_looks
from vidgru.tasks.classify.spec import ModelSpec

SPEC = ModelSpec(
    "classify", ("a", "b"), "diff", "gru", 8, 10.0, 8, 16, looks="0" * 64, looks_name="own.onnx"
)
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "model.safetensors": (vidgru.load, "Cannot read the model {}"),
    "last.ckpt": (load_checkpoint, "Cannot read the checkpoint {}"),
    "encoder.safetensors": (
        lambda path: encoders.read_shipped(), "Cannot read the initial weights {}"
    ),
    "looks.onnx": (
        lambda path: open_looks(SPEC, path.parent / "model.safetensors"),
        "Cannot read the picture encoder {}",
    ),
    "own.onnx": (
        lambda path: open_looks(SPEC, path.parent / "model.safetensors", path),
        "Cannot read the picture encoder {}",
    ),
    "config.json": (
        lambda path: vidgru.resume(path.parent),
        "Cannot resume {parent}: cannot read its config.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_what_may_not_be_read_is_not_called_damaged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, words = READERS[name]
    path, opened = tmp_path / name, open
    path.write_bytes(b"content")

    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:
        if file in (path, str(path)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *args, **kwargs)

    monkeypatch.setattr(encoders, "SHIPPED_ENCODER", path)
    for module in (builtins, io):  # tests may run as root, who may read all
        monkeypatch.setattr(module, "open", refuse)
    with pytest.raises(ModelError) as failed:
        read(path)
    why = os.strerror(errno.EACCES)
    assert str(failed.value) == f"{words.format(path, parent=tmp_path)}: {why}."
