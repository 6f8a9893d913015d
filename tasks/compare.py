"""Stage `compare`: rows of the evaluation become the tables of the landscape. Not here: judging, drawing, words.

`landscape.csv`: totals by (arm, scenario). `classes.csv`: by class of app, too. `without_five.csv`: without the five apps that cost most
at home. `landscape.json`: the headline figures with their intervals; the unit of replication is the scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models import statistics
from simulator.fleet import LATENCY_EDGES_US, Field
from simulator.money import COMPONENTS, components_usd
from simulator.scenario import load_scenario
from tasks.files import read_json, write_json, write_text_atomic

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.params import Params
    from tasks.paths import Paths

ARMS = (
    *("random", "home", "greedy_locality", "greedy_cold_start", "greedy_objective", "greedy_hysteresis", "best_static"),
    *("coordinated_static", "persistence", "hindsight", "optimistic_bound"),
)
RULES = ("greedy_objective", "greedy_hysteresis", "persistence", "greedy_locality", "greedy_cold_start")  # causal, may move
CLASSES = ("rare", "low", "mid", "high")
FIVE = 5
SMALL_GAP = 0.01  # of home: below this no ratio is formed
QUANTILES = (0.5, 0.95, 0.99)
FIELDS = [field.name.lower() for field in Field]


def run(params: Params, paths: Paths) -> str:
    """Write the tables below `reports/world/`; return the summary line."""
    rows = pl.concat([pl.read_parquet(paths.evaluation / f"{group}.parquet") for group in ("baselines", "bound")])
    scenarios = {name: load_scenario(paths.scenario / name) for name in sorted(rows["scenario"].unique().to_list())}
    classes = pl.concat([_classes(scenario, params) for scenario in scenarios.values()])
    rows = rows.join(classes, on=["scenario", "app_id"], how="left")
    at_home = rows.filter(pl.col("arm") == "home").group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS))
    largest = (
        _priced(at_home, params)
        .sort("scenario", "total_usd", "app_id", descending=[False, True, False])
        .group_by("scenario", maintain_order=True)
        .head(FIVE)
        .select("scenario", "app_id", pl.lit(True).alias("is_largest"))
    )
    rows = rows.join(largest, on=["scenario", "app_id"], how="left").with_columns(pl.col("is_largest").fill_null(False))
    landscape = _summed(rows, ["arm", "scenario", "family"], params)
    paths.world.mkdir(parents=True, exist_ok=True)
    _write(paths, "landscape", landscape)
    _write(paths, "classes", _summed(rows, ["arm", "scenario", "family", "class"], params))
    summary_small = _summed(rows.filter(~pl.col("is_largest")), ["arm", "scenario", "family"], params)
    _write(paths, "without_five", summary_small)
    families = landscape["family"].unique().sort().to_list()
    summary = {family: _summary(landscape.filter(pl.col("family") == family)) for family in families}
    without = {family: _summary(summary_small.filter(pl.col("family") == family)) for family in families}
    write_json(paths.world / "landscape.json", {"families": summary, "without_five": without, "scenarios": _bound(paths)})
    return f"{landscape.height} rows of {landscape['arm'].n_unique()} arms in {len(scenarios)} scenarios"


def _priced(rows: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Add the components of the objective, `<name>_usd`, and `total_usd`."""
    fields = rows.select(FIELDS).to_numpy()
    parts = components_usd(fields, params.objective)
    priced = rows.with_columns([pl.Series(f"{name}_usd", parts[name]) for name in COMPONENTS])
    return priced.with_columns(pl.sum_horizontal([f"{name}_usd" for name in COMPONENTS]).alias("total_usd"))


def _classes(scenario: Scenario, params: Params) -> pl.DataFrame:
    """Class of each app by its calls on the train span, scaled to 14 days."""
    begin, end = 0, scenario.split_steps[0]
    us = (end - begin) * scenario.world.step_us
    calls = np.add.reduceat(np.append(scenario.calls.arrival_us < us, False).astype(np.int64), scenario.calls.first_call[:-1])
    calls[np.diff(scenario.calls.first_call) == 0] = 0
    per_14d = calls * (14 * 86_400_000_000 / us)
    bounds = (params.features.rare_below, params.features.low_below, params.features.mid_below)
    names = [CLASSES[int(np.searchsorted(bounds, x, side="right"))] for x in per_14d]
    return pl.DataFrame({"scenario": [scenario.id] * len(names), "app_id": list(scenario.apps.app_ids), "class": names})


