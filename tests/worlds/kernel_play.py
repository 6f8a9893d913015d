"""Runs of the compiled kernel in the terms of the second simulator. Not here: worlds (small_worlds.py), what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import kernel
from simulator.control.meters import pools_of
from simulator.fleet import Field, Fleet
from tests.worlds.drawn_worlds import SmallWorld
from tests.worlds.second_simulator import Outcome


def play(world: SmallWorld, *, has_rows: bool = False, at_barrier: Callable[[Fleet], None] | None = None, **changes: Any) -> Fleet:
    """Run the orders of a small world on the kernel; `has_rows`: see `Fleet`; `at_barrier` is called at every barrier after the first."""
    run, scenario = world.run | changes, world.scenario
    fleet = Fleet(
        scenario,
        np.array(run["first_placement"]),
        luck_seed=run["luck_seed"],
        start_step=run.get("start_step", 0),
        end_step=run.get("end_step"),
        bucket_us=run["bucket_us"],
        is_coupled=run.get("is_coupled", True),
        is_watched=has_rows,
        has_steps=has_rows,
        has_rows=has_rows,
    )
    memory_mb, factor = scenario.apps.memory_mb.copy(), np.array(run.get("duration_factor_permille") or [1_000] * len(fleet.placement))
    fleet.set_memory(memory_mb, factor)
    floors = np.zeros(len(scenario.apps.function_ids), dtype=np.int64)
    moves, sizes, orders = (list(run.get(name, ())) for name in ("moves", "sizes", "floors"))
    for step in sorted({order[0] for order in (*moves, *sizes, *orders) if fleet.start_step <= order[0] < fleet.end_step}):
        _advance(fleet, step, at_barrier)
        for _, app, placement in (m for m in moves if m[0] == step):
            wanted = np.where(fleet.state.target >= 0, fleet.state.target, fleet.placement)
            wanted[app] = placement
            fleet.move(wanted)
        for _, app, size, permille in (o for o in sizes if o[0] == step):
            memory_mb[app], factor[app] = size, permille
        fleet.set_memory(memory_mb, factor)
        for _, app, pool, instances in (o for o in orders if o[0] == step):
            floors[scenario.apps.first_function[app] + pool] = instances
        fleet.set_floors(floors)
    _advance(fleet, fleet.end_step, at_barrier)
    fleet.finish()
    return fleet


def _advance(fleet: Fleet, to: int, at_barrier: Callable[[Fleet], None] | None) -> None:
    for step in range(fleet.step + 1, to) if at_barrier else ():
        fleet.advance(step)
        at_barrier(fleet)
    if fleet.step < to:
        fleet.advance(to)
        if at_barrier:
            at_barrier(fleet)


def outcome_of(fleet: Fleet) -> Outcome:
    """What the kernel gave, as the second simulator reports it: rows in which something was booked, pairs in which capacity was binding."""
    rows = {
        (app, bucket): {field.name: int(fleet.out[app, bucket, field]) for field in Field}
        for app, bucket in zip(*map(np.ndarray.tolist, np.nonzero(fleet.out.any(axis=2))), strict=True)
    }
    return Outcome(rows, set(zip(*map(np.ndarray.tolist, np.nonzero(fleet.binding & kernel.IS_BINDING)), strict=True)))


def differences(fleet: Fleet, outcome: Outcome) -> list[str]:
    """Every (app, bucket, field) and every pair of `binding` in which the two differ."""
    ours = outcome_of(fleet)
    found = []
    for app, bucket in sorted({*outcome.fields, *ours.fields}):
        mine, theirs = ours.fields.get((app, bucket), {}), outcome.fields.get((app, bucket), {})
        for name in Field.__members__:
            if mine.get(name, 0) != theirs.get(name, 0):
                found.append(f"app {app} bucket {bucket} {name}: kernel {mine.get(name, 0)}, second simulator {theirs.get(name, 0)}")
    return found + [f"binding {pair}" for pair in sorted(ours.binding ^ outcome.binding)]


def busy_of(fleet: Fleet) -> NDArray[np.int64]:
    """Instances at each placement that serve a call, are being warmed or are kept by a floor at the barrier reached, int64 [P]."""
    return fleet.state.alive - pools_of(fleet)[1]
