"""One training in several processes, on one machine or more, as torchrun starts them.

All processes draw the same random numbers and make the same decisions. Each computes its own part
of every batch and of the evaluated clips; results are added up, so that all continue with the same
bits. Only the main process (rank 0) writes and prints.
"""

import functools
import itertools
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from vidgru.core.errors import ProcessError
from vidgru.core.results import Progress
from vidgru.core.torchrun import process_rank, world_size

# Others wait as long as the main process decodes; a process that ends is noticed at once.
JOINING = timedelta(minutes=10)
PATIENCE = timedelta(days=7)
GRACE = 1.0  # seconds for a signal that is sent to all processes to arrive here
RESTARTS = "TORCHELASTIC_RESTART_COUNT"

Params = ParamSpec("Params")
Result = TypeVar("Result")
Job = Generator[Progress, None, Result]

_jobs = itertools.count()


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the rank of this process among those that train together."""
    return dist.get_rank() if world() > 1 else 0


def is_main() -> bool:
    """Return whether this is the main process, which writes."""
    return rank() == 0


def local_rank() -> int:
    """Return the rank of this process among those on its machine."""
    return int(os.environ["LOCAL_RANK"]) if world() > 1 else 0


def local_world() -> int:
    """Return how many processes train together on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world())) if world() > 1 else 1


def process_group(job: Callable[Params, Job[Result]]) -> Callable[Params, Job[Result]]:
    """Run a job in all processes that torchrun started together; a single process just runs it.

    When one of them fails, all end: that one with its own error, the others with a ProcessError of
    the same message.
    """

    @functools.wraps(job)
    def joined(*args: Params.args, **kwargs: Params.kwargs) -> Job[Result]:
        if world_size() == 1 or world() > 1:
            return (yield from job(*args, **kwargs))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        try:
            # Each job has its own names, or it would find the addresses of the previous one.
            dist.init_process_group(
                backend,
                store=_store(f"vidgru {os.environ.get(RESTARTS, 0)} {next(_jobs)}"),
                rank=process_rank(),
                world_size=world_size(),
                timeout=PATIENCE,
            )
        except (RuntimeError, ValueError) as error:
            raise ProcessError(f"Cannot reach the other processes of torchrun: {error}.") from error
        store = dist.distributed_c10d._get_default_store()
        log = logging.getLogger("vidgru")
        log.disabled = not is_main()
        try:
            result = yield from job(*args, **kwargs)
            all_reduce(torch.zeros(1))
            dist.destroy_process_group()
            return result
        except BaseException as error:
            if not isinstance(error, ProcessError | KeyboardInterrupt | GeneratorExit):
                store.set("error", str(error) or type(error).__name__)
                _failure(store)  # the reply comes when all can read it
            # Where one fails, torchrun stops the others; report the failure, not that stop.
            message = _failure(store) if isinstance(error, KeyboardInterrupt) else None
            # This closes the connections, which ends the others. NCCL would wait for them instead.
            if backend == "gloo":
                dist.destroy_process_group()
            if message is not None:
                raise ProcessError(message) from None
            raise
        finally:
            log.disabled = False

    return joined


def _store(name: str) -> Any:
    """Return a store for short messages that outlives the processes under torchrun."""
    from torch.distributed.distributed_c10d import PrefixStore

    return PrefixStore(name, _whole_store())


@functools.cache
def _whole_store() -> Any:
    from torch.distributed.rendezvous import rendezvous  # missing in the torch of some systems

    store, _, _ = next(iter(rendezvous("env://", timeout=JOINING)))
    return store


def exchange(text: str) -> list[str]:
    """Return the texts of all processes that torchrun started, by rank, when all have sent theirs.

    A single process gets only its own. Raises ProcessError.
    """
    if world_size() == 1:
        return [text]
    store = _store(f"vidgru exchange {os.environ.get(RESTARTS, 0)} {next(_jobs)}")
    try:
        store.set(str(process_rank()), text)
        names = [str(rank) for rank in range(world_size())]
        _await(lambda: bool(store.check(names)))
        texts = [str(store.get(name), "utf-8") for name in names]
        # The main process may hold the store.
        store.add("read", 1)
        if process_rank() == 0:
            _await(lambda: int(store.add("read", 0)) == world_size())
        return texts
    except RuntimeError as error:
        raise ProcessError(f"Another process of torchrun ended: {error}.") from error


def _await(ready: Callable[[], bool]) -> None:
    # The store's own wait would not notice a signal.
    while not ready():
        time.sleep(0.05)


def all_reduce(tensor: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place; all get the same bits.

    Raises ProcessError when one of them has ended.
    """
    if world() > 1:
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            store = dist.distributed_c10d._get_default_store()
            if (message := _failure(store)) is None:
                time.sleep(GRACE)
                message = _failure(store)
            raise ProcessError(
                message
                or "Another process of this training ended. Resume with --resume, or train again."
            ) from error
    return tensor


def _failure(store: Any) -> str | None:
    """Return the message of the first process that failed, if it sent one."""
    try:
        return str(store.get("error"), "utf-8") if store.check(["error"]) else None
    except RuntimeError:  # the store ended with that process
        return None


def broadcast(value: float) -> float:
    """Return the main process's value."""
    if world() == 1:
        return value
    return all_reduce(torch.tensor([value if is_main() else 0.0], dtype=torch.float64)).item()


def from_main(make: Callable[[], bytes]) -> bytes:
    """Return the bytes that the main process makes."""
    if world() == 1:
        return make()
    content = bytearray(make()) if is_main() else bytearray()
    length = int(broadcast(len(content)))
    if length == 0:
        return b""
    data = torch.frombuffer(content or bytearray(length), dtype=torch.uint8)
    return all_reduce(data).numpy().tobytes()


def text_from_main(make: Callable[[], str]) -> str:
    """Return the text, file names included, that the main process makes."""
    return os.fsdecode(from_main(lambda: os.fsencode(make())))


def main_first(job: Callable[[], Job[Result]]) -> Job[Result]:
    """Run a job in one process of each machine, then in the others, which use its results."""
    first = local_rank() == 0
    result = [(yield from job())] if first else []
    all_reduce(torch.zeros(1))
    return result[0] if first else (yield from job())


def part(count: int) -> slice:
    """Return this process's part of a batch of `count` clips; parts differ by at most one."""
    return slice(rank() * count // world(), (rank() + 1) * count // world())


def all_reduce_gradients(loss: Tensor, parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the sum of the processes' losses, with the sums of their gradients in `parameters`."""
    if world() == 1:
        return loss
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = all_reduce(torch.cat([g.flatten() for g in (*gradients, loss.detach())]))
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
    return flat[-1]


def launch() -> dict[str, Any] | None:
    """Return an identity of this launch of torchrun, unchanged by a restart of workers.

    None without torchrun.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    # All workers are children of torchrun's agent, which outlives them.
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return {"id": os.environ["TORCHELASTIC_RUN_ID"], "host": host, "agent": os.getppid()}


def restarted() -> bool:
    """Return whether torchrun started these processes in place of others that ended."""
    return int(os.environ.get(RESTARTS, 0)) > 0
