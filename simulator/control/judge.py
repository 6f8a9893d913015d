"""The judge: one policy in one scenario, as rows. Every arm of every layer is judged here. Not here: policies, statistics, files.

rows = simulator.evaluate(simulator.load_scenario("data/scenario/calm-1"), policy, seed=1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError
from core.units import HOUR_US
from simulator import kernel
from simulator.control.view import observe
from simulator.fleet import Field, Fleet

if TYPE_CHECKING:
    from simulator.control.view import Observation, Policy
    from simulator.scenario import Scenario

Span = Literal["train", "valid", "test", "all"]
Int64 = NDArray[np.int64]


def span_steps(scenario: Scenario, span: Span) -> tuple[int, int]:
    """First step and end of a span; decisions and calls lie inside, what is in flight at the end still counts."""
    train, valid, test = scenario.split_steps
    return {"train": (0, train), "valid": (train, valid), "test": (valid, test), "all": (0, test)}[span]


def run(
    scenario: Scenario,
    policy: Policy,
    seed: int,
    span: Span = "test",
    *,
    bucket_us: int = HOUR_US,
    is_coupled: bool = True,
    has_histogram: bool = False,
) -> Fleet:
    """Let a policy decide over a span and return the finished fleet.

    Args:
        scenario: the world.
        policy: decides at the start of the span (free) and every `policy.period_steps` from there.
        seed: of the luck; arms that are compared share it.
        span: which part of the scenario.
        bucket_us: see `Fleet`, as are the next two.
        is_coupled: whether apps share capacity.
        has_histogram: whether latencies are counted.

    Raises:
        ConservationError: a call was lost or counted twice.
        TrineError: the policy's period is below one step, or it answered something else than allowed placements.
    """
    begin, end = span_steps(scenario, span)
    if policy.period_steps < 1:
        raise TrineError(f"period_steps is {policy.period_steps}", where=f"policy '{policy.name}'", how="decide every 1 step or more")
    fleet = Fleet(
        scenario,
        scenario.apps.home,
        luck_seed=seed,
        start_step=begin,
        end_step=end,
        bucket_us=bucket_us,
        is_coupled=is_coupled,
        has_histogram=has_histogram,
    )
    last, known = 0, np.zeros((len(scenario.apps.app_ids), kernel.FIELDS), dtype=np.int64)
    for step in range(begin, end, policy.period_steps):
        fleet.advance(step)
        bucket = min(step * scenario.world.step_us // bucket_us, fleet.out.shape[1] - 1)
        recent = fleet.out[:, last : bucket + 1].sum(axis=1) - known if step > begin else known
        wanted = _placements(policy, observe(fleet, recent))
        last, known = bucket, fleet.out[:, bucket].copy()
        if step == begin:
            fleet.place(wanted)
        else:
            fleet.move(wanted)
    fleet.finish()
    return fleet


def _placements(policy: Policy, seen: Observation) -> Int64:
    """What the policy decides, as long as it is whole numbers; the fleet checks shape, range and fences."""
    answer = policy.decide(seen)
    try:
        wanted = np.asarray(answer)
    except ValueError:  # lists of different lengths
        wanted = np.array(None)
    if wanted.dtype.kind not in "iu":
        where = f"policy '{policy.name}', step {seen.step}"
        raise TrineError(
            f"it answered {type(answer).__name__} of {wanted.dtype}", where=where, how="return one placement index an app, int64 [A]"
        )
    return wanted


def evaluate(scenario: Scenario, policy: Policy, seed: int, span: Span = "test") -> dict[str, Any]:
    """Judge a policy.

    Args:
        scenario: the world.
        policy: see `run`.
        seed: of the luck; arms that are compared share it.
        span: which part of the scenario.

    Returns:
        Columns of equal length, one row per app and hour (since the start of the trace) in which anything was booked, sorted: `arm`,
        `seed`, `scenario`, `family`, `app_id`, `hour`, the sums of `Field` in lower case, `intervals` (tactical intervals that begin in
        the hour and have calls), `binding_intervals` (in how many of them a call waited or was rejected for capacity), and
        `latency_histogram` (int32 [rows, bins], bins by `LATENCY_EDGES_US`).
    """
    fleet = run(scenario, policy, seed, span, has_histogram=True)
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
