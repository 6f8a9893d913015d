"""What arrives or begins at or after a barrier leaves every view and every decision at it, and before it, as it was, bit for bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from models.baselines.knowledge import Knowledge
from models.baselines.planning.curve import SampledCalls
from models.baselines.planning.learned import Learned
from models.baselines.planning.learned import learn as learn_plans
from models.baselines.planning.rows import replay_rows
from models.networks import Networks, generators
from models.orchestrator import Orchestrator
from models.strategic.dqn import DQNAgent, QNetwork
from models.tactical.rush_head import INPUTS, OUTPUTS, RushHead, layers
from simulator.control.counterfactual import Replays
from simulator.control.decision import Composite, Decision, Policy, PolicyBase, Role, parts_of
from simulator.control.loop import Loop
from simulator.control.spans import span_steps
from simulator.control.view import Facts, View
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tasks.evaluation.arms.baselines import ARMS, Judged
from tasks.evaluation.arms.tuned import TUNED, Known
from tests.worlds.families import FAMILIES
from tests.worlds.futures import noisy_future
from tests.worlds.known import knowledge_of
from tests.worlds.networks import Network, as_policy, some_candidates

TYPICAL = SampledCalls(*(np.array([value], dtype=kind) for value, kind in ((300_000, "i8"), (4_000, "i4"), (4_000, "i4"), (0, "i1"))))
Past = tuple[Knowledge, Learned]
Seen = tuple[int, Role, dict[str, Any], Decision]
FIELDS = ["runs", *(field.name for field in dataclasses.fields(View) if field.name not in ("facts", "past", "arrivals"))]


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps with little capacity: the test span is steps 4800 to 5700."""
    made = twin_scenario("crunch", changes=FAMILIES["crunch"], days=1, apps=20, rate=0.2)
    seen = made.conditions
    return dataclasses.replace(made, conditions=dataclasses.replace(seen, capacity=np.minimum(seen.capacity, 3)))


@pytest.fixture(scope="module")
def past(world: Scenario) -> Past:
    """What rules know of the train and valid spans."""
    return knowledge_of(world, 11), learn_plans(world, replay_rows(world, ("train", "valid")), world.split_steps[1])


def head() -> RushHead:
    """A network that nobody has trained."""
    networks = Networks(layers(8) | {"last": (8, OUTPUTS, 1.0)}, generators([1]), torch.device("cpu"))
    return RushHead(networks, torch.zeros(INPUTS), torch.ones(INPUTS))


class CheapestReplayed(PolicyBase):
    """Goes where the past would have cost least: a policy that reads everything a replay says."""

    name, needs_replays, needs_steps = "cheapest_replayed", True, True

    def decide(self, view: View) -> Decision:
        assert view.replayed is not None
        usd = view.replayed[:, :, :2].sum(axis=2).T
        return Decision(placement=np.where(view.facts.is_allowed, usd, 1 << 60).argmin(axis=1))


def baseline(row: Any) -> Callable[[Scenario, Past], Policy]:
    """An arm of the evaluation, tuned to nothing in particular."""

    def build(scenario: Scenario, past: Past) -> Policy:
        facts = Facts.of(scenario)
        known = Known(facts, *past)
        placements = dict.fromkeys(("best_static", "coordinated_static"), facts.apps.home)
        parameters = {rule.name: rule.grid[0] for rule in TUNED}
        return row.build(Judged(known=known, typical=TYPICAL, head=head(), seed=1, placements=placements, parameters=parameters))  # type: ignore[no-any-return]

    return build


def three_layers(scenario: Scenario, past: Past) -> Policy:
    """Random networks for all layers, each on its own clock."""
    parts = {
        "strategic": as_policy(Network("Strategic", 1), scenario),
        "tactical": as_policy(Network("Tactical", 1), scenario, np.arange(20) % 3),
        "operational": as_policy(Network("Autoscale", 1), scenario),
    }
    return Composite("three layers", **{role: dict(parts_of(policy))[role] for role, policy in parts.items()})  # type: ignore[arg-type]


def candidates(scenario: Scenario, past: Past) -> Policy:
    """The candidates arm with weights that correct everything a little."""
    return some_candidates(1).policy(Facts.of(scenario), past[1])


def orchestrated(scenario: Scenario, past: Past) -> Policy:
    """The same below a strategic network."""
    clouds = DQNAgent(QNetwork(20, 3, generators([1]), torch.device("cpu")).tensors(0))
    return Orchestrator(clouds, some_candidates(2)).policy(Facts.of(scenario), past[1])


