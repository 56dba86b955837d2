"""A process that predicts with a model, a child of `data.pool`.

Its first request opens the model; without a source, it describes the model.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from vidgru.core.errors import VideoError, VidgruError
from vidgru.core.results import Failure
from vidgru.data.worker import Beat, Line, serve
from vidgru.tasks.classify.backend import open_classifier
from vidgru.tasks.classify.classifier import Classifier, Steps, find_model
from vidgru.tasks.classify.options import AnswerConfig
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video import source as video_source


class _Kept(logging.Handler):
    """Warnings, kept for the parent process."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


def _open(options: dict[str, Any]) -> tuple[str, Classifier, str]:
    """Return the path of a model, the model, and a hash of its file."""
    # Each process that torchrun started on a machine has a GPU of its own.
    if "LOCAL_RANK" in os.environ and options["device"] in ("auto", "cuda"):
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    path = find_model(AnswerConfig(model=options.pop("model")))
    model = open_classifier(path, **options)
    return str(path), model, hashlib.sha256(model.path.read_bytes()).hexdigest()[:16]


def _answer(steps: Steps[Prediction] | Steps[Timeline], source: str, beat: Beat) -> Line:
    try:
        while True:
            next(steps)
            beat()
    except StopIteration as end:
        times = list(end.value.times) if isinstance(end.value, Timeline) else []
        return {"result": end.value.to_dict(), "times": times}
    except VideoError as error:
        return {"result": Failure(source, str(error)).to_dict()}
    except VidgruError:
        raise
    except Exception as error:  # whatever fails in one file, the next one comes
        sentence = f"Cannot read {source}: {type(error).__name__}: {error}"
        return {"result": Failure(source, sentence).to_dict()}


def main() -> None:
    """Serve until standard input ends."""
    video_source.decoder_threads = 1
    kept, opened = _Kept(), list[tuple[str, Classifier, str]]()
    log = logging.getLogger("vidgru")
    log.handlers, log.propagate = [kept], False

    def answer(request: Line, beat: Beat) -> Line:
        kept.sentences = []
        try:
            if not opened:
                opened.append(_open(request["options"]))
            path, model, digest = opened[0]
            beat()
            reply: Line = {"model": digest}
            if request["source"] is None:
                reply |= {"path": path, "labels": list(model.spec.labels)}
                reply |= {"frames": model.spec.frames}
            else:
                kept.sentences = []  # those of opening the model came before
                source, shortest = Path(request["source"]), request["min_seconds"]
                if request["timeline"]:
                    reply |= _answer(model.timeline_steps(source, shortest), str(source), beat)
                else:
                    reply |= _answer(model.steps(source), str(source), beat)
            return {**reply, "warnings": kept.sentences}
        except VidgruError as error:
            return {"error": str(error), "kind": type(error).__name__}

    serve(answer)


if __name__ == "__main__":
    main()
