"""A working tree that the stage `report` accepts, from small invented inputs. Not here: the figures of the world (report_world.py)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from core.units import DAY_S
from tasks.core import params as params_module
from tasks.core.files import write_json
from tasks.core.paths import Paths
from tasks.core.records import write_record
from tasks.data.ingest_outputs import ingest_report
from tasks.data.ingest_record import IngestReport
from tasks.data.twin_fit import twin_fit_file
from tasks.data.twin_fit_record import TwinFit
from tasks.data.verdict import write_verdict
from tasks.eda.eda import eda_folder
from tasks.eda.records import QUESTIONS
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.report import report
from tasks.report.report_outputs import page_file
from tests.worlds.stage_files import ingest_counts

ROOT = Path(__file__).resolve().parents[2]
CELLS = "abcdefgh"


def eda_inputs() -> dict[str, Any]:
    """One JSON per question, as the stage `eda` writes them; numbers are sampled from a fixed seed."""
    rng = np.random.default_rng(5)
    hours = 1 + 0.7 * np.cos(2 * np.pi * (np.arange(24) - 15) / 24)
    calls = np.round(np.outer(rng.gamma(8, 1 / 8, 14), hours) * rng.gamma(14, 1 / 14, (14, 24)) * 5400).astype(int)
    apps = sorted((int(v) for v in np.round(rng.lognormal(6, 2.2, 119)) + 1), reverse=True)
    share = {str(k): sum(apps[:k]) / sum(apps) for k in (1, 2, 5, 10, 20)}
    grid = np.logspace(-3, 2.7, 120)
    week = np.arange(0, 168, 1.0)
    cells = {}
    for i, name in enumerate(CELLS):
        cpu = 0.4 + 0.03 * i + 0.05 * np.sin(2 * np.pi * (week - 6 + i) / 24) + 0.01 * rng.standard_normal(len(week))
        cells[name] = {
            "mean": float(cpu.mean()), "std": float(cpu.std()), "p95": float(np.quantile(cpu, 0.95)), "lag1": 0.94, "hour_swing": 0.1,
            "mean_memory": 0.5, "cpu_memory": 0.5 + 0.05 * i, "t_h": week.tolist(), "cpu_fraction": cpu.tolist(),
        }  # fmt: skip
    corr = np.corrcoef([c["cpu_fraction"] for c in cells.values()])
    lags = np.arange(1, 169)
    arms = ("last value", "moving average 5 min", "seasonal naive (day)")
    groups = (
        ("calls", "rare", 60),
        ("calls", "low", 30),
        ("calls", "mid", 20),
        ("calls", "high", 9),
        ("calls", "all", 119),
        ("cpu", "cells", 8),
    )
    rows = [
        {
            "target": t,
            "class": c,
            "arm": a,
            "series": n,
            "rmse": 1.0 + i + j,
            "mae": 0.4 + i / 2 + j / 4,
            "mase": round(0.8 + 0.12 * i + 0.05 * j, 3),
            "rmse_quartiles": None,
            "mae_quartiles": None,
            "mase_quartiles": [0.5, 1.4],
            "series_with_mase": n,
        }
        for j, (t, c, n) in enumerate(groups)
        for i, a in enumerate(arms)
    ]
    best = {"arm": "last value", "mase": rows[12]["mase"], "mase_quartiles": [0.5, 1.4], "target": "calls"}
    started = (("http", 200, 90000), ("queue", 80, 700000), ("timer", 120, 40000))
    ranks = [{"rank": i + 1, "calls": c, "dispersion": float(np.exp(rng.normal(1.5, 1.2))), "busiest_step": c} for i, c in enumerate(apps)]
    source = {"source": "azure2021", "origin": "twin"}
    common = source | {"first_day": 0, "span_s": 14 * DAY_S}
    return {
        "volumes": common | {
            "days": list(range(14)), "calls": calls.tolist(), "totals": calls.sum(axis=1).tolist(), "total": int(calls.sum()),
            "split_hours": [233.3, 283.3, 336.0],
        },
        "concentration": common | {
            "apps": apps, "functions": [max(1, c // 3) for c in apps for _ in range(3)], "top": share, "top_by": {"calls": share},
            "top_functions": share, "gini": {"calls": 0.9}, "median_calls_per_app": 400.0,
        },
        "durations": common | {
            "zero_share": 0.087, "ccdf": {"seconds": grid.tolist(), "share": (0.913 / (1 + (grid / 0.05) ** 0.8)).tolist()},
            "p50_s": 0.03, "p95_s": 8.1, "p99_s": 61.0, "max_s": 578.0, "calls": int(calls.sum()),
            "bucket_edges_s": [0.0, 1.0], "bucket_shares": [0.8, 0.2],
        },
        "gaps": common | {
            "gaps": 1000,
            "ccdf": {"seconds": grid.tolist(), "share": (1 / (1 + (grid / 2) ** 1.1)).tolist()}, "under_1s": 0.62, "over_60s": 0.021,
        },
        "dispersion": common | {"step_s": 15, "apps": ranks, "median": 4.5},
        "triggers": common | {
            "rows": [
                {"trigger": t, "functions": f, "calls": c, "share_functions": f / 400, "share_calls": c / 830_000} for t, f, c in started
            ],
            "drawn": True,
        },
        "concurrency": common | {
            "hours": list(range(336)), "mean": (3 + 2 * np.sin(np.arange(336) / 4)).tolist(), "max": rng.integers(20, 90, 336).tolist(),
            "overall_mean": 3.0, "overall_max": 89, "apps": [], "empty_app_step_share": 0.4, "step_s": 15,
        },
        "rhythm": common | {
            "slots": 4032, "slot_s": 300, "lag_1_slot": 0.6, "whole_days": 14,
            "lags_h": lags.tolist(), "autocorrelation": (0.6 * np.cos(2 * np.pi * lags / 24)).tolist(), "hour_relative": hours.tolist(),
        },
        "cells": {
            "source": "google2019", "origin": "twin", "week_starts_sunday": True, "slots": 8352, "missing_slots": 0,
            "level_assumed": {"median": 0.6, "spread": 0.1}, "cells": cells, "order": list(CELLS),
            "cpu_correlation": np.round(corr, 4).tolist(),
            "cpu_memory": {c: 0.5 + 0.05 * i for i, c in enumerate(CELLS)},
        },
        "quality": {
            "sources": [
                {"source": s, "origin": "twin", "rows_in": n, "rows_staged": n - r, "rows_rejected": r,
                 "rejects_by_reason": {"duration below zero": r}, "exact_duplicates": None, "critical_passed": 12, "critical": 12,
                 "warnings_passed": 3, "warnings": 4}
                for s, n, r in (("azure2021", int(calls.sum()) + 12, 12), ("google2019", 66816, 0))
            ],
            "columns": [
                {"source": "azure2021", "column": "duration_us", "kind": "measured", "how": "end less start"},
                {"source": "azure2021", "column": "memory_mb", "kind": "drawn", "how": "log-normal per app"},
                {"source": "azure2021", "column": "trigger", "kind": "drawn", "how": "by share"},
            ],
            "missing": [],
        },
        "google2011": {},
        "forecasts": source | {
            "horizon": 1, "step_s": 15, "train_bins": 9, "test_bins": 3, "moving_average_min": 5, "season_h": 24, "rows": rows,
            "best": best,
            "cell_split_slots": [], "notes": [],
        },
    }  # fmt: skip


def twin_fit() -> dict[str, Any]:
    """Rows of the fit table: all pass but one."""
    rows = [
        {"source": "azure2021", "target": f"quantile {q}", "twin": 0.1 * q, "real": 0.1 * q + 0.01, "tolerance": "± 0.05", "pass": q != 3,
         "reason": ""}
        for q in range(1, 6)
    ]  # fmt: skip
    return {"rows": rows, "passed": 4, "note": ""}


def write_inputs(root: Path, *, eda: dict[str, Any] | None = None) -> Paths:
    """Lay out a working tree that the stage `report` accepts.

    Args:
        root: of the tree; it exists.
        eda: answers by question, those of `eda_inputs` if None; {} is a question without an answer.
    """
    paths = Paths(root)
    shutil.copy(ROOT / "params.yaml", paths.params_file)
    shutil.copytree(ROOT / "data" / "reference" / "twin", paths.reference / "twin", dirs_exist_ok=True)
    result = {"expectation": "values_between", "column": "arrival_us", "severity": "critical", "success": True}
    for source in ("azure2021", "google2019"):
        write_record(ingest_report(paths, source), IngestReport, ingest_counts("twin", 9))
        write_verdict(paths, source, "twin", [result | {"observed": "0 of 9 unexpected"}])
    write_record(twin_fit_file(paths), TwinFit, twin_fit())
    for name, content in (eda_inputs() if eda is None else eda).items():
        file = eda_folder(paths) / f"{name}.json"
        if content:
            write_record(file, QUESTIONS[name], content)
        else:
            write_json(file, {})
    return paths


def write_tree(root: Path, world: Paths) -> Path:
    """Lay out a working tree with every input that a page can have: those of `write_inputs`, and the four small worlds of the session."""
    shutil.copytree(world.reference, root / "data" / "reference")
    shutil.copytree(landscape_folder(world), root / "reports" / "world")
    write_inputs(root)
    return root


def build(root: Path) -> Path:
    """Run the stage in `root` and return the page."""
    paths = Paths(root)
    report.run(params_module.load(paths.params_file), paths)
    return page_file(paths)
