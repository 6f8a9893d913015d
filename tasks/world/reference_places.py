"""Rows of the reference tables about places: clouds and their rules, metros, regions, zones, network. Not here: prices, files."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from simulator.places.table_parts import RULE_COLUMNS
from tasks.world.reference_rows import ASSUMED, CLOUDS, SERVICES, VERIFIED, Rows, mark, read

CLOUD_SHARE = {"aws": "0.40", "azure": "0.35", "gcp": "0.25"}
# Rules of each provider, in the order of RULE_COLUMNS.
RULES = {
    "aws": ("function", "yes", "drop", "5", "0.02"),
    "azure": ("app", "no", "drop", "0", "0.0"),
    "gcp": ("function", "yes", "redraw", "0", "0.02"),
}
RULE_SOURCES = {
    "aws": "cold_start_billed: AWS compute blog, from 2025-08-01; floor_min_billed_min: Lambda pricing",
    "azure": "cold_start_billed: ours",
    "gcp": "cold_start_billed: cloud.google.com/run/pricing",
}
METRO_SHARE = {"iad": "0.30", "fra": "0.15", "lhr": "0.10", "nrt": "0.12", "sin": "0.10", "syd": "0.08", "bom": "0.10", "gru": "0.05"}
CONTINENT = {"iad": "americas", "gru": "americas", "lhr": "europe", "fra": "europe"} | dict.fromkeys(
    ("nrt", "sin", "syd", "bom"), "asia_pacific"
)
CELLS, CELL_SHIFT = "ahecgdbf", {"aws": 0, "azure": 3, "gcp": 5}  # cell of (cloud, metro) = CELLS[(metro + shift) mod 8]
ZONES_PER_REGION = 3


def clouds(folder: Path) -> Rows:
    """One row per provider: the service that is modelled, its share of home clouds, its rules."""
    rows = []
    for cloud in CLOUDS:
        source = f"home_share, floor_release, inter_zone_usd_per_gb: ours; pool_key: documentation; {RULE_SOURCES[cloud]}"
        confidence = dict.fromkeys(("home_share", "floor_release", "inter_zone_usd_per_gb"), ASSUMED)
        confidence["cold_start_billed"] = ASSUMED if cloud == "azure" else VERIFIED
        rows.append(
            {
                "cloud": cloud,
                "service": SERVICES[cloud],
                "home_share": CLOUD_SHARE[cloud],
                **dict(zip(RULE_COLUMNS, RULES[cloud], strict=True)),
                **mark(source, "2026-11", "ours"),
                **{f"{column}_confidence": word for column, word in confidence.items()},
            }
        )
    return rows


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


# text in the source -> (short text, date, licence, confidence)
NETWORK_SOURCES = {
    "skyplane 2022": ("skyplane", "2022", "Apache-2.0", VERIFIED),
    "skyplane": ("skyplane", "2022", "Apache-2.0", VERIFIED),
    "azure docs p50": ("azure docs p50", "2026", "CC BY 4.0", VERIFIED),
    "hpe azure matrix 2025": ("hpe azure matrix", "2025", "MIT", VERIFIED),
    "hpe azure matrix 2025 (germanywestcentral in place of uksouth)": ("hpe azure matrix, germanywestcentral", "2025", "MIT", ASSUMED),
    "proxy: gcp:asia-southeast1 in place of azure:southeastasia": ("proxy gcp:asia-southeast1", "2022", "Apache-2.0", ASSUMED),
    "proxy: aws:ap-southeast-1 in place of azure:southeastasia": ("proxy aws:ap-southeast-1", "2022", "Apache-2.0", ASSUMED),
    "proxy: aws region of the same metro": ("proxy aws of the metro", "2022", "Apache-2.0", ASSUMED),
    "rule: source internet rate": ("rule: internet rate", "2022", "Apache-2.0", ASSUMED),
    "rule: azure internet zone rate": ("rule: azure zone rate", "2022", "Apache-2.0", ASSUMED),
    "same region": ("same region", "", "", ASSUMED),
    "missing": ("none", "", "", ASSUMED),
    "": ("none", "", "", VERIFIED),
}


def network(folder: Path) -> Rows:
    """One row per ordered pair of regions: round trip (the smaller direction), throughput, price of a transfer from src to dst."""
    rows = []
    for row in read(folder, "network_24_regions.csv"):
        rtt, gbps, egress = (NETWORK_SOURCES[row[f"{k}_source"]] for k in ("rtt", "throughput", "egress"))
        dates = sorted({part[1] for part in (rtt, gbps, egress)} - {""})
        licences = sorted({part[2] for part in (rtt, gbps, egress)} - {""})
        rtt_ms = row["rtt_ms_symmetric_min"]
        rows.append(
            {
                "src": row["src"],
                "dst": row["dst"],
                "rtt_us": str(int(Decimal(rtt_ms) * 1000)) if rtt_ms else "",
                "gbps": row["throughput_gbps"],
                "egress_usd_per_gb": row["egress_usd_per_gb"],
                "rtt_source": rtt[0],
                "gbps_source": gbps[0],
                "egress_source": egress[0],
                "as_of": "-".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "2022",
                "licence": "; ".join(licences) or "facts",
                "confidence": ASSUMED if ASSUMED in (rtt[3], gbps[3], egress[3]) else VERIFIED,
            }
        )
    return rows
