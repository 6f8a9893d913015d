"""How long an episode may be on the training fleets that there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from simulator.envs.strategic import StrategicEpisodes
from simulator.envs.tactical import TacticalEpisodes
from simulator.parameters import World
from tasks.learning.fleets import fitting


def stages(*train_steps: int) -> Any:
    return [SimpleNamespace(scenario=SimpleNamespace(world=World(), split_steps=(steps, steps, steps))) for steps in train_steps]


@pytest.mark.parametrize(
    ("stretch", "episodes", "multiple", "train_steps", "found"),
    [
        (14, StrategicEpisodes, 1, (56_000,), 14),
        (14, StrategicEpisodes, 1, (56_000, 8_000), 8),
        (96, TacticalEpisodes, 32, (56_000,), 96),
        (96, TacticalEpisodes, 32, (8_000,), 64),
        (96, TacticalEpisodes, 32, (2_000,), 96),
    ],
    ids=["two weeks", "two days", "placements of two weeks", "of two days, in whole rollouts", "too short: the episodes say so"],
)
def test_an_episode_is_no_longer_than_the_shortest_train_span(
    stretch: int, episodes: Any, multiple: int, train_steps: tuple[int, ...], found: int
) -> None:
    assert fitting(stretch, stages(*train_steps), episodes, multiple) == found
