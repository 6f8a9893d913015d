"""From rows of the reference tables to arrays, one function per kind of table. Not here: what holds them (simulator/places/tables.py)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.units import NANOUSD_PER_MB
from simulator.parameters import World
from simulator.places.csv_rows import Row, TableError
from simulator.places.distributions import QUANTILES, distribution_table

Int64 = NDArray[np.int64]
Files = dict[str, list[Row]]

PACKAGES = ("small", "medium", "large")
CONTINENTS = ("americas", "europe", "asia_pacific")
GBPS_UNMEASURED = {True: 5.0, False: 3.0}  # assumed; True: both regions in one metro

# Rules of a cloud: column of clouds.csv -> (name in Tables, the value that makes it true, the other one)
RULES = {
    "pool_key": ("is_pool_per_function", "function", "app"),
    "cold_start_billed": ("is_cold_start_billed", "yes", "no"),
    "floor_release": ("is_floor_dropped", "drop", "redraw"),
}

RULE_COLUMNS = (*RULES, "floor_min_billed_min", "inter_zone_usd_per_gb")

# file -> (columns that are read, columns that together occur once)
FILES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "clouds.csv": (("cloud", "home_share", *RULE_COLUMNS), ("cloud",)),
    "metros.csv": (("metro", "continent", "timezone", "lat", "lon", "carbon_zones", "home_share"), ("metro",)),
    "regions.csv": (("cloud", "metro", "region"), ("cloud", "region")),
    "zones.csv": (("cloud", "region", "zone", "zone_number", "cell"), ("cloud", "zone")),
    "network.csv": (("src", "dst", "rtt_us", "gbps", "egress_usd_per_gb"), ("src", "dst")),
    "prices.csv": (("region", "item", "unit", "usd"), ("region", "item", "unit")),
    "billing.csv": (("cloud", "granularity_us", "minimum_us", "memory_step_mb", "memory_cap_mb"), ("cloud",)),
    "vcpu.csv": (("cloud", "memory_mb", "vcpu"), ("cloud", "memory_mb")),
    "cold_start.csv": (("law", "cloud", "package", "probability", "seconds"), ("law", "cloud", "package", "probability")),
    "keep_alive.csv": (("law", "cloud", "idle_s", "cold_probability"), ("law", "cloud", "idle_s")),
    "energy.csv": (("cloud", "pue", "watts_min", "watts_max"), ("cloud",)),
    "carbon_profiles.csv": (("metro", "month", "hour_utc", "carbon_g_per_kwh"), ("metro", "month", "hour_utc")),
}


def place_tables(files: Files, clouds: tuple[str, ...], metros: tuple[str, ...]) -> dict[str, Any]:
    """Return the names of regions and zones and where they lie."""
    rows = files["regions.csv"]
    regions = tuple(f"{row.text('cloud')}:{row.text('region')}" for row in rows)
    cloud_of_region = np.array([row.one_of("cloud", clouds, "clouds.csv") for row in rows], dtype=np.int64)
    metro_of_region = np.array([row.one_of("metro", metros, "metros.csv") for row in rows], dtype=np.int64)
    region_at = np.full((len(clouds), len(metros)), -1, dtype=np.int64)
    for number, (row, cloud, metro) in enumerate(zip(rows, cloud_of_region, metro_of_region, strict=True)):
        if region_at[cloud, metro] >= 0:
            how = f"give one of {regions[region_at[cloud, metro]]} and {regions[number]} a metro of its own in metros.csv"
            raise TableError(f"{clouds[cloud]} has two regions in {metros[metro]}", where=row.where, how=how)
        region_at[cloud, metro] = number
    rows = files["zones.csv"]
    for row in rows:
        if f"{row.text('cloud')}:{row.text('region')}" not in regions:
            how = "add the region to regions.csv or remove the row"
            raise TableError(f"unknown region {row.text('cloud')}:{row.text('region')}", where=row.where, how=how)
    region_of_placement = np.array([regions.index(f"{row.text('cloud')}:{row.text('region')}") for row in rows], dtype=np.int64)
    _require(set(range(len(regions))) - set(region_of_placement.tolist()), regions, "region", "no zone", rows, "zones.csv")
    _require(set(range(len(metros))) - set(metro_of_region.tolist()), metros, "metro", "no region", files["regions.csv"], "regions.csv")
    return {
        "regions": regions,
        "zones": tuple(f"{row.text('cloud')}:{row.text('zone')}" for row in rows),
        "cloud_of_region": cloud_of_region,
        "metro_of_region": metro_of_region,
        "region_of_placement": region_of_placement,
        "zone_number": np.array([row.whole("zone_number") for row in rows], dtype=np.int64),
        "cells": tuple(row.text("cell") for row in rows),
        "region_at": region_at,
    }


def network_tables(rows: list[Row], places: dict[str, Any], world: World) -> dict[str, Any]:
    """Return round trips, transfer times and egress prices."""
    regions, metro_of_region = places["regions"], places["metro_of_region"]
    shape = (len(regions), len(regions))
    rtt_us, us_per_kib, egress = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row in rows:
        src, dst = row.one_of("src", regions, "regions.csv"), row.one_of("dst", regions, "regions.csv")
        rtt_us[src, dst] = world.network.same_region_rtt_us if src == dst else row.whole("rtt_us")
        measured = row.number("gbps") if row.values["gbps"] else GBPS_UNMEASURED[bool(metro_of_region[src] == metro_of_region[dst])]
        gbps = min(world.network.cap_gbps, measured * world.network.streams_share)
        if gbps <= 0:
            raise TableError("gbps is 0", where=row.where, how="leave gbps empty where it was not measured")
        us_per_kib[src, dst] = math.ceil(8192 / (1000 * gbps))
        egress[src, dst] = 0 if src == dst else round(row.exact("egress_usd_per_gb") * NANOUSD_PER_MB)
    for src, dst in np.argwhere(rtt_us < 0)[:1]:
        missing = int((rtt_us < 0).sum())
        how = f"add the row {regions[src]},{regions[dst]} ({missing} pairs of {rtt_us.size} are missing)"
        raise TableError(f"no row for {regions[src]} -> {regions[dst]}", where=rows[0].file, how=how)
    return {
        "rtt_us": _client_rtt_us(rtt_us, places),
        "data_rtt_us": rtt_us,
        "us_per_kib": us_per_kib,
        "egress_nanousd_per_mb": egress,
    }


def _client_rtt_us(rtt_us: Int64, places: dict[str, Any]) -> Int64:
    """Round trips [M, R] of a client: from the same cloud's region in its metro, else from the nearest region there."""
    region_at, cloud_of_region = places["region_at"], places["cloud_of_region"]
    found = np.zeros((region_at.shape[1], len(rtt_us)), dtype=np.int64)
    for metro in range(region_at.shape[1]):
        there = region_at[:, metro]
        nearest = rtt_us[there[there >= 0]].min(axis=0)
        own = there[cloud_of_region]
        found[metro] = np.where(own >= 0, rtt_us[own, np.arange(len(rtt_us))], nearest)
    return found


