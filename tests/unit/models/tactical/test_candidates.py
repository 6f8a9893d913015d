"""The candidates arm: its prior, its symmetry, what it learns from, its training and its files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.baselines.planning.learned import Learned
from models.baselines.planning.lookahead import choose, ways
from models.baselines.planning.rows import ReplayRows
from models.checkpoints import save_state
from models.networks import generators
from models.tactical import candidates
from models.tactical.candidates import NEAR, CandidatesAgent, CandidatesNetwork, CandidatesSettings, CandidatesTraining, chosen
from models.tactical.samples import Samples, samples_of
from models.tactical.scoring import HORIZON, OWN, PLACES, Observer
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import Loop, finished
from simulator.control.spans import span_steps
from simulator.control.view import Facts, View
from simulator.scenario import Scenario
from tests.worlds.cards import write_plain_card
from tests.worlds.networks import some_candidates

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(scenario: Scenario, rows: ReplayRows) -> Samples:
    return samples_of(scenario, rows, scenario.split_steps[0], clip=10.0)


def trained(samples: Samples, seeds: tuple[int, ...] = (1,), **settings: float) -> CandidatesTraining:
    changed = CandidatesSettings(hidden=8, second=4, updates=6, validate_every=3, batch=16).model_copy(update=settings)
    training = CandidatesTraining(changed, seeds, samples, samples, CPU)
    for _ in training.run():
        pass
    return training


class Keeps(PolicyBase):
    """Stays, and keeps the views of the first barriers."""

    name = "keeps"

    def __init__(self) -> None:
        self.views: list[View] = []

    def decide(self, view: View) -> Decision:
        self.views.append(view)
        return Decision()


@pytest.fixture(scope="module")
def views(scenario: Scenario) -> list[View]:
    begin, end = span_steps(scenario, "test")
    policy = Keeps()
    finished(Loop(scenario, policy, 1, begin=begin, end=end))
    return policy.views


def decisions(scenario: Scenario, policy: Planner, views: list[View]) -> np.ndarray:
    return np.stack([policy.decide(view).placement for view in views])


def test_untrained_it_is_the_planner(scenario: Scenario, learned: Learned, views: list[View]) -> None:
    facts = Facts.of(scenario)
    agent = CandidatesAgent(CandidatesNetwork(8, 4, generators([3]), CPU).tensors(0))
    planner = Planner(Costs(facts, learned), "planner_response")
    np.testing.assert_array_equal(decisions(scenario, agent.policy(facts, learned), views), decisions(scenario, planner, views))
    none = some_candidates(1)
    none.strength = (0.0, 0.0)
    np.testing.assert_allclose(none.factors(np.ones((2, OWN), np.float32), np.ones((2, 3, PLACES), np.float32))[1], 1.0)


def test_a_trained_network_changes_decisions(scenario: Scenario, learned: Learned, views: list[View]) -> None:
    facts = Facts.of(scenario)
    plain = decisions(scenario, Planner(Costs(facts, learned), "planner_response"), views)
    policy = some_candidates(1).policy(facts, learned)
    assert (decisions(scenario, policy, views) != plain).any()
    estimates, unit = policy.estimates(views[0])
    assert unit == "USD"
    assert np.isfinite(estimates[facts.is_allowed]).all()


def test_permuting_the_placements_permutes_the_factors() -> None:
    rng, agent = np.random.default_rng(2), some_candidates(1)
    own, places = rng.normal(size=(5, OWN)).astype(np.float32), rng.normal(size=(5, 9, PLACES)).astype(np.float32)
    order = rng.permutation(9)
    volume, response = agent.factors(own, places)
    volume_there, response_there = agent.factors(own, places[:, order])
    np.testing.assert_allclose(response_there, response[:, order], rtol=1e-6)
    np.testing.assert_allclose(volume_there, volume, rtol=1e-6)
    assert np.ptp(response) > 0.01


def test_what_is_saved_has_the_normalisation_in_it(samples: Samples) -> None:
    network = CandidatesNetwork(8, 4, generators([1]), CPU)
    network.put(network.flat.detach() + 0.1)
    network.normalise(samples)
    own, places = torch.from_numpy(samples.own[None, :7]), torch.from_numpy(samples.places[None, :7])
    with torch.no_grad():
        expected = network.factors(own, places)
        found = CandidatesAgent(network.tensors(0)).network.factors(own, places)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_placement_that_is_not_allowed_is_never_chosen(scenario: Scenario, learned: Learned, views: list[View]) -> None:
    facts = Facts.of(scenario)
    allowed = np.random.default_rng(1).random(facts.is_allowed.shape) < 0.3
    allowed[np.arange(len(allowed)), facts.apps.home] = True
    fenced = dataclasses.replace(facts, is_allowed=allowed)
    there = [dataclasses.replace(view, facts=fenced) for view in views]
    for seed in range(5):
        placed = decisions(scenario, some_candidates(seed).policy(fenced, learned), there)
        assert allowed[np.arange(allowed.shape[0]), placed].all()


def test_a_masked_placement_is_never_chosen_in_a_hundred_thousand_states() -> None:
    """Random apps, costs and masks, ten thousand at a time, decided as in a run: corrected costs, then the exact programme."""
    rng, rows, places = np.random.default_rng(4), 10_000, 8
    region, move = np.repeat(np.arange(4), 2), np.full((rows, 4, 4), 0.1)
    for seed in range(10):
        own = rng.normal(size=(rows, OWN)).astype(np.float32)
        volume, response = some_candidates(seed).factors(own, rng.normal(size=(rows, places, PLACES)).astype(np.float32))
        allowed, here = rng.random((rows, places)) < 0.3, rng.integers(places, size=rows)
        allowed[np.arange(rows), rng.integers(places, size=rows)] = True
        cost = rng.normal(size=(2, rows, places)) * volume[None, :, :, 0] + response[None, :, :, 0]
        chosen_places = choose(cost, move, region, allowed, here, np.arange(rows), seed % 2 == 0, None)
        assert allowed[np.arange(rows), chosen_places].all()


def test_the_ways_are_what_the_programme_chooses_from() -> None:
    rng = np.random.default_rng(5)
    cost, move, region = rng.random((3, 40, 6)), rng.random((40, 3, 3)), np.repeat(np.arange(3), 2)
    allowed, here = rng.random((40, 6)) < 0.6, rng.integers(6, size=40)
    allowed[np.arange(40), here] = True
    for is_first in (True, False):
        found = ways(cost, move, region, allowed, here, is_first)
        assert (np.isfinite(found) == allowed).all()
        np.testing.assert_array_equal(found.argmin(axis=1), choose(cost, move, region, allowed, here, np.arange(40), is_first, None))


def test_the_target_is_what_the_replays_say(scenario: Scenario, rows: ReplayRows, samples: Samples) -> None:
    """The first fold begins in the middle of the train span; its first row with calls is found again in the replays."""
    first = scenario.split_steps[0] // scenario.world.tactical_steps // 2
    at = np.flatnonzero(rows.interval == first)
    cost = rows.usd[at] + rows.carbon_usd[at]
    known = next(i for i in range(len(samples)) if samples.weight[i] == 1.0)
    match = np.flatnonzero(np.isclose(cost, samples.usd[known][None], rtol=1e-6).all(axis=1))
    assert len(match) == 1
    usd = cost[match[0]].astype(np.float64)
    target = (usd - usd[samples.is_allowed[known]].mean()) / samples.scale_usd[known]
    np.testing.assert_allclose(samples.target[known][:, NEAR], np.clip(target, -10, 10), atol=1e-4)
    assert (samples.scale_usd > 0).all()


def test_the_observed_response_is_the_planners(scenario: Scenario, learned: Learned, views: list[View]) -> None:
    """Prior less response is what the same levels would cost without it."""
    facts = Facts.of(scenario)
    seen = Observer(facts, learned).observe(views[3])
    without = dataclasses.replace(learned, response_usd=np.zeros_like(learned.response_usd))
    plain = Costs(facts, without).expected(views[3]).usd
    np.testing.assert_allclose(seen.prior_usd - seen.response_usd, plain, atol=1e-12)
    assert seen.prior_usd.shape == (HORIZON, *facts.is_allowed.shape)


def test_training_learns(samples: Samples) -> None:
    training = trained(samples, updates=60, validate_every=20, lr=3e-3)
    losses = [row["value"] for row in training.history.rows() if row["metric"] == "charts/validation"]
    assert len(losses) == 4
    assert training.best.score[0] == min(losses) < losses[0]


def test_the_worst_that_training_keeps_is_the_prior(samples: Samples) -> None:
    """With a learning rate that destroys the network, the checkpoint is the untrained one."""
    wrong = dataclasses.replace(samples, target=-50 * samples.target)
    settings = CandidatesSettings(hidden=8, second=4, updates=6, validate_every=3, batch=16, lr=1.0)
    training = CandidatesTraining(settings, (1,), wrong, samples, CPU)
    for _ in training.run():
        pass
    assert training.best.update == [0]
    network = CandidatesAgent(training.tensors(0)).network
    assert float(network.weight["response"].detach().abs().max()) == 0.0


def test_a_seed_alone_is_the_seed_in_a_batch(samples: Samples) -> None:
    alone, together = trained(samples, (2,)), trained(samples, (1, 2, 3))
    for name, tensor in alone.tensors(0).items():
        torch.testing.assert_close(tensor, together.tensors(1)[name], rtol=1e-5, atol=1e-5)


def test_a_training_goes_on_from_its_state(samples: Samples) -> None:
    settings = CandidatesSettings(hidden=8, second=4, updates=6, validate_every=3, batch=16)
    first, again = (CandidatesTraining(settings, (1,), samples, samples, CPU) for _ in range(2))
    next(steps := first.run())
    again.restore(first.state())
    for _ in steps:
        pass
    for _ in again.run():
        pass
    for name, tensor in first.tensors(0).items():
        assert torch.equal(tensor, again.tensors(0)[name])
    assert first.history.rows() == again.history.rows()


def test_saved_and_loaded_it_answers_the_same(samples: Samples, tmp_path: Path) -> None:
    training = trained(samples, updates=30, validate_every=15)
    file = tmp_path / "seed-1.pt"
    save_state(file, training.tensors(0))
    sizes = {"own": OWN, "places": PLACES, "hidden": 8, "second": 4}
    write_plain_card(tmp_path, candidates.LAYER, candidates.FEATURE_VERSION, sizes)
    loaded = CandidatesAgent.load(file)
    own, places = samples.own[:5], samples.places[:5]
    for one, other in zip(CandidatesAgent(training.tensors(0)).factors(own, places), loaded.factors(own, places), strict=True):
        np.testing.assert_array_equal(one, other)
    write_plain_card(tmp_path, candidates.LAYER, candidates.FEATURE_VERSION + 1, sizes)
    with pytest.raises(CheckpointError, match="features"):
        CandidatesAgent.load(file)


def test_going_to_the_cheapest_costs_what_it_cost_there(samples: Samples) -> None:
    everything = np.arange(len(samples))
    best = chosen(samples, everything, np.where(samples.is_allowed, samples.usd, np.inf)[None])
    assert best[0] == pytest.approx((np.where(samples.is_allowed, samples.usd, np.inf).min(axis=1) * samples.weight).sum(), rel=1e-5)
