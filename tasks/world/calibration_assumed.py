"""What the world is based on, value by value: verified or assumed, and why. Not here: what an assumption does (calibration_world.py).

A row of a reference table is assumed if its column `confidence` says so, one value if `<column>_confidence` does. A row of network.csv has
three values, and `<value>_source` says which of them are measured. Parameters are in no table: those that are assumed are listed here, as
are the rules of the clouds, one row for all clouds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.parameters import World
from simulator.places.csv_rows import Row, read_rows
from simulator.places.table_parts import FILES, RULE_COLUMNS

VERIFIED, ASSUMED = "verified", "assumed"
MEASURED = ("skyplane", "azure docs p50", "hpe azure matrix")  # sources of network.csv that are no stand-in
NETWORK = {"rtt_us": "rtt_source", "gbps": "gbps_source", "egress_usd_per_gb": "egress_source"}
UNITS = {
    "home_share": "share",
    "cell": "Google cell",
    "seconds": "s",
    "vcpu": "vCPU",
    "rtt_us": "us",
    "gbps": "Gbit/s",
    "egress_usd_per_gb": "USD per GB",
}
WHY = {  # by table and column, or by the source of the row
    "clouds.csv home_share": "no trace names the cloud of an app; balanced among the apps of a twin",
    "metros.csv home_share": "no trace names the home of an app",
    "zones.csv cell": "which Google cell a zone replays is our assignment",
    "cold_start.csv seconds": "geometric mean of the small and the large package",
    "vcpu.csv vcpu": "one vCPU at the largest size; the provider names none",
    "azure.microsoft.com functions pricing, East US": "price of East US; none was found for this region",
    "cloud.google.com/run/pricing, tier 2": "tier 2 rate as quoted, not read at the provider",
    "azure internet zone rate (skyplane)": "zone rate of 2022, not of the region",
    "third-party lists": "second-hand list",
    "Cloud Run idle minimum instance as quoted": "as quoted, not read at the provider",
    "Flex Consumption always-ready baseline as quoted": "as quoted; the Flex plan stands in for Consumption",
    "Lambda price page of us-east-1 as quoted; elsewhere ours": "price of us-east-1 as quoted, for every region",
    "same region": "inside one region: a rule, not a measurement",
    "none": "not measured",
}
WHOLE = {  # parameters of `world`, and rules that a column of clouds.csv gives for every cloud; with unit and reason
    "quota_per_placement": ("instances", "order of the accounts' default limits, shared by three zones"),
    "timeout_s": ("s", "a usual limit of a gateway"),
    "slowdown.knee": ("share of capacity", "within the daily range that The Night Shift measured"),
    "slowdown.k": ("factor", "within the daily range that The Night Shift measured"),
    "slowdown.power": ("exponent", "within the daily range that The Night Shift measured"),
    "utilisation.u_mean": ("share of capacity", "the Google series has no capacity"),
    "utilisation.zone_spread": ("share of the mean", "no source tells zones apart"),
    "utilisation.zone_noise": ("share of capacity", "no source tells zones apart"),
    "utilisation.drift": ("share of capacity", "no source tells zones apart"),
    "episodes.per_zone_14d": ("per zone and 14 days", "noisy neighbours; no public rate"),
    "episodes.delta_u": ("share of capacity", "noisy neighbours; no public rate"),
    "episodes.median_min": ("min", "noisy neighbours; no public rate"),
    "outages.per_zone_year": ("per zone and year", "above real life, so that a span has some"),
    "outages.median_min": ("min", "no public distribution"),
    "cold_start.package_share": ("small, medium, large", "no trace has the size of a package"),
    "network.same_region_rtt_us": ("us", "bound of one provider, for all"),
    "network.streams_share": ("share of the throughput", "8 of the 64 connections that were measured"),
    "network.cap_gbps": ("Gbit/s", "a usual limit of one function"),
    "clouds.csv inter_zone_usd_per_gb": ("USD per GB", "price between zones of machines"),
    "move.state_median_gb": ("GB", "no trace has the state of an app"),
    "workload.data_elsewhere": ("share of apps", "no trace has the place of the data; balanced among the apps of a twin"),
    "workload.data_other_cloud": ("share of apps", "no trace has the place of the data"),
    "workload.payload_share": ("light, medium, heavy", "no trace has the bytes of a call"),
    "workload.global_share": ("share of apps", "no trace has the place of the caller; balanced among the apps of a twin"),
    "clouds.csv floor_release": ("rule", "argued from the providers' pages"),
}


def weakest(*words: str) -> str:
    """The basis of a product: assumed if a factor is, else sampled if a factor is, else verified."""
    return next((word for word in (ASSUMED, "drawn") if word in words), VERIFIED)


class Basis:
    """Whether a value of the reference tables is `verified` or `assumed`.

    Args:
        folder: of the reference tables.
    """

    def __init__(self, folder: Path) -> None:
        self._files = _read(folder)
        self._prices = {(row.text("region"), row.text("item")): row.text("confidence") for row in self._files["prices.csv"]}
        self._pairs = {(row.text("src"), row.text("dst")): row for row in self._files["network.csv"]}

    def price(self, region: str, item: str) -> str:
        """Of a price of a region (`<cloud>:<region>`), e.g. `execution`."""
        return self._prices[region, item]

    def network(self, src: str, dst: str, column: str) -> str:
        """Of one of the three values of an ordered pair of regions."""
        return ASSUMED if column in _assumed_columns("network.csv", self._pairs[src, dst]) else VERIFIED

    def cloud(self, table: str, cloud: str) -> str:
        """Of a cloud's rows of a table, the weakest of them."""
        return weakest(*(row.text("confidence") for row in self._files[table] if row.text("cloud") == cloud))

    def rule(self, cloud: str, column: str) -> str:
        """Of a rule of a cloud, a column of clouds.csv."""
        row = next(row for row in self._files["clouds.csv"] if row.text("cloud") == cloud)
        return ASSUMED if column in _assumed_columns("clouds.csv", row) else VERIFIED


