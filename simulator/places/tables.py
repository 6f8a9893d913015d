"""The tables of data/reference as arrays: places, distances, prices, rules. Not here: what follows from them (prices.py, power.py), draws.

The order of everything is the order of the rows. docs/data.md says where each figure comes from and which are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.parameters import World
from simulator.places.csv_rows import read_rows
from simulator.places.table_parts import FILES, assumed, cloud_tables, metro_tables, network_tables, place_tables, price_tables

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
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
        is_pool_per_function: bool [C], instances serve one function, not all of their app.
        is_cold_start_billed: bool [C]. is_floor_dropped: bool [C], what a fallen floor held ends at once, else lives a fresh keep-alive.
        floor_min_billed_min: int64 [C], each instance of a floor is billed in units of this many minutes (0: by the step).
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
    is_pool_per_function: Bool
    is_cold_start_billed: Bool
    is_floor_dropped: Bool
    floor_min_billed_min: Int64
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


def load_tables(folder: Path, world: World) -> Tables:
    """Return the tables of a folder with the parameters of the world applied.

    Args:
        folder: data/reference.
        world: round trip inside a region, share of the throughput, which distributions, watts of memory.

    Raises:
        TableError: a table, row or column is missing, names something unknown, occurs twice or holds no number.
    """
    files = {name: read_rows(folder, name, columns, key) for name, (columns, key) in FILES.items()}
    clouds = tuple(row.text("cloud") for row in files["clouds.csv"])
    metros = tuple(row.text("metro") for row in files["metros.csv"])
    places = place_tables(files, clouds, metros)
    tables = places | network_tables(files["network.csv"], places, world) | price_tables(files["prices.csv"], places["regions"])
    tables |= cloud_tables(files, clouds, world) | metro_tables(files, metros)
    return Tables(clouds=clouds, metros=metros, **tables, assumed=assumed(files))
