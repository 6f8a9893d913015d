"""Stage `ingest`: every row is staged or rejected with its reason. Not here: what is staged (test_ingest.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.paths import Paths
from tests.worlds.azure2021_files import DAY_S, GOOD, HEADER, A, B, F, G, go, put, rows

BAD = {
    "wrong_column_count": [f"{A},{F},1.0", f"{A},{F},1.0,0.5,9", ""],
    "bad_id": [f"{A[:-1]},{F},1.0,0.5", f"{A.upper()},{F},1.0,0.5", f",{F},1.0,0.5"],
    "bad_number": [f"{A},{F},,0.5", f"{A},{F},1.0,abc", f"{A},{F},0x10,0.5"],
    "not_finite": [f"{A},{F},nan,0.5", f"{A},{F},1.0,inf", f"{A},{F},1.0,1e999"],
    "negative_duration": [f"{A},{F},1.0,-0.5", f"{A},{F},1.0,-1e300"],
    "duration_too_long": [f"{A},{F},1.0,1e300", f"{A},{F},100000,86401"],
    "arrival_out_of_range": [f"{A},{F},0.5,1.0", f"{A},{F},1e300,1.0", f"{A},{F},{400 * DAY_S},1.0", f"{A},{F},1e12,1.0"],
}


@pytest.mark.parametrize(("reason", "line"), [(reason, line) for reason, lines in BAD.items() for line in lines])
def test_rejects_a_bad_line_with_its_reason(tmp_path: Path, reason: str, line: str) -> None:
    paths = Paths(tmp_path)
    put(paths, "csv", [*GOOD[:2], line, *GOOD[2:]])
    found = go(paths)
    assert (found["rows_in"], found["rows_staged"], found["rejects_by_reason"]) == (6, 5, {reason: 1})
    assert rows(paths, "rejects.parquet") == [("AzureFunctionsInvocationTrace.csv", 4, reason, line[:200])]


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        (f"{A},{F},1.0\0,0.5".encode(), {"nul_byte": 1}),
        (f"{A},{F}\0,1.0,0.5".encode(), {"nul_byte": 1}),
        (f"{A},{F},1.0,0.5".encode() + b"\xff\xfe", {"not_utf8": 1}),
        (b"\xff\xfe" + f"{A},{F},1.0,0.5".encode(), {"not_utf8": 1}),
        (f'"{A}\nx",{F},1.0,0.5'.encode(), {"bad_quotes": 1, "bad_id": 1}),
        (f'"{A},{F},1.0,0.5'.encode(), {"bad_quotes": 1}),
        (b"x" * 3_000_000, {"wrong_column_count": 1}),
        (f"{A},{F},1.0,0.5\r{B},{G},1.0,0.5".encode(), {"wrong_column_count": 1}),
        (f'{A},{F},"1"2,0.5'.encode(), {"bad_quotes": 1}),
        (b"\xef\xbb\xbf" + f"{A},{F},1.0,0.5".encode(), {"bad_id": 1}),
        (f"{A},{F},1.0,0.5".encode() + b"0" * 5_000_000 + b",", {"wrong_column_count": 1}),
    ],
    ids=[
        "NUL in a number",
        "NUL in an id",
        "not UTF-8",
        "UTF-16 mark",
        "quoted newline",
        "open quote",
        "line of 3 MB",
        "lone CR",
        "text after a quote",
        "UTF-8 mark",
        "line longer than a block",
    ],
)
def test_rejects_bytes_that_are_not_a_row(tmp_path: Path, line: bytes, reasons: dict[str, int]) -> None:
    paths = Paths(tmp_path)
    put(paths, "csv", "\n".join([HEADER, *GOOD[:2]]).encode() + b"\n" + line + b"\n" + "\n".join(GOOD[2:]).encode())
    found = go(paths)
    assert (found["rows_staged"], found["rejects_by_reason"]) == (5, reasons)
    assert all(len(row[3]) <= 200 for row in rows(paths, "rejects.parquet"))
