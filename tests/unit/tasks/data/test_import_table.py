"""Rows in are rows written plus rows rejected, in every dialect, and equal calls give equal bytes. Not here: the stages after it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.errors import ParameterError, RawDataError
from flows.cli import app
from tasks.data.dialects import parse
from tasks.data.import_table import import_tables
from tests.worlds import own_traces
from tests.worlds.folders import contents

UNIX_MS = "app=app,func=func,end=end_timestamp:ms,duration=duration:ms"
RENAMED = "app=Service,func=Handler,start=Started At:iso,duration=elapsed_s:s"
JSON = "app=service,func=call.function,start=call.ts:s,duration=call.duration_ms:ms"


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def rows_of(out: Path) -> list[str]:
    return sorted(line for file in out.glob("*.csv") for line in file.read_text(encoding="utf-8").splitlines()[1:])


def test_every_dialect_of_the_same_calls_gives_the_same_rows(tmp_path: Path) -> None:
    expected = None
    tables = {
        "a.csv": (own_traces.unix_ms(), UNIX_MS),
        "b.csv": (own_traces.renamed(), RENAMED),
        "c.jsonl": (own_traces.json_lines(), JSON),
        "d.csv.gz": (own_traces.compressed(own_traces.unix_ms()), UNIX_MS),
        "e.tsv": (own_traces.renamed().replace(b";", b"\t"), RENAMED),
        "f.txt": (b"\xef\xbb\xbf" + own_traces.unix_ms().replace(b"\n", b"\r\n"), UNIX_MS),
    }
    for name, (data, columns) in tables.items():
        [done] = import_tables([put(tmp_path, name, data)], parse(columns), tmp_path / f"out-{name}")
        assert (done.rows, done.written, done.reasons, len(done.files), done.day_zero) == (400, 400, {}, 2, own_traces.DAY_ZERO)
        found = rows_of(tmp_path / f"out-{name}")
        expected = expected or found
        assert found == expected, name
    assert {line.split(",")[0] for line in expected or ()} == {
        line.split(",")[0] for line in own_traces.canonical().decode().splitlines()[1:]
    }


def test_parquet_with_times_as_such(tmp_path: Path) -> None:
    import datetime as dt

    moments = [dt.datetime(2026, 1, 5, hour, tzinfo=dt.UTC) for hour in range(24)]
    pq.write_table(pa.table({"service": ["shop"] * 24, "ts": moments, "took": [0.5] * 24}), tmp_path / "a.parquet")
    [done] = import_tables([tmp_path / "a.parquet"], parse("app=service,start=ts:iso,duration=took:s"), tmp_path / "out")
    assert (done.rows, done.written, done.day_zero) == (24, 24, own_traces.DAY_ZERO)
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-40])
    with pytest.raises(RawDataError, match="Parquet"):
        import_tables([tmp_path / "b.parquet"], parse("app=service,start=ts:iso,duration=took:s"), tmp_path / "out2")


BAD = {
    "wrong_column_count": b"app-a,pay,1767571200000",
    "bad_number": b"app-a,pay,soon,5",
    "not_finite": b"app-a,pay,nan,5",
    "negative_duration": b"app-a,pay,1767571200000,-5",
    "missing_value": b",pay,1767571200000,5",
    "time_out_of_range": b"app-a,pay,1e40,5",
    "time_far_from_the_others": b"app-a,pay,1000,5",
    "not_utf8": b"app-\xff,pay,1767571200000,5",
    "nul_byte": b"app-a,pay\x00,1767571200000,5",
    "bad_quotes": b'"app-a,pay,1767571200000,5',
}


def test_rows_in_are_rows_written_plus_rejected_with_line_and_reason(tmp_path: Path) -> None:
    data = own_traces.unix_ms() + b"\n".join(BAD.values()) + b"\n"
    [done] = import_tables([put(tmp_path, "a.csv", data)], parse(UNIX_MS), tmp_path / "out")
    assert (done.rows, done.written) == (400 + len(BAD), 400)
    assert done.reasons == dict.fromkeys(sorted(BAD), 1)
    [file] = (tmp_path / "out").glob("*.jsonl")
    rejects = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(r["line"], r["reason"]) for r in rejects] == [(402 + k, reason) for k, reason in enumerate(BAD)]
    before = contents(tmp_path / "out")
    import_tables([tmp_path / "a.csv"], parse(UNIX_MS), tmp_path / "out")
    assert contents(tmp_path / "out") == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_json_lines_that_are_no_objects_are_rejected(tmp_path: Path) -> None:
    [done] = import_tables([put(tmp_path, "a.jsonl", own_traces.json_lines() + b"[1]\nnot json\n")], parse(JSON), tmp_path / "out")
    assert (done.rows, done.written, done.reasons) == (402, 400, {"bad_json": 2})


def test_a_corrected_mapping_replaces_and_another_table_joins_on_the_same_calendar(tmp_path: Path) -> None:
    first, out = put(tmp_path, "a.csv", own_traces.unix_ms()), tmp_path / "out"
    import_tables([first], parse(UNIX_MS.replace("duration:ms", "duration:s")), out)
    import_tables([first], parse(UNIX_MS), out)
    assert len(rows_of(out)) == 400
    later = own_traces.unix_ms().replace(b",17675", b",17685")  # a million seconds later
    [done] = import_tables([put(tmp_path, "b.csv", later)], parse(UNIX_MS), out)
    assert done.day_zero == own_traces.DAY_ZERO
    assert len(rows_of(out)) == 800
    with pytest.raises(ParameterError, match="day 0 of the files in this folder is 2026-01-04"):
        import_tables([first], parse(UNIX_MS), out, "2026-01-05")


def test_times_from_the_start_of_a_trace_stay(tmp_path: Path) -> None:
    [done] = import_tables(
        [put(tmp_path, "a.csv", b"app,end,took\nshop,10.5,0.5\n")], parse("app=app,end=end,duration=took"), tmp_path / "out"
    )
    assert done.day_zero == "start"
    [line] = rows_of(tmp_path / "out")
    assert line.split(",")[2:] == ["10.500000", "0.500000"]


@pytest.mark.parametrize(
    ("name", "data", "columns", "words"),
    [
        (
            "a.csv",
            own_traces.unix_ms(),
            "app=ap,end=end_timestamp:ms,duration=duration:ms",
            "column 'ap' is not there(.|\n)*did you mean 'app'",
        ),
        ("a.csv", b"app,app,end,took\na,a,1,1\n", "app=app,end=end,duration=took", "listed twice"),
        ("a.csv", b"", "app=a,end=b,duration=c", "names no columns"),
        ("a.csv", b"app,end,took\n", "app=app,end=end,duration=took", "the table has no row"),
        ("a.csv", b"app,end,took\na,x,1\n", "app=app,end=end,duration=took", r"none of 1 rows is usable \(bad_number 1\)"),
        ("a.zip", b"PK", "app=a,end=b,duration=c", "is an archive(.|\n)*unpack it"),
        ("a.rar", b"Rar!", "app=a,end=b,duration=c", "is an archive"),
        ("a.xlsx", b"x", "app=a,end=b,duration=c", "no table by its name"),
        ("a.csv.gz", own_traces.compressed(own_traces.unix_ms())[:-30], UNIX_MS, r"gzip(.|\n)*after line \d+ \(byte "),
        ("a.jsonl", b"[1]\n", "app=a,end=b,duration=c", "JSON object"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, data: bytes, columns: str, words: str
) -> None:
    with pytest.raises((ParameterError, RawDataError), match=words):
        import_tables([put(tmp_path, name, data)], parse(columns), tmp_path / "out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [name]


def test_the_command_proposes_the_mapping_and_says_what_it_did(tmp_path: Path) -> None:
    file, out = put(tmp_path, "a.csv", own_traces.unix_ms() + BAD["bad_number"] + b"\n"), tmp_path / "out"
    asked = CliRunner().invoke(app, ["import", "table", str(file), "--out", str(out)])
    assert asked.exit_code == 1
    assert f"fix: trine import table {file} --map {UNIX_MS} --out {out}" in asked.output
    done = CliRunner().invoke(app, ["import", "table", str(file), "--map", UNIX_MS, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "401 rows in, 400 written, 1 rejected (bad_number 1); 2 days, day 0 is 2026-01-04" in done.output
    for arguments in (
        ["import", "table", str(tmp_path / "none.csv"), "--map", UNIX_MS, "--out", str(out)],
        ["import", "table", str(file), "--map", UNIX_MS, "--out", str(file)],
        ["import", "table", str(file), str(file), "--map", UNIX_MS, "--out", str(out)],
        ["import", "table", str(file), "--map", UNIX_MS, "--out", str(out), "--day-zero", "soon"],
    ):
        wrong = CliRunner().invoke(app, arguments)
        assert wrong.exit_code == 1
        assert "Traceback" not in wrong.output
        assert "fix:" in wrong.output
