"""The files of the twin: original schema, exact times, days, replacement, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ParameterError, SpaceError
from core.units import DAY_US
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.google2019 import generate_google2019
from tasks.data.twin_files import write_twin

AZURE: dict[str, Any] = {"seed": 7, "days": 3, "apps": 119, "rate": 0.01}


def test_lines_give_back_arrival_and_duration_exactly(tmp_path: Path) -> None:
    files = write_twin("azure2021", tmp_path / "out", **AZURE)
    calls = generate_azure2021(**AZURE)
    assert [f.name for f in files] == [f"AzureFunctionsInvocationTraceForTwoWeeksJan2021.twin.day{d:02d}.csv" for d in range(3)]
    arrival, duration, app = [], [], []
    for day, file in enumerate(files):
        lines = file.read_text().splitlines()
        assert lines[0] == "app,func,end_timestamp,duration"
        rows = list(csv.DictReader(lines))
        duration += [round(float(r["duration"]) * 1e6) for r in rows]
        starts = [round(float(r["end_timestamp"]) * 1e6) - round(float(r["duration"]) * 1e6) for r in rows]
        assert all(s // DAY_US == day for s in starts)
        arrival += starts
        app += [r["app"] for r in rows]
    assert np.array_equal(arrival, calls.arrival_us)
    assert np.array_equal(duration, calls.duration_us)
    assert app == [calls.app_ids[a] for a in calls.app]


def test_equal_arguments_give_equal_bytes_and_one_day_equals_that_of_the_whole(tmp_path: Path) -> None:
    whole = write_twin("azure2021", tmp_path / "a", **AZURE)
    again = write_twin("azure2021", tmp_path / "b", **AZURE)
    assert [f.read_bytes() for f in whole] == [f.read_bytes() for f in again]
    inbox = tmp_path / "inbox"
    for day in (0, 2):
        assert [f.name for f in write_twin("azure2021", inbox, **AZURE, only_day=day)] == [whole[day].name]
    assert [f.read_bytes() for f in sorted(inbox.iterdir())] == [whole[0].read_bytes(), whole[2].read_bytes()]


def test_a_smaller_twin_replaces_a_larger_one(tmp_path: Path) -> None:
    write_twin("azure2021", tmp_path / "out", **AZURE)
    files = write_twin("azure2021", tmp_path / "out", **(AZURE | {"days": 2}))
    assert sorted((tmp_path / "out").iterdir()) == files
    assert len(files) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_cells_have_the_published_layout(tmp_path: Path, sample_dir: Path) -> None:
    files = write_twin("google2019", tmp_path / "out", seed=2, days=2, apps=1, rate=1.0)
    assert [f.name for f in files] == [f"cell_2019_{c}.csv" for c in "abcdefgh"]
    cells = generate_google2019(2, 2)
    real = list(csv.reader((sample_dir / "google" / "derived" / "cells_5min" / "cell_2019_a.csv").open()))
    twin = list(csv.reader(files[0].open()))
    assert twin[0] == real[0]
    assert [r[0] for r in twin[1:]] == [str(i) for i in range(576)]
    assert [r[3:] for r in twin[1:50]] == [r[3:] for r in real[1:50]]  # the same clock
    assert np.allclose([float(r[1]) / 3e8 for r in twin[1:]], cells.cpu_ncu[0], rtol=1e-12)


@pytest.mark.parametrize("source", ["azure2019", "google2011"])
def test_sources_without_a_twin_say_what_to_use(tmp_path: Path, source: str) -> None:
    with pytest.raises(ParameterError, match="inbox"):
        write_twin(source, tmp_path / "out", **AZURE)


@pytest.mark.parametrize("change", [{"only_day": 3}, {"only_day": -1}, {"seed": -1}, {"days": 0}, {"apps": 0}, {"rate": -1.0}])
def test_bad_values_are_refused_and_leave_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        write_twin("azure2021", tmp_path / "out", **(AZURE | change))
    assert list(tmp_path.iterdir()) == []


def test_other_peoples_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ParameterError, match="not a twin's"):
        write_twin("azure2021", tmp_path, **AZURE)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(ParameterError, match="not a folder"):
        write_twin("azure2021", tmp_path / "thesis.tex", **AZURE)


def test_a_full_disk_leaves_the_old_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    files = write_twin("azure2021", tmp_path / "out", **AZURE)
    before = {f.name: f.read_bytes() for f in files}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(SpaceError, match="No space left"):
        write_twin("azure2021", tmp_path / "out", **(AZURE | {"seed": 8}))
    assert {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_reference_figures_agree_with_the_carried_calibration(repository: Path, sample_dir: Path) -> None:
    carried = json.loads((repository / "data" / "reference" / "twin" / "azure2021.json").read_text())
    full = json.loads((sample_dir / "azure" / "calibration.json").read_text())["full_2021"]
    assert carried["calls"] == full["rows"]["value"]
    assert carried["duration_bucket_shares"] == list(full["duration_s"]["bucket_shares"].values())
    assert carried["top_app_share"] == full["invocations_per_app"]["top_share"]
    with (repository / "data" / "reference" / "twin" / "azure2021_apps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(r["functions"]) for r in rows) == full["functions_app_func_pairs"]
    assert {float(r["dispersion_1min"]) for r in rows if r["dispersion_1min"]} == {
        float(t["index_of_dispersion"]) for t in full["top10_apps_1min_bins"]
    }
