"""Stage `compare`: rows of the evaluation become the tables of the landscape. Not here: judging, plotting, words.

`landscape.csv`: totals by (arm, scenario), means over the seeds. `classes.csv`: by class of app, too. `without_five.csv`: without the five
apps that cost most at home. `landscape.json`: the headline figures with their intervals; the unit of replication is seed x scenario. A
share is of `home` in the same scenario; what closes a gap is a ratio of means of such shares. Names, labels and inks of the arms are those
of the evaluation's JSON, and their order is that of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import DamagedFileError
from core.units import DAY_US
from models import statistics
from simulator.fleet import LATENCY_EDGES_US, Field
from simulator.objective import COMPONENTS, components_usd
from simulator.scenario import load_scenario
from tasks.core.files import write_text_atomic
from tasks.core.records import read_record, write_record
from tasks.core.terms import CLASSES, SMALL_GAP
from tasks.evaluation.evaluation_record import ArmRow, EvaluatedBaselines, EvaluatedBound
from tasks.evaluation.landscape_record import Landscape
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUPS = ("baselines", "bound")
STAYS = ("random", "home", "best_static", "coordinated_static")  # baselines that place each app once; the others are rules, which may move
# Differences the page speaks of; `rule` is the best rule on the test span of the family.
PAIRS = (
    *(("static", "home"), ("rule", "home"), ("rule", "static"), ("home", "hindsight"), ("static", "hindsight")),
    ("rule", "hindsight"),
)
FIVE = 5
LEVEL = 0.95
QUANTILES = (0.5, 0.95, 0.99)
FIELDS = [field.name.lower() for field in Field]
COUNTS = ("calls", "served", "rejected", "cold_starts", "misses", "moves")


@dataclass(frozen=True)
class Arms:
    """The arms of the evaluation, in the order of the tables.

    Args:
        rows: name, label, ink and whether it is causal.
        rules: names of the causal arms that may move an app.
    """

    rows: tuple[ArmRow, ...]
    rules: tuple[str, ...]

    @classmethod
    def of(cls, baselines: tuple[ArmRow, ...], bound: tuple[ArmRow, ...]) -> Arms:
        """Return the arms of both groups; the rules are baselines."""
        return cls((*baselines, *bound), tuple(arm.name for arm in baselines if arm.is_causal and arm.name not in STAYS))

    @property
    def order(self) -> dict[str, int]:
        """Place of each arm in the tables."""
        return {arm.name: i for i, arm in enumerate(self.rows)}


def run(params: Params, paths: Paths) -> str:
    """Write the tables below `reports/world/`; return the summary line.

    Raises:
        DamagedFileError: the rows hold an arm that no table of arms lists.
    """
    rows = pl.concat([pl.read_parquet(paths.evaluation / f"{group}.parquet") for group in GROUPS])
    baselines = read_record(paths.evaluation / "baselines.json", EvaluatedBaselines)
    bound = read_record(paths.evaluation / "bound.json", EvaluatedBound)
    scenarios = {name: load_scenario(paths.scenario / name) for name in sorted(rows["scenario"].unique().to_list())}
    classes = pl.concat([_classes(scenario, params) for scenario in scenarios.values()])
    origins = {row.id: row.origin for row in read_record(paths.scenario / "scenarios.json", ScenarioList).scenarios}
    rows = rows.join(classes, on=["scenario", "app_id"], how="left")
    landscape = publish(rows, Arms.of(baselines.arms, bound.arms), [facts.row() for facts in bound.scenarios], origins, params, paths)
    return f"{landscape.height} rows of {landscape['arm'].n_unique()} arms in {len(scenarios)} scenarios"


def publish(
    rows: pl.DataFrame, arms: Arms, bounds: list[dict[str, Any]], origins: dict[str, str], params: Params, paths: Paths
) -> pl.DataFrame:
    """Write the tables and the headline figures, and return the landscape.

    Args:
        rows: of the evaluation, with the `class` of the app.
        arms: of the evaluation.
        bounds: facts of the optimistic bound and of hindsight by scenario, kept as they are.
        origins: where the calls of each scenario come from (`from` of scenarios.json), kept as they are.
        params: `objective` is used.
        paths: of the working tree.

    Raises:
        DamagedFileError: the rows hold an arm that `arms` does not list.
    """
    unknown = sorted(set(rows["arm"].unique().to_list()) - set(arms.order))
    if unknown:
        how = "add it to tasks/evaluation/arms, or write the rows again: dvc repro --force " + " ".join(f"evaluate_{g}" for g in GROUPS)
        raise DamagedFileError(f"unknown arm '{unknown[0]}'", where=str(paths.evaluation), how=how)
    rows, smaller = _with_largest(rows, params)
    landscape = _summed(rows, ["arm", "scenario", "family"], arms, params)
    paths.world.mkdir(parents=True, exist_ok=True)
    _write(paths, "landscape", landscape)
    _write(paths, "classes", _summed(rows, ["arm", "scenario", "family", "class"], arms, params))
    _write(paths, "without_five", _summed(smaller, ["arm", "scenario", "family"], arms, params))
    families = landscape["family"].unique().sort().to_list()
    summary = {}
    for family in families:
        own = rows.filter(pl.col("family") == family)
        found = _summary(own, arms, params)
        summary[family] = found | {"classes": _by_class(own, params, found), "gap_by_app": _gap_by_app(own, params)}
    without = {family: _summary(smaller.filter(pl.col("family") == family), arms, params) for family in families}
    found = {"families": summary, "without_five": without, "scenarios": bounds, "from": origins, "arms": [arm.row() for arm in arms.rows]}
    write_record(paths.world / "landscape.json", Landscape, found)
    return landscape


def _with_largest(rows: pl.DataFrame, params: Params) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows with the number of `seeds` of their arm and scenario, and those without the five apps that cost most at home."""
    seeds = rows.group_by("arm", "scenario").agg(pl.col("seed").n_unique().alias("seeds"))
    rows = rows.join(seeds, on=["arm", "scenario"], how="left")
    at_home = rows.filter(pl.col("arm") == "home").group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS))
    largest = (
        _priced(at_home, params)
        .sort("scenario", "total_usd", "app_id", descending=[False, True, False])
        .group_by("scenario", maintain_order=True)
        .head(FIVE)
        .select("scenario", "app_id")
    )
    return rows, rows.join(largest, on=["scenario", "app_id"], how="anti", maintain_order="left")


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
    per_14d = calls * (14 * DAY_US / us)
    bounds = (params.features.rare_below, params.features.low_below, params.features.mid_below)
    names = [CLASSES[int(np.searchsorted(bounds, x, side="right"))] for x in per_14d]
    return pl.DataFrame({"scenario": [scenario.id] * len(names), "app_id": list(scenario.apps.app_ids), "class": names})


