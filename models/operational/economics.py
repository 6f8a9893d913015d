"""What a warm instance costs for a step, and what an avoided cold start saves. Not here: when a call comes, who decides.

Both are money of the objective. A cold start saves its billed part, its carbon, its latency, and the miss only where the cold start alone
causes it: a call that misses anyway, because its caller is far away, gains nothing from a warm instance but time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US
from simulator import kernel
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.control.view import Facts, View
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
QUANTILES = 16  # of the cold start's distribution, over which a saving is averaged: the luck of the recorded calls is not learned
MOST_CALLS = 2000  # cold calls of an app that its saving is the mean of
PRIOR_CALLS = 5.0  # weight of the median of (cloud, package) in the saving of an app
US_PER_S, FUSD_PER_NANOUSD, NANOUSD, NG_PER_KG, NG_UJ = 1e6, 1e6, 1e9, 1e12, 3_600_000


@dataclass(frozen=True)
class StepPrices:
    """Prices of the apps at their placements.

    Args:
        step_usd: float64 [A], one floored instance for one step, its idle carbon included.
        idle_usd: float64 [A], carbon of an idle instance for one step.
        unit_steps: int64 [A], steps in which a floor is billed (1: by step).
        is_drop: bool [A], whether the surplus of a falling floor ends at once.
        keeps_one_pool: bool [A], whether the functions of the app share one pool.
        cloud: int64 [A].
    """

    step_usd: Float64
    idle_usd: Float64
    unit_steps: Int64
    is_drop: NDArray[np.bool_]
    keeps_one_pool: NDArray[np.bool_]
    cloud: Int64


def step_prices(facts: Facts, constants: Int64, placement: Int64, grid_mg_per_kwh: Int64) -> StepPrices:
    """Return what a floor costs where the apps are now.

    Args:
        facts: of the scenario.
        constants: int64 [A, R, kernel.CONSTANTS], see `simulator.places.constants.app_constants`.
        placement: int64 [A].
        grid_mg_per_kwh: int64 [R], of the running hour.
    """
    region = facts.tables.region_of_placement[placement]
    own = constants[np.arange(len(placement)), region]
    step_us = facts.world.step_us
    idle_uj = own[:, kernel.IDLE_UW] * step_us / US_PER_S
    idle_usd = idle_uj * grid_mg_per_kwh[region] / NG_UJ / NG_PER_KG * facts.objective.carbon_usd_per_kg
    floor_usd = own[:, kernel.FLOOR_PRICE] * float(step_us) / FUSD_PER_NANOUSD / NANOUSD
    return StepPrices(
        step_usd=floor_usd + idle_usd,
        idle_usd=idle_usd,
        unit_steps=np.maximum(own[:, kernel.BILLED_STEPS], 1),
        is_drop=own[:, kernel.IS_DROP] > 0,
        keeps_one_pool=own[:, kernel.BY_FUNCTION] == 0,
        cloud=own[:, kernel.CLOUD],
    )


class Prices:
    """Prices where the apps are now, made anew when the hour or a placement changes. Good for one run."""

    def __init__(self) -> None:
        self._constants: Int64 | None = None
        self._hour, self._placement = -1, np.zeros(0, dtype=np.int64)

    def at(self, view: View) -> StepPrices:
        """The prices at a barrier."""
        if self._constants is None:
            self._constants = app_constants(view.facts, view.facts.apps.memory_mb)
        hour = view.now_us // HOUR_US
        if hour != self._hour or (view.placement != self._placement).any():
            self._found = step_prices(view.facts, self._constants, view.placement, view.grid_mg_per_kwh)
            self._hour, self._placement = hour, view.placement
        return self._found


def cold_start_benefit(scenario: Scenario, found_nothing_idle: NDArray[np.bool_], end_step: int) -> Float64:
    """Return what one avoided cold start saves an app on each cloud in the metro of its home, USD, float64 [A, C].

    The mean over the app's calls before `end_step` that found nothing idle at home, shrunk towards the median of its cloud and package
    class: (sum + 5 x median) / (calls + 5). On a cloud other than home's the same calls are priced there.

    Args:
        scenario: its calls, prices and past conditions.
        found_nothing_idle: bool [N], of each call of the scenario in the recorded run at home.
        end_step: end of the span that may be read.
    """
    apps, t = scenario.apps, scenario.tables
    constants = app_constants(scenario, apps.memory_mb)
    count, clouds = len(apps.app_ids), len(t.clouds)
    is_read = found_nothing_idle & (scenario.calls.arrival_us < end_step * scenario.world.step_us)
    total, number = np.zeros((count, clouds)), np.zeros(count)
    for a in range(count):
        first, end = int(scenario.calls.first_call[a]), int(scenario.calls.first_call[a + 1])
        cold = first + np.flatnonzero(is_read[first:end])
        cold = cold[:: max(1, -(-len(cold) // MOST_CALLS))]
        number[a] = len(cold)
        if len(cold):
            for cloud, placement in enumerate(_same_metro(scenario, a)):
                total[a, cloud] = saved_usd(scenario, constants[a], a, cold, placement).sum()
    mean = total / np.maximum(number, 1)[:, None]
    found = np.zeros((count, clouds))
    for cloud in range(clouds):
        overall = float(np.median(mean[number > 0, cloud])) if (number > 0).any() else 0.0
        for package in np.unique(apps.package):
            own = apps.package == package
            known = own & (number > 0)
            median = float(np.median(mean[known, cloud])) if known.any() else overall
            found[own, cloud] = (total[own, cloud] + PRIOR_CALLS * median) / (number[own] + PRIOR_CALLS)
    return found


def _same_metro(scenario: Scenario, app: int) -> list[int]:
    """The placement of an app's home, and on each other cloud a zone of its metro (of its first region where it has none there)."""
    t, home = scenario.tables, int(scenario.apps.home[app])
    own = int(t.region_of_placement[home])
    metro, found = int(t.metro_of_region[own]), []
    for cloud in range(len(t.clouds)):
        region = int(t.region_at[cloud, metro])
        region = region if region >= 0 else int(np.flatnonzero(t.cloud_of_region == cloud)[0])
        zones = np.flatnonzero(t.region_of_placement == region)
        found.append(home if region == own else int(zones[int(t.zone_number[home]) % len(zones)]))
    return found


