"""What `features` writes to data/features/features.json. Not here: the tables of features."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Record


class RowsByPart(Record):
    """Rows of app and step, by part of the split."""

    train: int
    valid: int
    test: int


class FeaturesSummary(Record):
    """Source, span and split of the features; spans are in steps from the first day of the window."""

    written_by: ClassVar[str] = "features"

    source: str
    origin: str = Field(alias="from")
    span_steps: int
    unit_steps: int
    split_steps: tuple[int, int, int]
    early_stopping_step: int
    rows: RowsByPart
    rows_run_out: int
    columns: tuple[str, ...]
    regions: int
