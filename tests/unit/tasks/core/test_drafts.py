"""A folder has its name when it is complete, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.drafts import draft_of, folder_draft, sweep
from tasks.core.files import write_text_atomic


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_old_folder_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "data" / "made"
    with folder_draft(target) as draft:
        (draft / "a").write_text("1")
        assert not target.exists()
    with folder_draft(target) as draft:
        (draft / "b").write_text("2")
        assert names(target) == ["a"]
    assert names(target) == ["b"]
    assert names(target.parent) == ["made"]


def test_a_fault_leaves_what_was_there_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with folder_draft(target) as draft:
        (draft / "a").write_text("1")
    with pytest.raises(OSError, match="full"), folder_draft(target) as draft:  # noqa: PT012 (the fault comes after a write)
        (draft / "b").write_text("2")
        raise OSError("full")
    assert names(tmp_path) == ["made"]
    assert names(target) == ["a"]


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path, ended_pid: int) -> None:
    target = tmp_path / "made"
    dead, living, of_another = (tmp_path / f".{name}" for name in (f"made.{ended_pid}.new", "made.1.new", f"maid.{ended_pid}.new"))
    for folder in (dead, living, of_another):
        folder.mkdir()
    (tmp_path / f".made.{ended_pid}.old").write_text("a file's draft")
    target.mkdir()
    sweep(target)
    assert names(tmp_path) == sorted([living.name, of_another.name, "made"])


def test_a_folder_moved_aside_by_a_killed_process_comes_back(tmp_path: Path, ended_pid: int) -> None:
    old = tmp_path / f".made.{ended_pid}.old"
    old.mkdir()
    (old / "a").write_text("1")
    sweep(tmp_path / "made")
    assert names(tmp_path / "made") == ["a"]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_text_atomic(file, "old")

    def fail(source: object, target: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_text_atomic(file, "new")
    assert names(tmp_path) == ["a.json"]
    assert file.read_text() == "old"
    assert draft_of(file).name == f".a.json.{os.getpid()}.new"
