"""What other weights of the objective buy: bill, carbon and misses of the sweep, and its Pareto front. Not here: the arms, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tasks.evaluation.headline import FIELDS, priced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.parameters import Objective
    from tasks.evaluation.evaluation_record import ArmRow

BILL = ("execution_usd", "egress_usd", "moves_usd")  # what is paid; the rest of the objective is valued
HOME = "home"


def sweep(rows: pl.DataFrame, arms: Sequence[ArmRow], objective: Objective) -> dict[str, list[dict[str, Any]]]:
    """Return the points of the sweep by family, in the order of the arms; means over scenarios. See `SweepPoint`.

    Args:
        rows: of the evaluation.
        arms: of the evaluation; those with `is_weighed` are points.
        objective: prices of the sums.
    """
    names = [arm.name for arm in arms if arm.is_weighed]
    keys = ["family", "arm", "seed", "scenario"]
    sums = rows.filter(pl.col("arm").is_in([*names, HOME])).group_by(keys).agg(*(pl.col(name).sum() for name in FIELDS)).sort(keys)
    paid = priced(sums, objective).select(
        *keys,
        pl.sum_horizontal(BILL).alias("bill"),
        pl.col("carbon_usd").alias("carbon"),
        pl.col("total_usd").alias("objective"),
        (100 * pl.col("misses") / pl.col("calls")).alias("misses"),
    )
    home = paid.filter(pl.col("arm") == HOME).group_by("scenario").agg(pl.col("bill", "carbon", "objective").mean().name.prefix("home_"))
    shares = paid.join(home, on="scenario", how="left").select(
        "family",
        "arm",
        "misses",
        *((100 * pl.col(name) / pl.col(f"home_{name}")).alias(name) for name in ("bill", "carbon", "objective")),
    )
    found = {}
    for (family,), frame in shares.group_by("family", maintain_order=True):
        by_arm = frame.group_by("arm").agg(pl.col("bill", "carbon", "misses", "objective").mean())
        means = {str(row["arm"]): row for row in by_arm.to_dicts()}
        present = [name for name in names if name in means]
        if present:
            found[str(family)] = _points(present, means)
    return found


def _points(names: Sequence[str], means: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    values = np.array([[round(means[name][axis], 6) for axis in ("bill", "carbon", "misses")] for name in names])
    return [
        {
            "arm": name,
            "bill_pct_of_home": float(bill),
            "carbon_pct_of_home": float(carbon),
            "missed_pct": float(missed),
            "objective_pct_of_home": round(means[name]["objective"], 6),
            "is_on_front": bool(is_on),
        }
        for name, (bill, carbon, missed), is_on in zip(names, values, on_front(values), strict=True)
    ]


def on_front(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points (float64 [n, axes], less is better) no other point beats on one axis without losing on another, bool [n]."""
    no_worse = (values[:, None] <= values[None]).all(axis=2)
    better = (values[:, None] < values[None]).any(axis=2)
    found: NDArray[np.bool_] = np.logical_not((no_worse & better).any(axis=0))
    return found
