"""What `evaluate_operational` writes to reports/operational/pictures.json, for the section on warm floors. Not here: any computing."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record

Line = tuple[Number, ...]


class Fan(Record):
    """One app, step after step: calls per second that came, and what three networks forecast for them."""

    app_class: str
    app_id: str
    first_hour: Number
    truth: Line
    forecasts: dict[str, Line]


class Spread(Record):
    """Quantiles of truth less forecast of the rate, in shares of the app's largest one on train, over windows with a call."""

    app_class: str
    windows: int
    by_arm: dict[str, Line]


class Bin(Record):
    """Windows or pools whose forecast lies in one bin: mean forecast, what happened, and how many they are."""

    forecast: Number
    observed: Number
    count: int


class FloorPictures(Record):
    """Of one scenario, on the test span.

    `levels`: of the quantiles in `residuals`; `quantile`: by class, share of the windows in which the truth is at most the forecast of the
    5/6 quantile; `events`: by head, probability against frequency; `provision`: by arm, vCPUs too few and too many, means over steps and
    apps, a pair for each of `factors`, which multiply the forecast.
    """

    written_by: ClassVar[str] = "evaluate_operational"

    scenario: str
    labels: dict[str, str]
    step_s: Number
    fans: tuple[Fan, ...]
    levels: Line
    residuals: tuple[Spread, ...]
    quantile_level: Number
    quantile: dict[str, tuple[Bin, ...]]
    events: dict[str, tuple[Bin, ...]]
    factors: Line
    provision: dict[str, tuple[tuple[Number, Number], ...]]
