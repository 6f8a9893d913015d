"""The section `ingest` of params.yaml. Not here: reading rows (ingest.py, sources/)."""

from __future__ import annotations

from pydantic import Field

from simulator.parameters import Section


class IngestSettings(Section):
    """Limits of a plausible row, and what is sampled where a source is silent."""

    max_duration_s: int = Field(ge=1, le=31_622_400, description="a longer call is rejected, s")
    max_arrival_day: int = Field(ge=1, le=36_500, description="arrivals outside [0, this) days are rejected")
    memory_median_mb: float = Field(gt=0, le=10_240, description="median of the sampled memory of an app, MB")
    memory_sigma: float = Field(ge=0, le=5, description="spread of the log-normal memory")
    cell_level_median: float = Field(gt=0, lt=1, description="sampled capacity of a 2019 cell: mean use / capacity, its median")
    cell_level_spread: float = Field(ge=0, lt=1, description="spread of that level between cells")