# (item, unit) of prices.csv -> (name in Tables, factor and whether the result is an integer, value where no row says it)
PRICES: dict[tuple[str, str], tuple[str, int, float | None]] = {
    ("execution", "GB-s"): ("usd_per_gb_s", 0, 0.0),
    ("execution", "vCPU-s"): ("usd_per_vcpu_s", 0, 0.0),
    ("provisioned", "GB-s"): ("provisioned_usd_per_gb_s", 0, 0.0),
    ("provisioned", "vCPU-s"): ("provisioned_usd_per_vcpu_s", 0, 0.0),
    ("provisioned_duration", "GB-s"): ("provisioned_duration_usd_per_gb_s", 0, math.nan),
    ("requests", "million"): ("request_nanousd", 1000, None),
    ("internet_egress", "GB"): ("internet_nanousd_per_mb", NANOUSD_PER_MB, None),
}
REQUIRED = ("execution", "provisioned", "requests", "internet_egress")


def price_tables(rows: list[Row], regions: tuple[str, ...]) -> dict[str, Any]:
    """Return the prices of every region: floats per second of memory or vCPU, integers of nano-USD otherwise."""
    found: dict[tuple[int, str, str], Row] = {}
    for row in rows:
        item, unit = row.text("item"), row.text("unit")
        if (item, unit) not in PRICES:
            known = "; ".join(f"{a} per {b}" for a, b in PRICES)
            raise TableError(f"unknown price: {item} per {unit}", where=row.where, how=f"use one of: {known}")
        found[row.one_of("region", regions, "regions.csv"), item, unit] = row
    for number, region in enumerate(regions):
        for item in REQUIRED:
            units = [unit for known, unit in PRICES if known == item]
            if not any((number, item, unit) in found for unit in units):
                how = f"add a row {region},{item},{units[0]},<USD>"
                raise TableError(f"{region} has no price of {item}", where=rows[0].file, how=how)
    tables = {}
    for (item, unit), (name, factor, default) in PRICES.items():
        cells = [found.get((number, item, unit)) for number in range(len(regions))]
        if factor:
            tables[name] = np.array([round(row.exact("usd") * factor) for row in cells if row], dtype=np.int64)
        else:
            tables[name] = np.array([row.number("usd") if row else default for row in cells], dtype=np.float64)
    return tables


