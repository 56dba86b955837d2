"""Clips of whatever is given: a folder, a list or annotations of long videos."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.data.account import find_clips, report_account
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.annotations.read import (
    UNGROUPED,
    annotated_videos,
    annotation_files,
    more_background,
    read_annotations,
    refuse_files,
    with_options,
)
from vidgru.data.csv_list import LIST_SUFFIXES
from vidgru.data.folder import GROUPS_FILE, Clip
from vidgru.data.results import Account, LeftOut


@contextmanager
def _readable() -> Iterator[None]:
    """Raise DataError for what the system does not let be read."""
    try:
        yield
    except OSError as error:
        what = error.filename or "the clips"
        raise DataError(f"Cannot read {what}: {error.strerror or error}.") from error


@_readable()
def find_source(
    source: Path,
    group_by: str | None = None,
    *,
    labelled: bool = True,
    annotations: AnnotationConfig = AnnotationConfig(),  # noqa: B008
) -> tuple[list[Clip], Account]:
    """Return the clips of a folder, a list or annotations of videos, and the account of them.

    Clips have groups unless `group_by` is "none". `annotations` are the options of these, and what
    of them is meant for all sources. Not `labelled`, clips need no classes, and all labels are "".
    """
    files, others = annotation_files(source, deep=annotations.videos is not None, flat=labelled)
    if annotations.videos is not None and not files:
        refuse_files(others[False])
        raise DataError(f"{source} holds no annotations: leave out --videos.")
    if files:
        read = read_annotations if labelled else annotated_videos
        clips = read(files, annotations, group_by)
        account = _account_of(source, files, others, len(clips))
    else:
        if source.suffix.lower() not in LIST_SUFFIXES and os.path.isfile(source):
            refuse_files(others[False])
        by = None if group_by == UNGROUPED else group_by
        clips, account = find_clips(source, by, labelled=labelled)
        if group_by == UNGROUPED:
            clips = [replace(clip, group=None) for clip in clips]
        clips = with_options(clips, source, annotations)
    more = more_background(annotations, {clip.listed for clip in clips})
    if all(clip.group is None for clip in clips):  # each is by itself anyway
        more = [replace(clip, group=None) for clip in more]
    if annotations.background not in (None, *(clip.label for clip in [*clips, *more])):
        raise DataError(f"{source} has no time without a label for --background.")
    return clips + more, account


def _account_of(
    source: Path, files: Sequence[Path], others: Mapping[bool, Sequence[Path]], clips: int
) -> Account:
    """Return what became of files of annotations, and of others that may be meant as such."""
    reasons = {
        False: ("no annotations", "warning", "none of the annotations that can be read"),
        True: ("other tables", "note", "list of clips, or part of a run"),
    }
    tables = [path for path in others[True] if path.name == GROUPS_FILE]
    others = {**others, True: [path for path in others[True] if path not in tables]}
    left_out = tuple(
        LeftOut(*reasons[known], tuple(os.path.relpath(path, source) for path in paths))
        for known, paths in others.items()
        if paths
    )
    used = {"annotations": len(files)} | ({"tables": len(tables)} if tables else {})
    count = sum(used.values()) + sum(len(left.files) for left in left_out)
    return Account(count, used, {"": clips}, left_out, ())


def read_source(
    source: Path,
    group_by: str | None = None,
    *,
    labelled: bool = True,
    annotations: AnnotationConfig = AnnotationConfig(),  # noqa: B008
) -> list[Clip]:
    """Return the clips that `find_source` finds, and log what was found."""
    clips, account = find_source(source, group_by, labelled=labelled, annotations=annotations)
    report_account(account)
    return clips
