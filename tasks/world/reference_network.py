"""The table of the network between regions, from the folder of published figures, and how such a folder is read. Not here: other tables."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path

from core.errors import RawDataError

Rows = list[dict[str, str]]
VERIFIED, ASSUMED = "verified", "assumed"


def mark(source: str, as_of: str, licence: str, confidence: str = VERIFIED) -> dict[str, str]:
    """Return the columns that say where a row comes from."""
    return {"source": source, "as_of": as_of, "licence": licence, "confidence": confidence}


def read(folder: Path, name: str) -> Rows:
    """Return the rows of a (gzipped) CSV file of the folder of figures."""
    path = folder / name
    if not path.is_file():
        raise RawDataError(f"{name} is missing", where=str(folder), how="name the folder of published figures with --from")
    with gzip.open(path, "rt", encoding="utf-8") if name.endswith(".gz") else path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


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
