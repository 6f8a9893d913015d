"""A child process ends with us, whatever it started."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from flows.process import Runner


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie that waits for init does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_lines_come_as_they_are_written_and_the_tail_is_bounded(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import sys; [print(i) for i in range(100)]; sys.exit(3)"
    status, tail = Runner(tmp_path).run([sys.executable, "-c", code], lines.append)
    assert status == 3
    assert lines == [str(i) for i in range(100)]
    assert tail == lines[-40:]


def test_stop_ends_the_whole_group_and_starts_no_other(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    pids: list[int] = []
    code = "import subprocess,os; p=subprocess.Popen(['sleep','60']); print(p.pid, flush=True); p.wait()"
    thread = threading.Thread(target=lambda: runner.run([sys.executable, "-c", code], lambda line: pids.append(int(line))))
    thread.start()
    while not pids:
        time.sleep(0.02)
    runner.stop()
    thread.join(10)
    assert not thread.is_alive()
    until = time.monotonic() + 5  # the signal is sent; a busy machine takes a moment to act on it
    while alive(pids[0]) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pids[0])
    assert runner.run(["true"], print)[0] == 130


def test_a_hanging_child_is_ended_at_its_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    status, _ = Runner(tmp_path, limit_s=0.3).run(["sleep", "60"], print)
    assert status < 0
    assert time.monotonic() - started < 10
