"""What `compare` writes to reports/world/landscape.json. Not here: any computing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Number, Record
from tasks.evaluation.evaluation_record import ArmRow, BoundFacts


class Interval(Record):
    """A mean with its interval, which is missing below three replicates (`n`)."""

    value: Number | None
    low: Number | None
    high: Number | None
    n: int

    @property
    def mean(self) -> float:
        """The value where there is one.

        Raises:
            ValueError: the mean is not defined.
        """
        if self.value is None:
            raise ValueError("this mean is not defined")
        return self.value


class Difference(Record):
    """One arm less another, paired by scenario: in shares of home and in USD of a test span."""

    of_home: Interval
    usd: Interval


class ClassOfApps(Record):
    """One class: its money at home, its part of the bill and of the gap (None where the gap is small), shares of its own home by arm."""

    home_usd: Number
    share_of_bill: Number
    share_of_gap: Number | None
    share_of_home: dict[str, Interval]


class Rejected(Record):
    """Rejected calls of the apps that make most of the gap, of the first five and of all."""

    largest: Number
    five: Number
    all: Number


class GapOfScenario(Record):
    """Who makes the gap from best static to hindsight in one scenario; `apps` are the five that make most of it."""

    scenario: str
    home_usd: Number
    apps: tuple[str, ...]
    largest_usd: Number
    five_usd: Number
    all_usd: Number
    rejected_best_static: Rejected
    rejected_hindsight: Rejected


class GapByApp(Record):
    """The shares of the gap that one and five apps make, None where the gap is small."""

    largest_share: Interval | None
    five_share: Interval | None
    scenarios: tuple[GapOfScenario, ...]


class Summary(Record):
    """Headline figures of one family; a share is of `home` in the same scenario, `level` is that of the intervals."""

    scenarios: int
    seeds: int
    level: Number
    home_usd: Number
    share_of_home: dict[str, Interval]
    best_rule: str
    differences: dict[str, Difference]
    components_of_home: dict[str, dict[str, Interval]]
    static_share: Interval | None
    gap_share_of_home: Number
    gap_usd: Number
    closed_of_static_to_hindsight: dict[str, Interval | None]


class Family(Summary):
    """A family with its classes of apps and who makes the gap."""

    classes: dict[str, ClassOfApps]
    gap_by_app: GapByApp


class Landscape(Record):
    """What each policy costs, by family; `without_five` leaves out the five apps that cost most at home."""

    written_by: ClassVar[str] = "compare"

    arms: tuple[ArmRow, ...]
    families: dict[str, Family]
    without_five: dict[str, Summary]
    scenarios: tuple[BoundFacts, ...]
    origins: dict[str, str] = Field(alias="from")
