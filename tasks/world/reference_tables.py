"""Rebuilds the world's tables in data/reference from the folder of published figures. Not a stage: run by hand when a source changes.

`python -m tasks.reference --from DIR` writes the tables, `--check` says which files differ and exits 1. A row of a table can as well be
edited by hand; then the table and this module say different things, and `--check` shows it. What is ours and in no source stands here as
a constant and is marked `assumed` in its table. Not here: reading the tables for a run (simulator/places/tables.py).
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from core.errors import TrineError
from tasks.core.paths import Paths
from tasks.world.reference_network import ASSUMED, VERIFIED, Rows, mark, network, read

CLOUDS = ("aws", "azure", "gcp")
SERVICES = {"aws": "Lambda (x86)", "azure": "Functions Consumption", "gcp": "Cloud Run functions (request-based)"}
CLOUD_SHARE = {"aws": "0.40", "azure": "0.35", "gcp": "0.25"}
METRO_SHARE = {"iad": "0.30", "fra": "0.15", "lhr": "0.10", "nrt": "0.12", "sin": "0.10", "syd": "0.08", "bom": "0.10", "gru": "0.05"}
CONTINENT = {"iad": "americas", "gru": "americas", "lhr": "europe", "fra": "europe"} | dict.fromkeys(
    ("nrt", "sin", "syd", "bom"), "asia_pacific"
)
CELLS, CELL_SHIFT = "ahecgdbf", {"aws": 0, "azure": 3, "gcp": 5}  # cell of (cloud, metro) = CELLS[(metro + shift) mod 8]
ZONES_PER_REGION = 3
PACKAGES = {"aws": ("js", "xldeps"), "azure": ("jslinux", "xldeps"), "gcp": ("js", "xldeps")}  # samples that stand for small, large
QUANTILES = ("p2.5", "p5", "p25", "p50", "p75", "p90", "p95", "p97.5", "p99")


def clouds(folder: Path) -> Rows:
    """One row per provider: the service that is modelled and its share of home clouds."""
    ours = mark("home_share: ours", "2026-11", "ours") | {"home_share_confidence": ASSUMED}
    return [{"cloud": cloud, "service": SERVICES[cloud], "home_share": CLOUD_SHARE[cloud], **ours} for cloud in CLOUDS]


def places(folder: Path) -> dict[str, Rows]:
    """The rows of metros.csv by metro, in the order of the file."""
    found: dict[str, Rows] = defaultdict(list)
    for row in read(folder, "metros.csv"):
        found[row["metro"]].append(row)
    return found


def metros(folder: Path) -> Rows:
    """One row per metro: place of its first region, names of its electricity zone in hourly files, share of homes."""
    rows = []
    for metro, regions in places(folder).items():
        row = regions[0]
        zones = dict.fromkeys((row["electricity_zone"], row["carbon_hourly_column"]))
        rows.append(
            {
                "metro": metro,
                **{k: row[k] for k in ("metro_name", "lat", "lon", "timezone")},
                "continent": CONTINENT[metro],
                "carbon_zones": "|".join(zones),
                "home_share": METRO_SHARE[metro],
                **mark(f"{row['latlon_source']}; continent, home_share: ours", "2025-01", "MIT / JDF; ours"),
                "home_share_confidence": ASSUMED,
            }
        )
    return rows


def regions(folder: Path) -> Rows:
    """One row per region, provider by provider."""
    rows = []
    for cloud in CLOUDS:
        for number, (metro, found) in enumerate(places(folder).items()):
            row = next(r for r in found if r["provider"] == cloud)
            keep = {k: row[k] for k in ("metro_name", "lat", "lon", "timezone", "electricity_zone")}
            cell = CELLS[(number + CELL_SHIFT[cloud]) % len(CELLS)]
            source = f"{row['latlon_source']}; cell: our assignment"
            rows.append({"cloud": cloud, "metro": metro, "region": row["region"], **keep, "cell": cell, "source": source})
    return rows


def zones(folder: Path) -> Rows:
    """The first three zones of each region; all play the Google cell of their region, each with its own order of days."""
    names = {(row["provider"], row["region"]): row["zones"].split("|") for row in read(folder, "metros.csv")}
    origin = mark("tal66/cloud-regions; cell: ours", "2025-01", "MIT; ours") | {"cell_confidence": ASSUMED}
    return [
        {"cloud": r["cloud"], "region": r["region"], "zone": zone, "zone_number": str(number), "cell": r["cell"]} | origin
        for r in regions(folder)
        for number, zone in enumerate(names[r["cloud"], r["region"]][:ZONES_PER_REGION])
    ]


AWS_DURATION = "9.7222e-06"
AZURE_READY, GCP_IDLE = "4e-06", "2.5e-06"
LISTED = {
    "aws": "AWS Price List as carried by @remotion/lambda-client 4.0.527",
    "azure": "azure.microsoft.com functions pricing, East US",
    "gcp": "cloud.google.com/run/pricing",
}
INTERNET = {
    "aws": mark("skyplane aws transfer costs", "2024-01", "Apache-2.0"),
    "azure": mark("azure internet zone rate (skyplane)", "2022-05", "Apache-2.0", ASSUMED),
    "gcp": mark("third-party lists", "2025", "facts", ASSUMED),
}


def _is_listed(row: dict[str, str]) -> bool:
    """Whether the provider's own list or page gives this price for this region."""
    return row["region"] == "eastus" if row["provider"] == "azure" else row["confidence"] == "verified" or row["tier"] == "tier 1"


