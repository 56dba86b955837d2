"""Which part of many sources this process handles, where torchrun started several."""

import os
from collections.abc import Sequence
from typing import TypeVar

LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")

Item = TypeVar("Item")


def world_size() -> int:
    """Return how many processes torchrun, or a similar launcher, started."""
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in LAUNCHED) else 1


def process_rank() -> int:
    """Return the rank of this process, from 0."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def shard(items: Sequence[Item]) -> Sequence[Item]:
    """Return this process's contiguous share of the items; shares differ by at most one item."""
    return items[
        process_rank() * len(items) // world_size() : (process_rank() + 1)
        * len(items)
        // world_size()
    ]


def shared_name(stem: str, suffix: str) -> str:
    """Return <stem>-<number>-of-<count><suffix>, in an order that sorting keeps; alone, as is."""
    if world_size() == 1:
        return stem + suffix
    return f"{stem}-{process_rank():0{len(str(world_size() - 1))}}-of-{world_size()}{suffix}"
