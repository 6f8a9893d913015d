"""Which of the scenarios on disk share their tables. Not here: building them (scenario.py), reading one (simulator/scenario.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tasks.core.files import read_json
from tasks.core.records import read_record
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path


def worlds_of(folder: Path) -> list[list[str]]:
    """Return the scenarios in groups that differ in allowed placements only (calm and fenced), so that tables serve all of a group."""
    names = [row.id for row in read_record(folder / "scenarios.json", ScenarioList).scenarios]
    groups: dict[str, list[str]] = {}
    for name in names:
        described = read_json(folder / name / "scenario.json")
        same = {key: value for key, value in described.items() if key not in ("id", "family", "is_allowed")}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(name)
    return list(groups.values())