def cloud_tables(files: Files, clouds: tuple[str, ...], world: World) -> dict[str, Any]:
    """Return what differs by provider: rules, billing, vCPU, distributions, energy, shares."""
    billing, energy = (_by_cloud(files[name], clouds, name) for name in ("billing.csv", "energy.csv"))
    sizes: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in files["vcpu.csv"]:
        sizes[row.one_of("cloud", clouds, "clouds.csv")].append((row.number("memory_mb", at_least=1), row.number("vcpu")))
    _require(set(range(len(clouds))) - set(sizes), clouds, "cloud", "no row", files["vcpu.csv"], "vcpu.csv")
    points = [np.array(sorted(sizes[cloud])) for cloud in range(len(clouds))]
    packages = [(cloud, package) for cloud in clouds for package in PACKAGES]
    cold = distribution_table(files["cold_start.csv"], world.cold_start.source, packages, ("cloud", "package"), ("probability", "seconds"))
    alive = distribution_table(
        files["keep_alive.csv"], world.keep_alive.source, [(c,) for c in clouds], ("cloud",), ("cold_probability", "idle_s")
    )
    whole = ("granularity_us", "minimum_us", "memory_step_mb", "memory_cap_mb")
    names = {"granularity_us": "billing_granularity_us", "minimum_us": "billing_minimum_us"}
    return {
        **{names.get(column, column): np.array([row.whole(column) for row in billing], dtype=np.int64) for column in whole},
        **_rules(files["clouds.csv"]),
        "vcpu_memory_mb": tuple(p[:, 0] for p in points),
        "vcpu_count": tuple(p[:, 1] for p in points),
        "cold_start_us": cold.reshape(len(clouds), len(PACKAGES), QUANTILES),
        "keep_alive_us": alive,
        **{column: np.array([row.number(column) for row in energy]) for column in ("pue", "watts_min", "watts_max")},
        "cpu_busy": world.energy.cpu_busy,
        "memory_w_per_gb": world.energy.memory_w_per_gb,
        "home_share_cloud": _shares(files["clouds.csv"]),
    }


