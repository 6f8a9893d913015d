"""What every app would cost at every placement: tables of the objective, apps alone. Not here: choosing from them.

A table replays the whole fleet at each placement in turn, uncoupled: an app sees all of a placement's capacity. It tells placements
apart; it understates what happens when many apps choose the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from simulator.control.judge import Span, span_steps
from simulator.fleet import Fleet
from simulator.objective import objective_usd
from simulator.places.prices import copy_nanousd_per_mb

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]


def placement_fields(scenario: Scenario, seed: int, span: Span, placement: int, *, is_fresh: bool = False) -> NDArray[np.int64]:
    """Return the sums of all apps at one placement, int64 [A, intervals of the span, len(Field)].

    Args:
        scenario: the world.
        seed: of the luck.
        span: which part; pools are empty at its start.
        placement: where all apps run.
        is_fresh: pools are empty at the start of every tactical interval, as for an app that has just moved in.

    Idle periods that begin after the span count in its last interval.

    Raises:
        ParameterError: the span begins inside a tactical interval, so that decisions would not fall on its intervals.
    """
    begin, end = span_steps(scenario, span)
    steps = scenario.world.tactical_steps
    if begin % steps:
        how = f"use multiples of world.tactical_steps ({steps})"
        raise ParameterError(f"the span begins at step {begin}, inside an interval", where="params.yaml: scenario.split_steps", how=how)
    fleet = Fleet(
        scenario,
        np.full(len(scenario.apps.app_ids), placement, dtype=np.int64),
        luck_seed=seed,
        start_step=begin,
        end_step=end,
        bucket_us=scenario.world.tactical_us,
        is_coupled=False,
    )
    fleet.replay_alone(steps if is_fresh else 0)
    last = -(-end // steps)
    fields = fleet.out[:, begin // steps : last]
    fields[:, -1] += fleet.out[:, last:].sum(axis=1)
    return fields


def objective_table(scenario: Scenario, seed: int, span: Span, *, is_fresh: bool = False) -> Float64:
    """Return the objective J, USD, float64 [P, A, intervals of the span]; see `placement_fields`."""
    tables = [
        objective_usd(placement_fields(scenario, seed, span, p, is_fresh=is_fresh), scenario.objective)
        for p in range(len(scenario.tables.zones))
    ]
    return np.stack(tables)


def move_cost_usd(scenario: Scenario, hour: int = 0) -> Float64:
    """Return what a move costs: price of the copy and its carbon at `hour`, USD, float64 [A, P, P]; 0 on the diagonal."""
    t, apps = scenario.tables, scenario.apps
    grid = scenario.conditions.carbon_mg_per_kwh[:, min(hour, scenario.conditions.carbon_mg_per_kwh.shape[1] - 1)]
    carbon_ng = (grid[:, None] + grid[None, :]) // 2
    regions = t.region_of_placement
    per_mb = copy_nanousd_per_mb(scenario.tables) / 1e9 + carbon_ng / 1e12 * scenario.objective.carbon_usd_per_kg
    cost = apps.state_bytes[:, None, None] / 1e6 * per_mb[regions][:, regions][None]
    cost[:, np.arange(len(regions)), np.arange(len(regions))] = 0.0
    return cost
