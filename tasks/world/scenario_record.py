"""What `scenario` writes to data/scenario/scenarios.json. Not here: the arrays of a scenario (simulator/scenario.py)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Number, Record


class ScenarioRow(Record):
    """One scenario: where its calls come from, its size, and means of its conditions."""

    id: str
    family: str
    seed: int
    origin: str = Field(alias="from")
    steps: int
    split_steps: tuple[int, int, int]
    apps: int
    functions: int
    calls: int
    calls_after_end: int
    placements: int
    allowed_share: Number
    utilisation_mean: Number
    slowdown_mean: Number
    zone_hours_out: Number


class ScenarioList(Record):
    """All scenarios of a run."""

    written_by: ClassVar[str] = "scenario"

    days: int
    carbon_month: int
    scenarios: tuple[ScenarioRow, ...]