def _summed(rows: pl.DataFrame, keys: list[str], arms: Arms, params: Params) -> pl.DataFrame:
    """Sum rows by `keys` and price the sums, with shares, latency quantiles and the share of intervals in which capacity was binding.

    Money, carbon and counts are of one test span: means over the seeds. Quantiles and shares pool the seeds. Whole numbers are summed, then
    priced, then divided, so that no order of rows or threads shows. Sorted by arm, scenario.
    """
    order = pl.col("arm").replace_strict(arms.order, return_dtype=pl.Int64).alias("_order")
    bins = pl.col("latency_histogram").list.to_array(len(LATENCY_EDGES_US) + 1).alias("_bins")
    sums = (pl.col(name).sum() for name in (*FIELDS, "intervals", "bound_intervals"))
    out = rows.group_by(keys).agg(*sums, pl.col("seeds").first(), bins)
    out = out.with_columns(order).sort("_order", *keys[1:])
    counted = np.stack([np.sum(np.array(x.to_list(), dtype=np.int64), axis=0) for x in out["_bins"]])
    found = statistics.histogram_quantiles(counted, LATENCY_EDGES_US, QUANTILES) / 1e6
    latency = [pl.Series(f"latency_p{round(100 * q)}_s", found[:, i]) for i, q in enumerate(QUANTILES)]
    priced = _priced(out, params)
    return priced.select(
        *keys,
        *(pl.col(name) / pl.col("seeds") for name in ("total_usd", *(f"{name}_usd" for name in COMPONENTS))),
        *(_mean_count(priced, name) for name in COUNTS),
        (pl.col("carbon_ng") / 1e12 / pl.col("seeds")).alias("carbon_kg"),
        (pl.col("excess_us") / pl.col("calls") / 1e6).alias("excess_s_per_call"),
        (pl.col("bound_intervals") / pl.col("intervals")).alias("binding_share"),
        *latency,
    )


