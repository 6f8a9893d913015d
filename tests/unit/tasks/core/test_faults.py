"""Faults of the machine and of libraries are told as what, where and fix. Not here: faults of raw files (tests/stages)."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from core.errors import SpaceError, TrineError
from flows.cli import app
from tasks import __main__ as stages_main
from tasks.core.environment import Environment
from tasks.core.faults import explained
from tasks.core.stages import writer_of
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import staged_folder
from tests.worlds import own_traces
from tests.worlds.folders import contents


def caught(work: object) -> BaseException:
    try:
        work()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def sort_in_1_mb() -> None:
    with duckdb.connect(config={"memory_limit": "1MB", "temp_directory": ""}) as con:
        con.execute("select * from range(10000000) order by hash(range)").fetchall()


def refused(number: int, file: str = "data/features/x") -> OSError:
    return OSError(number, os.strerror(number), file)


CASES = {
    "full disk": (lambda: refused(errno.ENOSPC), "lack of space", "free disk space"),
    "quota": (lambda: refused(errno.EDQUOT), "lack of space", "quota"),
    "file too large": (lambda: refused(errno.EFBIG), "lack of space", "free disk space"),
    "read-only": (lambda: refused(errno.EROFS), "read-only", "writable"),
    "no permission": (lambda: refused(errno.EACCES), "no permission", "ls -ld"),
    "not permitted": (lambda: refused(errno.EPERM), "not permitted", "ls -ld"),
    "too many files": (lambda: refused(errno.EMFILE), "too many open files", "ulimit"),
    "disk error": (lambda: refused(errno.EIO), "disk reports an error", "check the disk"),
    "long name": (lambda: refused(errno.ENAMETOOLONG), "too long", "shorten"),
    "a file for a folder": (lambda: refused(errno.ENOTDIR), "where a folder is expected", "move it away"),
    "a folder for a file": (lambda: refused(errno.EISDIR), "where a file is expected", "move it away"),
    "circular link": (lambda: refused(errno.ELOOP), "circle", "remove it"),
    "no memory": (MemoryError, "out of memory", "TRINE_MEMORY_LIMIT"),
    "no memory for an array": (lambda: caught(lambda: np.zeros(1 << 50)), "out of memory", "free memory"),
    "no memory for the system": (lambda: refused(errno.ENOMEM), "out of memory", "free memory"),
    "DuckDB out of memory": (lambda: caught(sort_in_1_mb), "out of memory", "TRINE_THREADS=1"),
    "DuckDB has no file": (
        lambda: caught(lambda: duckdb.sql("select * from '/nowhere/a.parquet'")),
        "a file is missing",
        "correct the path",
    ),
    "DuckDB has no space": (
        lambda: duckdb.IOException('Could not write file "/x/y": No space left on device'),
        "lack of space",
        "free disk",
    ),
    "DuckDB may not": (lambda: duckdb.IOException('Cannot open file "/x/y": Permission denied'), "no permission", "ls -ld"),
    "DuckDB on a read-only disk": (lambda: duckdb.IOException('Cannot open file "/x/y": Read-only file system'), "read-only", "writable"),
    "DuckDB refuses": (lambda: caught(lambda: duckdb.sql("select no_such_column")), "DuckDB refuses: Binder Error", "tell the maintainers"),
    "Polars refuses": (lambda: caught(lambda: pl.DataFrame({"a": [1]}).select("b")), "Polars refuses", "tell the maintainers"),
    "Polars has no file": (lambda: caught(lambda: pl.read_parquet("/nowhere/a.parquet")), "a file is missing", "correct the path"),
    "Arrow refuses": (lambda: caught(lambda: pa.array(["x"]).cast(pa.int64())), "Arrow refuses", "tell the maintainers"),
    "a name is not UTF-8": (lambda: caught(lambda: os.fsdecode(b"caf\xe9.csv").encode()), "a name is not UTF-8", "rename"),
    "a file is not UTF-8": (lambda: caught(lambda: b"\xff".decode()), "not UTF-8 .byte 0", "save the file as UTF-8"),
    "cut gzip": (lambda: caught(lambda: gzip.decompress(gzip.compress(b"x" * 99)[:-9])), "cut off or damaged", "gzip -t"),
    "damaged gzip": (lambda: zlib.error("Error -3 while decompressing data"), "cut off or damaged", "gzip -t"),
    "threads": (lambda: caught(lambda: Environment(threads=0)), "TRINE_THREADS", "docs/parameters.md"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_told_as_what_where_and_fix(tmp_path: Path, name: str) -> None:
    make, what, how = CASES[name]
    found = explained(make(), tmp_path)  # type: ignore[no-untyped-call]
    assert isinstance(found, TrineError)
    assert re.search(what, found.what, re.IGNORECASE)
    assert how in found.how
    assert found.where
    assert "\n" not in found.what


def test_a_fault_of_our_own_keeps_its_traceback(tmp_path: Path) -> None:
    assert explained(ValueError("a bug"), tmp_path) is None
    assert explained(KeyboardInterrupt(), tmp_path) is None
    assert explained(BrokenPipeError(errno.EPIPE, "pipe"), tmp_path) is None


def test_only_a_file_that_a_stage_writes_is_said_to_be_missing_from_that_stage(repository: Path) -> None:
    for name, writer in (
        ("data/staged/azure2021/ingest.json", "ingest@azure2021"),
        ("data/features/train.parquet", "features"),
        ("data/reference/zones.csv", ""),
        ("reports/page_numbers.json", "report"),
        ("/etc/passwd", ""),
    ):
        assert writer_of(Path(name), repository) == writer
        found = explained(FileNotFoundError(errno.ENOENT, "No such file", str(repository / name)), repository, "", writer_of)
        assert found is not None
        assert ("what the stage" in found.what) == bool(writer)
        assert f"dvc repro {writer}" in found.how if writer else "dvc repro" not in found.how


def test_a_stage_prints_no_traceback(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert stages_main.main(["features"]) == 1
    found = capsys.readouterr()
    assert "features failed: " in found.err
    assert "Traceback" not in found.err
    monkeypatch.setenv("TRINE_THREADS", "many")
    (tmp_path / "data" / "raw" / "azure2021").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "azure2021" / "manifest.json").write_text(
        '{"source": "azure2021", "from": "twin", "folder": "x", "files": []}'
    )
    assert stages_main.main(["ingest", "azure2021"]) == 1
    assert "TRINE_THREADS" in capsys.readouterr().err
    assert list((tmp_path / "data").rglob("*.new")) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 30 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_stops_a_stage_with_its_name_and_leaves_no_draft(repository: Path, small_disk: Path) -> None:
    """What was on the disk before stays."""
    for name in ("params.yaml", "dvc.yaml"):
        (small_disk / name).write_bytes((repository / name).read_bytes())
    (small_disk / "kept").write_text("kept", encoding="utf-8")
    text = (small_disk / "params.yaml").read_text(encoding="utf-8")
    (small_disk / "params.yaml").write_text(
        text.replace("{from: twin, days: 14, apps: 119", "{from: twin, days: 2, apps: 119"), encoding="utf-8"
    )
    (small_disk / "other").write_bytes(bytes((30 << 20) - (1 << 18)))
    environment, command = os.environ | {"PYTHONPATH": str(repository)}, [sys.executable, "-m", "tasks", "scan", "azure2021"]
    done = subprocess.run(command, cwd=small_disk, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "fix: free disk space" in done.stderr
    left = sorted(str(file.relative_to(small_disk)) for file in small_disk.rglob("*") if file.is_file() and ".trine" not in file.parts)
    assert left == ["dvc.yaml", "kept", "other", "params.yaml"]
    assert isinstance(explained(OSError(errno.ENOSPC, "full"), small_disk), SpaceError)


def test_a_full_disk_stops_ingest_and_import_and_nothing_is_lost(small_disk: Path) -> None:
    params, paths = own_traces.own_tree(small_disk)
    (paths.inbox("azure2021") / "AzureFunctionsInvocationTrace.csv").write_bytes(own_traces.canonical())
    (small_disk / "calls.csv").write_bytes(own_traces.unix_ms())
    scan.run(params, paths, "azure2021")
    ingest.run(params, paths, "azure2021")
    before = contents(staged_folder(paths, "azure2021"))
    (paths.inbox("azure2021") / "AzureFunctionsInvocationTrace.2.csv").write_bytes(own_traces.canonical(3))
    scan.run(params, paths, "azure2021")
    fill(small_disk)
    with pytest.raises(SpaceError):
        ingest.run(params, paths, "azure2021")
    assert contents(staged_folder(paths, "azure2021")) == before
    columns = "app=app,func=func,end=end_timestamp:ms,duration=duration:ms"
    command = ["import", "table", str(small_disk / "calls.csv"), "--map", columns, "--out", str(small_disk / "out")]
    full = CliRunner().invoke(app, command)
    assert (full.exit_code, "free disk space" in full.output, "Traceback" in full.output) == (1, True, False)
    assert not (small_disk / "out").exists()
    assert [entry.name for entry in small_disk.rglob(".*.new")] == []
    (small_disk / "filler").unlink()
    ingest.run(params, paths, "azure2021")
    assert CliRunner().invoke(app, command).exit_code == 0


def fill(folder: Path) -> None:
    """Leave no block of the file system free."""
    with (folder / "filler").open("wb", buffering=0) as handle:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    handle.write(bytes(size))
