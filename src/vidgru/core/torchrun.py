"""Which part of many sources is this process's own, where torchrun started several."""

import os
from collections.abc import Sequence
from typing import TypeVar

LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")

Item = TypeVar("Item")


def world_size() -> int:
    """Return how many processes torchrun, or one like it, started together with this one."""
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in LAUNCHED) else 1


def process_rank() -> int:
    """Return which of them this one is, from 0."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def shard(items: Sequence[Item]) -> Sequence[Item]:
    """Return the stretch of items that is this process's own; they differ in length by one."""
    return items[process_rank() * len(items) // world_size() : (process_rank() + 1) * len(items) // world_size()]


def shared_name(stem: str, suffix: str) -> str:
    """Return <stem>-<number>-of-<count><suffix>, in an order that sorting keeps; alone, as is."""
    if world_size() == 1:
        return stem + suffix
    return f"{stem}-{process_rank():0{len(str(world_size() - 1))}}-of-{world_size()}{suffix}"