CAUSAL: dict[str, Callable[[Scenario, Past], Policy]] = {
    "candidates": candidates,
    "orchestrated": orchestrated,
    **{row.name: baseline(row) for row in ARMS if row.is_causal},
    "cheapest_replayed": lambda s, k: CheapestReplayed(),
    "strategic network": lambda s, k: as_policy(Network("Strategic", 1), s),
    "tactical network": lambda s, k: as_policy(Network("Tactical", 1), s, np.arange(20) % 3),
    "candidates network": lambda s, k: as_policy(Network("TacticalCandidates", 1), s, np.arange(20) % 3),
    "operational network": lambda s, k: as_policy(Network("Autoscale", 1), s),
    "three layers": three_layers,
}


def turns(scenario: Scenario, policy: Policy, until: int) -> Iterator[Seen]:
    """Views (as plain values) and decisions of a run of the test span, up to and including those at barrier `until`."""
    begin, end = span_steps(scenario, "test")
    loop = Loop(scenario, policy, seed=3, begin=begin, end=end)
    while (turn := loop.turn()) is not None and turn.view.step <= until:
        view, past = turn.view, turn.view.past
        values = {name: getattr(view, name) for name in FIELDS}
        values |= {f"history.{f.name}": getattr(past.history, f.name)[-1] for f in dataclasses.fields(past.history)}
        values["p95_us"] = past.p95_us()
        for app in range(0, len(view.placement), 5):
            values |= {f"calls of {app}, {f.name}": getattr(past.calls(app), f.name) for f in dataclasses.fields(past.calls(app))}
        # Where a call of the past lies among all calls depends on how many will come to the apps before it; how many there are does not.
        for name in ("history.day_first", "history.day_end"):
            values[name] = values[name] - past.first_call
        decision = turn.policy.decide(view)
        yield view.step, turn.role, values, decision
        loop.answer(decision)


def differences(one: Seen, other: Seen) -> list[str]:
    assert one[:2] == other[:2]
    found = [name for name in one[2] if not _equal(one[2][name], other[2][name])]
    names = [field.name for field in dataclasses.fields(Decision)]
    return found + [f"decision: {name}" for name in names if not _equal(getattr(one[3], name), getattr(other[3], name))]


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one is other is None or bool(one == other)


@pytest.mark.parametrize("arm", CAUSAL)
@pytest.mark.parametrize("has_calls", [True, False], ids=["noise", "nothing"])
def test_the_future_changes_no_view_and_no_decision(world: Scenario, past: Past, arm: str, has_calls: bool) -> None:
    rng = np.random.default_rng([len(arm), has_calls])
    begin, end = span_steps(world, "test")
    policy = CAUSAL[arm](world, past)
    period = policy.period_steps
    # Single steps and replays are expensive: their barriers lie early in the span.
    stop = begin + 160 if period == 1 or policy.needs_replays else end
    barriers = sorted(rng.choice(np.arange(begin, stop, min(period, 20)), size=20).tolist())
    real = list(turns(world, CAUSAL[arm](world, past), barriers[-1]))
    for barrier in barriers:
        changed = noisy_future(world, barrier, rng, has_calls=has_calls)
        until = [one for one in real if one[0] <= barrier]
        for one, other in zip(until, turns(changed, CAUSAL[arm](changed, past), barrier), strict=True):
            assert differences(one, other) == [], f"{arm}: step {one[0]}, future from {barrier}"


def test_the_futures_do_differ(world: Scenario, past: Past) -> None:
    """Views after the barrier are not the same, so that the proof above could fail."""
    changed = noisy_future(world, 5000, np.random.default_rng(1))
    arm = CAUSAL["persistence"]
    later = [
        differences(one, other)
        for one, other in zip(turns(world, arm(world, past), 5600), turns(changed, arm(changed, past), 5600), strict=True)
        if one[0] > 5000
    ]
    assert {"utilisation_ppm", "free", "recent", "runs"} <= {name for names in later for name in names}


def test_replays_of_the_past_know_no_future(world: Scenario) -> None:
    begin, _ = span_steps(world, "test")
    changed = noisy_future(world, begin + 300, np.random.default_rng(2))
    one, other = Replays(world, begin), Replays(changed, begin)
    for _ in range(3):
        np.testing.assert_array_equal(one.interval(), other.interval())
    assert (one.interval() != other.interval()).any()
