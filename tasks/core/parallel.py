"""Independent pieces of work in local processes. Not here: the pieces; a result must not depend on how many run at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from core.errors import TrineError
from tasks.core.environment import Environment

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return `work` of every item, in order; at most `TRINE_THREADS` processes, none if one would do.

    Args:
        work: a function of a module (it is sent to other processes by name).
        items: what it takes; they are sent, so keep them small.

    Raises:
        TrineError: a process was killed from outside. What `work` raises is raised here.
    """
    processes = min(Environment().threads, len(items))
    if processes <= 1:
        return [work(item) for item in items]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return list(pool.map(work, items))
        except BrokenProcessPool:
            where, how = f"{processes} processes for {len(items)} pieces of work", "free memory, or set TRINE_THREADS=1, and run again"
            raise TrineError("a process was killed, probably out of memory", where=where, how=how) from None
