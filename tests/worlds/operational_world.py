"""A world of three timers, one on each kind of cloud, for tests of the operational layer. Not here: the tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from simulator.parameters import World
from simulator.scenario import Scenario
from tests.worlds.small_worlds import invent_tables, make_apps, make_calls, make_conditions, plain_scenario

STEPS, SPLITS, PERIOD_S = 5760, (3000, 3600, 5700), (600.0, 1500.0, 1800.0)
CLOUDS = ("azure", "gcp", "aws")


def timer_world(functions: int = 1, jitter_s: float = 4.0, seed: int = 1) -> Scenario:
    """One day of three apps at home on azure, gcp and aws; their timers fire with some jitter, all functions of an app within 20 ms.

    An instance of 1 GB; a floor costs 1e-6 USD a second; idle lives are 60 s, and 900 s on gcp.
    """
    rng = np.random.default_rng(seed)
    keep = np.full((3, 257), 60_000_000)
    keep[1] = 900_000_000
    tables = invent_tables(
        CLOUDS, ("iad",), [(0, 0), (1, 0), (2, 0)], zones_of_region=[1, 1, 1], keep_alive_us=keep, usd_per_gb_s=1e-6,
        provisioned_usd_per_gb_s=1e-6,
    )  # fmt: skip
    apps = make_apps(("one", "two", "three"), [functions] * 3, home=[0, 1, 2], data_region=[0, 1, 2])
    columns: dict[str, list[int]] = {name: [] for name in ("app", "arrival_us", "function", "duration_us")}
    for app, period in enumerate(PERIOD_S):
        number = np.arange(int(STEPS * 15 / period))
        at = (number + 0.5) * period + jitter_s * rng.standard_normal(len(number))
        for function in range(functions):
            columns["app"] += [app] * len(at)
            columns["function"] += [function] * len(at)
            columns["arrival_us"] += ((at + 0.02 * rng.random(len(at))) * 1e6).astype(int).tolist()
            columns["duration_us"] += [100_000] * len(at)
    plain = plain_scenario(capacity=[[20] * 288] * 3, calls=[], steps=STEPS, tables=tables)
    world = World()
    return dataclasses.replace(
        plain,
        id="calm-1",
        split_steps=SPLITS,
        world=world,
        apps=apps,
        calls=make_calls(3, world, **columns),
        conditions=make_conditions([[20] * 288] * 3, carbon_mg_per_kwh=np.full((3, 24), 1_000)),
        is_allowed=np.ones((3, 3), dtype=np.bool_),
    )
