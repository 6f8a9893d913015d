"""Pieces of work in processes: their order, their end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import TrineError
from tasks.core import lifeline
from tasks.core.parallel import map_in_processes

SLOW_S = 60.0


def work(item: float) -> float:
    """Sleep, or fail at once."""
    if item < 0:
        raise TrineError("a piece failed", where="here", how="fix it")
    time.sleep(item)
    return item


def test_a_piece_that_fails_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "2")
    started = time.monotonic()
    with pytest.raises(TrineError, match="a piece failed"):
        map_in_processes(work, [-1.0, SLOW_S])
    assert time.monotonic() - started < SLOW_S / 2
    until = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.02)
    assert multiprocessing.active_children() == []


def test_one_piece_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "4")
    here: list[int] = []
    assert map_in_processes(lambda item: here.append(item) or item, [7]) == [7]
    assert here == [7], "the work was done in this process"


@pytest.mark.parametrize("way", ["kernel", "thread"])
def test_a_child_ends_with_its_parent(way: str) -> None:
    """A parent starts a child and is killed; where the kernel sends no signal, a thread looks."""
    without = "lifeline._ask_kernel = lambda: False\n" if way == "thread" else ""
    begin = f"import os, time\nfrom tasks.core import lifeline\n{without}lifeline.die_with_parent(os.getppid())\n"
    child = f"{begin}print(os.getpid(), flush=True)\ntime.sleep(60)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and not is_zombie(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists() or is_zombie(pid)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_parent_that_has_ended_before_ends_the_child_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(lifeline, "_ask_kernel", lambda: True)
    monkeypatch.setattr(lifeline.os, "kill", lambda pid, number: killed.append(number))
    lifeline.die_with_parent(os.getppid())
    assert killed == []
    lifeline.die_with_parent(0)
    assert killed == [signal.SIGKILL]
    looking = threading.Thread(target=lifeline._watch, args=(os.getppid, 0))
    looking.start()
    looking.join(5)
    assert killed == [signal.SIGKILL] * 2
