"""What `eda` writes to reports/eda: one record per question. A question that the data cannot answer has the file `{}` and no record.

One file, though long: it is the list of everything the page may read of the exploration. Not here: how the answers are found.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Number, Record


class Answer(Record):
    """The answer to one question; `origin` is the `from` of the source in params.yaml."""

    written_by: ClassVar[str] = "eda"

    source: str
    origin: str


class CallAnswer(Answer):
    """An answer about calls: the first day of the window, the length of the span in seconds."""

    first_day: int
    span_s: int


class Curve(Record):
    """A survival function: the share of all that is at least so long."""

    seconds: tuple[Number, ...]
    share: tuple[Number, ...]


class Volumes(CallAnswer):
    """Calls by day and hour, and where train, valid and test end, in hours."""

    days: tuple[int, ...]
    calls: tuple[tuple[int, ...], ...]
    totals: tuple[int, ...]
    total: int
    split_hours: tuple[Number, ...]


class Concentration(CallAnswer):
    """Calls by app and by function, largest first, and the shares of the largest ones (by their number, as text)."""

    apps: tuple[int, ...]
    functions: tuple[int, ...]
    top: dict[str, Number]
    top_by: dict[str, dict[str, Number]]
    top_functions: dict[str, Number]
    gini: dict[str, Number]
    median_calls_per_app: Number


class Durations(CallAnswer):
    """How long calls run; bucket `i` starts at `bucket_edges_s[i]`."""

    calls: int
    zero_share: Number
    ccdf: Curve
    p50_s: Number
    p95_s: Number
    p99_s: Number
    max_s: Number
    bucket_edges_s: tuple[Number, ...]
    bucket_shares: tuple[Number, ...]


class Gaps(CallAnswer):
    """Times between successive calls of one app; the last two fields are unset without a gap."""

    gaps: int
    ccdf: Curve
    under_1s: Number
    over_60s: Number
    zero_share: Number = 0.0
    p50_s: Number = 0.0


class AppDispersion(Record):
    """Variance over mean of the calls per step of one app."""

    rank: int
    calls: int
    dispersion: Number | None
    busiest_step: int


class Dispersion(CallAnswer):
    """How bursty apps are, the most called first."""

    step_s: int
    apps: tuple[AppDispersion, ...]
    median: Number


class TriggerRow(Record):
    """Functions and calls of one trigger."""

    trigger: str
    functions: int
    calls: int
    share_functions: Number
    share_calls: Number


class Triggers(CallAnswer):
    """Calls by what starts them; `is_sampled` where the trace does not state it."""

    rows: tuple[TriggerRow, ...]
    is_sampled: bool = Field(alias="drawn")


class AppConcurrency(Record):
    """Running calls of one app: most at once, mean, share of steps with a call."""

    rank: int
    most: int
    mean: Number
    busy_step_share: Number


class Concurrency(CallAnswer):
    """Running calls of all apps together, by hour."""

    hours: tuple[int, ...]
    mean: tuple[Number, ...]
    max: tuple[int, ...]
    overall_mean: Number
    overall_max: int
    apps: tuple[AppConcurrency, ...]
    empty_app_step_share: Number
    step_s: int


class Rhythm(CallAnswer):
    """Autocorrelation of the calls per hour, and the mean day by hour relative to the mean of all hours."""

    slots: int
    slot_s: int
    lags_h: tuple[int, ...]
    autocorrelation: tuple[Number | None, ...]
    lag_1_slot: Number
    whole_days: int
    hour_relative: tuple[Number | None, ...]


class Cell(Record):
    """One Google cell: its load over all slots, and one week of it (`t_h`, `cpu_fraction`)."""

    mean: Number
    std: Number
    p95: Number
    lag1: Number | None
    hour_swing: Number
    mean_memory: Number
    cpu_memory: Number | None
    t_h: tuple[Number, ...]
    cpu_fraction: tuple[Number, ...]


class AssumedLevel(Record):
    """How full a cell is assumed to be."""

    median: Number
    spread: Number


class Cells(Answer):
    """The eight Google cells of 2019, in `order`, and how their loads correlate."""

    week_starts_sunday: bool
    slots: int
    missing_slots: int
    cells: dict[str, Cell]
    order: tuple[str, ...]
    cpu_memory: dict[str, Number | None]
    cpu_correlation: tuple[tuple[Number | None, ...], ...]
    level_assumed: AssumedLevel


class Jobs(Record):
    """Submissions by scheduling class and hour, from `first_hour` on."""

    first_hour: int
    classes: dict[str, tuple[int, ...]]
    total: int


class Shape(Record):
    """One size of a machine, over that of the largest one."""

    cpu: Number | None
    memory: Number | None
    machines: int
    share: Number


class Machines(Record):
    """How many machines, of how many shapes; the most common ones first."""

    total: int
    shapes: int
    top: tuple[Shape, ...]


class Google2011(Answer):
    """The Google cluster of 2011; a table that was not staged is unset."""

    jobs: Jobs | None = None
    machines: Machines | None = None


class ForecastRow(Record):
    """Mean errors of one rule over the series of a class; an error that is not defined is None, as are quartiles of few series."""

    target: str
    group: str = Field(alias="class")
    arm: str
    series: int
    series_with_mase: int
    rmse: Number | None
    mae: Number | None
    mase: Number | None
    rmse_quartiles: tuple[Number, Number] | None
    mae_quartiles: tuple[Number, Number] | None
    mase_quartiles: tuple[Number, Number] | None


class BestForecast(Record):
    """The rule with the lowest MASE of calls over all apps."""

    arm: str
    mase: Number
    mase_quartiles: tuple[Number, Number] | None
    target: str


class Forecasts(Answer):
    """Forecasts without training on the test span; `horizon` is in bins of `step_s`."""

    horizon: int
    step_s: int
    train_bins: int
    test_bins: int
    moving_average_min: int
    season_h: int
    rows: tuple[ForecastRow, ...]
    best: BestForecast | None
    cell_split_slots: tuple[int, ...]
    notes: tuple[str, ...]


class SourceRows(Record):
    """Rows of one source and how many of its checks passed."""

    source: str
    origin: str
    rows_in: int
    rows_staged: int
    rows_rejected: int
    rejects_by_reason: dict[str, int]
    exact_duplicates: int | None
    critical: int
    critical_passed: int
    warnings: int
    warnings_passed: int


class ColumnOrigin(Record):
    """One staged column: `measured`, or `drawn` where it is sampled because the trace does not state it."""

    source: str
    column: str
    kind: str
    how: str


class MissingValues(Record):
    """Missing values of one column."""

    source: str
    table: str
    column: str
    missing: int
    rows: int


class Quality(Record):
    """What arrived, what was refused, what is missing, and which columns are sampled."""

    written_by: ClassVar[str] = "eda"

    sources: tuple[SourceRows, ...]
    columns: tuple[ColumnOrigin, ...]
    missing: tuple[MissingValues, ...]


QUESTIONS: dict[str, type[Record]] = {
    "volumes": Volumes,
    "concentration": Concentration,
    "durations": Durations,
    "gaps": Gaps,
    "dispersion": Dispersion,
    "triggers": Triggers,
    "concurrency": Concurrency,
    "rhythm": Rhythm,
    "cells": Cells,
    "google2011": Google2011,
    "forecasts": Forecasts,
    "quality": Quality,
}
