"""The same past with another future: everything that arrives or begins at or after a barrier is noise, or is not there. Not here: tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.conditions import OUTAGE_PPM, slowdown_permille
from simulator.scenario import Scenario
from tests.worlds.small_worlds import make_calls

SLOT_US, HOUR_US = 300_000_000, 3_600_000_000


def noisy_future(scenario: Scenario, step: int, rng: np.random.Generator, *, has_calls: bool = True) -> Scenario:
    """Replace calls that arrive, slots that begin and hours that begin after the running one, from barrier `step` on.

    With `has_calls`, calls to come have other arrivals, durations, functions, sizes and origins; without, there are none, and so no luck
    of theirs.
    """
    calls, now, apps = scenario.calls, step * scenario.world.step_us, len(scenario.apps.app_ids)
    owner = np.repeat(np.arange(apps), np.diff(calls.first_call))
    past = calls.arrival_us < now
    columns: dict[str, NDArray[Any]] = {name: getattr(calls, name)[past] for name in _COLUMNS}
    app = owner[past]
    if has_calls:
        count, functions_of = int((~past).sum()) // 2 + 3, np.diff(scenario.apps.first_function)
        more = rng.choice(np.flatnonzero(functions_of), size=count)
        to_come = {
            "arrival_us": rng.integers(now, scenario.steps * scenario.world.step_us, size=count),
            "duration_us": rng.integers(0, 90_000_000, size=count),
            "function": rng.integers(functions_of[more]),
            "bytes_in": rng.integers(0, 9_000_000, size=count),
            "bytes_out": rng.integers(0, 9_000_000, size=count),
            "origin": rng.integers(len(scenario.tables.metros), size=count),
        }
        app = np.concatenate([app, more])
        columns = {name: np.concatenate([columns[name], to_come[name]]) for name in _COLUMNS}
        order = np.lexsort((columns["duration_us"], columns["function"], columns["arrival_us"], app))
        app, columns = app[order], {name: values[order] for name, values in columns.items()}
    return dataclasses.replace(
        scenario, calls=make_calls(apps, scenario.world, app=app, **columns), conditions=_conditions(scenario, now, rng)
    )


_COLUMNS = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")


def _conditions(scenario: Scenario, now: int, rng: np.random.Generator) -> Any:
    seen, slot, hour = scenario.conditions, -(-now // SLOT_US), now // HOUR_US + 1
    ppm, carbon = seen.utilisation_ppm.copy(), seen.carbon_mg_per_kwh.copy()
    later = ppm[:, slot:].shape
    ppm[:, slot:] = np.where(rng.random(later) < 0.1, OUTAGE_PPM, rng.integers(0, OUTAGE_PPM, size=later))
    carbon[:, hour:] = rng.integers(1_000, 900_000, size=carbon[:, hour:].shape)
    capacity = seen.capacity.copy()
    capacity[:, slot:] = np.where(ppm[:, slot:] == OUTAGE_PPM, 0, rng.integers(1, 5, size=later))
    slowdown = seen.slowdown_permille.copy()
    slowdown[:, slot:] = slowdown_permille(ppm[:, slot:], scenario.world)
    return dataclasses.replace(seen, utilisation_ppm=ppm, capacity=capacity, slowdown_permille=slowdown, carbon_mg_per_kwh=carbon)