def _rules(rows: list[Row]) -> dict[str, Any]:
    """Rules of each cloud: what shares a pool, what is billed, what becomes of a floor, the price between zones."""
    where = "RULES of simulator/places/table_parts.py"
    tables: dict[str, Any] = {
        name: np.array([row.one_of(column, tuple(values), where) == 0 for row in rows], dtype=np.bool_)
        for column, (name, *values) in RULES.items()
    }
    tables["floor_min_billed_min"] = np.array([row.whole("floor_min_billed_min") for row in rows], dtype=np.int64)
    prices = [round(row.exact("inter_zone_usd_per_gb") * NANOUSD_PER_MB) for row in rows]
    return tables | {"inter_zone_nanousd_per_mb": np.array(prices, dtype=np.int64)}


def metro_tables(files: Files, metros: tuple[str, ...]) -> dict[str, Any]:
    """Return what belongs to a metro: place, clock, share of homes, carbon."""
    rows = files["metros.csv"]
    for row in rows:
        row.one_of("continent", CONTINENTS, "CONTINENTS of simulator/places/table_parts.py")
    carbon = np.full((len(metros), 12, 24), -1, dtype=np.int64)
    for row in files["carbon_profiles.csv"]:
        metro, month, hour = row.one_of("metro", metros, "metros.csv"), row.whole("month"), row.whole("hour_utc")
        if not (1 <= month <= 12 and hour < 24):
            raise TableError(f"month {month}, hour {hour} does not exist", where=row.where, how="months are 1..12, hours 0..23")
        carbon[metro, month - 1, hour] = round(row.exact("carbon_g_per_kwh") * 1000)
    for metro, month, hour in np.argwhere(carbon < 0)[:1]:
        how = f"add the row {metros[metro]},{month + 1},{hour} ({int((carbon < 0).sum())} rows are missing)"
        raise TableError(f"no carbon profile of {metros[metro]}", where=files["carbon_profiles.csv"][0].file, how=how)
    return {
        "home_share_metro": _shares(rows),
        "timezone": tuple(row.text("timezone") for row in rows),
        "continent": tuple(row.text("continent") for row in rows),
        "lat": np.array([row.number("lat", at_least=-90) for row in rows]),
        "lon": np.array([row.number("lon", at_least=-180) for row in rows]),
        "carbon_zones": tuple(tuple(row.text("carbon_zones").split("|")) for row in rows),
        "carbon_profile_mg_per_kwh": carbon,
    }


def assumed(files: Files) -> tuple[str, ...]:
    """Return one line per table and kind of value that is assumed: what a report that uses the tables has to say.

    A column `confidence` speaks for the row, `<column>_confidence` for that column alone.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for name, rows in files.items():
        for row in rows:
            for column, value in row.values.items():
                if column.endswith("confidence") and value != "verified":
                    what = column.removesuffix("confidence").rstrip("_") or row.values.get("item", "row")
                    counts[name, what] += 1
    return tuple(f"{name}: {what} ({count} of {len(files[name])} rows)" for (name, what), count in sorted(counts.items()))


def _by_cloud(rows: list[Row], clouds: tuple[str, ...], file: str) -> list[Row]:
    """The one row of each cloud, in the order of the clouds."""
    found = {row.one_of("cloud", clouds, "clouds.csv"): row for row in rows}
    _require(set(range(len(clouds))) - set(found), clouds, "cloud", "no row", rows, file)
    return [found[cloud] for cloud in range(len(clouds))]


def _shares(rows: list[Row]) -> NDArray[np.float64]:
    """Weights of the rows over their sum, which does not depend on their order."""
    weights = [row.exact("home_share") for row in rows]
    if not sum(weights):
        raise TableError("home_share is 0 everywhere", where=rows[0].file, how="give a row a share")
    return np.array([float(weight / sum(weights)) for weight in weights])


def _require(missing: set[int], names: tuple[str, ...], kind: str, lacks: str, rows: list[Row], file: str) -> None:
    """Raise if something has no row in a table that must name it."""
    if missing:
        listed = ", ".join(names[i] for i in sorted(missing))
        raise TableError(f"{kind} {listed} has {lacks} in {file}", where=rows[0].file, how=f"add a row to {file}")
