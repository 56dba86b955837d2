"""Where and how to compute: device, threads, precision, memory."""

import ctypes
import functools
import logging
import os
import sys
import time
from pathlib import Path

import torch

from vidgru.core.errors import OptionError
from vidgru.data.pool import cores
from vidgru.engine.distributed import local_rank, local_world, world
from vidgru.video.source import set_picture_threads

log = logging.getLogger("vidgru")

STAT = Path("/proc/stat")
SAMPLED = 0.1  # seconds, in which the kernel counts ten times


def choose_device(name: str) -> torch.device:
    """Return the device for a name; auto is a GPU if there is one. Raises OptionError.

    Each of several processes on a machine has a GPU of its own.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: torch finds no NVIDIA GPU here. Use --device cpu.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise OptionError("--device mps: torch finds no Apple GPU here. Use --device cpu.")
    if world() == 1 or name == "cpu":
        return torch.device(name)
    if name == "mps":
        raise OptionError("--device mps: an Apple GPU serves one process. Leave out torchrun.")
    if local_world() > torch.cuda.device_count():
        raise OptionError(
            f"{local_world()} processes on this machine want a GPU each, and there are "
            f"{torch.cuda.device_count()}: start fewer, or use --device cpu."
        )
    return torch.device(name, local_rank())


def prepare(threads: int | None) -> None:
    """Set the number of CPU threads, and keep freed memory for reuse.

    By default, as many threads as cores, divided among the processes on this machine.
    Training frees and takes the same large blocks at every step; returning them to the system
    in between took a third of the time. This changes malloc for the whole process (glibc only).
    """
    torch.set_num_threads(threads or max(1, cores() // local_world()))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            m_trim_threshold, m_mmap_threshold, m_arena_max = -1, -3, -8
            # Threads that fill blocks and others that free them would fragment each arena.
            libc.mallopt(m_arena_max, 1)
            libc.mallopt(m_mmap_threshold, 1 << 30)
            libc.mallopt(m_trim_threshold, 1 << 30)


def prepare_inference(device: str, threads: int | None) -> torch.device:
    """Return the device for a name and prepare it; without `threads`, their number is unchanged.

    Raises OptionError.
    """
    chosen = choose_device(device)
    if threads:
        set_picture_threads(threads)
    prepare(threads or torch.get_num_threads())
    return chosen


def prepare_training(device: str, threads: int | None, seed: int) -> torch.device:
    """Return the device for a name, prepare it, and set the seed. Raises OptionError."""
    chosen = choose_device(device)
    prepare(threads)
    if threads is None and chosen.type == "cpu" and world() == 1:
        _advise_threads()
    torch.manual_seed(seed)
    return chosen


def busy_cores() -> float:
    """Return how many of this machine's cores compute now, 0 where the system counts none.

    While it measures, this thread waits.
    """
    try:
        before = _ticks()
        time.sleep(SAMPLED)
        after = _ticks()
    except (OSError, ValueError):
        return 0.0
    busy, idle = (late - early for early, late in zip(before, after, strict=True))
    return (os.cpu_count() or 1) * busy / max(busy + idle, 1)


def _ticks() -> tuple[int, int]:
    """Return the time that all cores computed and idled since the machine began, in ticks."""
    _, user, nice, system, idle, waiting, *rest = STAT.read_text().split("\n", 1)[0].split()
    computed = map(int, (user, nice, system, *rest[:3]))  # interrupts and stolen time, too
    return sum(computed), int(idle) + int(waiting)


@functools.cache  # once a process, not once a fold
def _advise_threads() -> None:
    """Say what to do where other programs compute: threads of torch wait for each other."""
    threads = torch.get_num_threads()
    busy = busy_cores() if threads > 1 else 0.0
    left = max(1, round((os.cpu_count() or 1) - busy))
    if left < threads:
        log.info(
            "Other programs keep %.1f of %d cores busy. "
            "With --threads %d it is likely to end sooner.",
            busy,
            os.cpu_count() or 1,
            left,
        )


def convolution_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the processor multiplies it natively, else float32.

    Without such instructions bfloat16 is emulated and slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float32
    if device.type == "cpu":
        native = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        if native.get("avx512_bf16") or native.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32
