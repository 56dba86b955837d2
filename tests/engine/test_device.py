"""What is said where other programs compute."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vidgru.engine import device


@pytest.fixture
def fresh_process() -> Iterator[None]:
    """A process that has said nothing yet."""
    device._advise_threads.cache_clear()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    device._advise_threads.cache_clear()


def said(
    busy: float,
    threads: int | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> list[str]:
    monkeypatch.setattr(device, "busy_cores", lambda: busy)
    monkeypatch.setattr(device, "cores", lambda: 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    with caplog.at_level(logging.INFO, "vidgru"):
        device.prepare_training("cpu", threads, 0)
        device.prepare_training("cpu", threads, 0)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize(("busy", "left"), [(0.6, 3), (1.9, 2), (4.0, 1)])
def test_busy_cores_are_told_once(
    busy: float, left: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(busy, None, monkeypatch, caplog) == [
        f"Other programs keep {busy:.1f} of 4 cores busy. "
        f"With --threads {left} it is likely to end sooner."
    ]
    # Advice only: another number of threads would give other bits.
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize(("busy", "threads"), [(0.4, None), (4.0, 1), (4.0, 4)])
def test_nothing_is_said_of_free_cores_or_of_threads_that_are_given(
    busy: float,
    threads: int | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert said(busy, threads, monkeypatch, caplog) == []


def test_busy_cores_are_what_the_system_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 20 1000 5 1 2 3 0 0\ncpu0 1 2 3\n")
    later = "cpu  107 11 22 1005 10 1 2 3 0 0\ncpu0 1 2 3\n"  # 10 ticks of work, 10 idle
    monkeypatch.setattr(device, "STAT", stat)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(device.time, "sleep", lambda _: stat.write_text(later))
    assert device.busy_cores() == pytest.approx(1.0)


def test_a_system_that_counts_nothing_has_no_busy_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(device, "STAT", tmp_path / "absent")
    assert device.busy_cores() == 0.0
