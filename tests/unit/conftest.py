"""Fixtures of the unit tests."""

from __future__ import annotations

from typing import Any

import pytest
from hand_cases import Run
from kernel_play import outcome_of, play
from reference_simulator import Outcome, simulate
from small_worlds import SmallWorld

from simulator.scenario import Scenario


@pytest.fixture(params=["reference", "kernel"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on either simulator; without options everything is at placement 0 and in one bucket."""

    def run_one(scenario: Scenario, **options: Any) -> Outcome:
        options = {"luck_seed": 0, "first_placement": [0] * len(scenario.apps.app_ids), "bucket_us": 15 * 10**11} | options
        if request.param == "reference":
            return simulate(scenario, **options)
        return outcome_of(play(SmallWorld(scenario, options)))

    return run_one
