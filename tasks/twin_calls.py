"""Calls of the twin as the section `scenario` wants them, and what all seeds share. Not here: the twin (simulator/), staged calls."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from simulator.rng import normal_quantile
from simulator.twin import generate_azure2021
from simulator.workload import Invocations
from tasks.sources.drawn import memory_mb

if TYPE_CHECKING:
    from tasks.params import Params

ID_DIGITS = 15  # leading hex digits of a name that make the integer id, as in the staged tables
MEMORY_STRIDE, PAYLOAD_STRIDE = (5**0.5 - 1) / 2, 2**0.5 - 1  # spread the ranks of the most called apps over the quantiles


def twin_invocations(params: Params, seed: int) -> Invocations:
    """Calls of the twin of a seed, as long, wide and busy as the section `scenario` says."""
    settings = params.scenario
    twin = generate_azure2021(seed, settings.days, settings.apps, settings.rate)
    memory = memory_mb([int(name[:ID_DIGITS], 16) for name in twin.app_ids], params)
    return Invocations(
        twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, np.array(memory, dtype=np.int64)
    )


def with_steady_apps(trace: Invocations, params: Params) -> Invocations:
    """Give the most called apps of the train span a memory and a payload class by their rank, the same for every seed.

    A few apps make most of the bill; with draws of their own, the fleet's cost would change with the seed by a factor of 1.7, its egress
    by a factor of 10. Ranks take evenly spread quantiles of the two laws (multiples of an irrational number, modulo 1).
    """
    end_us = params.scenario.split_steps[0] * params.world.step_us
    counts = np.bincount(trace.app[trace.arrival_us < end_us], minlength=len(trace.app_ids))
    order = sorted(range(len(counts)), key=lambda a: (-counts[a], trace.app_ids[a]))[: params.scenario.steady_apps]
    ranks = np.arange(1, len(order) + 1, dtype=np.float64)
    z = normal_quantile(ranks * MEMORY_STRIDE % 1.0)
    memory, payload = trace.memory_mb.copy(), np.full(len(counts), -1, dtype=np.int64)
    memory[order] = np.rint(params.ingest.memory_median_mb * np.exp(params.ingest.memory_sigma * z)).astype(np.int64)
    shares = np.cumsum(params.world.workload.payload_share)
    payload[order] = np.searchsorted(shares / shares[-1], ranks * PAYLOAD_STRIDE % 1.0, side="right")
    return dataclasses.replace(trace, memory_mb=memory, payload=payload)
