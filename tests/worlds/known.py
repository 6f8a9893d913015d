"""What rules know of a small world. Not here: the tests."""

from __future__ import annotations

from models.baselines.knowledge import Knowledge, learn
from simulator.control.counterfactual import replay_table
from simulator.scenario import Scenario


def knowledge_of(scenario: Scenario, luck_seed: int = 1) -> Knowledge:
    """What replays of the train span teach."""
    return learn(scenario, replay_table(scenario, "train", luck_seed).total)
