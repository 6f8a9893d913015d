"""Shared fixtures. Fixtures of one package live in that package's conftest."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.worlds.folders import contents

if TYPE_CHECKING:
    from tasks.core.paths import Paths

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


@pytest.fixture(scope="session")
def built_world(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Paths]:
    """A tree with the outputs of `scenario` to `calibrate` on the four worlds of tests/worlds/report_world.py, built once; to be read only.

    Copy it to change it; a test that wrote into it is reported at the end of the session.
    """
    from tasks.core.paths import Paths
    from tests.worlds.report_world import write_world

    temporary = tmp_path_factory.getbasetemp()
    root = (temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary) / "built_world"  # one for all workers
    with root.with_suffix(".lock").open("w") as lock, pytest.MonkeyPatch.context() as monkeypatch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.with_suffix(".done").exists():
            root.mkdir()
            monkeypatch.setenv("TRINE_THREADS", "1")
            write_world(root, repository)
            root.with_suffix(".done").touch()
    paths = Paths(root)
    before = contents(root)
    yield paths
    changed = sorted({name for name, _ in before.items() ^ contents(paths.root).items()})
    assert changed == [], "a test wrote into the world that all tests share"


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
