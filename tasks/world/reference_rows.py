"""What the builders of the reference tables share: providers, the columns that say where a row comes from. Not here: any table."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from core.errors import RawDataError

Rows = list[dict[str, str]]
VERIFIED, ASSUMED = "verified", "assumed"
CLOUDS = ("aws", "azure", "gcp")
SERVICES = {"aws": "Lambda (x86)", "azure": "Functions Consumption", "gcp": "Cloud Run functions (request-based)"}


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
