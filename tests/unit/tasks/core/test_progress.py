"""How far a stage is, on a terminal only."""

from __future__ import annotations

import sys

import pytest

from tasks.core import progress
from tasks.core.progress import CLEAR, LINE, counted, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Ten seconds pass with every look at the clock."""
    now = [0.0]

    def tick() -> float:
        now[0] += 10
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", tick)
    return now


@pytest.mark.usefixtures("clock")
def test_a_run_on_a_terminal_gets_lines_with_the_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TRINE_PROGRESS", "lines")
    assert list(counted(iter("abc"), 3, "worlds")) == ["a", "b", "c"]
    assert capsys.readouterr().err.splitlines() == [f"{LINE}worlds: 1 of 3, about 20 s left", f"{LINE}worlds: 2 of 3, about 10 s left"]


@pytest.mark.usefixtures("clock")
def test_on_a_terminal_one_line_is_overwritten_and_deleted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TRINE_PROGRESS", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(counted([1, 2], 2, "days")) == [1, 2]
    assert capsys.readouterr().err == f"{CLEAR}days: 1 of 2, about 10 s left{CLEAR}"


def test_in_a_log_there_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TRINE_PROGRESS", raising=False)
    assert list(counted(range(3), 3, "days")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (449, "7 min 29 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
