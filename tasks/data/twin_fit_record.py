"""What `twin_fit` writes to reports/validation/twin_fit.json. Not here: the comparison."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Number, Record


class FitRow(Record):
    """One published figure beside that of the twin; `tolerance` is text such as `± 1 %`."""

    source: str
    target: str
    twin: Number
    real: Number
    tolerance: str
    is_met: bool = Field(alias="pass")
    reason: str


class TwinFit(Record):
    """All figures; without a twin there is no row, and `note` says so."""

    written_by: ClassVar[str] = "twin_fit"

    rows: tuple[FitRow, ...]
    passed: int
    note: str
