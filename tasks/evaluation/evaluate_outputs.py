"""What the stages `evaluate_<group>` write. Not here: writing it (evaluate_*.py), which groups there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def rows_file(paths: Paths, group: str) -> Path:
    """Rows of a group by (arm, seed, scenario, app, hour)."""
    return paths.root / "data" / "evaluation" / f"{group}.parquet"


def facts_file(paths: Paths, group: str) -> Path:
    """Arms of a group, and facts of each scenario."""
    return paths.root / "data" / "evaluation" / f"{group}.json"


def policy_file(paths: Paths) -> Path:
    """What learned policies do in the first scenario."""
    return paths.reports / "tactical" / "policy.json"
