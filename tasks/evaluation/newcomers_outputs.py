"""What `evaluate_newcomers` writes. Not here: writing it (evaluate_newcomers.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tasks.core.records import Number, Record
from tasks.evaluation.landscape_record import Interval

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


class FamilyOfNewcomers(Record):
    """One family: the gap from home to hindsight, and what each arm closes of it; None: the gap is too small for a ratio."""

    gap_share_of_home: Interval
    closed: dict[str, Interval | None]


class Newcomers(Record):
    """Apps without a history; one in `one_in` by a hash of the id."""

    written_by: ClassVar[str] = "evaluate_newcomers"

    one_in: int
    level: Number
    families: dict[str, FamilyOfNewcomers]


def newcomers_file(paths: Paths) -> Path:
    """Sums over the apps without a history: scenario, family, how many apps, arm, total_usd."""
    return paths.reports / "tactical" / "newcomers.csv"


def newcomers_record(paths: Paths) -> Path:
    """What the arms close of the way from home to hindsight, a `Newcomers`."""
    return paths.reports / "tactical" / "newcomers.json"
