"""Calls of the twin as the section `scenario` wants them, made comparable between seeds. Not here: the twin, staged calls."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from simulator.rng import normal_quantile, text_id
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.balance import balanced_draws
from simulator.workload import Invocations
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources.sampled import ID_DIGITS, memory_mb
from tasks.world.scenario_settings import ScenarioSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.parameters import World
    from simulator.places.tables import Tables
    from tasks.core.params import Params

MEMORY_STRIDE, PAYLOAD_STRIDE = (5**0.5 - 1) / 2, 2**0.5 - 1  # spread the ranks of the most called apps over the quantiles


def twin_invocations(params: Params, seed: int) -> Invocations:
    """Calls of the twin of a seed, as long, wide and busy as the section `scenario` says."""
    settings = params.section("scenario", ScenarioSettings)
    twin = generate_azure2021(seed, settings.days, settings.apps, settings.rate)
    memory = memory_mb([int(name[:ID_DIGITS], 16) for name in twin.app_ids], params)
    return Invocations(
        twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, np.array(memory, dtype=np.int64)
    )


def with_comparable_apps(
    trace: Invocations, ranked: Mapping[str, int], seed: int, tables: Tables, world: World, params: Params
) -> Invocations:
    """Keep the luck of a few large apps out of what a seed shows: they make most of the calls and nearly all of the bill.

    The first `scenario.steady_apps` have a memory and a payload class by their rank, the same for every seed; else the fleet's cost would
    change with the seed by a factor of 1.7, its egress by a factor of 10. Ranks take evenly spread quantiles of both distributions
    (multiples of an irrational number, modulo 1). Homes, data and callers differ between seeds, but are balanced inside each
    (simulator/twin/balance.py).

    Args:
        trace: calls of a twin.
        ranked: published calls of the twin's apps by name, most called first; of an app that is not in it, nothing changes.
        seed: of the draws.
        tables: clouds, metros, regions.
        world: shares of the sampled attributes.
        params: sections `scenario` and `ingest`: how many apps are steady, the distribution of memory.
    """
    ids = np.array([text_id(name) for name in ranked], dtype=np.int64)
    draws = balanced_draws(seed, tables, world, ids, np.array(list(ranked.values()), dtype=np.int64))
    ranks = np.arange(1, min(params.section("scenario", ScenarioSettings).steady_apps, len(ranked)) + 1, dtype=np.float64)
    z = normal_quantile(ranks * MEMORY_STRIDE % 1.0)
    settings = params.section("ingest", IngestSettings)
    memories = np.rint(settings.memory_median_mb * np.exp(settings.memory_sigma * z)).astype(np.int64)
    shares = np.cumsum(world.workload.payload_share)
    payloads = np.searchsorted(shares / shares[-1], ranks * PAYLOAD_STRIDE % 1.0, side="right")
    memory, payload, draw = trace.memory_mb.copy(), np.full(len(trace.app_ids), -1), np.zeros(len(trace.app_ids), dtype=np.int64)
    place = {name: k for k, name in enumerate(trace.app_ids)}
    for rank, name in enumerate(ranked):
        if name in place:
            draw[place[name]] = draws[rank]
            if rank < len(ranks):
                memory[place[name]], payload[place[name]] = memories[rank], payloads[rank]
    return dataclasses.replace(trace, memory_mb=memory, payload=payload, draw=draw)
