"""What `tune_baselines` writes to data/models/baselines/chosen.json. Not here: tuning, the rules."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record


class Tried(Record):
    """One point of a rule's grid and its mean share of home on the valid span."""

    parameters: dict[str, Number]
    valid_share_of_home: Number


class ChosenRule(Record):
    """The best point of a rule's grid in one family, and all points tried."""

    parameters: dict[str, Number]
    tried: tuple[Tried, ...]


class ChosenBaselines(Record):
    """What the rules may know about the past.

    `replays` counts coupled replays by scenario and rule; `rules` is by family and rule; `planner` names the best planner of a family on
    its valid spans; `placements` is by scenario, arm and app, as the
    name of a zone.
    """

    written_by: ClassVar[str] = "tune_baselines"

    luck_seed: int
    budget_replays: int
    replays: dict[str, dict[str, int]]
    rules: dict[str, dict[str, ChosenRule]]
    planner: dict[str, str]
    placements: dict[str, dict[str, dict[str, str]]]
