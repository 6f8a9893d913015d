"""How far a stage has come: `scenario: 3 of 8, about 20 s left`, on a terminal only. Not here: the summary line of a stage.

A stage that `trine run` started writes into a pipe. If the run is on a terminal, it asks with TRINE_PROGRESS=lines for lines that begin
with `LINE`, and shows the last one of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

VARIABLE, BY_LINES = "TRINE_PROGRESS", "lines"
LINE = "progress: "
EVERY_S = 0.5
CLEAR = "\r\x1b[K"  # back to the start of the line, and delete it
Item = TypeVar("Item")


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield `items`, and show after each one how many of `total` are done and how long the rest will take."""
    started = shown = time.monotonic()
    by_lines = os.environ.get(VARIABLE) == BY_LINES
    if not (by_lines or sys.stderr.isatty()) or total < 2:
        yield from items
        return
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done < total and now - shown >= EVERY_S:
            shown = now
            _show(f"{what}: {done} of {total}, about {duration((now - started) / done * (total - done))} left", by_lines)
    if not by_lines:
        print(CLEAR, end="", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """`4 s`, `7 min 29 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _show(text: str, by_lines: bool) -> None:
    print(f"{LINE}{text}\n" if by_lines else f"{CLEAR}{text}", end="", file=sys.stderr, flush=True)
