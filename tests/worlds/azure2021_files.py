"""Files of calls as azure2021 publishes them, and a working tree that takes them in. Not here: the tests (tests/stages)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from core.units import DAY_S
from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import ingest_report, staged_folder

ROOT = Path(__file__).resolve().parents[2]
HEADER = "app,func,end_timestamp,duration"
A, B, F, G = ("a" * 64, "b" * 64, "c" * 63 + "1", "d" * 63 + "2")
GOOD = [f"{A},{F},10.5,0.5", f"{B},{G},20.0,0.0", f"{A},{F},{DAY_S + 5},1.25", f"{A},{F},10.5,0.5", f"{B},{G},{2 * DAY_S + 1},3.0"]


def params_for(origin: str = "inbox", **ingest_values: object) -> params_module.Params:
    changes = {"traces.azure2021.from": origin} | {f"ingest.{name}": value for name, value in ingest_values.items()}
    return params_module.load(ROOT / "params.yaml").changed(changes)


def put(paths: Paths, name: str, data: bytes | list[str]) -> Path:
    target = paths.inbox("azure2021") / f"AzureFunctionsInvocationTrace.{name}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if isinstance(data, bytes) else ("\n".join([HEADER, *data]) + "\n").encode())
    return target


def go(paths: Paths, params: params_module.Params | None = None) -> dict:
    params = params or params_for()
    scan.run(params, paths, "azure2021")
    ingest.run(params, paths, "azure2021")
    return report(paths)


def report(paths: Paths) -> dict:
    found: dict = json.loads(ingest_report(paths, "azure2021").read_text())
    assert found["rows_in"] == found["rows_staged"] + found["rows_rejected"]
    assert sum(found["rejects_by_reason"].values()) == found["rows_rejected"]
    return found


def hashes(paths: Paths) -> dict[str, str]:
    staged = staged_folder(paths, "azure2021")
    return {str(f.relative_to(staged)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(staged.rglob("*")) if f.is_file()}


def rows(paths: Paths, table: str) -> list[tuple]:
    return duckdb.sql(f"select * from read_parquet('{staged_folder(paths, 'azure2021')}/{table}', hive_partitioning = false)").fetchall()


def many(day: int, n: int = 3000, salt: int = 1) -> list[str]:
    ids = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(40)]
    return [f"{ids[i * salt % 7]},{ids[i % 33]},{day * DAY_S + 20 + i * 37 % 80_000},{i * 7919 % 20_000 / 1000}" for i in range(n)]
