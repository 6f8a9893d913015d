"""What the stages from `scenario` to `calibrate` write, on four small worlds. Not here: whether it is right (tests/stages, tests/e2e)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from simulator.scenario import save
from simulator.twin.fleets import twin_scenario
from tasks.core.files import write_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.evaluation import compare, evaluate
from tasks.learning import tune_baselines
from tasks.world import calibrate
from tasks.world.scenario import finish

WORLDS = (("calm", 1), ("calm", 2), ("fenced", 1), ("fenced", 2))
NAMES = tuple(f"{family}-{seed}" for family, seed in WORLDS)
SIZE: dict[str, Any] = {"days": 3, "apps": 40, "rate": 0.2, "split_steps": (12_000, 14_000, 16_000)}
REPLAYS, HINDSIGHT_REPLAYS = 3, 4


def small_params(repository: Path) -> Params:
    """The parameters of the repository with worlds of three days and 40 apps, and small budgets."""
    params = load(repository / "params.yaml")
    return params.model_copy(
        update={
            "scenario": params.scenario.model_copy(update=SIZE),
            "tune_baselines": params.tune_baselines.model_copy(update={"budget_replays": REPLAYS}),
            "evaluate": params.evaluate.model_copy(update={"hindsight_replays": HINDSIGHT_REPLAYS}),
            "calibrate": params.calibrate.model_copy(update={"runs": 3, "calls": 4_000, "draws": 4_000}),
        }
    )


def write_scenarios(root: Path, repository: Path) -> Paths:
    """Write the reference tables and the four worlds below `root` as the stage `scenario` does."""
    paths = Paths(root)
    shutil.copytree(repository / "data" / "reference", paths.reference, dirs_exist_ok=True)
    paths.scenario.mkdir(parents=True)
    rows = []
    for family, seed in WORLDS:
        scenario = twin_scenario(family, seed, **SIZE)  # type: ignore[arg-type]
        rows.append({"from": "twin", "calls_after_end": 0, **finish(scenario, save(scenario, paths.scenario))})
    write_json(paths.scenario / "scenarios.json", {"days": SIZE["days"], "carbon_month": 2, "scenarios": rows})
    return paths


def run_stages(paths: Paths, params: Params) -> None:
    """Run tune_baselines, evaluate and compare on the worlds of `write_scenarios`."""
    tune_baselines.run(params, paths)
    for group in ("baselines", "bound"):
        evaluate.run(params, paths, group)
    compare.run(params, paths)


def write_world(root: Path, repository: Path) -> Paths:
    """Everything from `scenario` to `calibrate`, in one process.

    Args:
        root: of a working tree, which holds no scenario yet.
        repository: params.yaml and data/reference are taken from here.
    """
    params, paths = small_params(repository), write_scenarios(root, repository)
    run_stages(paths, params)
    calibrate.run(params, paths)
    return paths
