"""Stage `ingest`: equal input gives equal bytes, and a failure leaves the last good run. Not here: bad rows (test_ingest_rejects.py)."""

from __future__ import annotations

import gzip
import hashlib
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import LostRowsError, RawDataError, SpaceError
from tasks.core.paths import Paths
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import staged_folder
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources import azure2021
from tests.worlds.azure2021_files import DAY_S, GOOD, HEADER, ROOT, A, B, F, G, go, hashes, many, params_for, put, report, rows


def test_stages_sorted_days_with_sampled_columns(tmp_path: Path) -> None:
    paths, params = Paths(tmp_path), params_for()
    put(paths, "csv", GOOD)
    found = go(paths)
    assert {
        k: found[k] for k in ("rows_in", "rows_staged", "rows_rejected", "apps", "functions", "zero_durations", "exact_duplicates")
    } == {
        "rows_in": 5,
        "rows_staged": 5,
        "rows_rejected": 0,
        "apps": 2,
        "functions": 2,
        "zero_durations": 1,
        "exact_duplicates": 1,
    }
    assert found["duration_us_sum"] == 500_000 * 2 + 1_250_000 + 3_000_000
    assert (found["arrival_us_min"], found["arrival_us_max"]) == (10_000_000, (2 * DAY_S - 2) * 1_000_000)
    a, b, f, g = (int(x[:15], 16) for x in (A, B, F, G))
    (memory_a, memory_b), (trigger_f, trigger_g) = azure2021.memory_mb([a, b], params), azure2021.triggers([f, g], params)
    assert rows(paths, "day=00/invocations.parquet") == [
        (a, f, 10_000_000, 500_000, memory_a, trigger_f),
        (a, f, 10_000_000, 500_000, memory_a, trigger_f),
        (b, g, 20_000_000, 0, memory_b, trigger_g),
    ]
    assert rows(paths, "day=01/invocations.parquet") == [
        (a, f, (DAY_S * 10**6) + 3_750_000, 1_250_000, memory_a, trigger_f),
        (b, g, (2 * DAY_S - 2) * 10**6, 3_000_000, memory_b, trigger_g),
    ]
    assert rows(paths, "apps.parquet") == [(a, A, 1, 3, memory_a), (b, B, 1, 2, memory_b)]
    assert rows(paths, "functions.parquet") == [(a, f, F, trigger_f, 3), (b, g, G, trigger_g, 2)]


@pytest.mark.parametrize("form", ["BOM", "CRLF", "gzip", "quoted", "no last newline"])
def test_other_forms_of_the_same_rows_stage_the_same_calls(tmp_path: Path, form: str) -> None:
    plain, other = Paths(tmp_path / "plain"), Paths(tmp_path / "other")
    text = "\n".join([HEADER, *GOOD]) + "\n"
    put(plain, "csv", text.encode())
    forms = {
        "BOM": b"\xef\xbb\xbf" + text.encode(),
        "CRLF": text.replace("\n", "\r\n").encode(),
        "gzip": gzip.compress(text.encode()),
        "quoted": text.replace(A, f'"{A}"').encode(),
        "no last newline": text.rstrip("\n").encode(),
    }
    put(other, "csv.gz" if form == "gzip" else "csv", forms[form])
    assert go(plain)["rejects_by_reason"] == go(other)["rejects_by_reason"] == {}
    days = [name for name in hashes(plain) if name.startswith("day=")]
    assert {n: hashes(plain)[n] for n in days} == {n: hashes(other)[n] for n in days}


