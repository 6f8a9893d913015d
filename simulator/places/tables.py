"""The tables of data/reference as arrays: places, distances, prices, laws. Not here: anything drawn or any call (simulator/scenario.py).

The order of everything is the order of the rows. docs/data.md says where each figure comes from and which are assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.units import MB_PER_GB
from simulator.parameters import World
from simulator.places.csv_rows import read_rows
from simulator.places.table_parts import FILES, assumed, cloud_tables, metro_tables, network_tables, place_tables, price_tables

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tables:
    """Everything that is known about the places, for C clouds, M metros, R regions and P placements (zones).

    Args:
        clouds, metros: names.
        regions: "<cloud>:<region>"; zones: "<cloud>:<zone>".
        cloud_of_region, metro_of_region: int64 [R].
        region_of_placement, zone_number: int64 [P]; the zone's number inside its region.
        cells: Google cell whose days each zone replays [P].
        region_at: int64 [C, M], the cloud's region in a metro (-1: none).
        rtt_us: int64 [M, R], round trip from the same cloud's region in the origin metro (else the nearest region there) to a region.
        data_rtt_us, us_per_kib: int64 [R, R], round trip and transfer time of 1024 bytes of one function.
        egress_nanousd_per_mb: int64 [R, R] per 10^6 bytes, source first; 0 inside a region. inter_zone_nanousd_per_mb: int64 [C].
        internet_nanousd_per_mb: int64 [R]. request_nanousd: int64 [R], one request.
        usd_per_gb_s, usd_per_vcpu_s, provisioned_usd_per_gb_s, provisioned_usd_per_vcpu_s: float64 [R].
        provisioned_duration_usd_per_gb_s: float64 [R], execution on a provisioned instance (nan: the normal price).
        billing_granularity_us, billing_minimum_us, memory_step_mb, memory_cap_mb: int64 [C]; 0: memory is billed as it is.
        vcpu_memory_mb, vcpu_count: per cloud, the known points of vCPU over memory.
        cold_start_us: int64 [C, 3, 257], keep_alive_us: int64 [C, 257], quantiles.
        pue, watts_min, watts_max: float64 [C]. cpu_busy, memory_w_per_gb: as in the parameters.
        home_share_cloud: float64 [C], home_share_metro: float64 [M], each of sum 1.
        timezone, continent: [M]. lat, lon: float64 [M].
        carbon_zones: names of each metro's electricity zone in hourly files [M].
        carbon_profile_mg_per_kwh: int64 [M, 12, 24], by month and hour (UTC).
        assumed: one line per table and kind of value that is not verified, sorted.
    """

    clouds: tuple[str, ...]
    metros: tuple[str, ...]
    regions: tuple[str, ...]
    zones: tuple[str, ...]
    cloud_of_region: Int64
    metro_of_region: Int64
    region_of_placement: Int64
    zone_number: Int64
    cells: tuple[str, ...]
    region_at: Int64
    rtt_us: Int64
    data_rtt_us: Int64
    us_per_kib: Int64
    egress_nanousd_per_mb: Int64
    inter_zone_nanousd_per_mb: Int64
    internet_nanousd_per_mb: Int64
    request_nanousd: Int64
    usd_per_gb_s: Float64
    usd_per_vcpu_s: Float64
    provisioned_usd_per_gb_s: Float64
    provisioned_usd_per_vcpu_s: Float64
    provisioned_duration_usd_per_gb_s: Float64
    billing_granularity_us: Int64
    billing_minimum_us: Int64
    memory_step_mb: Int64
    memory_cap_mb: Int64
    vcpu_memory_mb: tuple[Float64, ...]
    vcpu_count: tuple[Float64, ...]
    cold_start_us: Int64
    keep_alive_us: Int64
    pue: Float64
    watts_min: Float64
    watts_max: Float64
    cpu_busy: float
    memory_w_per_gb: float
    home_share_cloud: Float64
    home_share_metro: Float64
    timezone: tuple[str, ...]
    continent: tuple[str, ...]
    lat: Float64
    lon: Float64
    carbon_zones: tuple[tuple[str, ...], ...]
    carbon_profile_mg_per_kwh: Int64
    assumed: tuple[str, ...]

    def vcpu(self, cloud: int, memory_mb: ArrayLike) -> Float64:
        """Return the vCPUs of memory sizes: in proportion where the cloud has one point, else linear between points, flat outside.

        Args:
            cloud: its index.
            memory_mb: configured memory, of any shape.

        Returns:
            float64 of that shape.
        """
        memory, count, size = self.vcpu_memory_mb[cloud], self.vcpu_count[cloud], np.asarray(memory_mb, dtype=np.float64)
        return size * count[0] / memory[0] if len(memory) == 1 else np.asarray(np.interp(size, memory, count))

    def billed_gb(self, cloud: int, memory_mb: int) -> float:
        """Return the memory that is billed, GB of 1024 MB: rounded up to the cloud's step, at most its cap."""
        step, cap = int(self.memory_step_mb[cloud]), int(self.memory_cap_mb[cloud])
        billed = -(-memory_mb // step) * step if step else memory_mb
        return (min(billed, cap) if cap else billed) / MB_PER_GB

    def price_fusd_per_us(
        self, region: int, memory_mb: int, kind: Literal["execution", "provisioned", "provisioned_duration"] = "execution"
    ) -> int:
        """Return the price of one instance, femto-USD per microsecond, to the nearest integer (to the even one in the middle).

        Args:
            region: its index.
            memory_mb: configured memory.
            kind: running; kept warm by a floor; running on an instance that a floor keeps warm.
        """
        cloud = int(self.cloud_of_region[region])
        gb, vcpu = self.billed_gb(cloud, memory_mb), float(self.vcpu(cloud, memory_mb))
        if kind == "provisioned":
            usd = gb * self.provisioned_usd_per_gb_s[region] + vcpu * self.provisioned_usd_per_vcpu_s[region]
        elif kind == "provisioned_duration" and not math.isnan(self.provisioned_duration_usd_per_gb_s[region]):
            usd = gb * self.provisioned_duration_usd_per_gb_s[region]
        else:
            usd = gb * self.usd_per_gb_s[region] + vcpu * self.usd_per_vcpu_s[region]
        return round(float(usd) * 1e9)

    def busy_uw(self, cloud: int, memory_mb: int) -> int:
        """Return the power of a running instance, microwatts."""
        watts = self.watts_min[cloud] + self.cpu_busy * (self.watts_max[cloud] - self.watts_min[cloud])
        return self._power_uw(cloud, memory_mb, float(watts))

    def idle_uw(self, cloud: int, memory_mb: int) -> int:
        """Return the power of an idle instance, microwatts."""
        return self._power_uw(cloud, memory_mb, float(self.watts_min[cloud]))

    def _power_uw(self, cloud: int, memory_mb: int, watts_per_vcpu: float) -> int:
        memory_w = memory_mb / MB_PER_GB * self.memory_w_per_gb
        return round(float(self.pue[cloud]) * (float(self.vcpu(cloud, memory_mb)) * watts_per_vcpu + memory_w) * 1e6)


def load_tables(folder: Path, world: World) -> Tables:
    """Return the tables of a folder with the parameters of the world applied.

    Args:
        folder: data/reference.
        world: round trip inside a region, share of the throughput, prices between zones, laws, watts of memory.

    Raises:
        TableError: a table, row or column is missing, names something unknown, occurs twice or holds no number.
        ParameterError: the parameters say nothing about a cloud of clouds.csv.
    """
    files = {name: read_rows(folder, name, columns, key) for name, (columns, key) in FILES.items()}
    clouds = tuple(row.text("cloud") for row in files["clouds.csv"])
    metros = tuple(row.text("metro") for row in files["metros.csv"])
    places = place_tables(files, clouds, metros)
    tables = places | network_tables(files["network.csv"], places, world) | price_tables(files["prices.csv"], places["regions"])
    tables |= cloud_tables(files, clouds, world) | metro_tables(files, metros)
    return Tables(clouds=clouds, metros=metros, **tables, assumed=assumed(files))