def saved_usd(scenario: Scenario, constants: Int64, app: int, calls: Int64, placement: int, cold_us: Float64 | None = None) -> Float64:
    """Return what some calls of an app would save at a placement without their cold starts, USD, float64 [n].

    Args:
        scenario: the world.
        constants: int64 [R, kernel.CONSTANTS] of the app.
        app: its position.
        calls: int64 [n], indices.
        placement: where they are priced.
        cold_us: float64 [n, m], lengths of the cold starts that the saving is the mean of; None: quantiles of their distribution.
    """
    t, c, objective = scenario.tables, scenario.calls, scenario.objective
    region = int(t.region_of_placement[placement])
    own, cloud = constants[region], int(t.cloud_of_region[region])
    duration, seen = c.duration_us[calls], scenario.conditions
    slot = np.minimum(c.arrival_us[calls] // SLOT_US, seen.slowdown_permille.shape[1] - 1)
    work = own[kernel.DATA_RTT] + (c.bytes_in[calls] * own[kernel.US_PER_KIB] >> 10)
    work = work + duration * seen.slowdown_permille[placement, slot] // 1000
    rtt = t.rtt_us[c.origin[calls], region]
    table = t.cold_start_us[cloud, int(scenario.apps.package[app])]
    at = np.rint((np.arange(QUANTILES) + 0.5) / QUANTILES * (len(table) - 1)).astype(np.int64)
    cold = table[at][None, :].astype(np.float64) if cold_us is None else cold_us
    limit = scenario.slo.floor_us + duration * scenario.slo.factor_permille // 1000
    warm_us = (rtt + work)[:, None]
    is_miss = (warm_us + cold > limit[:, None]) & (warm_us <= limit[:, None])
    excess = np.maximum(warm_us + cold - duration[:, None], 0) - np.maximum(warm_us - duration[:, None], 0)
    billed = _billed(work[:, None] + cold, own) - _billed(work[:, None], own) if own[kernel.COLD_BILLED] else np.zeros_like(cold)
    hour = np.minimum(slot * SLOT_US // HOUR_US, seen.carbon_mg_per_kwh.shape[1] - 1)
    carbon_ng = own[kernel.BUSY_UW] * cold / US_PER_S * seen.carbon_mg_per_kwh[region, hour][:, None] / NG_UJ
    saved = (
        is_miss * objective.miss_usd
        + excess / US_PER_S * objective.latency_usd_per_s
        + billed * float(own[kernel.PRICE]) / FUSD_PER_NANOUSD / NANOUSD
        + carbon_ng / NG_PER_KG * objective.carbon_usd_per_kg
    )
    mean: Float64 = saved.mean(axis=1)
    return mean


def _billed(work: Float64 | Int64, own: Int64) -> Float64:
    granularity = own[kernel.GRANULARITY]
    found: Float64 = np.maximum(own[kernel.MINIMUM], np.ceil(work / granularity) * granularity)
    return found
