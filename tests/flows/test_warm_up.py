"""The kernel is compiled beside the first stages of a first build, by a process that is gone when they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flows import warm_up
from flows.process import follower
from tests.worlds.toy_project import left_after


def clone(root: Path) -> Path:
    (root / "simulator").mkdir()
    (root / "simulator" / "kernel.py").write_text("", encoding="utf-8")
    return root


def test_only_a_first_build_compiles(tmp_path: Path) -> None:
    assert not warm_up.is_first_build(tmp_path), "another project"
    root = clone(tmp_path)
    assert warm_up.is_first_build(root)
    (root / "data" / "staged").mkdir(parents=True)
    assert not warm_up.is_first_build(root)
    (root / "data" / "staged").rmdir()
    (root / "simulator" / "__pycache__").mkdir()
    (root / "simulator" / "__pycache__" / "kernel.advance-1.py311.nbi").touch()
    assert not warm_up.is_first_build(root)


def test_the_process_ends_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = clone(tmp_path)
    monkeypatch.setattr(
        warm_up, "follower", lambda module: follower("timeit", "-n1", "-r1", f"open('{module}', 'w'); __import__('time').sleep(60)")
    )
    with warm_up.compiling(root):
        until = time.monotonic() + 30
        while not (root / "flows.warm_up").exists() and time.monotonic() < until:
            time.sleep(0.05)
    assert (root / "flows.warm_up").exists()
    assert left_after(root, 5) == []
    with warm_up.compiling(root / "data"):
        assert left_after(root, 0) == []


def test_what_is_compiled_is_a_run_at_home() -> None:
    warm_up.compile_kernel()
