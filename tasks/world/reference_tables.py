"""Rebuilds the world's tables in data/reference from the folder of published figures. Not a stage: run by hand when a source changes.

`python -m tasks.world.reference_tables --from DIR` writes the tables, `--check` says which files differ and exits 1. A row can as well be
edited by hand; then the table and these modules say different things, and `--check` shows it. What is ours and in no source is there
a constant and is marked `assumed` in its table. Not here: reading the tables for a run (simulator/places/tables.py).
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from core.errors import TrineError
from simulator.places.table_parts import PACKAGES
from tasks.core.paths import Paths
from tasks.world.reference_places import clouds, metros, network, regions, zones
from tasks.world.reference_prices import billing, prices, vcpu
from tasks.world.reference_rows import ASSUMED, VERIFIED, Rows, mark, read

SAMPLES = {"aws": ("js", "xldeps"), "azure": ("jslinux", "xldeps"), "gcp": ("js", "xldeps")}  # samples used for small, large
QUANTILES = ("p2.5", "p5", "p25", "p50", "p75", "p90", "p95", "p97.5", "p99")


def cold_start(folder: Path) -> Rows:
    """One row per distribution, cloud, package and probability; the medium package is the geometric mean of the other two."""
    samples = {(row["provider"], row["variant"]): row for row in read(folder, "coldstart_quantiles_mikhail_2021.csv")}
    rows = []
    for cloud, (small, large) in SAMPLES.items():
        for package in PACKAGES:
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
    """One row per distribution, cloud and idle time: the share of probes after that idle time which met a cold start."""
    new, old = mark("demystifying-serverless-costs", "2026", "MIT"), mark("mikhailio-hugo", "2021", "MIT")
    rows = []
    for row in read(folder, "keepalive_eurosys26.csv"):
        key = {"law": "eurosys26", "cloud": row["provider"], "idle_s": f"{float(row['idle_seconds']):g}"}
        rows.append({**key, "cold_probability": row["cold_start_probability"], **new})
    for row in read(folder, "keepalive_mikhail_2021.csv"):
        key = {"law": "mikhail_2021", "cloud": row["provider"], "idle_s": str(60 * int(row["idle_minutes"]))}
        rows.append({**key, "cold_probability": f"{round(float(row['cold_start_probability']), 6):g}", **old})
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
    parser = argparse.ArgumentParser(prog="python -m tasks.world.reference_tables", description="Rebuild the tables of data/reference.")
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
