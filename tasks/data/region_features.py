"""Utilisation and carbon of every region per five-minute slot of the window. Not here: features of apps (tasks/data/features.py)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from core.units import SLOT_S, SLOTS_PER_DAY, SLOTS_PER_HOUR
from tasks.data.features_settings import FeaturesSettings
from tasks.data.ingest_outputs import staged_folder
from tasks.data.split import first_day

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

FIRST_SUNDAY_SLOT = 1068  # Google slot of Sunday 2019-05-05 00:00 UTC; day 0 of the Azure trace is a Sunday, too


def region_table(params: Params, paths: Paths, span_steps: int) -> pl.DataFrame:
    """Return utilisation and carbon of the 24 regions per five-minute slot of the window (no rows where the source of the cells is off).

    Slot s of the Azure calendar is slot 1068 + s of the Google trace (both Sundays 00:00 UTC at s = 0), modulo the whole weeks that
    exist (28 days of the real cells), so that the weekday keeps; modulo the whole days of a shorter series, or all of less than a day.
    """
    schema = {"region": pl.String, "cloud": pl.String, "metro": pl.String, "cell": pl.String, "slot": pl.Int32}
    schema |= dict.fromkeys(("cpu_fraction", "memory_fraction", "cpu_slope", "carbon_g_per_kwh", "carbon_rank_24h"), pl.Float64)
    staged = staged_folder(paths, params.section("features", FeaturesSettings).cells)
    if not any(staged.glob("day=*/utilisation.parquet")):
        return pl.DataFrame(schema=schema)
    slots = max(span_steps * params.section("features", FeaturesSettings).step_s // SLOT_S, 1)
    offset = first_day(params) * SLOTS_PER_DAY
    used = pl.read_parquet(staged / "day=*" / "utilisation.parquet", hive_partitioning=False)
    carbon = _carbon_by_metro(paths.reference / "carbon_profiles.csv", params.section("features", FeaturesSettings).carbon_month)
    index = np.arange(slots) + offset
    parts = []
    with (paths.reference / "regions.csv").open(encoding="utf-8", newline="") as handle:
        regions = list(csv.DictReader(handle))
    for region in regions:
        series = used.filter(pl.col("cell") == region["cell"]).sort("slot")
        if series.is_empty():  # a source with some of the cells only
            continue
        position = google_positions(series["slot"].to_numpy(), index)
        cpu, memory = series["cpu_fraction"].to_numpy()[position], series["memory_fraction"].to_numpy()[position]
        grams = carbon[region["metro"]][(index // SLOTS_PER_HOUR) % 24]
        frame = pl.DataFrame(
            {
                "slot": index.astype(np.int32),
                "cpu_fraction": cpu,
                "memory_fraction": memory,
                "cpu_slope": np.diff(cpu, prepend=cpu[0]),
                "carbon_g_per_kwh": grams,
                "carbon_rank_24h": _trailing_rank(grams),
            }
        )
        parts.append(frame.with_columns(**{k: pl.lit(region[k]) for k in ("region", "cloud", "metro", "cell")}).select(list(schema)))
    return pl.concat(parts).sort("cloud", "metro", "slot") if parts else pl.DataFrame(schema=schema)


def google_positions(slots: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the rows of a cell's series that stand for the 5-minute slots `index` of the Azure calendar (a gap takes the next row).

    Args:
        slots: int [n], the Google slots that exist, ascending.
        index: int [m], slots since Sunday 2021-01-31 00:00 UTC.
    """
    first, length = int(slots[0]), int(slots[-1] - slots[0]) + 1
    period = next((length // p * p for p in (7 * SLOTS_PER_DAY, SLOTS_PER_DAY) if length >= p), length)
    wanted = first + (FIRST_SUNDAY_SLOT - first + index) % period
    return np.searchsorted(slots, wanted).clip(0, len(slots) - 1)


def _carbon_by_metro(file: Path, month: int) -> dict[str, np.ndarray]:
    with file.open(encoding="utf-8", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if int(r["month"]) == month]
    out: dict[str, np.ndarray] = {r["metro"]: np.zeros(24) for r in rows}
    for r in rows:
        out[r["metro"]][int(r["hour_utc"])] = float(r["carbon_g_per_kwh"])
    return out


def _trailing_rank(grams: np.ndarray) -> np.ndarray:
    """Share of the trailing 24 h, own hour included, with carbon not above the slot's; only the past counts."""
    hourly = grams[::SLOTS_PER_HOUR]
    rank = np.array([np.mean(hourly[max(0, h - 23) : h + 1] <= hourly[h]) for h in range(len(hourly))])
    return np.repeat(rank, SLOTS_PER_HOUR)[: len(grams)]
