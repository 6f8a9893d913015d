"""What the world is like at a place and time: utilisation, capacity, slowdown, carbon. Not here: calls (simulator/workload.py).

Each zone plays real days of its Google cell in an order of its own, shifted to the local time of its metro, so that no zone shows
another zone's future. Everything random is keyed by the scenario's seed and the name of the zone: a longer trace, or another order of
the reference tables, moves no draw. The level of the utilisation is assumed; docs/methods/world.md has equations and reasons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from core.units import HOUR_US, PPM, SLOT_US, SLOTS_PER_DAY, SLOTS_PER_HOUR
from simulator.draws import HALF_CELL, named_seed
from simulator.rng import normal, uniform

if TYPE_CHECKING:
    from simulator.parameters import Utilisation, World
    from simulator.places.tables import Tables

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]

SLOT_MIN = 5
BLEND_SLOTS = 12  # a new day takes over during its first hour
DAYS_PER_YEAR = 365.0
LOWEST, HIGHEST = 0.05, 0.98  # bounds of the utilisation outside outages
OUTAGE_PPM = PPM
GOOGLE_SUNDAY_SLOT = 1068  # slot of the 2019 trace at Sunday 2019-05-05 00:00 UTC
GOOGLE_DATE = dt.date(2019, 5, 15)  # the site's offset from UTC is that of the middle of the trace
# Streams of random numbers; the seed carries the name of the zone.
DAY_ORDER, SPREAD, NOISE, DRIFT = 40, 41, 42, 43
EPISODE_GAP, EPISODE_SIZE, EPISODE_LENGTH = 44, 45, 46
OUTAGE_GAP, OUTAGE_LENGTH = 47, 48


@dataclass(frozen=True, eq=False)
class Conditions:
    """P placements over S five-minute slots, R regions over h hours; an index past the end means the last one.

    Args:
        utilisation_ppm: int32 [P, S], millionths of the capacity in use by others; 1,000,000 is an outage.
        capacity: int32 [P, S], instances that fit in: floor(quota * (1 - utilisation)), at least 1; 0 in an outage and only there.
        slowdown_permille: int32 [P, S], factor on the duration in thousandths.
        carbon_mg_per_kwh: int64 [R, h], intensity of the grid.
    """

    utilisation_ppm: Int32
    capacity: Int32
    slowdown_permille: Int32
    carbon_mg_per_kwh: Int64


@dataclass(frozen=True, eq=False)
class CellSeries:
    """CPU use of one Google cell in local time.

    Args:
        relative: float64 [n], use over its mean, one value per five-minute slot.
        first_slot: local slot of the first value, counted from the Sunday 00:00 of the site that began on 2019-05-05.
    """

    relative: Float64
    first_slot: int

    def whole_days(self) -> Int64:
        """Return the numbers of the days that are complete (0 is a Sunday)."""
        first = -(-self.first_slot // SLOTS_PER_DAY)
        return np.arange(first, (self.first_slot + len(self.relative)) // SLOTS_PER_DAY, dtype=np.int64)


def cell_series(slots: NDArray[np.integer], cpu: Float64, timezone: str) -> CellSeries:
    """Return a cell's series as zones replay it; gaps are filled on a straight line.

    Args:
        slots: int [n], slots of the 2019 trace, ascending.
        cpu: float [n], use in any unit.
        timezone: IANA name of the cell's site.

    Raises:
        ParameterError: the series is empty or its mean is not positive.
    """
    if len(slots) == 0 or not np.mean(cpu) > 0:
        raise ParameterError("a Google cell has no CPU use to replay", where="google2019: cpu_fraction", how="stage complete series")
    dense = np.interp(np.arange(int(slots[0]), int(slots[-1]) + 1), slots, cpu)
    offset = utc_offsets_min((timezone,), GOOGLE_DATE)[0] // SLOT_MIN
    return CellSeries(dense / dense.mean(), int(slots[0]) - GOOGLE_SUNDAY_SLOT + int(offset))


def utc_offsets_min(timezones: Sequence[str], date: dt.date) -> Int64:
    """Return the offset from UTC of each IANA time zone at noon of a date, in minutes: int64 [n].

    One offset serves a whole scenario, so that no local day has 23 or 25 hours.
    """
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=dt.UTC)
    found = [noon.astimezone(ZoneInfo(name)).utcoffset() for name in timezones]
    return np.array([int((offset or dt.timedelta()).total_seconds()) // 60 for offset in found], dtype=np.int64)


def build_conditions(
    tables: Tables,
    world: World,
    seed: int,
    steps: int,
    cells: Mapping[str, CellSeries],
    carbon_mg_per_kwh: Int64,
    *,
    first_day: int = 0,
) -> Conditions:
    """Draw the conditions of a scenario; equal arguments give equal arrays.

    Args:
        tables: zones, their cells and time zones, carbon profiles.
        world: level and movement of the utilisation, episodes, outages, quota, slowdown.
        seed: of everything random.
        steps: length of the scenario.
        cells: series by the name of the cell.
        carbon_mg_per_kwh: int64 [M, h or more], intensity from the first hour of the scenario on, e.g. of `profile_carbon`.
        first_day: days from a Sunday 00:00 UTC to the start of the scenario.

    Raises:
        ParameterError: a zone's cell is missing or has no whole day, or the carbon series is too short.
    """
    slots = -(-steps * world.step_us // SLOT_US)
    hours = hours_of(steps, world)
    if carbon_mg_per_kwh.shape[1] < hours:
        raise ParameterError(
            f"the carbon series has {carbon_mg_per_kwh.shape[1]} hours, the scenario needs {hours}",
            where="params.yaml: scenario.carbon_hourly",
            how="name files that go on for longer, or leave it empty: the carried profile has no end",
        )
    offsets = utc_offsets_min(tables.timezone, world.carbon.start) // SLOT_MIN
    placements = len(tables.zones)
    metro_of = tables.metro_of_region[tables.region_of_placement]
    utilisation = np.empty((placements, slots))
    is_out = np.zeros((placements, slots), dtype=bool)
    seeds = [named_seed(seed, f"zone {name}") for name in tables.zones]
    for p, zone_seed in enumerate(seeds):
        if tables.cells[p] not in cells:
            raise ParameterError(
                f"zone {tables.zones[p]} replays cell '{tables.cells[p]}', which has no series",
                where="data/reference/zones.csv",
                how=f"use one of {', '.join(sorted(cells)) or 'the cells once google2019 is on'}",
            )
        first_slot = first_day * SLOTS_PER_DAY + int(offsets[metro_of[p]])
        utilisation[p] = _replayed(cells[tables.cells[p]], zone_seed, first_slot, slots)
    utilisation = _level(utilisation, seeds, world.utilisation)
    for p, zone_seed in enumerate(seeds):
        for start, end, size in _episodes(zone_seed, slots, world):
            utilisation[p, start:end] += size
        for start, end in _outages(zone_seed, slots, world):
            is_out[p, start:end] = True
    ppm = np.rint(np.clip(utilisation, LOWEST, HIGHEST) * 1e6).astype(np.int32)
    ppm[is_out] = OUTAGE_PPM
    carbon = np.ascontiguousarray(carbon_mg_per_kwh[tables.metro_of_region, :hours], dtype=np.int64)
    headroom = world.quota_per_placement * (OUTAGE_PPM - ppm.astype(np.int64)) // OUTAGE_PPM
    capacity = np.where(ppm == OUTAGE_PPM, 0, np.maximum(headroom, 1)).astype(np.int32)
    return Conditions(ppm, capacity, slowdown_permille(ppm, world), carbon)


def hours_of(steps: int, world: World) -> int:
    """Return how many hours a scenario of `steps` steps touches."""
    return -(-steps * world.step_us // HOUR_US)


def profile_carbon(tables: Tables, month: int, hours: int) -> Int64:
    """Return the carried profile of a month (1 to 12) by hour of the day (UTC), repeated: int64 [M, hours] mg/kWh."""
    return tables.carbon_profile_mg_per_kwh[:, month - 1, :][:, np.arange(hours) % 24]


def slowdown_permille(utilisation_ppm: Int32, world: World) -> Int32:
    """Return 1000 * (1 + k * (max(0, u - knee) / (1 - knee)) ** power), rounded: int32 of the same shape."""
    settings = world.slowdown
    over = np.maximum(utilisation_ppm / 1e6 - settings.knee, 0.0) / (1.0 - settings.knee)
    return np.rint(1000.0 * (1.0 + settings.k * over**settings.power)).astype(np.int32)


def _replayed(cell: CellSeries, zone_seed: int, first_slot: int, slots: int) -> Float64:
    """Relative use of a zone: whole days of its cell in the zone's own order, each taking over from the last during its first hour.

    Args:
        cell: what is replayed.
        zone_seed: of the order.
        first_slot: local slot at the start of the scenario, counted from a Sunday 00:00.
        slots: how many.
    """
    local = first_slot + np.arange(slots)
    day, place = np.divmod(local, SLOTS_PER_DAY)
    numbers = np.arange(int(day[0]) - 1, int(day[-1]) + 1)
    start = _day_order(cell, zone_seed, numbers) * SLOTS_PER_DAY - cell.first_slot
    last = len(cell.relative) - 1
    new = cell.relative[start[day - numbers[0]] + place]
    old = cell.relative[np.minimum(start[day - numbers[0] - 1] + SLOTS_PER_DAY + place, last)]
    weight = np.minimum((place + 0.5) / BLEND_SLOTS, 1.0)
    return weight * new + (1.0 - weight) * old


def _day_order(cell: CellSeries, zone_seed: int, numbers: Int64) -> Int64:
    """Which day of the cell is replayed on each day `numbers` (0 is a Sunday): weekdays for weekdays, weekend for weekend, reshuffled when
    all have been played."""
    days = cell.whole_days()
    is_weekend = np.isin(days % 7, (0, 6))
    pools = {True: days[is_weekend], False: days[~is_weekend]}
    if len(days) == 0:
        raise ParameterError("a Google cell has no whole day to replay", where="google2019", how="stage series of at least two days")
    out = np.empty(len(numbers), dtype=np.int64)
    for i, number in enumerate(numbers.tolist()):
        week, weekday = divmod(number, 7)
        weekend = weekday in (0, 6)
        nth = 2 * week + (weekday == 6) if weekend else 5 * week + weekday - 1
        pool = pools[weekend] if len(pools[weekend]) else days
        round_, place = divmod(nth, len(pool))
        # ids of one round lie apart from those of the next; rounds before the first Sunday are negative
        order = np.argsort(uniform(zone_seed, pool + (round_ << 20), DAY_ORDER), kind="stable")
        out[i] = pool[order[place]]
    return out


def _level(relative: Float64, seeds: list[int], settings: Utilisation) -> Float64:
    """Utilisation float64 [P, S] without episodes and outages: level of the zone, movement of its cell, noise, slow drift."""
    slots = relative.shape[1]
    zone, index = np.zeros(1, dtype=np.int64), np.arange(slots)
    spread = np.array([2.0 * uniform(s, zone, SPREAD)[0] - 1.0 for s in seeds])[:, None]
    noise = _autoregressive(np.array([normal(s, index, NOISE) for s in seeds]), settings.noise_rho)
    drift = _autoregressive(np.array([normal(s, index, DRIFT) for s in seeds]), float(np.exp(-1.0 / (settings.drift_h * SLOTS_PER_HOUR))))
    level = settings.u_mean * (1.0 + settings.zone_spread * spread + settings.amp * (relative - 1.0))
    return level + settings.zone_noise * noise + settings.drift * drift


def _autoregressive(shocks: Float64, rho: float) -> Float64:
    """First-order autoregressive series of unit variance: float64 [P, S] from standard normals of that shape."""
    out = np.empty_like(shocks)
    out[:, 0] = shocks[:, 0]
    fresh = np.sqrt(1.0 - rho * rho)
    for t in range(1, shocks.shape[1]):
        out[:, t] = rho * out[:, t - 1] + fresh * shocks[:, t]
    return out


def _episodes(zone_seed: int, slots: int, world: World) -> list[tuple[int, int, float]]:
    """(first slot, end slot, added utilisation) of a zone's noisy neighbours."""
    settings = world.episodes
    starts = _poisson_starts(zone_seed, EPISODE_GAP, settings.per_zone_14d / (14 * SLOTS_PER_DAY), slots)
    index = np.arange(len(starts))
    ends = starts + _lengths(zone_seed, EPISODE_LENGTH, index, settings.median_min, settings.sigma)
    sizes = settings.delta_u * (0.5 + uniform(zone_seed, index, EPISODE_SIZE))
    return list(zip(starts.tolist(), ends.tolist(), sizes.tolist(), strict=True))