def _mean_count(sums: pl.DataFrame, name: str) -> pl.Expr:
    """Mean over the seeds; a column whose means are all whole holds whole numbers."""
    is_whole = bool((sums[name] % sums["seeds"] == 0).all())
    return pl.col(name) // pl.col("seeds") if is_whole else pl.col(name) / pl.col("seeds")


def _summary(rows: pl.DataFrame, known: Arms, params: Params) -> dict[str, Any]:
    """Headline figures of one family: shares of home, differences, the gaps, and what the arms close of them."""
    usd = _by_seed_and_scenario(rows, params)
    home_usd = usd["total"]["home"].mean(axis=0)
    share = {part: {arm: values / home_usd for arm, values in arms.items()} for part, arms in usd.items()}
    total = share["total"]
    best = min((name for name in known.rules if name in total), key=lambda name: (total[name].mean(), name))
    arms = {"home": "home", "static": "best_static", "rule": best, "hindsight": "hindsight"}
    gap, reach = (float((total[arm] - total["hindsight"]).mean()) for arm in ("best_static", "home"))
    saved, possible, left = (total[a] - total[b] for a, b in (("home", "best_static"), ("home", "hindsight"), ("best_static", "hindsight")))
    return {
        "scenarios": int(home_usd.size),
        "seeds": int(total["home"].shape[0]),
        "level": LEVEL,
        "home_usd": round(float(home_usd.mean()), 9),
        "share_of_home": {arm: _interval(statistics.bootstrap_mean(values, LEVEL)) for arm, values in sorted(total.items())},
        "best_rule": best,
        "differences": {
            f"{a}_minus_{b}": {
                "of_home": _interval(statistics.paired(total[arms[a]], total[arms[b]], LEVEL).difference),
                "usd": _interval(statistics.paired(usd["total"][arms[a]], usd["total"][arms[b]], LEVEL).difference),
            }
            for a, b in PAIRS
        },
        "components_of_home": {
            f"{a}_minus_home": {
                part: _interval(statistics.paired(share[part][arms[a]], share[part]["home"], LEVEL).difference) for part in COMPONENTS
            }
            for a in ("static", "rule")
        },
        "static_share": _interval(statistics.ratio_of_means(saved, possible, LEVEL)) if reach >= SMALL_GAP else None,
        "gap_share_of_home": round(gap, 9),
        "gap_usd": round(float((usd["total"]["best_static"] - usd["total"]["hindsight"]).mean()), 9),
        "closed_of_static_to_hindsight": {
            arm: _interval(statistics.ratio_of_means(total["best_static"] - values, left, LEVEL)) if gap >= SMALL_GAP else None
            for arm, values in sorted(total.items())
            if arm != "best_static"
        },
    }


def _by_seed_and_scenario(rows: pl.DataFrame, params: Params) -> dict[str, dict[str, NDArray[np.float64]]]:
    """USD as float64 [seeds, scenarios], by part of the objective (`total` is their sum) and by arm."""
    sums = rows.group_by("arm", "seed", "scenario").agg(*(pl.col(name).sum() for name in FIELDS)).sort("arm", "seed", "scenario")
    found: dict[str, dict[str, NDArray[np.float64]]] = {part: {} for part in ("total", *COMPONENTS)}
    for (arm,), frame in _priced(sums, params).group_by("arm", maintain_order=True):
        for part, arms in found.items():
            arms[str(arm)] = frame[f"{part}_usd"].to_numpy().reshape(frame["seed"].n_unique(), -1)
    return found