def _summed(rows: pl.DataFrame, keys: list[str], params: Params) -> pl.DataFrame:
    """Sum rows by `keys` and price the sums, with shares, latency quantiles and the share of intervals in which capacity was felt.

    Whole numbers are summed, then priced, so that no order of rows or threads shows. Sorted by arm, scenario.
    """
    order = pl.col("arm").replace_strict({arm: i for i, arm in enumerate(ARMS)}, return_dtype=pl.Int64).alias("_order")
    bins = pl.col("latency_histogram").list.to_array(len(LATENCY_EDGES_US) + 1).alias("_bins")
    out = rows.group_by(keys).agg(*(pl.col(name).sum() for name in (*FIELDS, "intervals", "bound_intervals")), bins)
    out = out.with_columns(order).sort("_order", *keys[1:])
    counted = np.stack([np.sum(np.array(x.to_list(), dtype=np.int64), axis=0) for x in out["_bins"]])
    found = statistics.histogram_quantiles(counted, LATENCY_EDGES_US, QUANTILES) / 1e6
    latency = [pl.Series(f"latency_p{round(100 * q)}_s", found[:, i]) for i, q in enumerate(QUANTILES)]
    return _priced(out, params).select(
        *keys,
        *("total_usd", *(f"{name}_usd" for name in COMPONENTS)),
        *("calls", "served", "rejected", "cold_starts", "misses", "moves"),
        (pl.col("carbon_ng") / 1e12).alias("carbon_kg"),
        (pl.col("excess_us") / pl.col("calls") / 1e6).alias("excess_s_per_call"),
        (pl.col("bound_intervals") / pl.col("intervals")).alias("binding_share"),
        *latency,
    )


def _summary(landscape: pl.DataFrame) -> dict[str, Any]:
    """Headline figures of one family: shares of home, the gaps, and what the arms close of them."""
    totals = {arm: frame.sort("scenario")["total_usd"].to_numpy() for (arm,), frame in landscape.group_by("arm")}
    home, hindsight, static = totals["home"], totals["hindsight"], totals["best_static"]
    rule = min((name for name in RULES if name in totals), key=lambda name: (totals[name].mean(), name))
    shares = {arm: _interval(statistics.ratio_of_means(values, home)) for arm, values in sorted(totals.items())}
    gap, reach = (float((dearer - hindsight).mean() / home.mean()) for dearer in (static, home))
    closed = {
        arm: _interval(statistics.ratio_of_means(static - values, static - hindsight)) if gap >= SMALL_GAP else None
        for arm, values in sorted(totals.items())
        if arm not in ("best_static",)
    }
    return {
        "scenarios": len(home),
        "home_usd": round(float(home.mean()), 9),
        "share_of_home": shares,
        "best_rule": rule,
        "static_share": _interval(statistics.ratio_of_means(home - static, home - hindsight)) if reach >= SMALL_GAP else None,
        "gap_share_of_home": round(gap, 9),
        "gap_usd": round(float((static - hindsight).mean()), 9),
        "closed_of_static_to_hindsight": closed,
    }


def _interval(found: statistics.Interval) -> dict[str, Any]:
    def number(x: float) -> float | None:
        return round(float(x), 9) if np.isfinite(x) else None

    return {"value": number(found.value), "low": number(found.low), "high": number(found.high), "n": found.replicates}


def _bound(paths: Paths) -> list[dict[str, Any]]:
    """What the bound's stage says of every scenario."""
    found: list[dict[str, Any]] = read_json(paths.evaluation / "bound.json")["scenarios"]
    return found


def _write(paths: Paths, name: str, table: pl.DataFrame) -> None:
    floats = [pl.col(column).round(9) for column, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(paths.world / f"{name}.csv", table.with_columns(floats).write_csv())
