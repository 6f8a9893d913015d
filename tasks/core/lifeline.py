"""Children end with their parents, however those end. Not here: ending children on purpose (parallel.py, flows/process.py)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
LOOK_S = 0.5  # where the kernel sends no signal, a thread looks this often


def die_with_parent(parent: int) -> None:
    """End this process with SIGKILL as soon as its parent has ended.

    On Linux the kernel sends the signal, even in the middle of compiled code. Elsewhere a thread looks for it, which waits for such code.

    Args:
        parent: process id of the parent as it was at the start; if it has ended by now, this process ends at once.
    """
    if not (sys.platform == "linux" and _ask_kernel()):
        threading.Thread(target=_watch, args=(parent,), daemon=True, name="lifeline").start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _ask_kernel() -> bool:
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)
