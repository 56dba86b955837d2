"""What `vidgru extract` has written."""

import csv
from pathlib import Path

import cv2

from vidgru.video.read import Image


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "frames.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def indices(folder: Path) -> list[int]:
    return [int(row["index"]) for row in table(folder)]


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def pixels(path: Path) -> Image:
    return cv2.imread(str(path))[..., ::-1]  # type: ignore[return-value]
