"""Fleets that learners train on: written beside the judged worlds, and never more than their train span. Not here: the judged worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ParameterError
from simulator.control.spans import span_steps
from simulator.parameters import Family
from simulator.scenario import load_scenario
from simulator.twin.azure2021 import generate_azure2021
from tasks.core.files import read_json
from tasks.core.params import Params, load
from tasks.world import scenario
from tasks.world.scenario_outputs import training_folder
from tasks.world.scenario_settings import ScenarioSettings
from tests.worlds.staged_twin import APPS, DAYS, RATE, SPLITS, small, stage


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small(load(repository / "params.yaml"), calls="twin", seeds=(1,), families={"calm": Family()})


def test_training_fleets_are_train_spans_apart_from_the_judged_worlds(params: Params, repository: Path, tmp_path: Path) -> None:
    built = stage(tmp_path, repository, params)
    scenario.run(small(params, training={"seeds": (101, 102), "families": ("calm",)}), built)
    names = sorted(p.name for p in training_folder(built).iterdir())
    assert names == ["apps.parquet", "calm-101", "calm-102", "scenarios.json", "workload-101", "workload-102"]
    for row in read_json(training_folder(built) / "scenarios.json")["scenarios"]:
        folder = training_folder(built) / row["id"]
        fleet, whole = load_scenario(folder), generate_azure2021(row["seed"], DAYS, APPS, RATE)
        end_us = SPLITS[0] * fleet.world.step_us
        assert fleet.until == "train"
        assert len(fleet.calls.arrival_us) == (whole.arrival_us < end_us).sum() > 100
        assert fleet.calls.arrival_us.max() < end_us
        assert fleet.steps == SPLITS[0] + DAYS * 5760 - SPLITS[2]
        assert np.load(folder / "home.npy").shape == (APPS, -(-fleet.steps // fleet.world.tactical_steps))
        for span in ("valid", "test", "all"):
            with pytest.raises(ParameterError, match="until the end of 'train'"):
                span_steps(fleet, span)


@pytest.mark.parametrize("training", [{"seeds": (1, 101), "families": ("calm",)}, {"seeds": (101,), "families": ("storm",)}])
def test_a_judged_seed_and_an_unknown_family_are_refused_for_training(params: Params, training: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="training"):
        small(params, training=training).section("scenario", ScenarioSettings)
