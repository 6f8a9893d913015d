"""What the arms of each layer cost, and how much of the gaps to hindsight they close. Not here: the landscape (headline.py), words.

A row of `evaluation_results.csv` is an arm, a training seed and a scenario. The unit of replication is training seed x scenario, crossed;
references have one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models import statistics
from simulator.objective import COMPONENTS
from tasks.core.files import write_text_atomic
from tasks.core.records import write_record
from tasks.core.terms import SMALL_GAP
from tasks.evaluation.compare_outputs import strategic_folder, tactical_folder
from tasks.evaluation.headline import FIELDS, LEVEL, as_interval, by_seed_and_scenario, priced
from tasks.evaluation.layers_record import LayerMetrics
from tasks.evaluation.sweep import sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.parameters import Objective
    from tasks.core.paths import Paths
    from tasks.evaluation.evaluation_record import ArmRow

# The operational layer is judged on a few scenarios, by a stage that writes its own table.
FOLDERS = {"strategic": strategic_folder, "tactical": tactical_folder}
REFERENCES = ("best_static", "greedy_hysteresis", "planner_response")
# What is left of an arm of several layers when one of them is absent, or replaced by its identity or by chance.
PARTS = ("candidates", "strategic_only", "strategic_tactical", "clouds_home", "clouds_random")
HOME, HINDSIGHT = "home", "hindsight"
COUNTS = ("calls", "rejected", "cold_starts", "misses", "moves")


def publish_layers(rows: pl.DataFrame, smaller: pl.DataFrame, arms: Sequence[ArmRow], objective: Objective, paths: Paths) -> list[str]:
    """Write `reports/<layer>/evaluation_results.csv` and `metrics.json` of every layer that has arms; return these layers.

    Args:
        rows: of the evaluation.
        smaller: the same without the five apps that cost most at home.
        arms: of the evaluation.
        objective: prices of the sums.
        paths: of the working tree.
    """
    written = []
    for layer, folder_of in FOLDERS.items():
        own = [arm for arm in arms if arm.layer == layer and arm.name in rows["arm"].unique().to_list()]
        if not own:
            continue
        folder = folder_of(paths)
        folder.mkdir(parents=True, exist_ok=True)
        names = [arm.name for arm in own]
        write_text_atomic(folder / "evaluation_results.csv", results(rows, layer, names, objective).write_csv())
        found = {
            "layer": layer,
            "arms": [arm.row() for arm in arms if arm.name in (*names, *REFERENCES, *PARTS, HOME, HINDSIGHT)],
            "level": LEVEL,
            "families": metrics(rows, names, objective),
            "without_five": metrics(smaller, names, objective),
            "sweep": sweep(rows, own, objective),
        }
        write_record(folder / "metrics.json", LayerMetrics, found)
        written.append(layer)
    return written


def results(rows: pl.DataFrame, layer: str, names: Sequence[str], objective: Objective) -> pl.DataFrame:
    """One row per arm, training seed and scenario, references included, sorted: money, counts and the share of home."""
    keys = ["arm", "seed", "scenario", "family"]
    wanted = [*names, *REFERENCES, HOME, HINDSIGHT]
    sums = rows.filter(pl.col("arm").is_in(wanted)).group_by(keys).agg(*(pl.col(name).sum() for name in FIELDS)).sort(keys)
    money = priced(sums, objective)
    home = money.filter(pl.col("arm") == HOME).group_by("scenario").agg(pl.col("total_usd").mean().alias("home_usd"))
    joined = money.join(home, on="scenario", how="left", maintain_order="left")
    parts = ("total_usd", *(f"{name}_usd" for name in COMPONENTS))
    return joined.select(
        pl.lit(layer).alias("layer"),
        *keys,
        (100 * pl.col("total_usd") / pl.col("home_usd")).round(6).alias("objective_pct_of_home"),
        *(pl.col(name).round(9) for name in parts),
        *COUNTS,
        (pl.col("carbon_ng") / 1e12).round(9).alias("carbon_kg"),
    )


def metrics(rows: pl.DataFrame, names: Sequence[str], objective: Objective) -> dict[str, Any]:
    """The arms of a layer by family, see `FamilyOfLayer`; families without one of the arms have the others."""
    found = {}
    for family in rows["family"].unique().sort().to_list():
        usd = by_seed_and_scenario(rows.filter(pl.col("family") == family), objective)["total"]
        home = usd[HOME].mean(axis=0)
        share = {arm: values / home for arm, values in usd.items()}
        present = [name for name in names if name in share]
        if not present:
            continue
        references = [name for name in REFERENCES if name in share]
        gaps = {name: float((share[name].mean(axis=0) - share[HINDSIGHT].mean(axis=0)).mean()) for name in references}
        found[family] = {
            "scenarios": len(home),
            "home_usd": round(float(home.mean()), 9),
            "hindsight_share_of_home": as_interval(statistics.bootstrap_mean(share[HINDSIGHT], LEVEL)),
            "gap_share_of_home": {name: round(gap, 9) for name, gap in gaps.items()},
            "arms": {name: _arm(share, name, gaps) for name in present},
        }
    return found


def _arm(share: dict[str, NDArray[np.float64]], name: str, gaps: dict[str, float]) -> dict[str, Any]:
    own, best = share[name], share[HINDSIGHT].mean(axis=0)
    closed = {}
    for reference, gap in gaps.items():
        saved = share[reference].mean(axis=0) - own
        left = np.broadcast_to(share[reference].mean(axis=0) - best, saved.shape)
        closed[reference] = as_interval(statistics.ratio_of_means(saved, left, LEVEL)) if gap >= SMALL_GAP else None
    return {
        "seeds": own.shape[0],
        "share_of_home": as_interval(statistics.bootstrap_mean(own, LEVEL)),
        "minus": {
            other: as_interval(statistics.paired(own, share[other], LEVEL).difference)
            for other in (HOME, *gaps, *PARTS)
            if other in share and other != name
        },
        "closed": closed,
    }