def _prices_of(row: dict[str, str], provisioned: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the price rows of one region."""
    cloud, tier = row["provider"], f", {row['tier']}" if row["tier"] else ""
    listed = mark(LISTED[cloud] + tier, row["as_of"].split(" (")[0], "facts", VERIFIED if _is_listed(row) else ASSUMED)
    requests = f"{Decimal(row['usd_per_million_requests']).quantize(Decimal('0.0001')).normalize()}"
    yield {"item": "execution", "unit": "GB-s", "usd": row["usd_per_gb_s"], **listed}
    if float(row["usd_per_vcpu_s"]):
        yield {"item": "execution", "unit": "vCPU-s", "usd": row["usd_per_vcpu_s"], **listed}
    yield {"item": "requests", "unit": "million", "usd": requests, **listed}
    yield {"item": "internet_egress", "unit": "GB", "usd": row["internet_egress_usd_per_gb_first_tier"], **INTERNET[cloud]}
    if cloud == "aws":
        yield {"item": "provisioned", "unit": "GB-s", "usd": provisioned[row["region"]], **listed}
        quoted = mark("Lambda price page of us-east-1 as quoted; elsewhere ours", "2026", "facts", ASSUMED)
        yield {"item": "provisioned_duration", "unit": "GB-s", "usd": AWS_DURATION, **quoted}
    elif cloud == "azure":
        quoted = mark("Flex Consumption always-ready baseline as quoted", "2025", "facts", ASSUMED)
        yield {"item": "provisioned", "unit": "GB-s", "usd": AZURE_READY, **quoted}
    else:
        quoted = mark("Cloud Run idle minimum instance as quoted", "2025", "facts", ASSUMED)
        for unit in ("GB-s", "vCPU-s"):
            yield {"item": "provisioned", "unit": unit, "usd": GCP_IDLE, **quoted}


def prices(folder: Path) -> Rows:
    """One row per region and price, in the order of regions.csv. A GB of memory is 1024 MB, a GB of traffic 10^9 bytes."""
    aws = {row["region"]: row["provisioned_concurrency_usd_per_gb_s"] for row in read(folder, "prices_aws_lambda_by_region.csv")}
    listed = {
        (r["provider"], r["region"]): r for r in read(folder, "prices_serverless_24_regions.csv") if r["service"] in SERVICES.values()
    }
    rows = []
    for region in regions(folder):
        row, name = listed[region["cloud"], region["region"]], f"{region['cloud']}:{region['region']}"
        rows += [{"region": name, **price} for price in _prices_of(row, aws)]
    return rows


def billing(folder: Path) -> Rows:
    """One row per cloud: how billed time and memory are rounded (0: not at all)."""
    rules = {(row["provider"], row["service"].split(" /")[0]): row for row in read(folder, "billing_rules.csv")}
    aws, azure, gcp = rules["aws", "Lambda"], rules["azure", "Functions Consumption"], rules["gcp", "Cloud Run"]
    aws_ms, gcp_ms = (int(re.findall(r"(\d+) ms", row["granularity"])[0]) for row in (aws, gcp))
    step, cap = re.findall(r"(\d+) MB", azure["granularity"])
    found = (("aws", aws, aws_ms, aws_ms, "0", "0"), ("azure", azure, 1, 100, step, cap), ("gcp", gcp, gcp_ms, 0, "0", "0"))
    rows = []
    for cloud, row, granularity, minimum, step_mb, cap_mb in found:
        time = {"granularity_us": str(granularity * 1000), "minimum_us": str(minimum * 1000)}
        memory = {"memory_step_mb": step_mb, "memory_cap_mb": cap_mb}
        rows.append({"cloud": cloud, **time, **memory, **mark(row["source"], "2026-11", "facts")})
    return rows


def vcpu(folder: Path) -> Rows:
    """One row per cloud and memory size; a cloud with one row has vCPU in proportion to memory."""
    aws = mark("Lambda documentation: 1 vCPU at 1769 MB", "2026-11", "facts")
    azure = mark("ours: 1 vCPU at the largest size", "2026-11", "ours", ASSUMED)
    gcp = mark("Cloud Run functions, memory to vCPU", "2026-11", "facts")
    table = [{"cloud": "gcp", **row, **gcp} for row in read(folder, "gcp_functions_memory_to_vcpu.csv")]
    one = {"vcpu": "1.0"}
    return [{"cloud": "aws", "memory_mb": "1769", **one, **aws}, {"cloud": "azure", "memory_mb": "1536", **one, **azure}, *table]


def cold_start(folder: Path) -> Rows:
    """One row per law, cloud, package and probability; the medium package is the geometric mean of the other two."""
    samples = {(row["provider"], row["variant"]): row for row in read(folder, "coldstart_quantiles_mikhail_2021.csv")}
    rows = []
    for cloud, (small, large) in PACKAGES.items():
        for package in ("small", "medium", "large"):
            for name in QUANTILES:
                a, b = (samples[cloud, variant][name] for variant in (small, large))
                mean = f"{math.sqrt(float(a) * float(b)):.6f}"
                measured = {"small": (small, a), "large": (large, b), "medium": (f"mean of {small}, {large}", mean)}
                variant, seconds = measured[package]
                probability = f"{Decimal(name[1:]) / 100}"
                row = {"law": "mikhail_2021", "cloud": cloud, "package": package, "probability": probability, "seconds": seconds}
                confidence = ASSUMED if package == "medium" else VERIFIED
                rows.append(row | mark(f"mikhailio-hugo: {variant}", "2021", "MIT", confidence))
    return rows


def keep_alive(folder: Path) -> Rows:
    """One row per law, cloud and idle time: the share of probes after that idle time which met a cold start."""
    new, old = mark("demystifying-serverless-costs", "2026", "MIT"), mark("mikhailio-hugo", "2021", "MIT")
    rows = []
    for row in read(folder, "keepalive_eurosys26.csv"):
        law = {"law": "eurosys26", "cloud": row["provider"], "idle_s": f"{float(row['idle_seconds']):g}"}
        rows.append({**law, "cold_probability": row["cold_start_probability"], **new})
    for row in read(folder, "keepalive_mikhail_2021.csv"):
        law = {"law": "mikhail_2021", "cloud": row["provider"], "idle_s": str(60 * int(row["idle_minutes"]))}
        rows.append({**law, "cold_probability": f"{round(float(row['cold_start_probability']), 6):g}", **old})
    return rows


def energy(folder: Path) -> Rows:
    """One row per cloud: overhead of the building and watts of a vCPU when idle and when full."""
    origin = mark("cloud-carbon-footprint b7a049c7", "2026-11", "Apache-2.0")
    names = {"pue": "pue", "watts_min": "min_watts_per_vcpu", "watts_max": "max_watts_per_vcpu"}
    found = read(folder, "energy_coefficients_ccf.csv")
    return [{"cloud": row["provider"], **{k: row[v] for k, v in names.items()}, **origin} for row in found]


def carbon_profiles(folder: Path) -> Rows:
    """One row per metro, month and hour (UTC): the mean life-cycle intensity over 2022-2024 and how many hours it is of."""
    columns = {row["metro"]: row["carbon_hourly_column"] for row in read(folder, "metros.csv")}
    values: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for row in read(folder, "carbon_hourly_lca_gco2eq_per_kwh_2022_2024.csv.gz"):
        month, hour = int(row["datetime_utc"][5:7]), int(row["datetime_utc"][11:13])
        for metro, column in columns.items():
            values[metro, month, hour].append(float(row[column]))
    rows = []
    for (metro, month, hour), found in sorted(values.items()):
        key = {"metro": metro, "month": str(month), "hour_utc": str(hour)}
        rows.append({**key, "carbon_g_per_kwh": str(round(sum(found) / len(found), 2)), "hours": str(len(found))})
    return rows


TABLES = (clouds, metros, regions, zones, network, prices, billing, vcpu, cold_start, keep_alive, energy, carbon_profiles)


def build(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every table by file name.

    Args:
        folder: the folder of published figures.
    """
    files = {}
    for table in TABLES:
        rows, text = table(folder), io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        files[f"{table.__name__}.csv"] = text.getvalue().encode()
    return files


def main(argv: list[str] | None = None) -> int:
    """Write the tables, or say which differ from what their sources give.

    Returns:
        0 if the tables are now those of the sources, 1 if `--check` found a difference or the folder lacks a file.
    """
    parser = argparse.ArgumentParser(prog="python -m tasks.reference", description="Rebuild the tables of data/reference.")
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="folder of published figures")
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs and exit 1")
    options = parser.parse_args(argv)
    target = Paths(Path()).reference
    try:
        found = build(options.folder)
    except TrineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    differing = [name for name, data in found.items() if not (target / name).is_file() or (target / name).read_bytes() != data]
    for name in differing:
        sys.stdout.write(f"{target / name}: {'differs from its sources' if options.check else 'written'}\n")
        if not options.check:
            (target / name).write_bytes(found[name])
    sys.stdout.write(f"{len(found)} tables, {len(differing)} {'differ' if options.check else 'written'}\n")
    return int(options.check and bool(differing))


if __name__ == "__main__":
    raise SystemExit(main())
