"""How far a stage that trains is: `.trine/progress/<stage>.json`, and a bar on a terminal. Not here: who reads the file (flows)."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, ClassVar

from tasks.core.records import Number, Record, write_record

if TYPE_CHECKING:
    from pathlib import Path

    from models.training import Progress
    from tasks.core.paths import Paths

WRITTEN_EVERY_S = 1.0


class StageProgress(Record):
    """Work of one stage: what is running now, how much of it is done, its newest metrics.

    Times are seconds since the epoch: of the start of the stage and of this file. `pid` is of the process, so that a file that a killed one
    left behind is recognised.
    """

    written_by: ClassVar[str] = "train_<layer>"

    stage: str
    what: str
    done: int
    total: int
    metrics: dict[str, Number]
    started_s: float
    updated_s: float
    pid: int


def progress_file(paths: Paths, stage: str) -> Path:
    """Where a stage says how far it is; there is none once it has ended."""
    return paths.root / ".trine" / "progress" / f"{stage}.json"


class Reporter:
    """Writes the file at most once a second, and draws a bar on a terminal.

    Args:
        paths: of the working tree.
        stage: its name.
    """

    def __init__(self, paths: Paths, stage: str) -> None:
        self._file, self._stage, self._started_s, self._written_s = progress_file(paths, stage), stage, time.time(), 0.0

    def show(self, what: str, progress: Progress) -> None:
        """Report how far the training `what` (an arm, a point of a search) is."""
        now = time.time()
        if now - self._written_s < WRITTEN_EVERY_S and progress.done < progress.total:
            return
        self._written_s = now
        found = {
            "stage": self._stage,
            "what": what,
            "done": progress.done,
            "total": progress.total,
            "metrics": {name: value for name, value in progress.metrics.items() if abs(value) < float("inf")},
            "started_s": self._started_s,
            "updated_s": now,
            "pid": os.getpid(),
        }
        write_record(self._file, StageProgress, found)
        if sys.stderr.isatty():
            share = progress.done / max(progress.total, 1)
            bar = "#" * round(30 * share)
            print(f"\r{self._stage} {what} [{bar:<30}] {share:4.0%}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the file: the stage has ended."""
        self._file.unlink(missing_ok=True)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
