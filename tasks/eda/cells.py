"""Questions about the Google cells of 2019 and the cluster of 2011. Not here: calls (tasks/eda/calls.py), plotting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import SLOTS_PER_DAY
from tasks.core.database import literal, load_sql
from tasks.core.records import read_record
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.ingest_settings import IngestSettings
from tasks.eda.calls import autocorrelation

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params
    from tasks.core.paths import Paths

SLOTS_PER_WEEK = 7 * SLOTS_PER_DAY
FIRST_SUNDAY_SLOT = 1068  # Sunday 2019-05-05 00:00 UTC
FIRST_SLOT_OF_DAY = 84  # slot 0 is 07:00 UTC
WEEK_THIN = 6  # the picture of a week has one point per half hour: 336 a line
SHAPES = 12


def cell_series(con: duckdb.DuckDBPyConnection, paths: Paths) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return (cells, slots [slot], cpu [cell, slot], memory [cell, slot]); NaN where a cell lacks a slot. Empty when the source is off."""
    files = sorted(staged_folder(paths, "google2019").glob("day=*/utilisation.parquet"))
    if not files:
        return [], np.zeros(0, dtype=np.int64), np.zeros((0, 0)), np.zeros((0, 0))
    pattern = literal(staged_folder(paths, "google2019") / "day=*" / "utilisation.parquet")
    columns = con.execute(load_sql("eda/cells.sql").format(utilisation=pattern)).fetchnumpy()
    names = sorted({str(c) for c in columns["cell"]})
    index = np.array([names.index(str(c)) for c in columns["cell"]])
    slot = np.asarray(columns["slot"], dtype=np.int64)
    first = int(slot.min())
    shape = (len(names), int(slot.max()) - first + 1)
    cpu, memory = np.full(shape, np.nan), np.full(shape, np.nan)
    cpu[index, slot - first] = np.asarray(columns["cpu_fraction"], dtype=np.float64)
    memory[index, slot - first] = np.asarray(columns["memory_fraction"], dtype=np.float64)
    return names, np.arange(first, first + shape[1]), cpu, memory


def cell_questions(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths) -> dict[str, Any]:
    """Return {"cells": ...}: one week of each cell, its level, daily swing and lag-1, and the correlations."""
    names, slots, cpu, memory = cell_series(con, paths)
    if not names:
        return {"cells": {}}
    start = max(0, FIRST_SUNDAY_SLOT - int(slots[0])) if slots[-1] >= FIRST_SUNDAY_SLOT + SLOTS_PER_WEEK else 0
    week = slice(start, min(start + SLOTS_PER_WEEK, slots.size))
    both = np.isfinite(cpu).all(axis=0)
    cells = {name: _cell(cpu[i], memory[i], slots, week) for i, name in enumerate(names)}
    return {
        "cells": {
            "source": "google2019",
            "origin": read_record(ingest_report(paths, "google2019"), IngestReport).origin,
            "week_starts_sunday": bool(start),
            "slots": int(slots.size),
            "missing_slots": int((~np.isfinite(cpu)).sum()),
            "cells": cells,
            "order": names,
            "cpu_memory": {name: cell["cpu_memory"] for name, cell in cells.items()},
            "cpu_correlation": [[correlation(x, y) for y in cpu[:, both]] for x in cpu[:, both]],
            "level_assumed": {
                "median": params.section("ingest", IngestSettings).cell_level_median,
                "spread": params.section("ingest", IngestSettings).cell_level_spread,
            },
        }
    }


def _cell(cpu: np.ndarray, memory: np.ndarray, slots: np.ndarray, week: slice) -> dict[str, Any]:
    seen = np.isfinite(cpu) & np.isfinite(memory)
    hours = (slots[seen] + FIRST_SLOT_OF_DAY) % SLOTS_PER_DAY // 12
    by_hour = np.array([cpu[seen][hours == h].mean() for h in range(24) if (hours == h).any()])
    line = cpu[week]
    halves = line[: line.size // WEEK_THIN * WEEK_THIN].reshape(-1, WEEK_THIN)
    kept = np.flatnonzero(np.isfinite(halves).any(axis=1))
    return {
        "mean": float(cpu[seen].mean()),
        "std": float(cpu[seen].std()),
        "p95": float(np.quantile(cpu[seen], 0.95)),
        "lag1": float(autocorrelation(cpu[seen], 1)[1]),
        "hour_swing": float(by_hour.max() - by_hour.min()),
        "mean_memory": float(memory[seen].mean()),
        "cpu_memory": correlation(cpu[seen], memory[seen]),
        "t_h": [float(k * WEEK_THIN / 12) for k in kept],
        "cpu_fraction": [float(np.nanmean(halves[k])) for k in kept],
    }


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return Pearson's correlation of two float64 [n], None where they have fewer than 3 values or one is constant."""
    if x.size < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def jobs_2011(con: duckdb.DuckDBPyConnection, paths: Paths) -> dict[str, Any]:
    """Return job submissions by hour and class, and machine shapes; {} when the source is off or lacks both tables."""
    staged = staged_folder(paths, "google2011")
    answer: dict[str, Any] = {}
    if any(staged.glob("day=*/job_events.parquet")):
        query = load_sql("eda/jobs2011.sql").format(job_events=literal(staged / "day=*" / "job_events.parquet"))
        rows = con.execute(query).fetchall()
        if rows:
            first, last = min(r[0] for r in rows), max(r[0] for r in rows)
            classes = sorted({r[1] for r in rows if r[1] is not None})
            table = {c: [0] * (last - first + 1) for c in classes}
            for hour, class_, jobs in rows:
                if class_ is not None:
                    table[class_][hour - first] = jobs
            answer["jobs"] = {
                "first_hour": first,
                "classes": {str(c): counts for c, counts in table.items()},
                "total": sum(r[2] for r in rows),
            }
    if any(staged.glob("day=*/machine_events.parquet")):
        query = load_sql("eda/machines2011.sql").format(machine_events=literal(staged / "day=*" / "machine_events.parquet"))
        rows = con.execute(query).fetchall()
        total = sum(r[2] for r in rows)
        shapes = [{"cpu": c, "memory": m, "machines": n, "share": n / total} for c, m, n in rows[:SHAPES]]
        answer["machines"] = {"total": total, "shapes": len(rows), "top": shapes}
    return (
        answer | {"source": "google2011", "origin": read_record(ingest_report(paths, "google2011"), IngestReport).origin} if answer else {}
    )