def _outages(zone_seed: int, slots: int, world: World) -> list[tuple[int, int]]:
    """(first slot, end slot) of a zone's outages."""
    settings = world.outages
    starts = _poisson_starts(zone_seed, OUTAGE_GAP, settings.per_zone_year / (DAYS_PER_YEAR * SLOTS_PER_DAY), slots)
    ends = starts + _lengths(zone_seed, OUTAGE_LENGTH, np.arange(len(starts)), settings.median_min, settings.sigma)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _poisson_starts(zone_seed: int, stream: int, per_slot: float, slots: int) -> Int64:
    """Slots in which events of a Poisson process begin: int64 [k], ascending, below `slots`."""
    if per_slot <= 0:
        return np.zeros(0, dtype=np.int64)
    mean = per_slot * slots
    enough = int(mean + 12 * np.sqrt(mean) + 40)
    gaps = -np.log(uniform(zone_seed, np.arange(enough), stream) + HALF_CELL) / per_slot
    at = np.floor(np.cumsum(gaps))
    return at[at < slots].astype(np.int64)


def _lengths(zone_seed: int, stream: int, index: Int64, median_min: float, sigma: float) -> Int64:
    """Log-normal lengths in slots, at least one: int64 [k]."""
    minutes = median_min * np.exp(sigma * normal(zone_seed, index, stream))
    return np.maximum(np.rint(minutes / SLOT_MIN), 1.0).astype(np.int64)