def _by_class(rows: pl.DataFrame, params: Params, summary: dict[str, Any]) -> dict[str, Any]:
    """Shares of what the class costs at home, and what part of the bill and of the gap best static -> hindsight the class has.

    Scenarios without apps of a class, or without calls of them, count for the part and not for the shares.
    """
    found = {}
    for name in CLASSES:
        own = rows.filter(pl.col("class") == name)
        if own.is_empty():
            continue
        total = _by_seed_and_scenario(own, params)["total"]
        home, gap = total["home"].mean(axis=0), float((total["best_static"] - total["hindsight"]).mean(axis=0).sum())
        open_, scenarios = home > 0, summary["scenarios"]
        found[name] = {
            "home_usd": round(float(home.sum()) / scenarios, 9),
            "share_of_bill": round(float(home.sum()) / scenarios / summary["home_usd"], 9),
            "share_of_gap": round(gap / scenarios / summary["gap_usd"], 9) if summary["gap_share_of_home"] >= SMALL_GAP else None,
            "share_of_home": {
                arm: _interval(statistics.bootstrap_mean(total[arm][:, open_] / home[open_], LEVEL))
                for arm in ("best_static", summary["best_rule"], "hindsight")
            }
            if open_.any()
            else {},
        }
    return found


def _gap_by_app(rows: pl.DataFrame, params: Params) -> dict[str, Any]:
    """How concentrated the gap best static -> hindsight is: by scenario the apps that make most of it, and their rejected calls.

    Apps that cost more under hindsight count against the gap, so shares can exceed 1.
    """
    keys = ["scenario", "app_id"]
    usd = {}
    for arm in ("home", "best_static", "hindsight"):
        sums = rows.filter(pl.col("arm") == arm).group_by(*keys).agg(*(pl.col(name).sum() for name in FIELDS), pl.col("seeds").first())
        usd[arm] = _priced(sums, params).select(
            *keys, (pl.col("total_usd") / pl.col("seeds")).alias(f"{arm}_usd"), (pl.col("rejected") / pl.col("seeds")).alias(arm)
        )
    both = usd["best_static"].join(usd["hindsight"], on=keys).join(usd["home"].drop("home"), on=keys)
    both = both.with_columns((pl.col("best_static_usd") - pl.col("hindsight_usd")).alias("gap_usd"))
    found = []
    for (name,), frame in both.sort("scenario", "gap_usd", "app_id", descending=[False, True, False]).group_by(
        "scenario", maintain_order=True
    ):
        parts = {"largest": frame.head(1), "five": frame.head(FIVE), "all": frame}
        found.append(
            {"scenario": name, "home_usd": round(frame["home_usd"].sum(), 9), "apps": frame.head(FIVE)["app_id"].to_list()}
            | {f"{part}_usd": round(of["gap_usd"].sum(), 9) for part, of in parts.items()}
            | {f"rejected_{arm}": {part: round(of[arm].sum(), 3) for part, of in parts.items()} for arm in ("best_static", "hindsight")}
        )
    share = {part: np.array([one[f"{part}_usd"] / one["home_usd"] for one in found]) for part in ("largest", "five", "all")}
    is_open = share["all"].mean() >= SMALL_GAP
    closed = {
        f"{part}_share": _interval(statistics.ratio_of_means(share[part], share["all"], LEVEL)) if is_open else None
        for part in ("largest", "five")
    }
    return closed | {"scenarios": found}


def _interval(found: statistics.Interval) -> dict[str, Any]:
    def number(x: float) -> float | None:
        return round(float(x), 9) if np.isfinite(x) else None

    return {"value": number(found.value), "low": number(found.low), "high": number(found.high), "n": found.replicates}


def _write(paths: Paths, name: str, table: pl.DataFrame) -> None:
    floats = [pl.col(column).round(9) for column, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(paths.world / f"{name}.csv", table.with_columns(floats).write_csv())
