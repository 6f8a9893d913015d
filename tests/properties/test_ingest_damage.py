"""Ingest under arbitrary damage: every row is staged or rejected, and the two readers agree on which."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import ingest_report

ROOT = Path(__file__).resolve().parents[2]
HEADER = b"app,func,end_timestamp,duration\n"
IDS = [c * 64 for c in "0a9f"]
QUICK = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

good_lines = st.tuples(
    st.sampled_from(IDS), st.sampled_from(IDS), st.integers(10_000_000, 3 * 86_400_000_000), st.integers(0, 10_000_000)
).map(lambda r: f"{r[0]},{r[1]},{r[2] / 1e6},{r[3] / 1e6}".encode())
# Fields on the edge of what number parsers take, and of what is in range.
numbers = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "+1",
            "+nan",
            "nan(1)",
            "\t1",
            "\v1",
            " 2.5 ",
            "1.",
            ".5",
            "1e3",
            "1E+3",
            "1_000",
            "0x10",
            "-0",
            "-0.0000001",
            "nan",
            "-NaN",
            "inf",
            "Infinity",
            "1e400",
            "86400",
            "86400.0000001",
            "31622400",
            "1e15",
            "١",
            "1,5",
            '"1"',
            '"1"2',
            '1"',
            '"\t1"',
            "1 2",
            "True",
            "1e-400",
            "--1",
            "1e",
            "e1",
            ".",
            "+",
            "1d",
        ]
    ),
    st.floats().map(repr),
)
ids = st.one_of(st.sampled_from([*IDS, IDS[1].upper(), IDS[0][:-1], IDS[0] + "0", " " + IDS[0][1:], "", f'"{IDS[0]}"', "g" * 64]))
odd_lines = st.one_of(
    st.tuples(ids, ids, numbers, numbers).map(lambda r: ",".join(r).encode()),
    st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")),
    st.text(alphabet='a0,."\r\0 é', max_size=30).map(str.encode),
)


def counts(lines: list[bytes]) -> dict:
    """Scan and ingest one file of these lines in a fresh tree."""
    params = params_module.load(ROOT / "params.yaml").changed({"traces.azure2021.from": "inbox"})
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        paths.inbox("azure2021").mkdir(parents=True)
        (paths.inbox("azure2021") / "AzureFunctionsInvocationTrace.csv").write_bytes(HEADER + b"".join(line + b"\n" for line in lines))
        scan.run(params, paths, "azure2021")
        ingest.run(params, paths, "azure2021")
        found: dict = json.loads(ingest_report(paths, "azure2021").read_text())
    return found


@QUICK
@given(st.lists(good_lines, min_size=1, max_size=12), st.lists(odd_lines, max_size=12), st.randoms(use_true_random=False))
def test_rows_in_are_staged_plus_rejected_and_no_good_row_is_lost(good: list[bytes], odd: list[bytes], shuffle: object) -> None:
    lines = [*good, *odd]
    shuffle.shuffle(lines)  # type: ignore[attr-defined]
    found = counts(lines)
    assert found["rows_in"] == len(lines) == found["rows_staged"] + found["rows_rejected"]
    assert found["rows_staged"] >= len(good)
    assert sum(found["rejects_by_reason"].values()) == found["rows_rejected"]


@QUICK
@given(odd_lines, st.lists(good_lines, min_size=1, max_size=3))
def test_a_line_meets_the_same_fate_beside_a_broken_one(line: bytes, good: list[bytes]) -> None:
    """Beside only good lines the strict reader sees it first; beside a broken line the tolerant one decides."""
    alone, accompanied = counts([*good, line]), counts([*good, line, b"broken"])
    assert accompanied["rows_rejected"] == alone["rows_rejected"] + 1
    assert accompanied["rows_staged"] == alone["rows_staged"]


@QUICK
@given(st.lists(good_lines, min_size=8, max_size=25), st.data())
def test_removing_any_seven_rows_moves_the_totals_by_exactly_that(lines: list[bytes], data: st.DataObject) -> None:
    gone = set(data.draw(st.permutations(range(len(lines))))[:7])
    kept = [line for i, line in enumerate(lines) if i not in gone]
    before, after = counts(lines), counts(kept)
    removed_us = sum(round(float(lines[i].rsplit(b",", 1)[1]) * 1e6) for i in gone)
    assert before["rows_staged"] - after["rows_staged"] == 7
    assert before["duration_us_sum"] - after["duration_us_sum"] == removed_us
