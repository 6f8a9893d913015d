"""Independent pieces of work in local processes. Not here: the pieces; a result must not depend on how many run at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from core.errors import TrineError
from tasks.core.environment import Environment
from tasks.core.lifeline import die_with_parent
from tasks.core.progress import counted

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(work: Callable[[Item], Result], items: Sequence[Item], what: str = "pieces of work") -> list[Result]:
    """Return `work` of every item, in order; at most `TRINE_THREADS` processes, none if one would do.

    The processes end when this one does, however it ends, and as soon as one piece fails.

    Args:
        work: a function of a module (it is sent to other processes by name).
        items: what it takes; they are sent, so keep them small.
        what: the pieces, for the line of progress on a terminal, e.g. `worlds`.

    Raises:
        TrineError: a process was killed from outside. What `work` raises is raised here.
    """
    processes = min(Environment().threads, len(items))
    if processes <= 1:
        return list(counted(map(work, items), len(items), what))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(os.getpid(),)) as pool, _ended_on_failure():
        try:
            return list(counted(pool.map(work, items), len(items), what))
        except BrokenProcessPool:
            where, how = f"{processes} processes for {len(items)} pieces of work", "free memory, or set TRINE_THREADS=1, and run again"
            raise TrineError("a process was killed, probably out of memory", where=where, how=how) from None


@contextmanager
def _ended_on_failure() -> Iterator[None]:
    """Kill the processes that were started inside the block if it is left by an exception; the pool would wait for their work."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.kill()
        raise


def _begin(parent: int) -> None:
    """What every process does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, too, which ends the others
    die_with_parent(parent)
