"""What the stages that evaluate write to data/evaluation/<group>.json. Not here: the rows (Parquet), the tables of arms."""

from __future__ import annotations

from typing import ClassVar, Literal

from tasks.core.records import Number, Record


class ArmRow(Record):
    """One arm as the tables and the page show it.

    `ink` is a colour of the style sheet, `layer` is empty for an arm of no layer, `is_weighed` marks the sweep of the objective's weights.
    """

    name: str
    label: str
    ink: str
    is_causal: bool
    layer: str = ""
    is_weighed: bool = False


class JudgedScenario(Record):
    """A scenario in which all arms were judged, on one luck."""

    scenario: str
    seed: int


class EvaluatedBaselines(Record):
    """The group `baselines`."""

    written_by: ClassVar[str] = "evaluate_baselines"

    arms: tuple[ArmRow, ...]
    scenarios: tuple[JudgedScenario, ...]


class EvaluatedLearned(Record):
    """The group `learned`; `seed` of its rows is the training seed, `seed` of a scenario that of the luck."""

    written_by: ClassVar[str] = "evaluate_learned"

    arms: tuple[ArmRow, ...]
    scenarios: tuple[JudgedScenario, ...]


class AblatedScenario(JudgedScenario):
    """With the price of a miss, in multiples, under which the arm slo_constraint was judged, and the misses under it on the valid span."""

    multiplier: Number
    valid_miss_share: Number


class EvaluatedAblation(Record):
    """The group `ablation`."""

    written_by: ClassVar[str] = "evaluate_ablation"

    arms: tuple[ArmRow, ...]
    scenarios: tuple[AblatedScenario, ...]


class BoundFacts(Record):
    """How the optimistic bound and hindsight of a scenario came about; money is the objective of the test span."""

    scenario: str
    seed: int
    programme_usd: Number
    static_alone_usd: Number
    programme_coupled_usd: Number
    coordinated_programme_usd: Number
    coordinated_static_usd: Number
    coordinated_replays: int
    hindsight_is: Literal["programme", "coordinated_programme", "coordinated_static"]
    moves: int


class EvaluatedBound(Record):
    """The group `bound`."""

    written_by: ClassVar[str] = "evaluate_bound"

    arms: tuple[ArmRow, ...]
    scenarios: tuple[BoundFacts, ...]
