"""Stage `eda` on a small invented trace whose answers are known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from core.errors import GateError
from tasks.core import params
from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.core.records import write_record
from tasks.core.sources import SOURCES
from tasks.data.features_outputs import features_folder
from tasks.data.features_record import FeaturesSummary
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.verdict import write_verdict
from tasks.eda import eda
from tasks.eda.calls import autocorrelation, quantile, survival
from tasks.eda.eda import eda_folder
from tasks.eda.forecasts import errors
from tests.worlds.stage_files import ingest_counts

# (app, function, arrival in s, duration in ms): two calls of app 1 overlap; app 2 has one call of zero duration.
CALLS = ((1, 11, 0, 2000), (1, 11, 1, 2000), (1, 12, 3600, 1000), (2, 21, 7200, 0))
STEPS = 600


@pytest.fixture
def tree(tmp_path: Path, repository: Path) -> Paths:
    """A working tree with staged calls and features of four calls, everything else off."""
    paths = Paths(tmp_path)
    paths.params_file.write_text((repository / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    day, con = staged_folder(paths, "azure2021") / "day=00", duckdb.connect()
    day.mkdir(parents=True)
    features_folder(paths).mkdir(parents=True)
    rows = ", ".join(f"({a}, {f}, {t * 1_000_000}, {d * 1000}, 128, 'http')" for a, f, t, d in CALLS)
    con.execute(
        f'copy (select a::bigint app_id, f::bigint function_id, t::bigint arrival_us, d::bigint duration_us, m::int memory_mb, g "trigger"'
        f" from (values {rows}) v(a, f, t, d, m, g)) to '{day}/invocations.parquet'"
    )
    con.execute(f"copy (select * from (values (1::bigint, 128), (2::bigint, 128)) v(app_id, memory_mb)) to '{day.parent}/apps.parquet'")
    con.execute(
        f"copy (select * from (values (1::bigint, 'rare'), (2::bigint, 'rare')) v(app_id, rate_class))"
        f" to '{features_folder(paths)}/apps.parquet'"
    )
    columns = "v(app_id, step, calls, busy_us, concurrency_max)"
    parts = {
        "train": "(1::bigint, 0, 2, 4000000::bigint, 2), (1::bigint, 240, 1, 1000000::bigint, 1)",
        "valid": "(2::bigint, 480, 1, 0::bigint, 0)",
        "test": "(0::bigint, 0, 0, 0::bigint, 0)",
    }
    for part, values in parts.items():
        where = "where app_id > 0"
        con.execute(f"copy (select * from (values {values}) {columns} {where}) to '{features_folder(paths)}/{part}.parquet'")
    features = {
        "source": "azure2021", "from": "twin", "span_steps": STEPS, "unit_steps": 30, "split_steps": [420, 510, STEPS], "rows_run_out": 0,
        "early_stopping_step": 400, "rows": {"train": 2, "valid": 1, "test": 0}, "columns": [], "regions": 24,
    }  # fmt: skip
    write_record(features_folder(paths) / "features.json", FeaturesSummary, features)
    for source in SOURCES:
        staged_folder(paths, source).mkdir(parents=True, exist_ok=True)
        write_record(
            ingest_report(paths, source), IngestReport, ingest_counts("twin", 4, 1) if source == "azure2021" else ingest_counts("off")
        )
        write_verdict(paths, source, "twin" if source == "azure2021" else "off", [])
    return paths


def answers(paths: Paths) -> dict[str, Any]:
    eda.run(params.load(paths.params_file), paths)
    return {f.stem: read_json(f) for f in sorted(eda_folder(paths).iterdir())}


def test_answers_of_four_calls(tree: Paths) -> None:
    found = answers(tree)
    assert found["volumes"]["total"] == len(CALLS)
    assert found["volumes"]["calls"][0][:4] == [2, 1, 1, 0]
    assert found["concentration"]["apps"] == [3, 1]
    assert found["concentration"]["functions"] == [2, 1, 1]
    assert found["concentration"]["top"]["1"] == 0.75
    assert found["durations"]["zero_share"] == 0.25
    assert found["durations"]["max_s"] == 2.0
    assert found["durations"]["p50_s"] == 1.0  # nearest rank of 0, 1, 2, 2 s, exact
    assert found["gaps"]["gaps"] == 2  # app 1 alone has successive calls: 1 s and 3,599 s
    assert found["gaps"]["over_60s"] == 0.5
    assert found["concurrency"]["overall_max"] == 2
    assert found["concurrency"]["overall_mean"] == pytest.approx(5e6 / (STEPS * 15e6), rel=1e-4)
    assert found["triggers"]["drawn"] is True


def test_a_source_that_is_off_is_left_out(tree: Paths) -> None:
    found = answers(tree)
    assert found["cells"] == {}
    assert found["google2011"] == {}
    assert [s["source"] for s in found["quality"]["sources"]] == ["azure2021"]
    assert found["quality"]["sources"][0]["rows_rejected"] == 1
    sampled = {c["column"] for c in found["quality"]["columns"] if c["kind"] == "drawn"}
    assert sampled == {"memory_mb", "trigger"}


def test_a_season_longer_than_the_past_is_left_out_and_said(tree: Paths) -> None:
    found = answers(tree)["forecasts"]
    assert {r["arm"] for r in found["rows"]} == {"last value", "moving average 5 min"}
    assert any("seasonal naive" in note for note in found["notes"])


def test_equal_bytes_on_one_and_four_threads(tree: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "1")
    one = json.dumps(answers(tree))
    monkeypatch.setenv("TRINE_THREADS", "4")
    assert json.dumps(answers(tree)) == one


def test_the_gate_stops_eda_and_leaves_the_old_answers(tree: Paths) -> None:
    before = answers(tree)
    write_verdict(tree, "google2019", "off", [{"expectation": "e", "column": "c", "severity": "critical", "success": False, "observed": 1}])
    with pytest.raises(GateError):
        eda.run(params.load(tree.params_file), tree)
    assert {f.stem: read_json(f) for f in sorted(eda_folder(tree).iterdir())} == before


def test_autocorrelation_of_an_alternating_series() -> None:
    found = autocorrelation(np.array([1.0, -1.0] * 50), 2)
    assert found == pytest.approx([1.0, -0.99, 0.98])
    assert not autocorrelation(np.ones(5), 2).any()


def test_survival_counts_zeros_in_the_whole_only() -> None:
    xs, ys = survival([None, 360], [1, 3])
    assert xs == [1.0]
    assert ys == [0.75]
    assert quantile([None, 360], [1, 3], 0.2) == 0.0


def test_the_scale_of_mase_does_not_see_the_test_span() -> None:
    x = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 100.0, 0.0, 100.0])
    rules = {"last": lambda v: np.concatenate(([np.nan], v[:-1]))}
    assert errors(x, 4, 6, rules)["last"] == {"rmse": 100.0, "mae": 100.0, "mase": 100.0}
    assert errors(np.concatenate((np.zeros(6), [1.0, 0.0])), 6, 6, rules)["last"]["mase"] is None
