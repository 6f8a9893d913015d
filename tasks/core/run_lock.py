"""One run at a time in a working tree: the lock `.trine/run.lock`. Not here: how processes end (lifeline.py), DVC's own locks.

Two files, both locked with flock, which the kernel takes back when a process ends, however it ends:

- `run.lock` is held by one run: `trine run`, `flow`, `report`, or a stage that was started by hand. Its text says who that is.
- `stages.lock` is shared by the stages that a run started. A new run holds `run.lock` and then waits until no stage of an earlier run,
  whose process may have been killed, is left.

A stage works under the lock of its run if its environment names the token of the run that holds the lock now. A token is good for one
run only, so a variable that is left over, or set by hand, opens nothing: the stage then waits like everybody else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import TrineError

TOKEN = "TRINE_RUN"  # noqa: S105 (name of a variable; what it holds is no secret)
LEND_S = 0.5  # whoever waits in the kernel is served within this time
LOOKS, LOOK_S = 5, 0.02
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who holds the lock.

    Args:
        pid: of the process.
        command: `trine run`, or `stage scenario`.
        since: seconds since the epoch at which it got the lock.
        token: see the module.
        stages: the stages that run now, with the times at which they began.
    """

    pid: int
    command: str
    since: float
    token: str = ""
    stages: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """`the run of PID 12 (stage scenario, since 14:02)`."""
        stages = ", ".join(sorted(self.stages))
        what = f"stage{'s' if len(self.stages) > 1 else ''} {stages}" if stages else self.command
        since = min(self.stages.values(), default=self.since)
        return f"the run of PID {self.pid} ({what}, since {time.strftime('%H:%M', time.localtime(since))})"


class Held:
    """The lock while this process holds it; safe to share between threads."""

    def __init__(self, root: Path, command: str, say: Say) -> None:
        self._file, self._command, self._say = lock_file(root), command, say
        self._token, self._since = secrets.token_hex(8), time.time()
        self._stages: dict[str, float] = {}
        self._lock = threading.RLock()
        self._number = -1
        self._take()

    def environment(self) -> dict[str, str]:
        """Return what makes a stage work under this lock; hand it to the processes that start stages."""
        return {TOKEN: self._token}

    def begins(self, stage: str) -> None:
        """Say that a stage runs now, to those who wait and to `trine status`."""
        with self._lock:
            self._stages[stage] = time.time()
            self._write()

    def has_ended(self, stage: str) -> None:
        """Say that a stage has ended."""
        with self._lock:
            self._stages.pop(stage, None)
            self._write()

    def lend(self) -> None:
        """Let one that waits go first, and take the lock back when it is done.

        `dvc repro`, started by hand during a run, keeps its stage's files to itself (a lock of DVC's) while that stage waits for this
        lock. A run that needs these files can only go on after that stage.
        """
        with self._lock:
            self.release()
            time.sleep(LEND_S)
            self._take()

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        with self._lock:
            if self._number >= 0:
                os.ftruncate(self._number, 0)
                os.close(self._number)
                self._number = -1

    def _take(self) -> None:
        self._number = _locked(self._file, self._say)
        try:
            self._write()
            self._wait_for_stages()
        except BaseException:
            self.release()
            raise

    def _wait_for_stages(self) -> None:
        left = os.open(_stages_file(self._file), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _try(left, fcntl.LOCK_EX):
                self._say("waiting for a stage of an earlier run to end")
                fcntl.flock(left, fcntl.LOCK_EX)
        finally:
            os.close(left)

    def _write(self) -> None:
        if self._number < 0:
            return
        holder = Holder(os.getpid(), self._command, self._since, self._token, self._stages)
        text = json.dumps(holder.__dict__, sort_keys=True).encode()
        os.ftruncate(self._number, 0)
        os.pwrite(self._number, text, 0)


def lock_file(root: Path) -> Path:
    """Where the lock of a working tree is."""
    return root / ".trine" / "run.lock"


@contextlib.contextmanager
def held(root: Path, command: str, say: Say) -> Iterator[Held]:
    """Hold the lock of a working tree, waiting for it if need be.

    Args:
        root: of the working tree.
        command: as others see it, e.g. `trine run`.
        say: gets one line if there is something to wait for.
    """
    lock = Held(root, command, say)
    try:
        yield lock
    finally:
        lock.release()


@contextlib.contextmanager
def held_by_stage(root: Path, stage: str, say: Say) -> Iterator[None]:
    """Hold the lock for one stage, or work under that of the run which started it."""
    shared = _inherited(root)
    if shared is not None:
        try:
            yield
        finally:
            os.close(shared)
        return
    with held(root, f"stage {stage}", say) as lock:
        lock.begins(stage)
        yield


def holder(root: Path) -> Holder | None:
    """Return who holds the lock of a working tree now; None: nobody."""
    try:
        number = os.open(lock_file(root), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _try(number, fcntl.LOCK_SH) else _read(number)
    finally:
        os.close(number)


def _inherited(root: Path) -> int | None:
    """Share `stages.lock` if the run that holds the lock is the one that started this process; returns the open file."""
    token = os.environ.get(TOKEN)
    if not token or not lock_file(root).exists():
        return None
    # Shared first, looked second: a new run takes run.lock first and then waits for those who share, so it is seen or it waits.
    shared = os.open(_stages_file(lock_file(root)), os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(shared, fcntl.LOCK_SH)
    now = holder(root)
    if now is not None and now.token == token:
        return shared
    os.close(shared)
    return None


def _locked(file: Path, say: Say) -> int:
    """Open and lock `run.lock`; returns the open file."""
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _soon(number):
                say(f"waiting for {_read(number)}")
                fcntl.flock(number, fcntl.LOCK_EX)
            if _is_there(number, file):
                return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)  # the file was deleted while we waited: a lock on it keeps nobody out


def _soon(number: int) -> bool:
    """Lock a file that is free, or held for a moment by somebody who only looks (`holder`)."""
    for _ in range(LOOKS):
        if _try(number, fcntl.LOCK_EX):
            return True
        time.sleep(LOOK_S)
    return False


def _try(number: int, kind: int) -> bool:
    try:
        fcntl.flock(number, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        how = "put the working tree on a local disk"
        raise TrineError(f"this file system has no locks: {error.strerror}", where=".trine/run.lock", how=how) from None
    return True


def _is_there(number: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), file.stat())
    except FileNotFoundError:
        return False


def _read(number: int) -> Holder:
    """Who the text of the lock names; it is empty for a moment while its holder writes."""
    for _ in range(20):
        try:
            return Holder(**json.loads(os.pread(number, 1 << 16, 0)))
        except (ValueError, TypeError):
            time.sleep(0.01)
    return Holder(0, "another run", time.time())


def _stages_file(file: Path) -> Path:
    return file.with_name("stages.lock")
