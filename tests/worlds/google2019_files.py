"""Usage rows of google2019 in all their formats, and a working tree that takes them in. Not here: the tests (tests/stages)."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import params as params_module
from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import ingest_report, staged_folder

ROOT = Path(__file__).resolve().parents[2]
S = 1_000_000
T0 = 600 * S  # trace time of slot 0
# (start in s after slot 0, end, alloc, cpus, memory)
Row = tuple[float, float, int, float, float]
ROWS: list[Row] = [
    (0, 300, 0, 0.5, 0.25),  # all of slot 0
    (150, 450, 0, 0.2, 0.5),  # half in slot 0, half in slot 1
    (300, 360, 0, 1.0, 2.0),  # a fifth of slot 1
    (300, 600, 330587160469, 0.75, 0.75),  # runs inside an alloc: contained in that alloc's own row
    (86_100, 86_700, 0, 0.125, 0.0),  # the last slot of day 0 and the first of day 1
]
EXPECTED = {0: (0.6, 0.5), 1: (0.3, 0.65), 287: (0.125, 0.0), 288: (0.125, 0.0)}
KAGGLE_HEADER = ",start_time,end_time,alloc_collection_id,average_usage,cpu_usage_distribution,cluster,failed"


def us(seconds: float) -> int:
    return T0 + round(seconds * S)


def as_json(rows: list[Row], **more: object) -> bytes:
    lines = []
    for start, end, alloc, cpus, memory in rows:
        row = {"start_time": str(us(start)), "end_time": str(us(end)), "alloc_collection_id": str(alloc)}
        lines.append(json.dumps(row | {"average_usage": {"cpus": cpus, "memory": memory}, "tail": [0.5, 1]} | more))
    return ("\n".join(lines) + "\n").encode()


def as_csv(rows: list[Row], names: tuple[str, str] = ("average_usage.cpus", "average_usage.memory")) -> bytes:
    lines = [f"machine_id,{names[0]},start_time,end_time,{names[1]},alloc_collection_id"]
    lines += [f"7,{cpus!r},{us(start)},{us(end)},{memory!r},{alloc or ''}" for start, end, alloc, cpus, memory in rows]
    return ("\n".join(lines) + "\n").encode()


def as_kaggle(rows: list[Row], cluster: str = "1", end: str = "\r\n") -> bytes:
    lines = [KAGGLE_HEADER]
    for i, (start, stop, alloc, cpus, memory) in enumerate(rows):
        use = f"\"{{'cpus': {cpus!r}, 'memory': {memory!r}}}\""
        lines.append(f'{i},{us(start):.6E},{us(stop)},{alloc},{use},"[0. 0.1\n 0.2, ""x""]",{cluster},0')
    return (end.join(lines) + end).encode()


def as_parquet(rows: list[Row], nested: bool = True, **more: list[Any]) -> bytes:
    start, end, alloc, cpus, memory = (list(column) for column in zip(*rows, strict=True))
    table: dict[str, Any] = {"start_time": [us(s) for s in start], "end_time": [us(s) for s in end], "alloc_collection_id": alloc}
    if nested:
        table["average_usage"] = [{"cpus": c, "memory": m} for c, m in zip(cpus, memory, strict=True)]
    else:
        table |= {"average_usage_cpus": cpus, "average_usage_memory": memory}
    out = io.BytesIO()
    pq.write_table(pa.table(table | more), out)
    return out.getvalue()


GOOD = {"start_time": str(T0), "end_time": str(T0 + 300 * S), "average_usage": {"cpus": 0.5, "memory": 0.5}}
KAGGLE = f"1,{T0},{T0 + 300 * S},0,\"{{'cpus': 0.5, 'memory': 0.5}}\",\"[1\n 2]\",1,0"
# a series as published
SERIES_HEADER = ",avgcpu,avgmem,time,timestamp,day_of_week,hour_of_day\n"
SERIES = (SERIES_HEADER + "".join(f"{k},{3e11},{15e10},t,s,2,0\n" for k in range(4))).encode()
FORMS: dict[str, tuple[str, Callable[[list[Row]], bytes]]] = {
    "JSON": ("cell_a/instance_usage-000000000000.json", as_json),
    "JSON lines, gzip": ("clusterdata_2019_a/instance_usage-000000000000.jsonl.gz", lambda rows: gzip.compress(as_json(rows))),
    "JSON with a cell, CRLF, BOM": ("instance_usage.json", lambda r: b"\xef\xbb\xbf" + as_json(r, cell="a").replace(b"\n", b"\r\n")),
    "CSV": ("instance_usage_a.csv", as_csv),
    "CSV, underscores, gzip": (
        "x/instance_usage_a-1.csv.gz",
        lambda r: gzip.compress(as_csv(r, ("average_usage_cpus", "average_usage_memory"))),
    ),
    "Kaggle": ("borg_traces_data.csv", as_kaggle),
    "Kaggle, LF": ("borg_traces_data.csv", lambda rows: as_kaggle(rows, "a", "\n")),
    "Parquet": ("instance_usage_a000.parquet", as_parquet),
    "Parquet, flat, with clusters": (
        "instance_usage.parquet",
        lambda rows: as_parquet(rows, nested=False, cluster=pa.array([1] * len(rows), pa.int8())),
    ),
}


def tree(root: Path, files: dict[str, bytes]) -> tuple[params_module.Params, Paths]:
    """A working tree whose inbox of google2019 holds `files`."""
    params = params_module.load(ROOT / "params.yaml").changed({"traces.google2019.from": "inbox"})
    paths = Paths(root)
    for name, data in files.items():
        target = paths.inbox("google2019") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return params, paths


def go(root: Path, files: dict[str, bytes]) -> tuple[dict[str, Any], Paths]:
    params, paths = tree(root, files)
    scan.run(params, paths, "google2019")
    ingest.run(params, paths, "google2019")
    return report(paths), paths


def report(paths: Paths) -> dict[str, Any]:
    found: dict[str, Any] = read_json(ingest_report(paths, "google2019"))
    assert found["rows_in"] == found["rows_staged"] + found["rows_rejected"]
    assert found["rows_rejected"] == sum(found["rejects_by_reason"].values())
    return found


def used(paths: Paths) -> dict[tuple[str, int], tuple[float, float]]:
    """(cell, slot) to (NCU, NMU)."""
    pattern = f"{staged_folder(paths, 'google2019')}/day=*/utilisation.parquet"
    with duckdb.connect() as con:
        rows = con.execute(f"select cell, slot, cpu_used, memory_used from read_parquet('{pattern}')").fetchall()
    return {(cell, slot): (cpu, memory) for cell, slot, cpu, memory in rows}


def days(paths: Paths) -> dict[str, bytes]:
    staged = staged_folder(paths, "google2019")
    return {str(f.relative_to(staged)): f.read_bytes() for f in sorted(staged.glob("day=*/*.parquet"))}


def rejects(paths: Paths) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return con.execute(f"select * from '{staged_folder(paths, 'google2019')}/rejects.parquet'").fetchall()


def json_line(change: object) -> str:
    return change if isinstance(change, str) else json.dumps(GOOD | change)  # type: ignore[operator]
