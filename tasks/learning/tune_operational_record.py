"""What `tune_operational` writes to tuned.json. Not here: tuning."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record


class TunedFloors(Record):
    """What was chosen: parameters by rule, and in which scenarios with how many runs a rule."""

    written_by: ClassVar[str] = "tune_operational"

    luck_seed: int
    budget_replays: int
    scenarios: tuple[str, ...]
    rules: dict[str, dict[str, Number]]
