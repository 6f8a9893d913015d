"""A page from small invented inputs, and a browser that opens it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from tasks.core.paths import Paths
    from tests.e2e.browser import Tab

ROOT = Path(__file__).resolve().parents[2]
CELLS = "abcdefgh"


def eda_inputs() -> dict[str, Any]:
    """One JSON per question, as the stage `eda` writes them; numbers are drawn from a fixed seed."""
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
        cells[name] = {"mean": float(cpu.mean()), "std": float(cpu.std()), "lag1": 0.94, "t_h": week.tolist(), "cpu_fraction": cpu.tolist()}
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
            "mase_quartiles": [0.5, 1.4],
        }
        for j, (t, c, n) in enumerate(groups)
        for i, a in enumerate(arms)
    ]
    best = {"arm": "last value", "mase": rows[12]["mase"], "mase_quartiles": [0.5, 1.4], "target": "calls"}
    started = (("http", 200, 90000), ("queue", 80, 700000), ("timer", 120, 40000))
    ranks = [{"rank": i + 1, "calls": c, "dispersion": float(np.exp(rng.normal(1.5, 1.2)))} for i, c in enumerate(apps)]
    return {
        "volumes": {
            "source": "azure2021", "origin": "twin", "days": list(range(14)), "calls": calls.tolist(), "total": int(calls.sum()),
            "split_hours": [233.3, 283.3, 336.0],
        },
        "concentration": {"apps": apps, "functions": [max(1, c // 3) for c in apps for _ in range(3)], "top": share},
        "durations": {
            "zero_share": 0.087, "ccdf": {"seconds": grid.tolist(), "share": (0.913 / (1 + (grid / 0.05) ** 0.8)).tolist()},
            "p50_s": 0.03, "p95_s": 8.1, "p99_s": 61.0, "max_s": 578.0, "calls": int(calls.sum()),
        },
        "gaps": {"ccdf": {"seconds": grid.tolist(), "share": (1 / (1 + (grid / 2) ** 1.1)).tolist()}, "under_1s": 0.62, "over_60s": 0.021},
        "dispersion": {"apps": ranks},
        "triggers": {
            "rows": [{"trigger": t, "functions": f, "calls": c} for t, f, c in started],
            "drawn": True,
        },
        "concurrency": {
            "hours": list(range(336)), "mean": (3 + 2 * np.sin(np.arange(336) / 4)).tolist(), "max": rng.integers(20, 90, 336).tolist(),
            "overall_mean": 3.0, "overall_max": 89,
        },
        "rhythm": {
            "lags_h": lags.tolist(), "autocorrelation": (0.6 * np.cos(2 * np.pi * lags / 24)).tolist(), "hour_relative": hours.tolist(),
        },
        "cells": {
            "origin": "twin", "cells": cells, "order": list(CELLS), "cpu_correlation": np.round(corr, 4).tolist(),
            "cpu_memory": {c: 0.5 + 0.05 * i for i, c in enumerate(CELLS)},
        },
        "quality": {
            "sources": [
                {"source": s, "origin": "twin", "rows_in": n, "rows_staged": n - r, "rows_rejected": r,
                 "rejects_by_reason": {"duration below zero": r}, "critical_passed": 12, "critical": 12,
                 "warnings_passed": 3, "warnings": 4}
                for s, n, r in (("azure2021", int(calls.sum()) + 12, 12), ("google2019", 66816, 0))
            ],
            "columns": [
                {"source": "azure2021", "column": "duration_us", "kind": "measured", "how": "end less start"},
                {"source": "azure2021", "column": "memory_mb", "kind": "drawn", "how": "log-normal per app"},
                {"source": "azure2021", "column": "trigger", "kind": "drawn", "how": "by share"},
            ],
        },
        "forecasts": {"horizon": 1, "step_s": 15, "rows": rows, "best": best},
    }  # fmt: skip


def twin_fit() -> dict[str, Any]:
    """Rows of the fit table: most pass, one does not, one is not judged."""
    rows = [
        {
            "source": "azure2021",
            "target": f"quantile {q}",
            "twin": 0.1 * q,
            "real": 0.1 * q + 0.01,
            "tolerance": 0.05,
            "pass": q != 3,
            "reason": "",
        }
        for q in range(1, 6)
    ]
    return {"rows": rows}


def write_inputs(root: Path, *, eda: dict[str, Any] | None = None, real: bool = False) -> None:
    """Lay out a working tree that the stage `report` accepts."""
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(params, encoding="utf-8")
    shutil.copytree(ROOT / "data" / "reference" / "twin", root / "data" / "reference" / "twin", dirs_exist_ok=True)
    for source in ("azure2021", "google2019"):
        staged = root / "data" / "staged" / source
        staged.mkdir(parents=True, exist_ok=True)
        (staged / "ingest.json").write_text(json.dumps({"source": source}), encoding="utf-8")
        results = [
            {
                "expectation": "values_between",
                "column": "arrival_us",
                "severity": "critical",
                "success": True,
                "observed": "0 of 9 unexpected",
            }
        ]
        judged = hashlib.sha256((staged / "ingest.json").read_bytes()).hexdigest()
        _dump(
            root / "reports" / "validation" / f"{source}.json",
            {"source": source, "from": "twin", "success": True, "judged": judged, "results": results},
        )
    _dump(root / "reports" / "validation" / "twin_fit.json", twin_fit())
    for name, content in (eda_inputs() if eda is None else eda).items():
        _dump(root / "reports" / "eda" / f"{name}.json", content)


def build(root: Path) -> Path:
    """Run the stage in `root` and return the page."""
    from tasks.core import params
    from tasks.core.paths import Paths
    from tasks.report import report

    paths = Paths(root)
    report.run(params.load(paths.params_file), paths)
    return paths.report


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, built_world: Paths) -> Path:
    """The page built from the invented inputs and the four small worlds of the session."""
    root = tmp_path_factory.mktemp("page")
    shutil.copytree(built_world.reference, root / "data" / "reference")
    shutil.copytree(built_world.world, root / "reports" / "world")
    write_inputs(root)
    return build(root)


@pytest.fixture(scope="session")
def has_browser() -> None:
    """Skip what needs a browser where none is installed."""
    from tests.e2e.browser import NAMES, executable

    if executable() is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory, has_browser: None) -> Iterator[Tab]:
    """One browser for all files."""
    from tests.e2e.browser import browser

    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def _dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, sort_keys=True, indent=1) + "\n", encoding="utf-8")
