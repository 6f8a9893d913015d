"""The figures of the two upper layers on the seeds of their claims: `python -m bench.tactical_figures [ROOT]`.

Run after `trine run --profile tactical`; it reads the rows of the evaluation and writes `figures.csv`, `scenarios.csv` and a copy of
`newcomers.csv` below `docs/results/tactical`. Differences are in % of the second arm's cost in the same scenario; what closes a gap is a
ratio of means, of shares of home. Intervals are bootstraps over scenarios, and over training seeds where an arm has them.

Not here: judging, the operational layer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models import statistics
from simulator.scenario import load_scenario
from tasks.core.paths import Paths
from tasks.core.terms import SMALL_GAP
from tasks.evaluation.compare import with_largest
from tasks.evaluation.evaluate_outputs import rows_file
from tasks.evaluation.headline import by_seed_and_scenario
from tasks.evaluation.newcomers_outputs import newcomers_file
from tasks.world.scenario_outputs import scenario_folder

Float64 = NDArray[np.float64]
Usd = dict[str, Float64]  # by arm: [seeds, scenarios]
ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "results" / "tactical"
GROUPS = ("baselines", "bound", "learned", "ablation")  # those that are there
PAIRS = (
    *(("planner_response", other) for other in ("greedy_hysteresis", "planner", "best_static")),
    *(("rush_head", other) for other in ("planner_price", "planner_response", "greedy_hysteresis")),
    ("planner_price", "planner_response"),
    ("planner", "greedy_hysteresis"),
    ("hindsight", "planner_response"),
    ("hindsight", "best_static"),
)
PRIOR = "planner_response"  # what a learned arm is compared with, beside home
STARTS = ("home", "best_static", "greedy_hysteresis", "planner", "planner_response")
HINDSIGHT, OPTIMISTIC = "hindsight", "optimistic_bound"


def main(root: Path) -> None:
    """Write the figures of what the stages wrote below `root`."""
    OUT.mkdir(parents=True, exist_ok=True)
    paths = Paths(root)
    files = {group: rows_file(paths, group) for group in GROUPS if rows_file(paths, group).is_file()}
    rows = {group: pl.read_parquet(file) for group, file in files.items()}
    networks = sorted({arm for group in ("learned", "ablation") if group in rows for arm in rows[group]["arm"].unique().to_list()})
    everything = pl.concat(rows.values())
    objective = load_scenario(scenario_folder(paths) / str(everything["scenario"].min())).objective
    figures, costs = [], []
    for apps, table in zip(("all", "without_five"), with_largest(everything, objective), strict=True):
        for family in table["family"].unique().sort().to_list():
            own = table.filter(pl.col("family") == family)
            usd = by_seed_and_scenario(own, objective)["total"]
            keys = {"family": family, "apps": apps}
            figures += [keys | row for row in (*differences(usd, networks), *shares(usd))]
            names = own["scenario"].unique().sort().to_list()
            costs += [
                keys | {"arm": arm, "seed": s, "scenario": name, "total_usd": float(value)}
                for arm, values in usd.items()
                for s, of_seed in enumerate(values)
                for name, value in zip(names, of_seed, strict=True)
            ]
    pl.DataFrame(figures, infer_schema_length=None).write_csv(OUT / "figures.csv", float_precision=3)
    pl.DataFrame(costs).sort("apps", "family", "arm", "seed", "scenario").write_csv(OUT / "scenarios.csv", float_precision=6)
    if newcomers_file(paths).is_file():
        (OUT / "newcomers.csv").write_text(newcomers_file(paths).read_text(encoding="utf-8"), encoding="utf-8")


def differences(usd: Usd, networks: list[str]) -> list[dict[str, Any]]:
    """Cost of an arm less that of another, % of the other's, over the scenarios that both were judged in."""
    found = []
    pairs = (*PAIRS, *((arm, other) for arm in networks for other in (PRIOR, "home")))
    for arm, other in pairs:
        if arm not in usd:
            continue
        values = 100.0 * (usd[arm] / usd[other].mean(axis=0) - 1.0)
        row = {"measure": "difference_pct", "arm": arm, "of": other, **_row(statistics.bootstrap_mean(values))}
        found.append(row | {"lower_in": int((values.mean(axis=0) < 0).sum()), "scenarios": values.shape[1]})
    return found


def shares(usd: Usd) -> list[dict[str, Any]]:
    """What an arm closes of the gap from a start to hindsight, %; None where the gap is below a hundredth of home."""
    found = []
    share = {arm: values / usd["home"].mean(axis=0) for arm, values in usd.items()}
    for start in STARTS:
        gap = (share[start] - share[HINDSIGHT]).mean(axis=0)
        for arm in sorted(set(share) - {start, HINDSIGHT, OPTIMISTIC, "home"}):
            closed = share[start].mean(axis=0) - share[arm]
            row: dict[str, Any] = {
                "measure": "closed_pct",
                "arm": arm,
                "of": f"{start} -> {HINDSIGHT}",
                "value": None,
                "low": None,
                "high": None,
            }
            if gap.mean() >= SMALL_GAP:
                row |= _row(statistics.ratio_of_means(100.0 * closed, np.broadcast_to(gap, closed.shape)))
            found.append(row | {"lower_in": int((closed.mean(axis=0) > 0).sum()), "scenarios": closed.shape[1]})
    return found


def _row(interval: statistics.Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
