"""What the planner knows of the environments' scenario, for tests of everything that builds on it."""

from __future__ import annotations

import pytest

from models.baselines.planning.learned import Learned, learn
from models.baselines.planning.rows import ReplayRows, replay_rows
from simulator.scenario import Scenario


@pytest.fixture(scope="session")
def rows(scenario: Scenario) -> ReplayRows:
    """Replays of the train and valid spans."""
    return replay_rows(scenario, ("train", "valid"))


@pytest.fixture(scope="session")
def learned(scenario: Scenario, rows: ReplayRows) -> Learned:
    """What is known before the test span."""
    return learn(scenario, rows, scenario.split_steps[1])
