"""Goodness of fit: the twin at scale 1 passes, a wrong twin is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.twin.azure2021 import Calls, generate_azure2021
from simulator.twin.google2019 import generate_google2019
from tasks.data.twin_fit import azure_fit, google_fit

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def twin() -> Calls:
    return generate_azure2021(seed=1)


def azure(repository: Path, calls: Calls, **changed: np.ndarray) -> Rows:
    folder = repository / "data" / "reference" / "twin"
    columns = {"app_id": calls.app, "function_id": calls.function, "arrival_us": calls.arrival_us, "duration_us": calls.duration_us}
    real = json.loads((folder / "azure2021.json").read_text())
    return azure_fit(columns | changed, real, folder / "azure2021_apps.csv", 1.0, True, None)


def cells(repository: Path, series: np.ndarray) -> Rows:
    return google_fit(series, json.loads((repository / "data" / "reference" / "twin" / "google2019.json").read_text()))


def failed(rows: Rows) -> list[str]:
    return [r["target"] for r in rows if not r["pass"]]


def test_the_twin_at_scale_one_fits(repository: Path, twin: Calls) -> None:
    rows = azure(repository, twin)
    assert len(twin.app) == 1_980_951
    assert failed(rows) == []
    for figure, count in (
        ("dispersion of", 10),
        ("minutes without a call of", 10),
        ("gaps under 50 ms of", 10),
        ("mean duration of app", 20),
    ):
        assert sum(figure in r["target"] for r in rows) == count
    assert sum("hour" in r["target"] for r in rows) == 24
    assert sum("day" in r["target"] for r in rows) == 14
    assert all(isinstance(r["tolerance"], str) and set(r) >= {"target", "twin", "real", "pass", "reason"} for r in rows)


def test_the_cells_fit(repository: Path) -> None:
    for seed in (1, 2, 3):
        series = generate_google2019(seed)
        rows = cells(repository, np.vstack([series.cpu_ncu, series.memory_nmu]))
        assert failed(rows) == []
        assert len(rows) >= 16 * 4 + 8 + 28


def test_wrong_times_are_found_out(repository: Path, twin: Calls) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    even = rng.permutation(np.linspace(0, 14 * 86_400_000_000 - 1, len(twin.app)).astype(np.int64))
    found = failed(azure(repository, twin, arrival_us=even))
    assert sum("dispersion" in t for t in found) == 10
    assert sum("minutes without" in t for t in found) >= 8
    assert {"gap under 1 s", "gap over 60 s"} <= set(found)
    assert sum("hour" in t for t in found) >= 15
    assert sum("day" in t for t in found) >= 10


def test_wrong_durations_are_found_out(repository: Path, twin: Calls) -> None:
    found = failed(azure(repository, twin, duration_us=np.full(len(twin.app), 3_348_000)))
    assert "zero durations" in found
    assert sum(t.startswith("durations from") for t in found) == 8


def test_durations_dealt_to_the_wrong_apps_are_found_out(repository: Path, twin: Calls) -> None:
    busy = np.flatnonzero(twin.duration_us > 0)
    dealt = twin.duration_us.copy()
    dealt[busy] = np.random.Generator(np.random.PCG64(1)).permutation(dealt[busy])
    found = failed(azure(repository, twin, duration_us=dealt))
    assert len(found) >= 18
    assert all(t.startswith("mean duration of app") for t in found)  # all calls together still have the published durations


def test_calls_of_a_minute_pressed_together_are_found_out(repository: Path, twin: Calls) -> None:
    minute = 60_000_000
    pressed = twin.arrival_us // minute * minute + twin.arrival_us % minute // 6
    found = failed(azure(repository, twin, arrival_us=pressed))
    assert sum("gaps under 50 ms" in t for t in found) >= 5
    assert not any("dispersion" in t or "minutes without" in t for t in found)


def test_wrong_apps_are_found_out(repository: Path, twin: Calls) -> None:
    found = failed(azure(repository, twin, app_id=np.arange(len(twin.app)) % 119))
    assert sum("share of the top" in t for t in found) == 6
    assert any("functions" in t for t in found)


def test_wrong_cells_are_found_out(repository: Path) -> None:
    noise = np.random.Generator(np.random.PCG64(1)).normal(4000, 300, (16, 8352))
    found = failed(cells(repository, noise))
    assert sum("lag-1" in t for t in found) == 16
    assert sum("amplitude" in t for t in found) == 16
    assert any("correlation" in t for t in found)


@pytest.mark.slow
def test_other_seeds_fit_too(repository: Path, proof: Any) -> None:
    worst = max(len(failed(azure(repository, generate_azure2021(seed)))) for seed in range(2, 12))
    proof(figure=worst, bound="no figure outside its tolerance on seeds 2-11")
    assert worst == 0
