"""What `report` writes. Not here: writing it (page.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def page_file(paths: Paths) -> Path:
    """The self-contained page."""
    return paths.reports / "index.html"


def tables_folder(paths: Paths) -> Path:
    """CSV and LaTeX of every figure and table of the page."""
    return paths.reports / "tables"


def page_numbers_file(paths: Paths) -> Path:
    """Every headline number of the page."""
    return paths.reports / "page_numbers.json"


def strategic_picture(paths: Paths) -> Path:
    """The figures of the strategic layer in one picture."""
    return paths.reports / "strategic" / "visualizations.png"


def operational_picture(paths: Paths) -> Path:
    """The figures of the operational layer in one picture."""
    return paths.reports / "operational" / "visualizations.png"


def tactical_picture(paths: Paths) -> Path:
    """The figures of the tactical layer in one picture."""
    return paths.reports / "tactical" / "visualizations.png"
