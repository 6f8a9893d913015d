"""Runs of a whole scenario and changes to it, for the properties of the world. Not here: the tests (tests/properties)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulator.fleet import Field, Fleet
from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
BuildTwin = Callable[..., Scenario]
IDLE = (Field.IDLE_CARBON_NG, Field.ENERGY_UJ, Field.CARBON_NG)  # an idle period ends in the future of its bucket
OF_CALLS = [field for field in Field if field not in IDLE]
TOTAL_SUMS = [field for field in Field if field not in (Field.FLOOR_NANOUSD, Field.MOVE_NANOUSD, Field.MOVES, Field.REJECT_NANOUSD)]
GROUPS = ("group_step", "group_app", "group_first", "group_calls")


def run(scenario: Scenario, placement: Int64 | None = None, moves: dict[int, Int64] | None = None, **options: object) -> Fleet:
    """A finished run with luck 11; `moves`: wanted placements by step."""
    fleet = Fleet(scenario, scenario.apps.home if placement is None else placement, **({"luck_seed": 11} | options))
    for step, wanted in (moves or {}).items():
        fleet.advance(step)
        fleet.move(wanted)
    fleet.finish()
    return fleet


def with_conditions(scenario: Scenario, **arrays: NDArray[np.int64]) -> Scenario:
    cast = {name: value.astype(getattr(scenario.conditions, name).dtype) for name, value in arrays.items()}
    return replace(scenario, conditions=replace(scenario.conditions, **cast))


def even(scenario: Scenario) -> Scenario:
    """The same conditions everywhere: enough capacity for all, no contention, one grid."""
    seen = scenario.conditions
    return with_conditions(
        scenario,
        capacity=np.full_like(seen.capacity, 1_000),
        slowdown_permille=np.full_like(seen.slowdown_permille, 1_000),
        carbon_mg_per_kwh=np.full_like(seen.carbon_mg_per_kwh, 400_000),
    )


def turned(scenario: Scenario, seed: int = 3) -> Int64:
    """Another placement for every app, chosen by the names of zones and apps only."""
    names = sorted(scenario.tables.zones)
    index = {name: p for p, name in enumerate(scenario.tables.zones)}
    pick = [hashlib.sha256(f"{seed} {app}".encode()).digest()[0] % len(names) for app in scenario.apps.app_ids]
    return np.array([index[names[i]] for i in pick])
