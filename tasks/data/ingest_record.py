"""What `ingest` writes to data/staged/<source>/ingest.json. Not here: the staged tables."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.core.records import Record


class RawFileCounts(Record):
    """Rows of one raw file."""

    name: str
    sha256: str
    rows: int
    rejected: int


class FoundDays(Record):
    """With `as_of_day: latest`: the first day with a call, and the first that is not complete any more."""

    first: int
    until: int


class IngestReport(Record):
    """Counts of a source, by raw file and in total.

    The keys below are those of every source. A source adds totals that only it knows (apps, functions, slots of a cell, ...).
    """

    model_config = ConfigDict(extra="allow")
    written_by: ClassVar[str] = "ingest"

    origin: str = Field(alias="from")
    rows_in: int
    rows_staged: int
    rows_rejected: int
    rejects_by_reason: dict[str, int]
    files: tuple[RawFileCounts, ...]
    days: FoundDays | None = None

    @property
    def totals(self) -> dict[str, Any]:
        """What only this source counts."""
        return self.model_extra or {}
