"""What a manager can learn of the past: cost levels per app and region, congestion, volumes, from the train span alone. Not here: rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US
from simulator.control.spans import span_steps
from simulator.fleet import Field
from simulator.kernel import PRICE
from simulator.objective import components_usd, objective_usd
from simulator.places.constants import app_constants
from simulator.places.prices import copy_nanousd_per_mb

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
LAGS = 12  # tactical intervals ahead for which the fading of congestion is fitted


@dataclass(frozen=True)
class Knowledge:
    """Figures of the train span. A apps, R regions, P placements.

    Args:
        level_usd: float64 [A, R], objective per call, mean over the region's zones (pooled, or it would learn the zones' luck).
        slope_usd: float64 [A, R], what one unit of slowdown adds to a call: its duration times price and value of latency.
        carbon_usd: float64 [A, R], carbon's part of `level_usd`.
        mean_slowdown: float64 [P], mean factor on durations.
        mean_carbon: float64 [R], mean grid intensity, mg/kWh, at least 1.
        fading: float64 [LAGS + 1], autocorrelation of the slowdown after 0, 1, ... tactical intervals, all placements pooled.
        calls: float64 [A], calls per tactical interval.
        cold_share: float64 [A, clouds], share of cold starts at an idle placement of the cloud.
        move_usd: float64 [A, P, P], cost of a copy.
    """

    level_usd: Float64
    slope_usd: Float64
    carbon_usd: Float64
    mean_slowdown: Float64
    mean_carbon: Float64
    fading: Float64
    calls: Float64
    cold_share: Float64
    move_usd: Float64


def learn(scenario: Scenario, total: Int64) -> Knowledge:
    """Return what replays of the train span at all placements teach.

    Args:
        scenario: the world.
        total: int64 [P, A, len(Field)], see `simulator.control.counterfactual.ReplayTable`.
    """
    t = scenario.tables
    _, end = span_steps(scenario, "train")
    apps, regions = len(scenario.apps.app_ids), len(t.regions)
    level, carbon = np.zeros((apps, regions)), np.zeros((apps, regions))
    cold = np.zeros((apps, len(t.clouds)))
    zones = np.bincount(t.region_of_placement, minlength=regions)
    calls = total[0, :, Field.CALLS].astype(np.float64)  # the same everywhere
    for fields, r in zip(total, t.region_of_placement.tolist(), strict=True):
        per_call = 1.0 / np.maximum(calls, 1.0) / zones[r]
        level[:, r] += objective_usd(fields, scenario.objective) * per_call
        carbon[:, r] += components_usd(fields, scenario.objective)["carbon"] * per_call
        cloud = int(t.cloud_of_region[r])
        cold[:, cloud] += fields[:, Field.COLD_STARTS] * per_call / np.count_nonzero(t.cloud_of_region == cloud)
    price = app_constants(scenario, scenario.apps.memory_mb)[:, :, PRICE] / 1e9  # USD per s
    is_train = scenario.calls.arrival_us < end * scenario.world.step_us
    app_of_call = np.repeat(np.arange(apps), np.diff(scenario.calls.first_call))
    duration_s = np.bincount(app_of_call[is_train], weights=scenario.calls.duration_us[is_train], minlength=apps) / 1e6
    mean_duration_s = duration_s / np.maximum(calls, 1.0)
    slope = mean_duration_s[:, None] * (price + scenario.objective.latency_usd_per_s)
    slots = end * scenario.world.step_us // SLOT_US
    slowdown = scenario.conditions.slowdown_permille[:, :slots] / 1000.0
    carbon_mg = scenario.conditions.carbon_mg_per_kwh
    return Knowledge(
        level_usd=level,
        slope_usd=slope,
        carbon_usd=carbon,
        mean_slowdown=slowdown.mean(axis=1),
        mean_carbon=np.maximum(carbon_mg[:, : max(1, end * scenario.world.step_us // HOUR_US)].mean(axis=1), 1.0),
        fading=_fading(slowdown, max(1, scenario.world.tactical_us // SLOT_US)),
        calls=calls / -(-end // scenario.world.tactical_steps),
        cold_share=cold,
        move_usd=move_cost_usd(scenario),
    )


def _fading(slowdown: Float64, slots: int) -> Float64:
    """Autocorrelation of the slowdown at multiples of `slots`, deviations from each placement's mean, pooled."""
    deviation = slowdown - slowdown.mean(axis=1, keepdims=True)
    power = float((deviation * deviation).mean())
    lags = [1.0]
    for lag in range(1, LAGS + 1):
        shift = lag * slots
        both = deviation[:, shift:] * deviation[:, :-shift] if shift < deviation.shape[1] else np.zeros((1, 1))
        lags.append(max(0.0, float(both.mean()) / power) if power > 0 else 0.0)
    return np.array(lags)


def move_cost_usd(scenario: Scenario, hour: int = 0) -> Float64:
    """Return what a move costs: price of the copy and its carbon at `hour`, USD, float64 [A, P, P]; 0 on the diagonal."""
    t, apps = scenario.tables, scenario.apps
    grid = scenario.conditions.carbon_mg_per_kwh[:, min(hour, scenario.conditions.carbon_mg_per_kwh.shape[1] - 1)]
    carbon_ng = (grid[:, None] + grid[None, :]) // 2
    regions = t.region_of_placement
    per_mb = copy_nanousd_per_mb(scenario.tables) / 1e9 + carbon_ng / 1e12 * scenario.objective.carbon_usd_per_kg
    cost = apps.state_bytes[:, None, None] / 1e6 * per_mb[regions][:, regions][None]
    cost[:, np.arange(len(regions)), np.arange(len(regions))] = 0.0
    return cost
