"""Shared fixtures. Fixtures of one room live in that room's conftest."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROOFS = pytest.StashKey[list[dict[str, object]]]()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The folder of the real slices; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("TRINE_SAMPLE_DIR", ROOT.parent / "shared" / "data"))
    if not (folder / "azure" / "2021").is_dir():
        pytest.skip(f"real slices not found in {folder} (set TRINE_SAMPLE_DIR)")
    return folder.resolve()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--verification FILE`: write what the long proofs measured (used by `make verify`)."""
    parser.addoption("--verification", default=None, help="write figures of the slow tests to this JSON file")


@pytest.fixture
def proof(request: pytest.FixtureRequest):
    """Record `figure` and `bound` of a long proof: `proof(figure=..., bound=...)`; the file lists test, figure, bound, seconds."""
    started = time.perf_counter()
    rows = request.config.stash.setdefault(PROOFS, [])

    def record(*, figure: object, bound: str) -> None:
        rows.append({"test": request.node.nodeid, "figure": figure, "bound": bound, "seconds": round(time.perf_counter() - started, 1)})

    return record


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the recorded proofs, only when every test passed."""
    target = session.config.getoption("--verification")
    if target and session.testsfailed == 0:
        rows = sorted(session.config.stash.get(PROOFS, []), key=lambda row: row["test"])
        Path(target).write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
