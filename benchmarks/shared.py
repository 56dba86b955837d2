"""What several benchmarks need: vidgru as a command, and lists of clips that it reads."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidgru.data.folder import Clip


def run_vidgru(*words: object) -> dict[str, Any]:
    """Return what a command prints as JSON, or exit with its message; it shows all unless -q."""
    command = [sys.executable, "-m", "vidgru", *map(str, words), "--json"]
    errors = subprocess.PIPE if "-q" in words else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr or ''}".rstrip())
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write_list(path: Path, rows: Sequence[tuple[Clip, str]]) -> Path:
    """Write clips and their parts as a list that `vidgru train` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A single group cannot be split; the test clips have another.
    groups = {clip.group for clip, part in rows if part != "test"}
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "group"])
        for clip, part in rows:
            group = clip.group if len(groups) > 1 else ""
            table.writerow([clip.path.resolve(), clip.label, part, group])
    return path
