"""Runs DVC as a child process. Belongs here: its environment, its lines, its end. Does not: which stages run (graph, rebuild, cli)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.errors import TrineError

KILL_AFTER_S = 3.0  # a child that ignores SIGTERM this long gets SIGKILL
TAIL_LINES = 40  # lines of a failed stage that its error repeats
STAGE_LIMIT_S = 6 * 3600.0  # no stage takes this long: a hanging one ends here
BUSY = "is busy, it is being blocked by:"  # DVC's words where another DVC works on the files of a stage


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` (default: the current one) that holds dvc.yaml.

    Raises:
        TrineError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise TrineError("no dvc.yaml here or in any folder above", where=str(here), how="run trine inside the clone of the repository")


def environment() -> dict[str, str]:
    """Return the environment of a DVC child: the `python` of a stage is this interpreter's, and nothing calls home."""
    bin_folder = str(Path(sys.executable).parent)
    quiet = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **quiet, "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def follower(module: str, *arguments: str) -> list[str]:
    """Return the command line of a Python module as a child of this process, which ends with it even if it is killed."""
    return [sys.executable, "-m", "flows.follower", str(os.getpid()), module, *arguments]


def dvc(*arguments: str) -> list[str]:
    """Return the command line of this environment's DVC as a `follower`."""
    return follower("dvc", *arguments)


def is_busy(lines: Sequence[str]) -> bool:
    """Whether DVC stopped because another DVC works on the files of a stage."""
    return any(BUSY in line for line in lines)


class Runner:
    """Runs commands in process groups of their own and can stop all of them; safe to share between threads.

    Args:
        root: where they run.
        limit_s: after which they are ended.
        variables: of their environment, beside those of `environment`.
    """

    def __init__(self, root: Path, limit_s: float = STAGE_LIMIT_S, variables: Mapping[str, str] | None = None) -> None:
        self.root, self.limit_s, self._variables = root, limit_s, dict(variables or {})
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, command: Sequence[str], on_line: Callable[[str], None]) -> tuple[int, list[str]]:
        """Run `command` in the root and hand each line of its output on as it comes.

        Returns:
            (exit status, last TAIL_LINES lines). The whole process group is gone when this returns or raises.
        """
        tail: list[str] = []
        with self._lock:
            if self._stopped:
                return 130, ["stopped before it began"]
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env={**environment(), **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        late = threading.Timer(self.limit_s, _end_group, [process])
        late.daemon = True
        late.start()
        try:
            assert process.stdout is not None  # noqa: S101 (stdout=PIPE)
            for line in process.stdout:
                text = line.rstrip("\n")
                tail = [*tail[-(TAIL_LINES - 1) :], text]
                on_line(text)
            return process.wait(), tail
        finally:
            late.cancel()
            _end_group(process)
            if process.stdout is not None:
                process.stdout.close()
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """End every running process group and start no further one."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    """End what is left of a process group: SIGTERM first, so that DVC gives its locks back, then SIGKILL."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER_S)
    # The leader may be gone while a grandchild lives on in its group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
