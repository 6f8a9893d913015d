"""What the hand-made cases of the world share: short ways to write calls, checks and tables. Not here: the cases (tests/unit/test_rules_*).

Numbers of the plain world: t = arrival + 1,000 us; cold start 1 s; fetch 1,000 us; life 60 s; 10,000 fUSD/us, so 10 nano-USD per 1 ms; 200
nano-USD per request; 2.392 W busy, 1.392 W idle; 360,000 mg/kWh, so ng = uJ // 10; a floor costs 15,000 nano-USD per step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.parameters import Provisioned, World
from simulator.places.tables import Tables
from simulator.rng import hash_u64
from simulator.scenario import Scenario
from tests.worlds.second_simulator import Outcome
from tests.worlds.small_worlds import invent_tables, plain_tables

SECOND = 1_000_000
Run = Callable[..., Outcome]


def check(outcome: Outcome, app: int | None = None, **expected: int) -> None:
    """The named sums, of one app or of all, are exactly these."""
    rows = [row for (a, _), row in outcome.fields.items() if app in (None, a)]
    assert {name: sum(row[name] for row in rows) for name in expected} == expected


def call(second: float, duration_s: float, **more: int) -> dict[str, int]:
    return {"arrival_us": round(second * SECOND), "duration_us": round(duration_s * SECOND), **more}


def world(lead_steps: int) -> World:
    return World(provisioned=Provisioned(lead_steps=lead_steps))


def two_origins(**values: Any) -> Tables:
    """One region; callers in the second metro are 400 ms away."""
    return invent_tables(("aws",), ("iad", "fra"), [(0, 0)], zones_of_region=[1], rtt_us=[[2_000], [400_000]], **values)


def linear_distributions(**values: Any) -> Tables:
    """A quantile is its uniform in units of 1/256: 0.1 s of cold start, 1 s of life."""
    steps = np.arange(257)
    return plain_tables(cold_start_us=steps * 100_000, keep_alive_us=steps * SECOND, **values)


def sampled(scenario: Scenario, ident: int, stream: int, unit_us: int, luck_seed: int = 5) -> int:
    """A floor's draw: 24 bits of the hash that is keyed by the seed, the app and step * 65536 + index."""
    seed = luck_seed ^ int(scenario.apps.id_base[0]) >> 32
    word = int(hash_u64(seed, np.array([ident]), stream)[0])
    return (word >> 56) * unit_us + ((word >> 40 & 0xFFFF) * unit_us >> 16)
