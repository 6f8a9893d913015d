"""Children end with their parents, however those end. Not here: ending children on purpose (parallel.py, flows/process.py)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
LOOK_S = 0.5  # where the kernel sends no signal, a thread looks this often


def die_with_parent(parent: int) -> None:
    """End this process with SIGKILL as soon as its parent has ended.

    On Linux the kernel sends the signal, even in the middle of compiled code. Elsewhere a thread looks for it, which waits for such code.

    Args:
        parent: process id of the parent as it was at the start; if it has ended by now, this process ends at once.
    """
    if not (sys.platform == "linux" and _ask_kernel()):
        _look_in_thread(os.getppid, parent)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_starter() -> None:
    """End this process with what started it, also where a shell stands between the two and outlives its own parent.

    DVC runs the command of a stage as `$SHELL -c COMMAND`. bash puts the command in its own place; dash, the /bin/sh of Debian, stays its
    parent, and nobody tells it that DVC was killed.
    """
    parent = os.getppid()
    die_with_parent(parent)
    if _is_shell_of_one_command(parent) and (starter := _parent_of(parent)):
        _look_in_thread(lambda: _parent_of(parent), starter)


def _ask_kernel() -> bool:
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL) == 0)
    except (OSError, AttributeError):
        return False


def _is_shell_of_one_command(pid: int) -> bool:
    words = _of_process(pid, "cmdline").split("\0")
    return bool(words) and Path(words[0]).name.endswith("sh") and "-c" in words[1:3]


def _parent_of(pid: int) -> int:
    """Process id of the parent of a process; 0 where there is no such process, or no /proc."""
    fields = _of_process(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _of_process(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _look_in_thread(parent_now: Callable[[], int], parent: int) -> None:
    threading.Thread(target=_watch, args=(parent_now, parent), daemon=True, name="lifeline").start()


def _watch(parent_now: Callable[[], int], parent: int) -> None:
    while parent_now() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)
