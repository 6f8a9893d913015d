"""A copy of the reference tables that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulator.places.table_parts import FILES


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    """The tables that the world reads, in a folder of the test's own."""
    for name in FILES:
        shutil.copy(repository / "data" / "reference" / name, tmp_path / name)
    return tmp_path
