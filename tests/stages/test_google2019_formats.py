"""Usage rows of google2019 in all their formats: sums known by hand, equal bytes, the real samples. Not here: bad rows and files."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tasks.core import params as params_module
from tasks.data import ingest, scan, validate
from tasks.eda.cells import correlation
from tests.worlds.google2019_files import (
    EXPECTED,
    FORMS,
    ROOT,
    ROWS,
    T0,
    S,
    as_json,
    days,
    go,
    tree,
    used,
)


@pytest.mark.parametrize("form", FORMS)
def test_windows_are_summed_by_the_time_they_share_with_a_slot(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    found, paths = go(tmp_path, {name: write(ROWS)})
    assert used(paths) == {("a", slot): use for slot, use in EXPECTED.items()}
    assert (found["rows_in"], found["rows_rejected"], found["utilisation"]) == (5, 0, 4)
    assert (found["usage_rows_summed"], found["usage_rows_inside_allocs"]) == (4, 1)
    assert found["cells"] == {"a": {"slots": 4, "cpu_lag1": found["cells"]["a"]["cpu_lag1"]}}


@pytest.mark.parametrize("form", [name for name in FORMS if name != "JSON"])
def test_every_format_of_the_same_rows_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    rows = [(7.5 * i, 7.5 * i + 1 + i % 299, 0, (i * 7919 % 4096) / 4096, (i * 104_729 % 1024) / 1024 / 3) for i in range(300)]
    plain = go(tmp_path / "json", {FORMS["JSON"][0]: as_json(rows)})[1]
    other = go(tmp_path / "other", {FORMS[form][0]: FORMS[form][1](rows)})[1]
    assert days(plain) == days(other)


@pytest.mark.parametrize("form", ["JSON", "CSV", "Kaggle", "Parquet"])
def test_a_folder_of_each_format_passes_validation(tmp_path: Path, form: str) -> None:
    rows = [(300 * i, 300 * i + 300, 0, 0.5 + i % 7 / 10, 0.25) for i in range(600)]
    shutil.copytree(ROOT / "expectations", tmp_path / "expectations")
    _, paths = go(tmp_path, {FORMS[form][0]: FORMS[form][1](rows)})
    summary = validate.run(params_module.load(ROOT / "params.yaml"), paths, "google2019")
    assert summary == "17 expectations, 0 not met, success"


def test_bytes_do_not_depend_on_threads_nor_on_how_rows_are_cut_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ((i * 7919) % 170_000, (i * 7919) % 170_000 + 1 + i % 300, 9 * (i % 5 == 0), 1 / (1 + i % 97), 1 / (3 + i % 89))
        for i in range(40_000)
    ]
    found = []
    for threads in ("1", "4"):
        monkeypatch.setenv("TRINE_THREADS", threads)
        whole = go(tmp_path / f"whole{threads}", {"cell_b/instance_usage-0.json": as_json(rows)})[1]
        parts = {f"cell_b/instance_usage-{i}.json": as_json(rows[i::3]) for i in range(3)}
        found += [days(whole), days(go(tmp_path / f"parts{threads}", parts)[1])]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == 4


def test_a_new_file_rebuilds_only_the_days_it_touches(tmp_path: Path) -> None:
    first = {"cell_a/instance_usage-0.json": as_json([(0, 300, 0, 0.5, 0.5), (90_000, 90_300, 0, 0.5, 0.5)])}
    params, paths = tree(tmp_path / "step", first)
    scan.run(params, paths, "google2019")
    ingest.run(params, paths, "google2019")
    second = {"cell_a/instance_usage-1.json": as_json([(0, 300, 0, 0.25, 0.25)])}
    tree(tmp_path / "step", second)
    scan.run(params, paths, "google2019")
    assert "1 of 2 days rebuilt" in ingest.run(params, paths, "google2019")
    assert used(paths) == {("a", 0): (0.75, 0.75), ("a", 300): (0.5, 0.5)}
    assert days(paths) == days(go(tmp_path / "scratch", first | second)[1])


def test_correlation_of_too_few_or_constant_values_is_none() -> None:
    import numpy as np

    rising, flat = np.array([1.0, 2.0, 4.0]), np.ones(3)
    assert correlation(rising, -rising) == pytest.approx(-1)
    assert correlation(rising, flat) is correlation(flat, rising) is correlation(rising[:2], rising[:2]) is None


def by_hand(file: Path) -> tuple[dict[tuple[str, int], list[float]], Counter[str]]:
    """Sum a Kaggle file without the parsers under test; (cell, slot) to [NCU, NMU], and what became of each row."""
    sums: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    fates: Counter[str] = Counter()
    with file.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            start, end = round(float(row["start_time"])), round(float(row["end_time"]))
            if end <= start:
                fates["rejected"] += 1
            elif float(row["alloc_collection_id"]):
                fates["inside_alloc"] += 1
            else:
                fates["summed"] += 1
                use = json.loads(row["average_usage"].replace("'", '"'))
                for slot in range((start - T0) // (300 * S), (end - 1 - T0) // (300 * S) + 1):
                    left = T0 + slot * 300 * S
                    share = (min(end, left + 300 * S) - max(start, left)) / (300 * S)
                    cell = "abcdefgh"[int(row["cluster"]) - 1]
                    sums[cell, slot][0] += use["cpus"] * share
                    sums[cell, slot][1] += use["memory"] * share
    return sums, fates


@pytest.mark.parametrize(
    ("name", "fates"),
    [
        ("borg_traces_slice_99.csv", {"summed": 74, "inside_alloc": 25}),
        # its times went through a spreadsheet: windows of a few seconds have no length any more
        ("borg_traces_sample_1500.csv", {"summed": 1041, "inside_alloc": 325, "rejected": 134}),
    ],
)
def test_the_real_kaggle_samples(tmp_path: Path, sample_dir: Path, name: str, fates: dict[str, int]) -> None:
    file = sample_dir / "google" / "original" / "2019" / "kaggle_borg_traces" / name
    found, paths = go(tmp_path, {name: file.read_bytes()})
    expected, counted = by_hand(file)
    assert counted == fates
    assert (found["usage_rows_summed"], found["usage_rows_inside_allocs"]) == (fates["summed"], fates["inside_alloc"])
    assert found["rejects_by_reason"] == ({"end_not_after_start": 134} if "rejected" in fates else {})
    got = used(paths)
    assert set(got) == set(expected)
    for key, values in expected.items():
        assert got[key] == pytest.approx(values, rel=1e-9, abs=1e-10)  # each row is rounded to 1e-12


def test_the_real_row_of_the_json_export(tmp_path: Path, sample_dir: Path) -> None:
    data = (sample_dir / "google" / "original" / "2019" / "instance_usage_one_row.jsonl").read_bytes()
    found, paths = go(tmp_path / "as it is", {"cell_a/instance_usage_one_row.jsonl": data})
    assert (found["rows_staged"], found["usage_rows_inside_allocs"], found["utilisation"], found["cells"]) == (1, 1, 0, {})
    assert list(days(paths)) == ["day=21/usage_rows.parquet"]
    outside = data.replace(b'"alloc_collection_id":"330587160469"', b'"alloc_collection_id":"0"')
    _, paths = go(tmp_path / "outside", {"cell_a/instance_usage_one_row.jsonl": outside})
    [(key, use)] = used(paths).items()
    assert key == ("a", (1_838_400 - 600) // 300)
    assert use == pytest.approx((0.008392333984375, 0.0094757080078125), abs=1e-9)
