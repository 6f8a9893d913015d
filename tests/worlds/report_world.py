"""What the stages from `scenario` to `calibrate` write, on four small worlds. Not here: whether it is right (tests/stages, tests/e2e)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from simulator.scenario import cut, save
from simulator.twin.fleets import twin_scenario
from tasks.core.app_classes import AppClasses
from tasks.core.files import write_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.evaluation import compare, evaluate_baselines, evaluate_bound
from tasks.learning import learn_planner, train_rush_head, tune_baselines
from tasks.world import calibrate
from tasks.world.scenario import app_classes, finish
from tasks.world.scenario_outputs import scenario_folder, training_folder
from tests.worlds.families import FAMILIES

WORLDS = (("calm", 1), ("calm", 2), ("fenced", 1), ("fenced", 2))
TRAINED = (("calm", 101),)
NAMES = tuple(f"{family}-{seed}" for family, seed in WORLDS)
SIZE: dict[str, Any] = {"days": 3, "apps": 40, "rate": 0.2, "split_steps": (12_000, 14_000, 16_000)}
REPLAYS, HINDSIGHT_REPLAYS = 3, 4


def small_params(repository: Path) -> Params:
    """The parameters of the repository with worlds of three days and 40 apps, and small budgets."""
    changes = {f"scenario.{name}": value for name, value in SIZE.items()}
    changes |= {"tune_baselines.budget_replays": REPLAYS, "evaluate_bound.hindsight_replays": HINDSIGHT_REPLAYS}
    return load(repository / "params.yaml").changed(
        changes | {"train_rush_head.epochs": 1, "calibrate.runs": 3, "calibrate.calls": 4_000, "calibrate.draws": 4_000}
    )


def write_scenarios(root: Path, repository: Path) -> Paths:
    """Write the reference tables and the four worlds below `root` as the stage `scenario` does."""
    paths, params = Paths(root), small_params(repository)
    shutil.copytree(repository / "data" / "reference", paths.reference, dirs_exist_ok=True)
    for folder, worlds, until in ((scenario_folder(paths), WORLDS, "test"), (training_folder(paths), TRAINED, "train")):
        folder.mkdir(parents=True)
        rows, classes = [], []
        for family, seed in worlds:
            scenario = cut(twin_scenario(family, seed, changes=FAMILIES[family], **SIZE), until)
            classes.append(app_classes(scenario, params.section("app_classes", AppClasses)))
            rows.append({"from": "twin", "calls_after_end": 0, **finish(scenario, save(scenario, folder))})
        pl.concat(classes).write_parquet(folder / "apps.parquet")
        write_json(folder / "scenarios.json", {"days": SIZE["days"], "carbon_month": 2, "scenarios": rows})
    return paths


def run_stages(paths: Paths, params: Params) -> None:
    """Run learn_planner, train_rush_head, tune_baselines, the evaluation and compare on the worlds of `write_scenarios`."""
    learn_planner.run(params, paths)
    train_rush_head.run(params, paths)
    tune_baselines.run(params, paths)
    evaluate_baselines.run(params, paths)
    evaluate_bound.run(params, paths)
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
