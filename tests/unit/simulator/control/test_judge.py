"""The judge: rows, spans, decisions, what a policy may see, what is charged. Not here: what a call does (the kernel's tests)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.units import HOUR_US
from models.baselines import rules
from models.baselines.knowledge import Knowledge
from simulator.control.decision import NEVER_STEPS, Decision, PolicyBase
from simulator.control.judge import evaluate
from simulator.control.loop import run
from simulator.control.spans import span_steps
from simulator.control.view import Facts, View
from simulator.fleet import LATENCY_EDGES_US, Field
from simulator.objective import COMPONENTS, components_usd, objective_usd
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.families import FAMILIES
from tests.worlds.small_worlds import plain_scenario

Int64 = NDArray[np.int64]
KEYS = ("arm", "seed", "scenario", "family", "app_id", "hour")
STEP_US, SLOT_STEPS, HOUR_STEPS = 15_000_000, 20, 240
NARROW = 2  # instances per placement: calls wait and are rejected


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps: train, valid and test end at 4000, 4800 and 5700 of 5760 steps."""
    return twin_scenario("fenced", changes=FAMILIES["fenced"], days=1, apps=20, rate=0.2)


@pytest.fixture(scope="module")
def narrow(world: Scenario) -> Scenario:
    seen = world.conditions
    return dataclasses.replace(world, conditions=dataclasses.replace(seen, capacity=np.minimum(seen.capacity, NARROW)))


@dataclass
class Told(PolicyBase):
    """Places as a function of the view says, and remembers what it saw."""

    answer: Callable[[View], Any]
    period_steps: int = 100
    name: str = "told"
    seen: list[View] = field(default_factory=list)
    said: list[Any] = field(default_factory=list)
    floors: Int64 | None = None

    def decide(self, view: View) -> Decision:
        self.seen.append(view)
        self.said.append(self.answer(view))
        return Decision(placement=self.said[-1], floors=self.floors)


def wanderer(scenario: Scenario, period_steps: int = 100) -> Told:
    """Other allowed placements at every decision."""

    def answer(seen: View) -> Int64:
        luck = np.random.default_rng(seen.step).random(scenario.is_allowed.shape)
        return np.where(scenario.is_allowed, luck, -1.0).argmax(axis=1)

    return Told(answer, period_steps)


def test_rows_are_the_fleet_by_app_and_hour(narrow: Scenario) -> None:
    rows = evaluate(narrow, wanderer(narrow), seed=5)
    names = [f.name.lower() for f in Field]
    assert list(rows) == [*KEYS, *names, "intervals", "binding_intervals", "latency_histogram"]
    assert len({len(column) for column in rows.values()}) == 1
    assert {(str(a), int(s), str(i), str(f)) for a, s, i, f in zip(*(rows[k] for k in KEYS[:4]), strict=True)} == {
        ("told", 5, "fenced-1", "fenced")
    }
    keys = list(zip(rows["app_id"].tolist(), rows["hour"].tolist(), strict=True))
    assert keys == sorted(set(keys))
    fleet = run(narrow, wanderer(narrow), seed=5)
    app = np.searchsorted(np.array(narrow.apps.app_ids), rows["app_id"])
    cells = np.stack([rows[name] for name in names], axis=1)
    np.testing.assert_array_equal(cells, fleet.out[app, rows["hour"]])
    np.testing.assert_array_equal(cells.sum(axis=0), fleet.out.sum(axis=(0, 1)))
    assert (cells.any(axis=1) | (rows["intervals"] > 0)).all()
    assert rows["rejected"].sum() > 0
    assert rows["moves"].sum() > 0


def test_latencies_are_counted_once_per_served_call(narrow: Scenario) -> None:
    rows = evaluate(narrow, wanderer(narrow), seed=5)
    histogram = rows["latency_histogram"]
    assert histogram.shape == (len(rows["arm"]), len(LATENCY_EDGES_US) + 1)
    np.testing.assert_array_equal(histogram.sum(axis=1), rows["served"])
    # The bins hold the sum of latencies between their edges.
    low, high = np.append(0, LATENCY_EDGES_US), np.append(LATENCY_EDGES_US, 1 << 60)
    assert (histogram @ low <= rows["latency_us"]).all()
    closed = histogram[:, -1] == 0
    assert closed.any()
    assert (histogram[closed] @ high <= np.iinfo(np.int64).max).all()
    assert (rows["latency_us"][closed] <= histogram[closed] @ high).all()


