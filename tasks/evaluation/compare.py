"""Stage `compare`: rows of the evaluation become the tables of the landscape. Not here: judging, drawing, words.

`landscape.csv`: totals by (arm, scenario), means over the seeds. `classes.csv`: by class of app, too. `without_five.csv`: without the five
apps that cost most at home. `landscape.json`: the headline figures with their intervals; the unit of replication is seed x scenario. A
share is of `home` in the same scenario; what closes a gap is a ratio of means of such shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import ScenarioError
from models import statistics
from simulator.fleet import LATENCY_EDGES_US, Field
from simulator.objective import COMPONENTS, components_usd
from simulator.scenario import load_scenario
from tasks.core.files import read_json, write_json, write_text_atomic
from tasks.core.terms import CLASSES, SMALL_GAP
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.evaluation.evaluate_outputs import facts_file, rows_file
from tasks.world.scenario_outputs import scenario_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.parameters import Objective
    from tasks.core.params import Params
    from tasks.core.paths import Paths

ARMS = (
    *("random", "home", "greedy_locality", "greedy_cold_start", "greedy_objective", "greedy_hysteresis", "best_static"),
    *("coordinated_static", "persistence", "hindsight", "optimistic_bound"),
)
RULES = ("greedy_objective", "greedy_hysteresis", "persistence", "greedy_locality", "greedy_cold_start")  # causal, may move
# Differences the page speaks of; `rule` is the best of RULES on the test span of the family.
PAIRS = (
    *(("static", "home"), ("rule", "home"), ("rule", "static"), ("home", "hindsight"), ("static", "hindsight")),
    ("rule", "hindsight"),
)
FIVE = 5
LEVEL = 0.95
QUANTILES = (0.5, 0.95, 0.99)
FIELDS = [field.name.lower() for field in Field]
COUNTS = ("calls", "served", "rejected", "cold_starts", "misses", "moves")


def run(params: Params, paths: Paths) -> str:
    """Write the tables below `reports/world/`; return the summary line."""
    rows = pl.concat([pl.read_parquet(rows_file(paths, group)) for group in ("baselines", "bound")])
    objective = _objective(paths, sorted(rows["scenario"].unique().to_list()))
    classes = pl.read_parquet(scenario_folder(paths) / "apps.parquet").select("scenario", "app_id", pl.col("rate_class").alias("class"))
    origins = {row["id"]: row["from"] for row in read_json(scenario_folder(paths) / "scenarios.json")["scenarios"]}
    landscape = publish(rows.join(classes, on=["scenario", "app_id"], how="left"), _bound(paths), origins, objective, paths)
    return f"{landscape.height} rows of {landscape['arm'].n_unique()} arms in {landscape['scenario'].n_unique()} scenarios"


def _objective(paths: Paths, scenarios: list[str]) -> Objective:
    """The objective of the scenarios, which must have one."""
    found = {load_scenario(scenario_folder(paths) / name).objective for name in scenarios}
    if len(found) != 1:
        raise ScenarioError(
            "the scenarios have different objectives", where=str(scenario_folder(paths)), how="build them again: dvc repro --force scenario"
        )
    return found.pop()


def publish(rows: pl.DataFrame, bounds: list[dict[str, Any]], origins: dict[str, str], objective: Objective, paths: Paths) -> pl.DataFrame:
    """Write the tables and the headline figures, and return the landscape.

    Args:
        rows: of the evaluation, with the `class` of the app.
        bounds: facts of each scenario, kept as they are.
        origins: where the calls of each scenario come from (`from` of scenarios.json), kept as they are.
        objective: of the scenarios.
        paths: of the working tree.
    """
    seeds = rows.group_by("arm", "scenario").agg(pl.col("seed").n_unique().alias("seeds"))
    rows = rows.join(seeds, on=["arm", "scenario"], how="left")
    at_home = rows.filter(pl.col("arm") == "home").group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS))
    largest = (
        _priced(at_home, objective)
        .sort("scenario", "total_usd", "app_id", descending=[False, True, False])
        .group_by("scenario", maintain_order=True)
        .head(FIVE)
        .select("scenario", "app_id", pl.lit(True).alias("is_largest"))
    )
    rows = rows.join(largest, on=["scenario", "app_id"], how="left").with_columns(pl.col("is_largest").fill_null(False))
    smaller = rows.filter(~pl.col("is_largest"))
    landscape = _summed(rows, ["arm", "scenario", "family"], objective)
    landscape_folder(paths).mkdir(parents=True, exist_ok=True)
    _write(paths, "landscape", landscape)
    _write(paths, "classes", _summed(rows, ["arm", "scenario", "family", "class"], objective))
    _write(paths, "without_five", _summed(smaller, ["arm", "scenario", "family"], objective))
    families = landscape["family"].unique().sort().to_list()
    summary = {}
    for family in families:
        own = rows.filter(pl.col("family") == family)
        found = _summary(own, objective)
        summary[family] = found | {"classes": _by_class(own, objective, found), "gap_by_app": _gap_by_app(own, objective)}
    without = {family: _summary(smaller.filter(pl.col("family") == family), objective) for family in families}
    write_json(
        landscape_folder(paths) / "landscape.json", {"families": summary, "without_five": without, "scenarios": bounds, "from": origins}
    )
    return landscape


def _priced(rows: pl.DataFrame, objective: Objective) -> pl.DataFrame:
    """Add the components of the objective, `<name>_usd`, and `total_usd`."""
    fields = rows.select(FIELDS).to_numpy()
    parts = components_usd(fields, objective)
    priced = rows.with_columns([pl.Series(f"{name}_usd", parts[name]) for name in COMPONENTS])
    return priced.with_columns(pl.sum_horizontal([f"{name}_usd" for name in COMPONENTS]).alias("total_usd"))


def _summed(rows: pl.DataFrame, keys: list[str], objective: Objective) -> pl.DataFrame:
    """Sum rows by `keys` and price the sums, with shares, latency quantiles and the share of intervals in which capacity was felt.

    Money, carbon and counts are of one test span: means over the seeds. Quantiles and shares pool the seeds. Whole numbers are summed, then
    priced, then divided, so that no order of rows or threads shows. Sorted by arm, scenario.
    """
    order = pl.col("arm").replace_strict({arm: i for i, arm in enumerate(ARMS)}, return_dtype=pl.Int64).alias("_order")
    bins = pl.col("latency_histogram").list.to_array(len(LATENCY_EDGES_US) + 1).alias("_bins")
    sums = (pl.col(name).sum() for name in (*FIELDS, "intervals", "binding_intervals"))
    out = rows.group_by(keys).agg(*sums, pl.col("seeds").first(), bins)
    out = out.with_columns(order).sort("_order", *keys[1:])
    counted = np.stack([np.sum(np.array(x.to_list(), dtype=np.int64), axis=0) for x in out["_bins"]])
    found = statistics.histogram_quantiles(counted, LATENCY_EDGES_US, QUANTILES) / 1e6
    latency = [pl.Series(f"latency_p{round(100 * q)}_s", found[:, i]) for i, q in enumerate(QUANTILES)]
    priced = _priced(out, objective)
    return priced.select(
        *keys,
        *(pl.col(name) / pl.col("seeds") for name in ("total_usd", *(f"{name}_usd" for name in COMPONENTS))),
        *(_mean_count(priced, name) for name in COUNTS),
        (pl.col("carbon_ng") / 1e12 / pl.col("seeds")).alias("carbon_kg"),
        (pl.col("excess_us") / pl.col("calls") / 1e6).alias("excess_s_per_call"),
        (pl.col("binding_intervals") / pl.col("intervals")).alias("binding_share"),
        *latency,
    )


def _mean_count(sums: pl.DataFrame, name: str) -> pl.Expr:
    """Mean over the seeds; a column whose means are all whole holds whole numbers."""
    is_whole = bool((sums[name] % sums["seeds"] == 0).all())
    return pl.col(name) // pl.col("seeds") if is_whole else pl.col(name) / pl.col("seeds")


def _summary(rows: pl.DataFrame, objective: Objective) -> dict[str, Any]:
    """Headline figures of one family: shares of home, differences, the gaps, and what the arms close of them."""
    usd = _by_seed_and_scenario(rows, objective)
    home_usd = usd["total"]["home"].mean(axis=0)
    share = {part: {arm: values / home_usd for arm, values in arms.items()} for part, arms in usd.items()}
    total = share["total"]
    best = min((name for name in RULES if name in total), key=lambda name: (total[name].mean(), name))
    arms = {"home": "home", "static": "best_static", "rule": best, "hindsight": "hindsight"}
    gap, reach = (float((total[dearer] - total["hindsight"]).mean()) for dearer in ("best_static", "home"))
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


def _by_seed_and_scenario(rows: pl.DataFrame, objective: Objective) -> dict[str, dict[str, NDArray[np.float64]]]:
    """USD as float64 [seeds, scenarios], by part of the objective (`total` is their sum) and by arm."""
    sums = rows.group_by("arm", "seed", "scenario").agg(*(pl.col(name).sum() for name in FIELDS)).sort("arm", "seed", "scenario")
    found: dict[str, dict[str, NDArray[np.float64]]] = {part: {} for part in ("total", *COMPONENTS)}
    for (arm,), frame in _priced(sums, objective).group_by("arm", maintain_order=True):
        for part, arms in found.items():
            arms[str(arm)] = frame[f"{part}_usd"].to_numpy().reshape(frame["seed"].n_unique(), -1)
    return found


def _by_class(rows: pl.DataFrame, objective: Objective, summary: dict[str, Any]) -> dict[str, Any]:
    """Shares of what the class costs at home, and what part of the bill and of the gap best static -> hindsight the class has.

    Scenarios without apps of a class, or without calls of them, count for the part and not for the shares.
    """
    found = {}
    for name in CLASSES:
        own = rows.filter(pl.col("class") == name)
        if own.is_empty():
            continue
        total = _by_seed_and_scenario(own, objective)["total"]
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


def _gap_by_app(rows: pl.DataFrame, objective: Objective) -> dict[str, Any]:
    """How concentrated the gap best static -> hindsight is: by scenario the apps that make most of it, and their rejected calls.

    Apps that are dearer under hindsight count against the gap, so shares can exceed 1.
    """
    keys = ["scenario", "app_id"]
    usd = {}
    for arm in ("home", "best_static", "hindsight"):
        sums = rows.filter(pl.col("arm") == arm).group_by(*keys).agg(*(pl.col(name).sum() for name in FIELDS), pl.col("seeds").first())
        usd[arm] = _priced(sums, objective).select(
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


def _bound(paths: Paths) -> list[dict[str, Any]]:
    """What the bound's stage says of every scenario."""
    found: list[dict[str, Any]] = read_json(facts_file(paths, "bound"))["scenarios"]
    return found


def _write(paths: Paths, name: str, table: pl.DataFrame) -> None:
    floats = [pl.col(column).round(9) for column, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(landscape_folder(paths) / f"{name}.csv", table.with_columns(floats).write_csv())
