"""The order of the tables' rows means nothing to the planner and its networks: the same app goes to the same zone at the same barrier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.baselines.newcomers import FollowTheLeader
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.baselines.planning.curve import typical_calls
from models.baselines.planning.learned import Learned, learn
from models.baselines.planning.rows import replay_rows
from models.networks import Networks, generators
from models.tactical.rush_head import INPUTS, OUTPUTS, RushHead, layers
from simulator.control.decision import Policy
from simulator.control.loop import Loop
from simulator.control.spans import span_steps
from simulator.control.view import Facts
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.changed_tables import shuffle_rows
from tests.worlds.families import FAMILIES
from tests.worlds.networks import some_candidates

Made = tuple[Scenario, Learned]


def made(reference: Path) -> Made:
    scenario = twin_scenario("crunch", changes=FAMILIES["crunch"], days=1, apps=20, rate=0.5, reference=reference)
    return scenario, learn(scenario, replay_rows(scenario, ("train", "valid")), scenario.split_steps[1])


@pytest.fixture(scope="module")
def worlds(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    """The same world from the tables as they are, and with clouds, metros and zones in another order."""
    reference = repository / "data" / "reference"
    other = shuffle_rows(reference, tmp_path_factory.mktemp("order") / "reference", 5, ("clouds", "metros", "zones"))
    return made(reference), made(other)


def rush_head() -> RushHead:
    """A network that nobody has trained."""
    networks = Networks(layers(8) | {"last": (8, OUTPUTS, 1.0)}, generators([1]), torch.device("cpu"))
    return RushHead(networks, torch.zeros(INPUTS), torch.ones(INPUTS))


POLICIES: dict[str, Callable[[Facts, Learned, Scenario], Policy]] = {
    "planner": lambda f, k, s: Planner(Costs(f, k, has_response=False), "planner"),
    "planner_response": lambda f, k, s: Planner(Costs(f, k), "planner_response"),
    "planner_price": lambda f, k, s: Planner(Costs(f, k), "planner_price", crowding=0.5),
    "rush_head": lambda f, k, s: Planner(rush_head().costs(f, k), "rush_head"),
    "candidates": lambda f, k, s: some_candidates(1).policy(f, k),
    "follow_the_leader": lambda f, k, s: FollowTheLeader(f, typical_calls(s)),
}


def zones_chosen(of: Made, build: Callable[[Facts, Learned, Scenario], Policy]) -> list[list[str]]:
    """The zone of every app at every barrier of the test span."""
    scenario, learned = of
    begin, end = span_steps(scenario, "test")
    loop, found = Loop(scenario, build(Facts.of(scenario), learned, scenario), 3, begin=begin, end=end), []
    names = np.array(scenario.tables.zones)
    while (turn := loop.turn()) is not None:
        decision = turn.policy.decide(turn.view)
        assert decision.placement is not None
        found.append(names[decision.placement].tolist())
        loop.answer(decision)
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_permuting_the_providers_permutes_the_decisions(worlds: tuple[Made, Made], name: str) -> None:
    one, other = (zones_chosen(of, POLICIES[name]) for of in worlds)
    assert worlds[0][0].tables.zones != worlds[1][0].tables.zones
    assert one == other
    assert len(one) > 3
    assert len({zone for row in one for zone in row}) > 3
