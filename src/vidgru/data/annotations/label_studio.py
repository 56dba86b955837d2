"""Label Studio: exports as JSON and JSON-MIN of timelines of videos (labelstud.io)."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from vidgru.data.annotations.reader import Annotations, Document, Event, Reader, to_seconds

VIDEO = ("video", "video_url", "url", "audio", "file", "path")  # of a task's data, by preference
MAX_RATE = 1e5  # frames/s that are believed
UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # stands before the name of what was uploaded


class LabelStudio(Reader):
    """Tasks, each with a video and its regions.

    Regions of `TimelineLabels` count frames from 1, at the rate that the project's `Video` tag
    says; the file does not, so it is taken to be the video's own, unless a region says how many
    frames it takes to be in how many seconds. Regions of `Labels` on the sound count seconds.
    """

    name, suffixes = "Label Studio export", frozenset((".json",))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        tasks = document.json
        return (
            isinstance(tasks, list)
            and bool(tasks)
            and all(isinstance(task, dict) for task in tasks)
            and any("annotations" in task or any(_minimal(task)) for task in tasks)
        )

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        found, others = Annotations(), 0
        for number, task in enumerate(document.json, 1):
            whole = "annotations" in task
            data = task.get("data") if whole else task
            if not isinstance(data, dict):
                raise document.wrong(f"task {number} has no data.")
            name = next((data[key] for key in VIDEO if isinstance(data.get(key), str)), None)
            if name is None:
                raise document.wrong(f"task {number} names no video.")
            video = document.video(name)
            regions = _regions(document, number, task) if whole else [*_minimal(task)]
            if regions is None:
                found.warnings.append(f"task {number} ({video.name}) has no annotation")
                continue
            found.videos.append(video)
            rate = _rate(regions)
            for region in regions:
                events = _events(document, number, region, video, rate)
                others += not events
                found.events += events
        if others:
            found.warnings.append(f"{others} regions are no stretches of time with a label")
        return found


def _minimal(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the regions of a task of a JSON-MIN export."""
    for value in task.values():
        for region in value if isinstance(value, list) else ():
            if isinstance(region, dict) and ("timelinelabels" in region or "labels" in region):
                yield region


def _regions(document: Document, number: int, task: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return what the regions of the one annotation of a task say, None where there is none."""
    annotations = task["annotations"]
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        raise document.wrong(f"the annotations of task {number} are damaged.")
    kept = [a for a in annotations if not a.get("was_cancelled")]
    kept = [a for a in kept if a.get("ground_truth")] or kept
    if len(kept) > 1:
        raise document.wrong(
            f"task {number} has {len(kept)} annotations: keep one, or mark one as ground truth."
        )
    if not kept:
        return None
    results = kept[0].get("result")
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise document.wrong(f"the annotation of task {number} is damaged.")
    return [r["value"] for r in results if isinstance(r.get("value"), dict)]


def _rate(regions: list[dict[str, Any]]) -> float | None:
    """Return the frames/s that Label Studio counts by, where a region says so."""
    for region in regions:
        frames, seconds = to_seconds(region.get("framesCount")), to_seconds(region.get("duration"))
        if frames and seconds and frames / seconds < MAX_RATE:
            return frames / seconds
    return None


def _events(
    document: Document, number: int, region: dict[str, Any], video: PurePath, rate: float | None
) -> list[Event]:
    """Return what a region says, [] where that is nothing about time."""
    if "timelinelabels" in region:
        labels, spans = region["timelinelabels"], region.get("ranges")
    elif "labels" in region and "start" in region and "end" in region:
        labels, spans = region["labels"], [region]
    else:
        return []
    if not isinstance(labels, list) or not isinstance(spans, list) or not labels:
        raise document.wrong(f"a region of task {number} is damaged.")
    if len(labels) > 1:
        raise document.wrong(f"a region of task {number} has {len(labels)} labels: give it one.")
    found, label = [], document.label(labels[0])
    for span in spans:
        if not isinstance(span, dict):
            raise document.wrong(f"a region of task {number} is damaged.")
        if "timelinelabels" not in region:
            found.append(Event(video, label, *document.span(span["start"], span["end"])))
            continue
        # Both frames belong to it.
        first, last = document.span(span.get("start"), span.get("end"))
        first, last = max(first - 1, 0.0), first if last is None else last
        if rate is None:
            found.append(Event(video, label, first, last, "frames"))
        else:
            found.append(Event(video, label, first / rate, last / rate))
    return found


def uploaded_name(name: str) -> str:
    """Return the name of a video as it was before Label Studio took it in."""
    return UPLOADED.sub("", name, count=1) if UPLOADED.match(name) else name
