"""Headline figures of the landscape: shares of home, differences, gaps and who makes them, each with its interval. Not here: the tables
(compare.py), the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models import statistics
from simulator.fleet import Field
from simulator.objective import COMPONENTS, components_usd
from tasks.core.terms import CLASSES, SMALL_GAP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.parameters import Objective

# Differences the page speaks of; `rule` is the best rule on the test span of the family.
PAIRS = (
    *(("static", "home"), ("rule", "home"), ("rule", "static"), ("home", "hindsight"), ("static", "hindsight")),
    ("rule", "hindsight"),
)
FIVE = 5
LEVEL = 0.95
FIELDS = [field.name.lower() for field in Field]


def priced(rows: pl.DataFrame, objective: Objective) -> pl.DataFrame:
    """Add the components of the objective, `<name>_usd`, and `total_usd`."""
    fields = rows.select(FIELDS).to_numpy()
    parts = components_usd(fields, objective)
    priced = rows.with_columns([pl.Series(f"{name}_usd", parts[name]) for name in COMPONENTS])
    return priced.with_columns(pl.sum_horizontal([f"{name}_usd" for name in COMPONENTS]).alias("total_usd"))


def summary(rows: pl.DataFrame, rules: Sequence[str], objective: Objective) -> dict[str, Any]:
    """Headline figures of one family: shares of home, differences, the gaps, and what the arms close of them."""
    usd = by_seed_and_scenario(rows, objective)
    home_usd = usd["total"]["home"].mean(axis=0)
    share = {part: {arm: values / home_usd for arm, values in arms.items()} for part, arms in usd.items()}
    total = share["total"]
    best = min((name for name in rules if name in total), key=lambda name: (total[name].mean(), name))
    arms = {"home": "home", "static": "best_static", "rule": best, "hindsight": "hindsight"}
    gap, reach = (float((total[arm] - total["hindsight"]).mean()) for arm in ("best_static", "home"))
    saved, possible, left = (total[a] - total[b] for a, b in (("home", "best_static"), ("home", "hindsight"), ("best_static", "hindsight")))
    return {
        "scenarios": int(home_usd.size),
        "seeds": int(total["home"].shape[0]),
        "level": LEVEL,
        "home_usd": round(float(home_usd.mean()), 9),
        "share_of_home": {arm: as_interval(statistics.bootstrap_mean(values, LEVEL)) for arm, values in sorted(total.items())},
        "best_rule": best,
        "differences": {
            f"{a}_minus_{b}": {
                "of_home": as_interval(statistics.paired(total[arms[a]], total[arms[b]], LEVEL).difference),
                "usd": as_interval(statistics.paired(usd["total"][arms[a]], usd["total"][arms[b]], LEVEL).difference),
            }
            for a, b in PAIRS
        },
        "components_of_home": {
            f"{a}_minus_home": {
                part: as_interval(statistics.paired(share[part][arms[a]], share[part]["home"], LEVEL).difference) for part in COMPONENTS
            }
            for a in ("static", "rule")
        },
        "static_share": as_interval(statistics.ratio_of_means(saved, possible, LEVEL)) if reach >= SMALL_GAP else None,
        "gap_share_of_home": round(gap, 9),
        "gap_usd": round(float((usd["total"]["best_static"] - usd["total"]["hindsight"]).mean()), 9),
        "closed_of_static_to_hindsight": {
            arm: as_interval(_closed(total["best_static"] - values, left)) if gap >= SMALL_GAP else None
            for arm, values in sorted(total.items())
            if arm != "best_static"
        },
    }


def by_seed_and_scenario(rows: pl.DataFrame, objective: Objective) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return USD as float64 [seeds, scenarios], by part of the objective (`total` is their sum) and by arm."""
    sums = rows.group_by("arm", "seed", "scenario").agg(*(pl.col(name).sum() for name in FIELDS)).sort("arm", "seed", "scenario")
    found: dict[str, dict[str, NDArray[np.float64]]] = {part: {} for part in ("total", *COMPONENTS)}
    for (arm,), frame in priced(sums, objective).group_by("arm", maintain_order=True):
        for part, arms in found.items():
            arms[str(arm)] = frame[f"{part}_usd"].to_numpy().reshape(frame["seed"].n_unique(), -1)
    return found


def by_class(rows: pl.DataFrame, objective: Objective, headline: dict[str, Any]) -> dict[str, Any]:
    """Shares of what the class costs at home, and what part of the bill and of the gap best static -> hindsight the class has.

    Scenarios without apps of a class, or without calls of them, count for the part and not for the shares.
    """
    found = {}
    for name in CLASSES:
        own = rows.filter(pl.col("class") == name)
        if own.is_empty():
            continue
        total = by_seed_and_scenario(own, objective)["total"]
        home, gap = total["home"].mean(axis=0), float((total["best_static"] - total["hindsight"]).mean(axis=0).sum())
        open_, scenarios = home > 0, headline["scenarios"]
        found[name] = {
            "home_usd": round(float(home.sum()) / scenarios, 9),
            "share_of_bill": round(float(home.sum()) / scenarios / headline["home_usd"], 9),
            "share_of_gap": round(gap / scenarios / headline["gap_usd"], 9) if headline["gap_share_of_home"] >= SMALL_GAP else None,
            "share_of_home": {
                arm: as_interval(statistics.bootstrap_mean(total[arm][:, open_] / home[open_], LEVEL))
                for arm in ("best_static", headline["best_rule"], "hindsight")
            }
            if open_.any()
            else {},
        }
    return found


def gap_by_app(rows: pl.DataFrame, objective: Objective) -> dict[str, Any]:
    """How concentrated the gap best static -> hindsight is: by scenario the apps that make most of it, and their rejected calls.

    Apps that cost more under hindsight count against the gap, so shares can exceed 1.
    """
    keys = ["scenario", "app_id"]
    usd = {}
    for arm in ("home", "best_static", "hindsight"):
        sums = rows.filter(pl.col("arm") == arm).group_by(*keys).agg(*(pl.col(name).sum() for name in FIELDS), pl.col("seeds").first())
        usd[arm] = priced(sums, objective).select(
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
        f"{part}_share": as_interval(statistics.ratio_of_means(share[part], share["all"], LEVEL)) if is_open else None
        for part in ("largest", "five")
    }
    return closed | {"scenarios": found}


def _closed(saved: NDArray[np.float64], gap: NDArray[np.float64]) -> statistics.Interval:
    """The share of a gap that is closed; arms with training seeds of their own have more rows than the gap between two references."""
    return statistics.ratio_of_means(saved, np.broadcast_to(gap.mean(axis=0), saved.shape), LEVEL)


def as_interval(found: statistics.Interval) -> dict[str, Any]:
    """Return an interval as the record `Interval` holds it."""

    def number(x: float) -> float | None:
        return round(float(x), 9) if np.isfinite(x) else None

    return {"value": number(found.value), "low": number(found.low), "high": number(found.high), "n": found.replicates}
