"""What is known of the apps of one scenario before its test span, on disk, one array per file. Not here: what is learned across fleets.

It is fitted on the scenario's own past: scales of demand and statistics of the inputs on the train span, the benefit of an avoided cold
start on its calls at home there, one memory size per app on train and valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.operational.allocator import Knowledge
from models.operational.economics import cold_start_benefit
from models.operational.memory import best_sizes, sizes_usd
from models.operational.scaler import MinMax
from models.operational.windows import Recorded, demand, series, target_scale
from simulator.control.home_run import HomeRun, load_home_run

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario import Scenario

CHUNK_STEPS = 4000  # of the recorded run that are dense at once


def inputs_of(run: HomeRun, scenario: Scenario, begin: int, end: int) -> NDArray[np.float32]:
    """The four inputs of the recorded run in the steps [begin, end), not scaled, float32 [A, steps, 4]."""
    quota = scenario.world.quota_per_placement
    parts = [series(run.window(b, min(b + CHUNK_STEPS, end)), quota).transpose(1, 0, 2) for b in range(begin, end, CHUNK_STEPS)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def learn_known(scenario: Scenario, folder: Path, luck_seed: int | None) -> tuple[Knowledge, Recorded]:
    """Return what is known of a scenario's apps and its recorded run at home, scaled by that.

    Args:
        scenario: loaded until a span before the test span.
        folder: of the scenario, with the run at home.
        luck_seed: of the replays that choose memory sizes; None: sizes stay as they are configured.
    """
    run, train = load_home_run(folder, scenario), scenario.split_steps[0]
    steps = scenario.split_steps[0 if scenario.until == "train" else 1]
    inputs, asked = inputs_of(run, scenario, 0, steps), demand(scenario, steps)
    scale = target_scale(asked, train)
    known = Knowledge(
        scale=scale,
        inputs=MinMax.of(inputs[:, :train]),
        benefit_usd=cold_start_benefit(scenario, run.nothing_idle, train),
        memory_class=np.zeros(len(scale), dtype=np.int64) if luck_seed is None else chosen_sizes(scenario, luck_seed),
    )
    return known, Recorded(known.inputs.scaled(inputs), asked, scale, scenario.world.step_us)


def chosen_sizes(scenario: Scenario, luck_seed: int, *, is_train_only: bool = False) -> NDArray[np.int64]:
    """One memory class per app by what the loaded past costs with each, int64 [A]; `is_train_only`: by its train span alone."""
    is_short = is_train_only or scenario.until == "train"
    return best_sizes(sizes_usd(scenario, luck_seed, ("train",) if is_short else ("train", "valid")))


def save_known(known: Knowledge, folder: Path) -> None:
    """Write what is known of one scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {
        "scale": known.scale,
        "low": known.inputs.low,
        "high": known.inputs.high,
        "benefit_usd": known.benefit_usd,
        "memory_class": known.memory_class,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_known(folder: Path) -> Knowledge:
    """Read what `save_known` wrote."""
    found = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("scale", "low", "high", "benefit_usd", "memory_class")}
    return Knowledge(found["scale"], MinMax(found["low"], found["high"]), found["benefit_usd"], found["memory_class"])
