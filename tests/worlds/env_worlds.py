"""A scenario for tests of the environments (three days, twelve apps, little capacity) and what they share. Not here: the tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import simulator.envs  # noqa: F401  (registers the environments)
from core.units import DAY_US, SLOT_US
from simulator.conditions import CellSeries, profile_carbon
from simulator.control.reward import Reward
from simulator.parameters import Objective, Slo, World
from simulator.places.tables import load_tables
from simulator.scenario import Scenario, build_scenario
from simulator.twin import azure2021 as twin
from simulator.workload import Invocations, build
from tests.worlds.families import FAMILIES

DAYS, APPS = 3, 12
STEPS = DAYS * 5760
KINDS = ("Strategic", "Tactical", "TacticalCandidates", "Autoscale")
UNCLIPPED = Reward(clip=1e9)
STEP_US = 15_000_000


def make_scenario(repository: Path, family: str = "calm", *, reference: Path | None = None, quota: int = 6) -> Scenario:
    """The scenario on the tables of the repository, or on those of the folder `reference`; few places, so that capacity matters."""
    world = World(quota_per_placement=quota)
    tables = load_tables(reference or repository / "data" / "reference", world)
    calls = twin.generate_azure2021(1, days=DAYS, rate=0.1, apps=APPS)
    trace = Invocations(
        calls.app_ids,
        calls.function_ids,
        calls.app,
        calls.function,
        calls.arrival_us,
        calls.duration_us,
        np.full(APPS, 150, dtype=np.int64),
    )
    apps, sorted_calls, _ = build(1, tables, world, trace, STEPS * STEP_US)
    wave = {name: CellSeries(1.0 + np.sin(np.arange(29 * 288) / (40.0 + i)) / 4.0, -48) for i, name in enumerate("abcdefgh")}
    return build_scenario(
        family,
        1,
        changes=FAMILIES[family],
        steps=STEPS,
        split_steps=(12000, 14000, 16000),
        world=world,
        slo=Slo(),
        objective=Objective(),
        tables=tables,
        apps=apps,
        calls=sorted_calls,
        cells=wave,
        carbon_mg_per_kwh=profile_carbon(tables, 2, DAYS * 24),
    )


def single(kind: str, scenario: Scenario, **options: Any) -> Any:
    return gymnasium.make(f"trine/{kind}-v0", scenario=scenario, **({"reward": UNCLIPPED} | options))


def fleet_of(kind: str, scenario: Any, **options: Any) -> Any:
    given = {"vectorization_mode": "vector_entry_point", "reward": UNCLIPPED} | options
    return gymnasium.make_vec(f"trine/{kind}-v0", scenario=scenario, **given)


def outcome(env: Any, action: Any, app: int, steps: int, **options: Any) -> float:
    env.reset(seed=1, options={"app": app, **options})
    return sum(env.step(action)[4]["objective_usd"] for _ in range(steps))


def naive_features(scenario: Scenario, step: int, app: int, placement: int, cloud: int) -> list[float]:
    """The seven features of one app from their definitions, call by call."""
    t, now = scenario.tables, step * STEP_US
    region = int(t.region_of_placement[placement])
    lo, hi = scenario.calls.first_call[app : app + 2]
    past = [i for i in range(lo, hi) if scenario.calls.arrival_us[i] < now]
    idle_life = t.keep_alive_us[cloud]
    outlived = []
    for i in past:
        if scenario.calls.arrival_us[i] >= now - DAY_US:
            gap = scenario.calls.arrival_us[i] - scenario.calls.arrival_us[i - 1] if i > lo else 10**15
            outlived.append(np.interp(gap, idle_life, np.arange(257) / 256))
    callers = [int(scenario.calls.origin[i]) for i in past if scenario.calls.arrival_us[i] >= now - SLOT_US]
    callers = callers or [int(scenario.calls.origin[i]) for i in past[-1:]]
    callers = callers or [int(t.metro_of_region[t.region_of_placement[scenario.apps.home[app]]])]
    rtt_us = np.mean([t.rtt_us[m, region] for m in callers])
    inside = [p for p in range(len(t.zones)) if t.cloud_of_region[t.region_of_placement[p]] == cloud and scenario.is_allowed[app, p]]
    finished = now // SLOT_US
    used = scenario.conditions.utilisation_ppm[inside, finished - 1] / 1e6 if finished else np.array([scenario.world.utilisation.u_mean])
    return [
        *(float(c == cloud) for c in range(len(t.clouds))),
        1 - min(1, t.data_rtt_us[scenario.apps.data_region[app], region] / 250_000),
        float(np.mean(outlived)) if outlived else 1.0,
        (rtt_us - t.rtt_us.min()) / (t.rtt_us.max() - t.rtt_us.min()),
        float(used.mean()),
    ]


def without_future(scenario: Scenario, step: int) -> Scenario:
    """The scenario with no call from `step` on, and with other conditions after the slot that begins there."""
    calls, now = scenario.calls, step * STEP_US
    kept = calls.arrival_us < now
    app = np.repeat(np.arange(APPS), np.diff(calls.first_call))[kept]
    first = np.searchsorted(app, np.arange(APPS + 1))
    groups = calls.group_step < step
    shift = (first - calls.first_call)[calls.group_app[groups]]
    per_call = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
    past = dataclasses.replace(
        calls,
        first_call=first,
        **{name: getattr(calls, name)[kept] for name in per_call},
        group_step=calls.group_step[groups],
        group_app=calls.group_app[groups],
        group_first=calls.group_first[groups] + shift,
        group_calls=calls.group_calls[groups],
    )
    slot, hour, seen = now // SLOT_US + 1, now // 3_600_000_000 + 1, scenario.conditions
    changed = {name: getattr(seen, name).copy() for name in ("utilisation_ppm", "capacity", "slowdown_permille", "carbon_mg_per_kwh")}
    for name in ("utilisation_ppm", "capacity", "slowdown_permille"):
        changed[name][:, slot:] = changed[name][::-1, slot:] // 2
    changed["carbon_mg_per_kwh"][:, hour:] //= 3
    return dataclasses.replace(scenario, calls=past, conditions=dataclasses.replace(seen, **changed))
