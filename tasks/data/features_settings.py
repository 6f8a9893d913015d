"""The section `features` of params.yaml. Not here: computing them (features.py)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.parameters import Section


class FeaturesSettings(Section):
    """Sources, bins, windows, lags, the split in time."""

    source: Literal["azure2021", "azure2019"] = Field(description="of the calls")
    cells: Literal["google2019"] = Field(description="source of the regions' utilisation")
    step_s: int = Field(ge=1, le=3600)
    rolling_min: tuple[int, ...]
    lags_s: tuple[int, ...]
    split: tuple[float, float, float]
    early_stopping_share: float = Field(ge=0, lt=1)
    vcpu_mb: float = Field(gt=0)
    carbon_month: int = Field(ge=1, le=12)