def test_intervals_count_those_with_calls_and_those_in_which_capacity_was_binding(narrow: Scenario) -> None:
    rows = evaluate(narrow, rules.home(Facts.of(narrow)), seed=5)
    tactical = narrow.world.tactical_us
    fields = run(narrow, rules.home(Facts.of(narrow)), seed=5, bucket_us=tactical).out
    with_calls = fields[:, :, Field.CALLS] > 0
    is_binding = (fields[:, :, Field.WAITED] + fields[:, :, Field.REJECTED]) > 0
    expected: dict[tuple[str, int], list[int]] = {}
    for a, k in zip(*np.nonzero(with_calls), strict=True):
        entry = expected.setdefault((narrow.apps.app_ids[a], int(k) * tactical // HOUR_US), [0, 0])
        entry[0] += 1
        entry[1] += int(is_binding[a, k])
    found = {
        (str(app), int(hour)): [int(n), int(binding)]
        for app, hour, n, binding in zip(rows["app_id"], rows["hour"], rows["intervals"], rows["binding_intervals"], strict=True)
        if n
    }
    assert found == expected
    assert 0 < rows["binding_intervals"].sum() < rows["intervals"].sum()


def test_every_span_serves_its_own_calls_and_begins_empty(world: Scenario) -> None:
    home = rules.home(Facts.of(world))
    arrival = world.calls.arrival_us // STEP_US
    served = []
    for span, steps in (("train", (0, 4000)), ("valid", (4000, 4800)), ("test", (4800, 5700)), ("all", (0, 5700))):
        assert span_steps(world, span) == steps
        rows = evaluate(world, home, seed=3, span=span)
        inside = int(((arrival >= steps[0]) & (arrival < steps[1])).sum())
        assert rows["calls"].sum() == inside > 0
        with_calls = rows["hour"][rows["calls"] > 0]
        assert with_calls.min() >= steps[0] // HOUR_STEPS
        assert with_calls.max() <= (steps[1] - 1) // HOUR_STEPS
        served.append(inside)
    assert sum(served[:3]) == served[3] < len(arrival)  # some calls lie in the run-out
    fields = run(world, home, seed=3, bucket_us=STEP_US).out
    for a in range(len(world.apps.app_ids)):
        first = np.flatnonzero(fields[a, :, Field.CALLS])
        if len(first):
            assert fields[a, first[0], Field.COLD_STARTS] > 0, f"app {a} found something warm at the start of the span"


def test_what_lies_outside_the_span_changes_nothing(world: Scenario) -> None:
    outside = (world.calls.arrival_us < 4800 * STEP_US) | (world.calls.arrival_us >= 5700 * STEP_US)
    calls = dataclasses.replace(world.calls, duration_us=np.where(outside, 77_000_000, world.calls.duration_us))
    changed = dataclasses.replace(world, calls=calls)
    one, other = (evaluate(scenario, wanderer(scenario), seed=3) for scenario in (world, changed))
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)


@pytest.mark.parametrize("period", [100, 7, 900, 901, NEVER_STEPS])
def test_decisions_come_every_period_from_the_start_of_the_span(world: Scenario, period: int) -> None:
    policy = wanderer(world, period)
    fleet = run(world, policy, seed=3)
    steps = list(range(4800, 5700, min(period, 900)))
    assert [seen.step for seen in policy.seen] == steps
    assert policy.seen[0].placement.tolist() == world.apps.home.tolist()
    # What a policy is told is what arrived since its last decision, whatever the buckets.
    owner = np.repeat(np.arange(len(world.apps.app_ids)), np.diff(world.calls.first_call))
    arrival = world.calls.arrival_us // STEP_US
    for before, seen in zip([4800, *steps], policy.seen, strict=False):
        inside = (arrival >= before) & (arrival < seen.step)
        assert seen.recent[:, Field.CALLS].tolist() == np.bincount(owner[inside], minlength=len(world.apps.app_ids)).tolist()
    moves = sum(int((a != b).sum()) for a, b in zip(policy.said[:-1], policy.said[1:], strict=True))
    assert fleet.out[:, :, Field.MOVES].sum() == moves  # every copy here ends within 7 steps
    if period >= 900:
        assert fleet.out[:, :, [Field.MOVES, Field.MOVE_NANOUSD]].sum() == 0  # the first placement is free
        assert fleet.placement.tolist() == policy.said[0].tolist()


def test_the_objective_is_the_sum_of_hand_computed_components() -> None:
    """One call served cold at zone 0, a move to zone 1 (1 MB), and one call rejected there in an outage.

    1 GB, 1 vCPU, 1 W idle and 3 W full, 0.392 W/GB, grid 0.1 mg/J, fetch 1 ms, cold start 1 s (billed), keep-alive 60 s.
    """
    calls = [
        {"arrival_us": 1_000_000, "duration_us": 2_000_000, "bytes_out": 5_000_000},
        {"arrival_us": 700_000_000, "duration_us": 2_000_000},
    ]
    scenario = plain_scenario(capacity=[[5, 5, 5, 5], [5, 5, 0, 0]], calls=calls, steps=80)
    scenario = dataclasses.replace(scenario, split_steps=(78, 79, 80))
    policy = Told(lambda seen: np.array([int(seen.step >= 20)]), period_steps=20)
    rows = evaluate(scenario, policy, seed=1, span="all")
    assert (rows["calls"].sum(), rows["served"].sum(), rows["rejected"].sum(), rows["moves"].sum()) == (2, 1, 1, 1)
    busy_s = 1.0 + 0.001 + 2.0
    kg = 1e-7 * ((2 + 0.392) * busy_s + (1 + 0.392) * 60) + (5e6 * 360_000 / 1e6 + 1e6 * 360_000 / 1e6) / 1e12
    expected = {
        "execution": 200e-9 + busy_s * 1e-5,
        "egress": 5 * 2000e-9,
        "carbon": kg * 1.0,
        "sla": 1e-4 + 2e-4 + 2 * 2.001e-5,  # a reject is a miss, too; 3.003 s is not above 0.3 s + 1.5 x 2 s
        "latency": (0.002 + 1.001 + 30) * 1e-5,  # excess over the own duration; the timeout for the rejected call
        "moves": 500e-9,
    }
    assert tuple(expected) == COMPONENTS
    fields = np.stack([rows[f.name.lower()] for f in Field], axis=1).sum(axis=0)
    found = components_usd(fields, scenario.objective)
    for name, usd in expected.items():
        assert found[name] == pytest.approx(usd, rel=1e-6), name
    assert objective_usd(fields, scenario.objective) == pytest.approx(sum(expected.values()), rel=1e-6)
    np.testing.assert_allclose(
        objective_usd(fields * np.arange(3)[:, None], scenario.objective), np.arange(3) * sum(expected.values()), rtol=1e-6
    )


def test_free_is_the_capacity_of_the_last_finished_slot_less_what_is_held() -> None:
    """At step 20 (300 s) one call is running; one instance is idle (from 290 s on) and yields; one is gone (idle from 61 s, for 60 s)."""
    calls = [
        {"app": 0, "arrival_us": 60_000_000, "duration_us": 0},
        {"app": 1, "arrival_us": 288_000_000, "duration_us": 1_000_000},
        {"app": 2, "arrival_us": 299_000_000, "duration_us": 50_000_000},
    ]
    scenario = plain_scenario(capacity=[[8, 2, 1]], calls=calls, functions_of_app=(1, 1, 1), steps=60)
    scenario = dataclasses.replace(scenario, split_steps=(58, 59, 60))
    policy = Told(lambda seen: seen.placement, period_steps=20)
    run(scenario, policy, seed=1, span="all")
    quota = scenario.world.quota_per_placement
    assert [view.free.tolist() for view in policy.seen] == [[quota], [8 - 1], [2]]  # at 600 s nothing is alive, the slot before held 2
    assert [view.is_out.shape[1] for view in policy.seen] == [0, 1, 2]
    kept = Told(lambda seen: seen.placement, period_steps=20, floors=np.array([0, 1, 1]))
    run(scenario, kept, seed=1, span="all")
    assert [view.free.tolist() for view in kept.seen] == [[quota], [8 - 2], [0]]  # two floors, and one of their instances is running


@dataclass
class Kept(PolicyBase):
    """A rule, and what it saw and said."""

    rule: Any
    seen: list[View] = field(default_factory=list)
    said: list[Int64] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = str(self.rule.name)
        self.period_steps = min(int(self.rule.period_steps), 100)  # the static ones are asked, too

    def decide(self, view: View) -> Decision:
        self.seen.append(view)
        decision: Decision = self.rule.decide(view)
        assert decision.placement is not None
        self.said.append(decision.placement)
        return decision


def all_rules(scenario: Scenario, knowledge: Knowledge) -> list[Kept]:
    facts = Facts.of(scenario)
    return [
        Kept(rule)
        for rule in (
            rules.random(facts, 1),
            rules.home(facts),
            rules.greedy_locality(facts, knowledge),
            rules.greedy_cold_start(facts, knowledge),
            rules.best_static(facts, knowledge),
            rules.GreedyObjective(facts, knowledge, has_hysteresis=False),
            rules.GreedyObjective(facts, knowledge),
            rules.Persistence(facts, knowledge),
        )
    ]


def test_a_view_is_that_of_the_last_finished_slot(world: Scenario) -> None:
    policy = wanderer(world)
    run(world, policy, seed=3)
    conditions = world.conditions
    for view in policy.seen:
        slot, hour = view.step // SLOT_STEPS, view.step // HOUR_STEPS
        np.testing.assert_array_equal(view.utilisation_ppm, conditions.utilisation_ppm[:, :slot])
        np.testing.assert_array_equal(view.utilisation_now_ppm, conditions.utilisation_ppm[:, slot - 1])
        np.testing.assert_array_equal(view.slowdown_permille, conditions.slowdown_permille[:, slot - 1])
        np.testing.assert_array_equal(view.carbon_mg_per_kwh, conditions.carbon_mg_per_kwh[:, : hour + 1])
        assert (view.free >= 0).all()
        assert (view.free <= conditions.capacity[:, slot - 1]).all()


def test_a_policy_cannot_change_the_world_through_what_it_sees(world: Scenario) -> None:
    others = ("facts", "step", "past", "arrivals", "replayed", "steps")
    arrays = ["runs", *(part.name for part in dataclasses.fields(View) if part.name not in others)]

    def vandal(view: View) -> Int64:
        wanted = view.placement.copy()
        for name in arrays:
            with pytest.raises(ValueError, match="read-only"):
                getattr(view, name)[...] = 1
        return wanted

    one = evaluate(world, Told(lambda seen: seen.placement), seed=3)
    other = evaluate(world, Told(vandal), seed=3)
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)
