"""What `compare` and `calibrate` write, on four small worlds, for pages that show them. Not here: whether it is right (tests/stages)."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from simulator.scenario import save
from simulator.twin.fleets import twin_scenario
from tasks.core.app_classes import AppClasses
from tasks.core.files import write_json
from tasks.core.params import load
from tasks.core.paths import Paths
from tasks.evaluation import compare, evaluate_baselines, evaluate_bound
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.learning import tune_baselines
from tasks.world import calibrate
from tasks.world.scenario import app_classes, finish
from tasks.world.scenario_outputs import scenario_folder
from tests.worlds.families import FAMILIES

WORLDS = (("calm", 1), ("calm", 2), ("crunch", 1), ("crunch", 2))


def write_world(root: Path, repository: Path) -> Path:
    """Fill `root`/reports/world as the stages do, with small budgets, and return it.

    Args:
        root: of a working tree.
        repository: params.yaml and data/reference are taken from here.
    """
    budgets = {
        "tune_baselines.budget_replays": 3,
        "evaluate_bound.hindsight_replays": 4,
        **{"calibrate.runs": 3, "calibrate.calls": 4_000, "calibrate.draws": 4_000},
    }
    params = load(repository / "params.yaml").changed(budgets)
    paths = Paths(root)
    shutil.copytree(repository / "data" / "reference", paths.reference, dirs_exist_ok=True)
    scenario_folder(paths).mkdir(parents=True)
    rows, classes = [], []
    for family, seed in WORLDS:
        scenario = twin_scenario(family, seed, changes=FAMILIES[family], days=3, apps=40, rate=0.2, split_steps=(12_000, 14_000, 16_000))
        classes.append(app_classes(scenario, params.section("app_classes", AppClasses)))
        rows.append({"from": "twin", "calls_after_end": 0, **finish(scenario, save(scenario, scenario_folder(paths)))})
    pl.concat(classes).write_parquet(scenario_folder(paths) / "apps.parquet")
    write_json(scenario_folder(paths) / "scenarios.json", {"days": 3, "carbon_month": 2, "scenarios": rows})
    tune_baselines.run(params, paths)
    evaluate_baselines.run(params, paths)
    evaluate_bound.run(params, paths)
    compare.run(params, paths)
    calibrate.run(params, paths)
    return landscape_folder(paths)
