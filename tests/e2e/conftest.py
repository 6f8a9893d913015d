"""The page in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.paths import Paths
from tests.worlds.page_inputs import build, write_tree

if TYPE_CHECKING:
    from tests.e2e.browser import Tab


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, built_world: Paths) -> Path:
    """The page built from the invented inputs and the four small worlds of the session."""
    return build(write_tree(tmp_path_factory.mktemp("page"), built_world))


@pytest.fixture(scope="session")
def has_browser() -> None:
    """Skip what needs a browser where none is installed."""
    from tests.e2e.browser import NAMES, executable

    if executable() is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory, has_browser: None) -> Iterator[Tab]:
    """One browser for all files."""
    from tests.e2e.browser import browser

    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
