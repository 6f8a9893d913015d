"""Copies of the reference tables with a region more, a metro or a cloud less, or the rows in another order. Not here: the tests."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from simulator.places.table_parts import FILES

Rows = list[dict[str, str]]
PLACES = ("clouds", "metros", "regions", "zones", "network", "prices", "energy")


def rewrite(path: Path, change: Callable[[Rows], Rows]) -> None:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(change(rows))


def shuffle_rows(reference: Path, to: Path, seed: int, files: Sequence[str] = PLACES) -> Path:
    """Copy the tables of `reference`, the rows of `files` in an order sampled from the seed."""
    shutil.copytree(reference, to)
    for name in files:
        rewrite(to / f"{name}.csv", lambda rows: [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))])
    return to


def with_a_region_more(reference: Path, to: Path) -> Path:
    """Copy the tables of `reference` with aws:us-east-2 in a metro of its own (cmh), else like us-east-1 and 12 ms from everywhere."""
    shutil.copytree(reference, to)

    def like(key: str, old: str, **changes: str) -> Callable[[Rows], Rows]:
        return lambda rows: rows + [row | changes for row in rows if row[key] == old]

    def zones(rows: Rows) -> Rows:
        return rows + [r | {"region": added, "zone": r["zone"].replace("-1", "-2")} for r in rows if r["region"] == "us-east-1"]

    def network(rows: Rows) -> Rows:
        pair = rows[0] | {"rtt_us": "12000", "gbps": "", "egress_usd_per_gb": "0.01"}
        regions = sorted({row["src"] for row in rows})
        there = [pair | {"src": f"aws:{added}", "dst": region} for region in (*regions, f"aws:{added}")]
        return rows + there + [pair | {"src": region, "dst": f"aws:{added}"} for region in regions]

    added = "us-east-2"
    rewrite(to / "metros.csv", like("metro", "iad", metro="cmh", home_share="0.1"))
    rewrite(to / "carbon_profiles.csv", like("metro", "iad", metro="cmh"))
    rewrite(to / "regions.csv", like("region", "us-east-1", region=added, metro="cmh"))
    rewrite(to / "prices.csv", like("region", "aws:us-east-1", region=f"aws:{added}"))
    rewrite(to / "zones.csv", zones)
    rewrite(to / "network.csv", network)
    return to


def without_metro(reference: Path, to: Path, metro: str) -> Path:
    """Copy the tables of `reference` without a metro and its regions."""
    return _without(reference, to, lambda row: row.get("metro") != metro)


def without_cloud(reference: Path, to: Path, cloud: str) -> Path:
    """Copy the tables of `reference` without a cloud and its regions."""
    return _without(reference, to, lambda row: row.get("cloud") != cloud)


def _without(reference: Path, to: Path, is_kept: Callable[[dict[str, str]], bool]) -> Path:
    """Drop the rows that are not kept in any file, and what names one of their regions."""
    shutil.copytree(reference, to)
    with (reference / "regions.csv").open(encoding="utf-8", newline="") as handle:
        gone = {(row["cloud"], row["region"]) for row in csv.DictReader(handle) if not is_kept(row)}
    names = {f"{cloud}:{region}" for cloud, region in gone}

    def stays(row: dict[str, str]) -> bool:
        is_of_gone = (row.get("cloud"), row.get("region")) in gone or names & {row.get("src"), row.get("dst"), row.get("region")}
        return is_kept(row) and not is_of_gone

    for name in FILES:
        rewrite(to / name, lambda rows: [row for row in rows if stays(row)])
    return to
