"""What `compare` writes to reports/<layer>/metrics.json. Not here: any computing."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record
from tasks.evaluation.evaluation_record import ArmRow
from tasks.evaluation.landscape_record import Interval


class ArmOfLayer(Record):
    """One arm in one family: its cost in shares of home, and by reference what it costs beyond it and closes of its gap to hindsight.

    A gap below 1 % of home is no denominator: then what is closed is None.
    """

    seeds: int
    share_of_home: Interval
    minus: dict[str, Interval]
    closed: dict[str, Interval | None]


class FamilyOfLayer(Record):
    """One family; `gap_share_of_home` is from a reference to hindsight, the denominator of what is closed."""

    scenarios: int
    home_usd: Number
    hindsight_share_of_home: Interval
    gap_share_of_home: dict[str, Number]
    arms: dict[str, ArmOfLayer]


class SweepPoint(Record):
    """One weighting of the objective in one family, means over scenarios.

    The bill (execution, egress, moves, floors) and carbon in % of home, missed calls in % of all, the objective with its usual weights in
    % of home, and whether no other point of the sweep beats it in bill, carbon or misses without losing in another.
    """

    arm: str
    bill_pct_of_home: Number
    carbon_pct_of_home: Number
    missed_pct: Number
    objective_pct_of_home: Number
    is_on_front: bool


class LayerMetrics(Record):
    """The arms of one layer; `without_five` leaves out the five apps that cost most at home, `sweep` is by family."""

    written_by: ClassVar[str] = "compare"

    layer: str
    arms: tuple[ArmRow, ...]
    level: Number
    families: dict[str, FamilyOfLayer]
    without_five: dict[str, FamilyOfLayer]
    sweep: dict[str, tuple[SweepPoint, ...]]
