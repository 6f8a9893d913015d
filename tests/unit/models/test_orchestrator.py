"""The orchestrator: three clocks, orders that bind the layer below, records with every alternative, choices on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.baselines.planning.learned import Learned
from models.checkpoints import save_state
from models.networks import generators
from models.orchestrator import Orchestrator
from models.strategic.dqn import DQNAgent, QNetwork
from models.tactical import candidates
from models.tactical.candidates import CandidatesAgent, CandidatesNetwork
from models.tactical.ppo import ActorCritic, PPOAgent
from models.tactical.scoring import OWN, PLACES
from simulator.control.decision import Decision, PolicyBase, Record
from simulator.control.features import strategic, tactical
from simulator.control.loop import Loop, finished
from simulator.control.spans import span_steps
from simulator.control.view import Facts, View
from simulator.fleet import Fleet
from simulator.scenario import Scenario
from tests.worlds.cards import write_plain_card

CPU = torch.device("cpu")
PLANNER = {"horizon": 3.0, "switches": 1.0}
TUNED = {"calm": PLANNER, "crunch": {"horizon": 10.0, "switches": 1.0}}


def dqn(seed: int = 1) -> DQNAgent:
    return DQNAgent(QNetwork(20, 3, generators([seed]), CPU).tensors(0))


def ppo(seed: int = 1) -> PPOAgent:
    network = ActorCritic(7, 24, generators([seed]), CPU)
    with torch.no_grad():
        network.weight["logits"] *= 300  # else all placements look alike
    return PPOAgent(network.tensors(0))


def scorer() -> CandidatesAgent:
    return CandidatesAgent(CandidatesNetwork(8, 4, generators([1]), CPU).tensors(0))


class Warm(PolicyBase):
    """Keeps one instance warm and counts how often it was asked."""

    name, period_steps = "warm", 1

    def __init__(self, facts: Facts) -> None:
        self.asked, self.facts = 0, facts

    def decide(self, view: View) -> Decision:
        self.asked += 1
        first = self.facts.apps.first_function[:-1]
        floors = np.zeros(int(self.facts.apps.first_function[-1]), dtype=np.int64)
        floors[first] = 1
        return Decision(floors=floors)


def play(scenario: Scenario, orchestrator: Orchestrator, learned: Learned | None = None) -> tuple[Fleet, list[Record]]:
    begin, end = span_steps(scenario, "test")
    loop = Loop(scenario, orchestrator.policy(Facts.of(scenario), learned), 1, begin=begin, end=end, has_record=True)
    fleet = finished(loop)
    assert loop.records is not None
    return fleet, loop.records


@pytest.mark.parametrize("below", ["ppo", "candidates", "planner"])
def test_placements_lie_in_the_clouds_that_were_ordered(scenario: Scenario, learned: Learned, below: str) -> None:
    part = {"ppo": ppo(), "candidates": scorer(), "planner": PLANNER}[below]
    _, records = play(scenario, Orchestrator(dqn(), part), learned)
    assert len(records) == 20
    cloud_of = Facts.of(scenario).cloud_of_placement
    is_known = learned.known_calls >= 20 if below != "ppo" else np.ones(len(learned.known_calls), dtype=np.bool_)
    ordered = None
    for i, record in enumerate(records):
        assert (record.cloud is not None) == (i % 10 == 0)  # the strategic clock
        ordered = record.cloud if record.cloud is not None else ordered
        assert ordered is not None
        np.testing.assert_array_equal(cloud_of[record.placement][is_known], ordered[is_known])
    assert len({tuple(record.placement) for record in records}) > 1


def test_records_hold_every_alternative(scenario: Scenario) -> None:
    _, records = play(scenario, Orchestrator(dqn(), ppo()))
    first = records[0]
    assert (first.cloud_unit, first.unit) == ("units of the reward", "log probability")
    assert first.cloud is not None
    assert first.cloud_estimates is not None
    assert first.estimates is not None
    np.testing.assert_array_equal(np.nanargmax(first.cloud_estimates, axis=1), first.cloud)
    np.testing.assert_array_equal(np.nanargmax(first.estimates, axis=1), first.placement)
    cloud_of = Facts.of(scenario).cloud_of_placement
    inside = cloud_of[None, :] == first.cloud[:, None]
    np.testing.assert_array_equal(np.isfinite(first.estimates), inside)


def test_three_clocks(scenario: Scenario, learned: Learned) -> None:
    facts = Facts.of(scenario)
    warm = Warm(facts)
    play(scenario, Orchestrator(dqn(), ppo(), lambda facts: warm), learned)
    begin, end = span_steps(scenario, "test")
    assert warm.asked == end - begin
    policy = Orchestrator(dqn(), ppo(), lambda facts: warm).policy(facts)
    assert [part.period_steps for _, part in policy.parts] == [1000, 100, 1]


def test_without_a_strategic_layer_all_placements_are_open(scenario: Scenario, learned: Learned) -> None:
    _, records = play(scenario, Orchestrator(None, PLANNER), learned)
    assert records[0].cloud is None
    assert records[0].estimates is not None
    assert np.isfinite(records[0].estimates).sum() == Facts.of(scenario).is_allowed.sum()


def test_without_a_tactical_layer_the_least_estimate_places(scenario: Scenario) -> None:
    _, records = play(scenario, Orchestrator(dqn()))
    assert len(records) == 2
    assert records[0].unit == "USD per call"


def test_the_planner_needs_a_past(scenario: Scenario) -> None:
    with pytest.raises(ValueError, match="learned of the scenario's past"):
        Orchestrator(None, PLANNER).policy(Facts.of(scenario))


def choose(folder: Path, arm: str, file: str, *, is_used: bool = True, **parameters: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = {"arm": arm, "file": file, "parameters": parameters, "why": "test", "is_used": is_used, "planner": TUNED}
    (folder / "chosen.json").write_text(json.dumps(found))


def test_it_loads_what_was_chosen(scenario: Scenario, learned: Learned, tmp_path: Path) -> None:
    save_clouds(tmp_path)
    save_state(tmp_path / "tactical" / "best_model.pt", ActorCritic(7, 24, generators([1]), CPU).tensors(0))
    write_plain_card(tmp_path / "tactical", "tactical", tactical.VERSION, {"inputs": 7, "actions": 24})
    choose(tmp_path / "tactical", "ppo_specified", "best_model.pt")
    assert isinstance(Orchestrator.load(tmp_path).tactical, PPOAgent)
    file = tmp_path / "tactical" / "candidates" / "seed-1.pt"
    save_state(file, CandidatesNetwork(8, 4, generators([1]), CPU).tensors(0))
    sizes = {"own": OWN, "places": PLACES, "hidden": 8, "second": 4}
    write_plain_card(file.parent, "tactical", candidates.FEATURE_VERSION, sizes)
    choose(tmp_path / "tactical", "candidates", "candidates/seed-1.pt", volume=1.0, response=0.0)
    loaded = Orchestrator.load(tmp_path, family="crunch")
    assert isinstance(loaded.tactical, CandidatesAgent)
    assert loaded.tactical.strength == (1.0, 0.0)
    assert loaded.planner == TUNED["crunch"]
    _, records = play(scenario, loaded, learned)
    _, same = play(scenario, Orchestrator(dqn(), scorer(), planner=TUNED["crunch"]), learned)
    for one, other in zip(records, same, strict=True):
        np.testing.assert_array_equal(one.placement, other.placement)
    choose(tmp_path / "tactical", "planner_response", "")
    assert Orchestrator.load(tmp_path, ("tactical",)).tactical == TUNED["calm"]
    assert Orchestrator.load(tmp_path, ("tactical",), family="crunch").tactical == TUNED["crunch"]
    assert Orchestrator.load(tmp_path, ("strategic",)).tactical is None


def test_a_layer_that_is_of_no_use_is_left_out_unless_it_is_asked_for(scenario: Scenario, learned: Learned, tmp_path: Path) -> None:
    save_clouds(tmp_path, is_used=False)
    choose(tmp_path / "tactical", "planner_response", "")
    warm = Warm(Facts.of(scenario))
    without, asked = Orchestrator.load(tmp_path, None, lambda facts: warm), Orchestrator.load(tmp_path, ("strategic", "tactical"))
    assert (without.strategic, without.tactical) == (None, TUNED["calm"])
    assert without.operational is not None
    assert asked.strategic is not None
    _, records = play(scenario, without, learned)
    assert all(record.cloud is None for record in records)
    assert warm.asked > 0


def save_clouds(folder: Path, *, is_used: bool = True) -> None:
    save_state(folder / "strategic" / "best_model.pt", QNetwork(20, 3, generators([1]), CPU).tensors(0))
    write_plain_card(folder / "strategic", "strategic", strategic.VERSION, {"inputs": 20, "actions": 3})
    choose(folder / "strategic", "dqn_specified", "best_model.pt", is_used=is_used)


def test_a_choice_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="what the orchestrator uses"):
        Orchestrator.load(tmp_path)
    (tmp_path / "strategic").mkdir()
    (tmp_path / "strategic" / "chosen.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no choice can be read"):
        Orchestrator.load(tmp_path)
