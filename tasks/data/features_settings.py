"""The section `features` of params.yaml. Not here: computing them (features.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.units import DAY_S, MINUTE_S
from simulator.parameters import Parts, Section

LONGEST_DAYS = 366  # of a window or a lag


class FeaturesSettings(Section):
    """Sources, bins, windows, lags, the split in time."""

    source: Literal["azure2021", "azure2019"] = Field(description="source of the calls")
    cells: Literal["google2019"] = Field(description="source of the regions' utilisation")
    step_s: int = Field(ge=1, le=3600, description="length of a step, s")
    rolling_min: tuple[Annotated[int, Field(ge=1, le=LONGEST_DAYS * DAY_S // MINUTE_S)], ...] = Field(
        description="lengths of the rolling windows, minutes; whole steps, each once"
    )
    lags_s: tuple[Annotated[int, Field(ge=1, le=LONGEST_DAYS * DAY_S)], ...] = Field(description="lags, s; whole steps, each once")
    split: Parts = Field(description="shares of train, valid and test in time, each above 0, with a sum of 1")
    early_stopping_share: float = Field(ge=0, lt=1, description="last share of the train span that learners may use to stop early")
    vcpu_mb: float = Field(gt=0, le=1_000_000, description="one vCPU per this much memory, MB")
    carbon_month: int = Field(ge=1, le=12, description="month of the carried carbon profiles")

    @model_validator(mode="after")
    def whole_steps(self) -> FeaturesSettings:
        """Windows and lags are whole steps, and each makes columns of its own."""
        for name, lengths, unit_s in (("rolling_min", self.rolling_min, MINUTE_S), ("lags_s", self.lags_s, 1)):
            wrong = next((value for value in lengths if value * unit_s % self.step_s), None)
            if wrong is not None:
                raise ValueError(f"{name} has {wrong}, which is no whole number of steps (step_s is {self.step_s})")
            if len(set(lengths)) < len(lengths):
                raise ValueError(f"{name} is {list(lengths)}: one length is listed twice")
        return self