def test_a_file_of_only_bad_rows_or_only_a_header_stages_nothing(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    put(paths, "1.csv", ["x,y"])
    put(paths, "2.csv", [])
    assert go(paths)["rejects_by_reason"] == {"wrong_column_count": 1}
    assert not list(staged_folder(paths, "azure2021").glob("day=*"))


def test_off_stages_zero_counts(tmp_path: Path) -> None:
    paths, params = Paths(tmp_path), params_for("off")
    found = go(paths, params)
    assert found == {"from": "off", "rows_in": 0, "rows_staged": 0, "rows_rejected": 0, "rejects_by_reason": {}, "files": []}
    assert list(hashes(paths)) == ["ingest.json"]


def test_incremental_equals_from_scratch_and_rebuilds_only_touched_days(tmp_path: Path) -> None:
    step, scratch = Paths(tmp_path / "step"), Paths(tmp_path / "scratch")
    put(step, "0.csv", many(0))
    put(step, "12.csv", [*many(1), *many(2), "bad row"])
    put(step, "5.csv", many(5))
    go(step)
    before = {d: (staged_folder(step, "azure2021") / d / "invocations.parquet").stat().st_ino for d in ("day=00", "day=01", "day=02")}
    put(step, "2more.csv", [*many(2, 100, salt=3), "another bad row"])  # shares day 2 with an unchanged file
    (step.inbox("azure2021") / "AzureFunctionsInvocationTrace.5.csv").unlink()
    put(step, "0.csv", many(0)[7:])
    summary = (scan.run(params_for(), step, "azure2021"), ingest.run(params_for(), step, "azure2021"))[1]
    assert "2 of 3 days rebuilt" in summary
    after = {d: (staged_folder(step, "azure2021") / d / "invocations.parquet").stat().st_ino for d in before}
    assert [before[d] == after[d] for d in before] == [False, True, False]
    assert report(step)["rows_in"] == 2993 + 6001 + 101
    for file in step.inbox("azure2021").iterdir():
        put(scratch, file.name.removeprefix("AzureFunctionsInvocationTrace."), file.read_bytes())
    go(scratch)
    assert hashes(step) == hashes(scratch)


def test_a_damaged_day_is_rebuilt_and_other_parameters_rebuild_all(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    put(paths, "csv", GOOD)
    go(paths)
    good = hashes(paths)
    (staged_folder(paths, "azure2021") / "day=01" / "invocations.parquet").write_bytes(b"damaged")
    assert "1 of 2 days rebuilt" in ingest.run(params_for(), paths, "azure2021")
    assert hashes(paths) == good
    (staged_folder(paths, "azure2021") / "rejects.parquet").unlink()
    assert "2 of 2 days rebuilt" in ingest.run(params_for(), paths, "azure2021")
    assert hashes(paths) == good
    assert "2 of 2 days rebuilt" in ingest.run(params_for(memory_median_mb=300), paths, "azure2021")
    assert hashes(paths) != good


def test_equal_bytes_on_one_and_four_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threads in ("1", "4"):
        monkeypatch.setenv("TRINE_THREADS", threads)
        paths = Paths(tmp_path / threads)
        put(paths, "csv", [*many(0, 150_000), *many(1, 30_000)])
        go(paths)
        found.append(hashes(paths))
    assert found[0] == found[1]


def test_bytes_do_not_depend_on_where_blocks_and_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sorted([*many(0, 400), *many(2, 400), *many(1, 400)], key=lambda line: hashlib.sha256(line.encode()).digest())  # days mixed
    found = []
    for block_bytes, held_rows in ((1 << 22, 1 << 21), (1500, 100), (401, 1)):
        monkeypatch.setattr(azure2021, "BLOCK_BYTES", block_bytes)
        monkeypatch.setattr(azure2021, "HELD_ROWS", held_rows)
        paths = Paths(tmp_path / str(block_bytes))
        put(paths, "csv", rows)
        assert go(paths)["rows_staged"] == 1200
        found.append(hashes(paths))
    assert found[0] == found[1] == found[2]


def test_a_byte_order_mark_after_the_header_is_not_skipped(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    put(paths, "csv", ["\ufeff" + GOOD[0], *GOOD[1:]])
    assert go(paths)["rejects_by_reason"] == {"bad_id": 1}


def test_a_fault_in_the_last_of_many_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure2021, "BLOCK_BYTES", 4096)
    paths = Paths(tmp_path)
    put(paths, "csv", [*many(0), f"{A},{F},1.0,2.0"])
    assert go(paths)["rejects_by_reason"] == {"arrival_out_of_range": 1}
    assert report(paths)["rows_staged"] == 3000


def test_a_failure_leaves_the_last_good_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    raw = put(paths, "csv", GOOD)
    go(paths)
    good = hashes(paths)
    put(paths, "more.csv", many(3, 50))
    scan.run(params_for(), paths, "azure2021")
    real = azure2021.write_day
    monkeypatch.setattr(azure2021, "write_day", lambda *args: real(*args) - 1)
    with pytest.raises(LostRowsError):
        ingest.run(params_for(), paths, "azure2021")
    assert hashes(paths) == good

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(azure2021, "write_day", full)
    with pytest.raises(SpaceError, match="lack of space"):
        ingest.run(params_for(), paths, "azure2021")
    assert hashes(paths) == good
    monkeypatch.undo()
    raw.write_text("changed after the scan")
    (staged_folder(paths, "azure2021") / "state.json").unlink()
    with pytest.raises(RawDataError, match="changed after the scan"):
        ingest.run(params_for(), paths, "azure2021")
    assert [p.name for p in (tmp_path / "data" / "staged").iterdir()] == ["azure2021"]


def test_a_file_size_limit_is_a_space_error_and_keeps_the_last_run(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    put(paths, "csv", GOOD)
    go(paths)
    good = hashes(paths)
    put(paths, "more.csv", many(3, 60_000))
    scan.run(params_for(), paths, "azure2021")
    text = (ROOT / "params.yaml").read_text().replace("azure2021: {from: twin,", "azure2021: {from: inbox,", 1)
    (tmp_path / "params.yaml").write_text(text)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    shutil.copy(ROOT / "dvc.yaml", paths.root)
    command = [sys.executable, "-m", "tasks", "ingest", "azure2021"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert done.returncode == 1
    assert "lack of space" in done.stderr
    assert "Traceback" not in done.stderr
    assert hashes(paths) == good


def test_sampled_columns_depend_on_the_id_alone_and_follow_their_distribution() -> None:
    import numpy as np

    params = params_for()
    ids = list(range(1, 20_001))
    memory = np.array(azure2021.memory_mb(ids, params))
    assert azure2021.memory_mb([777], params) == [memory[776]]
    assert abs(np.median(memory) - params.section("ingest", IngestSettings).memory_median_mb) < 3
    assert memory.min() >= 30
    sampled = azure2021.triggers(ids, params)
    assert azure2021.triggers([777], params) == [sampled[776]]
    # the published shares add up to 1.057 (a function can have two triggers); they are scaled to 1
    assert abs(sampled.count("http") / len(ids) - 0.433 / 1.057) < 0.01
    assert set(sampled) == {"http", "queue", "event", "orchestration", "timer", "storage", "others"}


def test_the_real_slice_gives_the_published_totals(tmp_path: Path, sample_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_SAMPLE_DIR", str(sample_dir))
    found = go(Paths(tmp_path), params_for("path:$TRINE_SAMPLE_DIR/azure/2021"))
    assert {k: v for k, v in found.items() if k not in ("files", "from", "rejects_by_reason")} == {
        "rows_in": 998,
        "rows_staged": 998,
        "rows_rejected": 0,
        "apps": 21,
        "functions": 49,
        "duration_us_sum": 24_782_782_000,
        "zero_durations": 43,
        "arrival_us_min": 1_491,
        "arrival_us_max": 6_464_802_797,
        "exact_duplicates": 0,
    }


def test_seven_deleted_rows_move_the_totals_by_exactly_that(tmp_path: Path, sample_dir: Path) -> None:
    paths = Paths(tmp_path)
    lines = next((sample_dir / "azure" / "2021").glob("*head998.csv")).read_text().splitlines()
    gone = lines[100:107]
    put(paths, "csv", lines[1:100] + lines[107:])
    found = go(paths)
    assert found["rows_staged"] == 991
    assert found["duration_us_sum"] == 24_782_782_000 - sum(round(float(line.rsplit(",", 1)[1]) * 1e6) for line in gone)
