"""A file of each kind of annotations; all say the same of videos a.avi and b.avi of 10 frames/s.

In both, `walk` is shown from 0.5 to 2 s and `rest` from 2 to 3.2 s. Files that are about one video
are about a.avi.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vidgru.data.folder import Clip

WALK, REST = ("walk", 0.5, 2.0), ("rest", 2.0, 3.2)
EVENTS = (WALK, REST)
VIDEOS = ("a.avi", "b.avi")


def project(**changes: Any) -> str:
    """Return a project of BORIS; `changes` are to its first observation."""
    observations = {
        f"cage {video[0]}": {
            "type": "MEDIA",
            "file": {"1": [video], "2": []},
            "time offset": 0.0,
            "events": [
                [time, "mouse", label, "", "", int(10 * time)]
                for label, *times in EVENTS
                for time in times
            ],
            "media_info": {"length": {video: 4.0}, "fps": {video: 10.0}},
        }
        for video in VIDEOS
    }
    observations["cage a"] |= changes
    kinds = {"walk": "State event", "rest": "State event", "sneeze": "Point event"}
    behaviours = {str(n): {"type": t, "code": c} for n, (c, t) in enumerate(kinds.items())}
    return json.dumps({"observations": observations, "behaviors_conf": behaviours})


def _tabular() -> str:
    head = "Observation id\tSource\tTime offset (s)\tMedia duration (s)\tFPS\tSubject\tBehavior\t"
    rows = [head + "Behavioral category\tBehavior type\tTime\tMedia file name\tComment"]
    rows += [
        f"cage {v[0]}\tplayer #1:C:\\films\\{v}\t1.5\t4.000\t10.000\tmouse\t{label}\t\t{kind}\t"
        f"{time + 1.5:.3f}\tC:\\films\\{v}\t"
        for v in VIDEOS
        for label, *times in EVENTS
        for kind, time in zip(("START", "STOP"), times, strict=True)
    ]
    return "\n".join(rows) + "\n"


def _old_tabular() -> str:
    parts = []
    for v in VIDEOS:
        lines = [f"Observation id\tcage {v[0]}" + 7 * "\t", 8 * "\t", f"Player #1\t{v}" + 7 * "\t"]
        names = "Time Media_file_path Total_length FPS Subject Behavior Category Comment Status"
        lines.append(names.replace(" ", "\t").replace("_", " "))
        lines += [
            f"{time:.3f}\t{v}\t4.000\t10.0\tmouse\t{label}\t\t\t{kind}"
            for label, *times in EVENTS
            for kind, time in zip(("START", "STOP"), times, strict=True)
        ]
        parts += lines
    return "\n".join(parts) + "\n"


def _aggregated() -> str:
    rows = ["Observation id,Source,Subject,Behavior,Behavior type,Start (s),Stop (s),Duration (s)"]
    rows += [
        f"cage {v[0]},player #1:films/{v},mouse,{label},STATE,{start:.3f},{end:.3f},{end - start}"
        for v in VIDEOS
        for label, start, end in EVENTS
    ]
    return "\n".join(rows) + "\n"


def frames(first: str = "") -> str:
    """Return a row a frame, whose first column is called so."""
    rows = [f"{first},walk,rest"]
    rows += [f"{n / 10 if first else n},{int(5 <= n < 20)},{int(20 <= n < 32)}" for n in range(40)]
    return "\n".join(rows) + "\n"


def _timeline(label: str, start: float, end: float) -> dict[str, Any]:
    span = {"start": round(10 * start) + 1, "end": round(10 * end)}
    return {"ranges": [span], "timelinelabels": [label]}


def label_studio(**changes: Any) -> str:
    """Return an export of Label Studio; `changes` are to its first task."""
    tasks = [
        {
            "id": n,
            "data": {"video": f"/data/upload/1/3d3ad63e-{video}"},
            "annotations": [
                {
                    "was_cancelled": False,
                    "result": [
                        {"type": "timelinelabels", "value": _timeline(*event)} for event in EVENTS
                    ],
                }
            ],
        }
        for n, video in enumerate(VIDEOS)
    ]
    tasks[0] |= changes
    return json.dumps(tasks)


def _label_studio_min() -> str:
    actions = [_timeline(*event) for event in EVENTS]
    return json.dumps([{"video": f"s3://films/{video}", "actions": actions} for video in VIDEOS])


def _label_studio_sound() -> str:
    """Return the export of a project that marks times on the sound, in seconds."""
    tasks = [
        {
            "data": {"video_url": f"/data/local-files/?d=films/{video}"},
            "annotations": [
                {
                    "result": [
                        {"type": "labels", "value": {"labels": [n], "start": s, "end": e}}
                        for n, s, e in EVENTS
                    ]
                }
            ],
        }
        for video in VIDEOS
    ]
    return json.dumps(tasks)


ATTRIBUTES = {
    "1": {"aname": "what", "anchor_id": "FILE1_Z2_XY0", "type": 4, "options": {"0": "walk"}},
    "2": {"aname": "note", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
}
SAID = ({"1": "0", "2": ""}, {"2": "rest"})


def _via() -> str:
    entries = {
        f"{n}_{k}": {"vid": str(n), "flg": 0, "z": [*times], "xy": [], "av": said}
        for n in range(len(VIDEOS))
        for k, ((_, *times), said) in enumerate(zip(EVENTS, SAID, strict=True))
    }
    files = {str(n): {"fid": str(n), "fname": v, "type": 4} for n, v in enumerate(VIDEOS)}
    views = {str(n): {"fid_list": [str(n)]} for n in range(len(VIDEOS))}
    parts = {"attribute": ATTRIBUTES, "file": files, "metadata": entries, "view": views}
    return json.dumps({"project": {"pname": "films"}, **parts})


def _quoted(value: Any) -> str:
    return '"' + json.dumps(value).replace('"', '""') + '"'


def _via_table() -> str:
    names = "metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata"
    lines = ["# Exported using VGG Image Annotator", f"# ATTRIBUTE = {json.dumps(ATTRIBUTES)}"]
    lines.append(f"# CSV_HEADER = {names}")
    lines += [
        f'"{v}_{k}",{_quoted([v])},0,{_quoted(times)},"[]",{_quoted(said)}'
        for v in VIDEOS
        for k, ((_, *times), said) in enumerate(zip(EVENTS, SAID, strict=True))
    ]
    return "\n".join(lines) + "\n"


def _elan() -> str:
    lines = ['"#file:///D:/films/a.eaf"', '"#file:///D:/films/a.avi -- offset: 0"', ""]
    lines += [
        f"behaviour\t\t00:00:0{s:.3f}\t{s}\t00:00:0{e:.3f}\t{e}\t00:00:0{e - s:.3f}\t{e - s}\t{n}"
        for n, s, e in EVENTS
    ]
    return "\n".join(lines) + "\n"


def _elan_tiers() -> str:
    lines = ["Anfangszeit - msec\tEndzeit - msec\tDauer - msec\tgait\tother"]
    lines += ["500\t2000\t1500\twalk\t", "2000\t3200\t1200\t\trest"]
    return "\n".join(lines) + "\n"


def _subtitles(head: str, mark: str) -> str:
    cues = [
        f"{n}\n00:00:0{s:.3f} --> 00:00:0{e:.3f}\n<i>{label}</i>\n".replace(".", mark)
        for n, (label, s, e) in enumerate(EVENTS, 1)
    ]
    return head + "\n".join(cues)


def _segments() -> str:
    rows = ["video;start_s;end_s;label"]
    rows += [f"{v};{s};0:0{e}" + f";{label}" for v in VIDEOS for label, s, e in EVENTS]
    return "\n".join(rows) + "\n"


FILES = {
    "boris.boris": project(),
    "tabular.tsv": _tabular(),
    "old_tabular.tsv": _old_tabular(),
    "aggregated.csv": _aggregated(),
    "a_labels.csv": frames(),
    "a.csv": frames("seconds"),
    "label_studio.json": label_studio(),
    "label_studio_min.json": _label_studio_min(),
    "label_studio_sound.json": _label_studio_sound(),
    "via.json": _via(),
    "via.csv": _via_table(),
    "elan.txt": _elan(),
    "a.txt": _elan_tiers(),
    "a.srt": _subtitles("", ","),
    "a.vtt": _subtitles("WEBVTT\n\n", "."),
    "segments.csv": _segments(),
}
# Those that are about a.avi only.
ONE_VIDEO = frozenset(name for name in FILES if name[:2] in ("a.", "a_", "el"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def told(clips: Iterable[Clip]) -> list[tuple[str, str, float | None, float | None]]:
    return [(clip.listed, clip.label, clip.start, clip.end) for clip in clips]
