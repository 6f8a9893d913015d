"""The section `ingest` of params.yaml. Not here: reading rows (ingest.py, sources/)."""

from __future__ import annotations

from pydantic import Field

from simulator.parameters import Section


class IngestSettings(Section):
    """Limits of a plausible row, and what is sampled where a source is silent."""

    max_duration_s: int = Field(ge=1, description="a longer call is rejected")
    max_arrival_day: int = Field(ge=1, le=36_500, description="arrivals outside [0, this) days are rejected")
    memory_median_mb: float = Field(gt=0)
    memory_sigma: float = Field(ge=0)
    cell_level_median: float = Field(gt=0, lt=1)
    cell_level_spread: float = Field(ge=0, lt=1)
