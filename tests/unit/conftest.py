"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import SmallWorld
from tests.worlds.env_worlds import make_scenario
from tests.worlds.hand_cases import Run
from tests.worlds.kernel_play import outcome_of, play
from tests.worlds.second_simulator import Outcome, simulate


@pytest.fixture(params=["reference", "kernel"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on either simulator; without options everything is at placement 0 and in one bucket."""

    def run_one(scenario: Scenario, **options: Any) -> Outcome:
        options = {"luck_seed": 0, "first_placement": [0] * len(scenario.apps.app_ids), "bucket_us": 15 * 10**11} | options
        if request.param == "reference":
            return simulate(scenario, **options)
        return outcome_of(play(SmallWorld(scenario, options)))

    return run_one


@pytest.fixture(scope="session")
def scenario(repository: Path) -> Scenario:
    """The scenario of the environments' tests."""
    return make_scenario(repository)


@pytest.fixture(scope="session")
def busiest(scenario: Scenario) -> int:
    """Its app with most calls."""
    return int(np.argmax(np.diff(scenario.calls.first_call)))
