"""No luck beats the programme by much: random placement policies where apps share nothing. Not here: all schedules of tiny worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from models.baselines.knowledge import move_cost_usd
from models.baselines.programme import best_schedule
from models.baselines.rules import Scheduled
from simulator.control.counterfactual import objective_table
from simulator.control.loop import run
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.interval_worlds import by_programme, draw_world, replayed
from tests.worlds.world_runs import BuildTwin

Schedule = np.ndarray


def varied(rng: np.random.Generator, schedule: Schedule, scenario: Scenario) -> Schedule:
    """A random schedule: the programme's with anything allowed in 1 or 5 places, in a hundredth or a tenth of them, or everywhere."""
    luck = np.where(scenario.is_allowed, rng.random((len(schedule), *scenario.is_allowed.shape)), -1.0).argmax(axis=2)
    places = int(rng.choice([1, 5, schedule.size // 100, schedule.size // 10, schedule.size]))
    changed = rng.choice(schedule.size, size=min(max(1, places), schedule.size), replace=False)
    found = schedule.copy()
    found.flat[changed] = luck.flat[changed]
    return found


def advantages(scenario: Scenario, schedule: Schedule, cost: Callable[[Schedule], float], seeds: Iterable[int]) -> list[float]:
    """How much less than the programme's schedule each random one costs, as a share of it."""
    programme = cost(schedule)
    return [1.0 - cost(varied(np.random.default_rng(seed), schedule, scenario)) / programme for seed in seeds]


def on_the_twin(scenario: Scenario, seeds: Iterable[int]) -> list[float]:
    """The same on the test span of a scenario, every app alone."""
    stay, fresh = (objective_table(scenario, 5, "test", is_fresh=is_fresh) for is_fresh in (False, True))
    schedule, _ = best_schedule(stay, fresh, move_cost_usd(scenario), scenario.is_allowed)

    def cost(rows: Schedule) -> float:
        fleet = run(scenario, Scheduled("given", rows, scenario.world.tactical_steps), 5, "test", is_coupled=False)
        return float(objective_usd(fleet.out.sum(axis=1), scenario.objective).sum())

    return advantages(scenario, schedule, cost, seeds)


def on_small_worlds(worlds: Iterable[int], **kind: Any) -> list[float]:
    """The same on random worlds of two or three placements, twenty policies each. `kind`: see `draw_world`."""
    found = []
    for world in worlds:
        scenario = draw_world(world, **kind)
        steps = scenario.world.tactical_steps

        def cost(rows: Schedule, scenario: Scenario = scenario, steps: int = steps) -> float:
            return float(replayed(scenario, Scheduled("given", rows, steps)).sum())

        found += advantages(scenario, by_programme(scenario)[0], cost, range(20 * world, 20 * world + 20))
    return found


def test_no_random_policy_beats_the_programme_by_more_than_a_hundredth(twin: Scenario) -> None:
    """A representative share of `make verify`."""
    found = on_the_twin(twin, range(40))
    small = on_small_worlds(range(15))
    assert max(found + small) <= 0.01
    assert min(found) < -0.1  # most are much worse
    assert min(small) < -0.1


@pytest.mark.slow
def test_none_of_many_random_policies_beats_the_programme(build_twin: BuildTwin, proof: Callable[..., None]) -> None:
    """Where a decision lasts a hundred steps, as in every scenario: the step that a move needs is a hundredth of an interval."""
    found = [*on_the_twin(build_twin(), range(1_000)), *on_the_twin(build_twin(family="crunch"), range(1_000, 2_000))]
    small = on_small_worlds(range(100))
    assert max(found + small) <= 0.01
    figure = {
        "policies": len(found) + len(small),
        "largest_advantage_on_twins": round(max(found), 5),
        "largest_advantage_on_small_worlds": round(max(small), 5),
    }
    proof(figure=figure, bound="at most 1 % below the programme's schedule")


@pytest.mark.slow
def test_in_intervals_of_twenty_steps_the_step_of_a_switch_is_what_the_programme_misses(proof: Callable[..., None]) -> None:
    """The tables have the calls of that step at the new place; they are served at the old one, where some cost less, or more.

    Without calls in the first three steps of an interval hardly anything is left to gain. Keep-alives are shorter than intervals, here too.
    """
    short, late = on_small_worlds(range(100), steps=20), on_small_worlds(range(100), steps=20, is_late=True)
    assert 0.01 < max(short) <= 0.03
    assert max(late) <= 0.002
    figure = {"largest_advantage": round(max(short), 5), "above_a_hundredth": sum(one > 0.01 for one in short), "policies": len(short)}
    figure["largest_without_calls_at_the_switch"] = round(max(late), 5)
    proof(figure=figure, bound="with calls at the switch 1-3 %, without at most 0.2 %")
