"""The class of an app by its rate of calls: the rule and its limits. Not here: which calls are counted (features, scenario)."""

from __future__ import annotations

import polars as pl
from pydantic import Field, model_validator

from core.units import DAY_US
from simulator.parameters import Section
from tasks.core.terms import CLASSES

CLASS_DAYS = 14


class AppClasses(Section):
    """Limits between the classes rare < low < mid < high, in calls per 14 days."""

    rare_below: int = Field(ge=0, le=10**9, description="an app with fewer calls is rare")
    low_below: int = Field(ge=0, le=10**9, description="with fewer, low")
    mid_below: int = Field(ge=0, le=10**9, description="with fewer, mid; with as many or more, high")

    @model_validator(mode="after")
    def rising(self) -> AppClasses:
        """Each limit is above the one before."""
        if not self.rare_below < self.low_below < self.mid_below:
            limits = f"rare_below {self.rare_below}, low_below {self.low_below}, mid_below {self.mid_below}"
            raise ValueError(f"the limits do not rise: {limits}")
        return self


def with_classes(counted: pl.DataFrame, train_us: int, limits: AppClasses) -> pl.DataFrame:
    """Return a table of apps with the columns `calls_per_14d` and `rate_class` added.

    Args:
        counted: with a column `calls_train`, calls of each app on the train span.
        train_us: length of the train span.
        limits: of the classes.
    """
    rate = pl.col("calls_train") * (CLASS_DAYS * DAY_US / max(train_us, 1))
    rare, low, mid, high = (pl.lit(name) for name in CLASSES)
    name = (
        pl.when(rate < limits.rare_below)
        .then(rare)
        .when(rate < limits.low_below)
        .then(low)
        .when(rate < limits.mid_below)
        .then(mid)
        .otherwise(high)
    )
    return counted.with_columns(rate.alias("calls_per_14d"), name.alias("rate_class"))
