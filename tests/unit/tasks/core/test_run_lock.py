"""One run at a time: who waits, who works under whose lock, what others are told."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from core.errors import TrineError
from tasks.core import run_lock
from tasks.core.run_lock import TOKEN, Holder, held, held_by_stage, holder, lock_file


def silent(line: str) -> None:
    raise AssertionError(f"there is nothing to wait for: {line}")


class Waiting:
    """Another run in a thread, which says what it waits for; flock is per open file, so threads keep each other out like processes."""

    def __init__(self, root: Path) -> None:
        self.said: list[str] = []
        self.got = threading.Event()
        self.may_end = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(root,), daemon=True)
        self._thread.start()

    def _hold(self, root: Path) -> None:
        with held(root, "trine report", self.said.append):
            self.got.set()
            self.may_end.wait(10)

    def end(self) -> None:
        self.may_end.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.01)
    assert condition()  # type: ignore[operator]


def test_the_second_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    with held(tmp_path, "trine run", silent) as lock:
        lock.begins("scenario")
        other = Waiting(tmp_path)
        until(lambda: other.said)
        since = time.strftime("%H:%M", time.localtime(holder(tmp_path).stages["scenario"]))  # type: ignore[union-attr]
        assert other.said == [f"waiting for the run of PID {os.getpid()} (stage scenario, since {since})"]
        assert not other.got.wait(0.1)
    assert other.got.wait(5)
    other.end()
    assert holder(tmp_path) is None


def test_who_holds_it_is_known_and_nobody_before_and_after(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with held(tmp_path, "trine flow", silent) as lock:
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.command, found.stages) == (os.getpid(), "trine flow", {})
        lock.begins("eda")
        lock.begins("scenario")
        assert sorted(holder(tmp_path).stages) == ["eda", "scenario"]  # type: ignore[union-attr]
        lock.has_ended("eda")
        assert sorted(holder(tmp_path).stages) == ["scenario"]  # type: ignore[union-attr]
    assert holder(tmp_path) is None


def test_words_for_those_who_wait() -> None:
    noon = time.mktime((2026, 1, 1, 12, 0, 0, 0, 0, -1))
    assert str(Holder(7, "trine run", noon)) == "the run of PID 7 (trine run, since 12:00)"
    assert str(Holder(7, "trine run", 0.0, stages={"eda": noon})) == "the run of PID 7 (stage eda, since 12:00)"
    assert str(Holder(7, "trine run", 0.0, stages={"b": noon + 60, "a": noon})) == "the run of PID 7 (stages a, b, since 12:00)"


def test_a_stage_works_under_the_lock_of_the_run_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(tmp_path, "trine run", silent) as lock:
        monkeypatch.setenv(TOKEN, lock.environment()[TOKEN])
        with held_by_stage(tmp_path, "eda", silent), held_by_stage(tmp_path, "scenario", silent):  # two at once in a flow
            assert holder(tmp_path).command == "trine run"  # type: ignore[union-attr]


@pytest.mark.parametrize("value", ["", "1", "of an earlier run"])
def test_a_token_that_was_set_by_hand_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    if value == "of an earlier run":
        with held(tmp_path, "trine run", silent) as earlier:
            value = earlier.environment()[TOKEN]
    monkeypatch.setenv(TOKEN, value)
    with held_by_stage(tmp_path, "eda", silent):  # nobody holds it: the stage takes it itself
        assert holder(tmp_path).command == "stage eda"  # type: ignore[union-attr]
    other = Waiting(tmp_path)
    assert other.got.wait(5)
    said: list[str] = []
    thread = threading.Thread(target=lambda: held_by_stage(tmp_path, "eda", said.append).__enter__(), daemon=True)
    thread.start()
    until(lambda: said)
    assert said[0].startswith("waiting for the run of PID")
    other.end()
    thread.join(10)


def test_a_new_run_waits_for_the_stages_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = run_lock.Held(tmp_path, "trine run", silent)
    monkeypatch.setenv(TOKEN, lock.environment()[TOKEN])
    with held_by_stage(tmp_path, "eda", silent):
        os.close(lock._number)  # as the kernel does when the run is killed
        lock._number = -1
        other = Waiting(tmp_path)
        until(lambda: other.said)
        assert other.said == ["waiting for a stage of an earlier run to end"]
        assert not other.got.wait(0.1)
    assert other.got.wait(5)
    other.end()


def test_a_lent_lock_comes_back(tmp_path: Path) -> None:
    with held(tmp_path, "trine run", lambda line: None) as lock:
        other = Waiting(tmp_path)
        until(lambda: other.said)
        lending = threading.Thread(target=lock.lend, daemon=True)
        lending.start()
        assert other.got.wait(5)
        assert holder(tmp_path).command == "trine report"  # type: ignore[union-attr]
        other.end()
        lending.join(10)
        assert holder(tmp_path).command == "trine run"  # type: ignore[union-attr]
    lock.release()  # a second time does nothing


def test_a_lock_file_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    with held(tmp_path, "trine run", silent):
        other = Waiting(tmp_path)
        until(lambda: other.said)
        lock_file(tmp_path).unlink()
    assert other.got.wait(5)
    assert holder(tmp_path) is not None
    other.end()


def test_a_holder_that_cannot_be_read_is_another_run(tmp_path: Path) -> None:
    with held(tmp_path, "trine run", silent):
        lock_file(tmp_path).write_text("{", encoding="utf-8")
        assert holder(tmp_path).command == "another run"  # type: ignore[union-attr]


def test_a_file_system_without_locks_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(number: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock.fcntl, "flock", flock)
    with pytest.raises(TrineError, match="this file system has no locks"), held(tmp_path, "trine run", silent):
        pass
