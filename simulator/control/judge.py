"""The judge: one policy in one scenario, as rows. Every arm of every layer is judged here. Not here: policies, statistics, files.

rows = simulator.evaluate(simulator.load_scenario("data/scenario/calm-1"), policy, seed=1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import HOUR_US
from simulator import kernel
from simulator.control.counterfactual import ReplayTable
from simulator.control.decision import Policy
from simulator.control.loop import run
from simulator.control.spans import Span
from simulator.fleet import Field, Fleet

if TYPE_CHECKING:
    from simulator.scenario import Scenario


def evaluate(scenario: Scenario, policy: Policy, seed: int, span: Span = "test", *, replays: ReplayTable | None = None) -> dict[str, Any]:
    """Judge a policy.

    Args:
        scenario: the world.
        policy: what it orders is carried out, placements, floors and memory alike.
        seed: of the luck; arms that are compared share it.
        span: which part of the scenario.
        replays: see `Loop`.

    Returns:
        Columns of equal length, one row per app and hour (since the start of the trace) in which anything was booked, sorted: `arm`,
        `seed`, `scenario`, `family`, `app_id`, `hour`, the sums of `Field` in lower case, `intervals` (tactical intervals that begin in
        the hour and have calls), `binding_intervals` (in how many of them a call waited or was rejected for capacity), and
        `latency_histogram` (int32 [rows, bins], bins by `LATENCY_EDGES_US`).
    """
    fleet = run(scenario, policy, seed, span, has_histogram=True, replays=replays)
    return rows_of(fleet, policy.name, seed)


def rows_of(fleet: Fleet, arm: str, seed: int) -> dict[str, Any]:
    """Return the rows of a finished fleet with hourly buckets; see `evaluate`."""
    scenario = fleet.scenario
    per_hour = np.zeros((*fleet.out.shape[:2], 2), dtype=np.int64)
    hour_of_interval = np.arange(fleet.binding.shape[1]) * scenario.world.tactical_us // HOUR_US
    for interval, hour_of in enumerate(hour_of_interval.tolist()):
        per_hour[:, hour_of, 0] += (fleet.binding[:, interval] & kernel.HAS_CALLS) > 0
        per_hour[:, hour_of, 1] += (fleet.binding[:, interval] & kernel.IS_BINDING) > 0
    app, hour = np.nonzero(fleet.out.any(axis=2) | per_hour.any(axis=2))
    fields = fleet.out[app, hour]
    return {
        "arm": np.full(len(app), arm),
        "seed": np.full(len(app), seed, dtype=np.int64),
        "scenario": np.full(len(app), scenario.id),
        "family": np.full(len(app), scenario.family),
        "app_id": np.array(scenario.apps.app_ids)[app],
        "hour": hour.astype(np.int64),
        **{field.name.lower(): fields[:, field] for field in Field},
        "intervals": per_hour[app, hour, 0],
        "binding_intervals": per_hour[app, hour, 1],
        "latency_histogram": fleet.state.histogram[app, hour],
    }
