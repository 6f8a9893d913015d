"""Independent pieces of work in local processes. Not here: the pieces; a result must not depend on how many run at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tasks.settings import Settings

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return `work` of every item, in order; at most `TRINE_THREADS` processes, none if one would do.

    Args:
        work: a function of a module (it is sent to other processes by name).
        items: what it takes; they are sent, so keep them small.
    """
    processes = min(Settings().threads, len(items))
    if processes <= 1:
        return [work(item) for item in items]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, items))
