"""Shared fixtures. Fixtures of one room live in that room's conftest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
