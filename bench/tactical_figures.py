"""The planner's figures on the seeds of the tactical layer, from the tables of `compare`: `python -m bench.tactical_figures [ROOT]`.

Run after `trine run --profile tactical`; it writes `docs/results/tactical/figures.csv` and a copy of the landscape. Differences are in % of
the second arm's cost in the same scenario; what closes a gap is a ratio of means. Intervals are bootstraps over scenarios.

Not here: judging, other layers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models import statistics

Float64 = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "results" / "tactical"
TABLES = {"all": "landscape", "without_five": "without_five"}
PAIRS = (
    *(("planner_response", other) for other in ("greedy_hysteresis", "planner", "best_static")),
    *(("rush_head", other) for other in ("planner_response", "greedy_hysteresis")),
    *(
        ("planner_price", "planner_response"),
        ("planner", "greedy_hysteresis"),
        ("hindsight", "planner_response"),
        ("hindsight", "best_static"),
    ),
)
STARTS = ("home", "best_static", "greedy_hysteresis", "planner")
CLOSERS = (
    *("best_static", "greedy_hysteresis", "persistence", "fr24_heuristic", "chen25_two_tier", "follow_the_leader"),
    *("planner", "planner_response", "planner_price", "rush_head"),
)
SMALL_GAP = 0.01  # of home: below it no ratio is formed


def main(root: Path) -> None:
    """Write the figures of what the stages wrote below `root`."""
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for apps, name in TABLES.items():
        table = pl.read_csv(root / "reports" / "world" / f"{name}.csv")
        for family in table["family"].unique().sort().to_list():
            part = table.filter(pl.col("family") == family)
            usd = {arm: frame.sort("scenario")["total_usd"].to_numpy() for (arm,), frame in part.group_by("arm")}
            rows += [{"family": family, "apps": apps, **row} for row in (*differences(usd), *shares(usd))]
        if name == "landscape":
            table.write_csv(OUT / "landscape.csv")
    pl.DataFrame(rows).write_csv(OUT / "figures.csv", float_precision=3)


def differences(usd: dict[str, Float64]) -> list[dict[str, Any]]:
    """Cost of an arm less that of another, % of the other's, over the scenarios that both were judged in."""
    found = []
    for arm, other in PAIRS:
        values = 100.0 * (usd[arm] / usd[other] - 1.0)
        found.append({"measure": "difference_pct", "arm": arm, "of": other, **_interval(values), "lower_in": int((values < 0).sum())})
    return found


def shares(usd: dict[str, Float64]) -> list[dict[str, Any]]:
    """What an arm closes of the gap from a start to hindsight, %; None where the gap is below a hundredth of home."""
    found = []
    for start in STARTS:
        gap = (usd[start] - usd["hindsight"]) / usd["home"]
        for arm in CLOSERS:
            if arm == start:
                continue
            closed = (usd[start] - usd[arm]) / usd["home"]
            row: dict[str, Any] = {"measure": "closed_pct", "arm": arm, "of": f"{start} -> hindsight"}
            if gap.mean() < SMALL_GAP:
                row |= {"value": None, "low": None, "high": None, "scenarios": len(gap)}
            else:
                ratio = statistics.ratio_of_means(closed, gap)
                row |= {"value": 100 * ratio.value, "low": 100 * ratio.low, "high": 100 * ratio.high, "scenarios": len(gap)}
            found.append(row | {"lower_in": int((closed > 0).sum())})
    return found


def _interval(values: Float64) -> dict[str, Any]:
    interval = statistics.bootstrap_mean(values)
    return {"value": interval.value, "low": interval.low, "high": interval.high, "scenarios": len(values)}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