def assumed_rows(folder: Path, world: World) -> list[dict[str, str]]:
    """Every assumed value: table, row (its key), column, value as it is written there, unit, why.

    Args:
        folder: of the reference tables.
        world: whose parameters are listed last, as table `params.yaml`, and the rules of the clouds among them.
    """
    out = []
    files = _read(folder)
    for name, rows in files.items():
        key = FILES[name][1]
        for row in rows:
            for column in [c for c in _assumed_columns(name, row) if c not in RULE_COLUMNS]:
                unit = f"USD per {row.text('unit')}" if column == "usd" else UNITS.get(column, column)
                label = (" to " if name == "network.csv" else " ").join(row.text(part) for part in key if part != "unit")
                found = {"table": name, "row": label, "column": column, "value": row.values[column] or "none", "unit": unit}
                out.append(found | {"why": _why(name, column, row)})
    return out + [_whole(path, world, files["clouds.csv"]) | {"unit": unit, "why": why} for path, (unit, why) in WHOLE.items()]


def _read(folder: Path) -> dict[str, list[Row]]:
    return {name: read_rows(folder, name, columns, key) for name, (columns, key) in FILES.items()}


def _assumed_columns(name: str, row: Row) -> list[str]:
    """The columns of a row whose values are assumed."""
    single = [column for column in row.values if row.values.get(f"{column}_confidence") == ASSUMED]
    if row.values.get("confidence") != ASSUMED:
        return single
    columns, key = FILES[name]
    own = [column for column in columns if column not in key]
    if name == "network.csv":
        own = [column for column in own if row.text(NETWORK[column]) not in MEASURED]
    return single + own


def _why(name: str, column: str, row: Row) -> str:
    if name == "network.csv":
        source = row.text(NETWORK[column])
        return WHY.get(source, f"stand-in: {source}")
    return WHY.get(f"{name} {column}") or WHY.get(row.text("source"), f"not verified: {row.text('source')}")


def _whole(path: str, world: World, clouds: list[Row]) -> dict[str, str]:
    """Table, row, column and value of an entry of WHOLE."""
    table, _, column = path.rpartition(" ")
    if table:
        names = [row.text("cloud") for row in clouds]
        value = ", ".join(f"{name} {row.text(column)}" for name, row in zip(names, clouds, strict=True))
        return {"table": table, "row": ", ".join(names), "column": column, "value": value}
    return {"table": "params.yaml", "row": f"world.{path}", "column": path.rsplit(".", 1)[-1], "value": _text(world, path)}


def _text(world: World, path: str) -> str:
    value: Any = world
    for part in path.split("."):
        value = getattr(value, part)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
