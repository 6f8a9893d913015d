"""Stage `scan`: what it lists, what it refuses (naming the file and a remedy), when it regenerates the twin, and that it stays light."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import RawDataError
from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.data import scan
from tasks.data.scan_outputs import manifest_file, raw_folder

ROOT = Path(__file__).resolve().parents[2]
HEADER = "app,func,end_timestamp,duration\n"
ROW = f"{'a' * 64},{'b' * 64},1.5,0.5\n"
NAME = "AzureFunctionsInvocationTrace.csv"


def tree(root: Path, source: str = "azure2021", **trace: object) -> tuple[params_module.Params, Paths]:
    """A working tree whose one source has the given trace section."""
    root.mkdir(exist_ok=True)
    changes = {f"traces.{source}.{name}": value for name, value in trace.items()}
    return params_module.load(ROOT / "params.yaml").changed(changes), Paths(root)


def inbox(tmp_path: Path, files: dict[str, bytes]) -> tuple[params_module.Params, Paths]:
    params, paths = tree(tmp_path, **{"from": "inbox"})
    for name, data in files.items():
        target = paths.inbox("azure2021") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return params, paths


def manifest(paths: Paths) -> dict:
    return json.loads(manifest_file(paths, "azure2021").read_text())


@pytest.mark.parametrize(
    ("name", "data", "rows"),
    [
        (NAME, (HEADER + ROW * 3).encode(), 3),
        (NAME, (HEADER + ROW * 3).rstrip("\n").encode(), 3),
        (NAME, b"\xef\xbb\xbf" + (HEADER + ROW * 3).encode(), 3),
        (NAME, (HEADER + ROW * 3).replace("\n", "\r\n").encode(), 3),
        (NAME, HEADER.encode(), 0),
        ("part/" + NAME + ".gz", gzip.compress((HEADER + ROW * 3).encode()), 3),
    ],
    ids=["plain", "no last newline", "BOM", "CRLF", "header only", "gzip in a folder"],
)
def test_lists_name_kind_size_hash_and_rows(tmp_path: Path, name: str, data: bytes, rows: int) -> None:
    import hashlib

    params, paths = inbox(tmp_path, {name: data, "notes.txt": b"x"})
    scan.run(params, paths, "azure2021")
    found = manifest(paths)
    assert found["files"] == [
        {
            "name": name,
            "kind": "invocations",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "rows": rows,
            "first_day": None,
            "last_day": None,
        }
    ]
    assert found["ignored"] == ["notes.txt"]
    assert (found["from"], found["folder"]) == ("inbox", "data/inbox/azure2021")


GZIP = gzip.compress((HEADER + ROW * 500).encode())


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        (NAME, b"", "empty"),
        (NAME + ".gz", gzip.compress(b"", mtime=0), "empty"),
        (NAME + ".gz", GZIP[:-20], "gzip.* damaged"),
        (NAME + ".gz", GZIP[:40] + b"\x99" * 30 + GZIP[70:], "gzip.* damaged"),
        (NAME + ".gz", b"plain text", "gzip.* damaged"),
        (NAME, bytes(range(256)) * 300, "first line is not"),
        (NAME, b"a" * 100_000, "header"),
        (NAME, ROW.encode(), "wrong or missing header"),
        (NAME, b"func,app,end_timestamp,duration\n" + ROW.encode(), "another dialect"),
    ],
)
def test_refuses_a_broken_file_by_name(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    params, paths = inbox(tmp_path, {name: data})
    with pytest.raises(RawDataError, match=says) as caught:
        scan.run(params, paths, "azure2021")
    assert name in caught.value.where
    assert caught.value.how
    assert not manifest_file(paths, "azure2021").exists()


def test_refuses_the_same_part_twice(tmp_path: Path) -> None:
    params, paths = inbox(tmp_path, {f"AzureFunctionsInvocationTrace{i}.csv": (HEADER + ROW).encode() for i in (1, 2)})
    with pytest.raises(RawDataError, match=r"(?s)part.*AzureFunctionsInvocationTrace2") as caught:
        scan.run(params, paths, "azure2021")
    assert "remove one of the two" in str(caught.value)


def test_refuses_a_missing_or_fruitless_folder(tmp_path: Path) -> None:
    params, paths = tree(tmp_path, **{"from": "inbox"})
    with pytest.raises(RawDataError, match="does not exist"):
        scan.run(params, paths, "azure2021")
    paths.inbox("azure2021").mkdir(parents=True)
    with pytest.raises(RawDataError, match=r"no (raw )?file"):
        scan.run(params, paths, "azure2021")


def test_refuses_a_folder_with_a_files_name_and_a_link_that_leaves(tmp_path: Path) -> None:
    params, paths = inbox(tmp_path, {NAME: (HEADER + ROW).encode()})
    folder = paths.inbox("azure2021") / "AzureFunctionsInvocationTraceX.csv"
    folder.mkdir()
    with pytest.raises(RawDataError, match="folder"):
        scan.run(params, paths, "azure2021")
    folder.rmdir()
    (tmp_path / "outside.csv").write_text(HEADER + ROW + ROW)
    folder.symlink_to(tmp_path / "outside.csv")
    with pytest.raises(RawDataError, match="symbolic link"):
        scan.run(params, paths, "azure2021")
    folder.unlink()
    assert scan.run(params, paths, "azure2021").startswith("1 files, 1 rows")


def test_reads_a_file_without_write_permission(tmp_path: Path) -> None:
    params, paths = inbox(tmp_path, {NAME: (HEADER + ROW).encode()})
    (paths.inbox("azure2021") / NAME).chmod(0o444)
    assert scan.run(params, paths, "azure2021").startswith("1 files, 1 rows")


def test_sample_folder_stays_unexpanded_and_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "elsewhere" / "azure" / "2021"
    data.mkdir(parents=True)
    (data / NAME).write_text(HEADER + ROW)
    monkeypatch.setenv("TRINE_SAMPLE_DIR", str(tmp_path / "elsewhere"))
    params, paths = tree(tmp_path / "tree", **{"from": "path:$TRINE_SAMPLE_DIR/azure/2021"})
    scan.run(params, paths, "azure2021")
    assert manifest(paths)["folder"] == "$TRINE_SAMPLE_DIR/azure/2021"
    assert str(tmp_path) not in manifest_file(paths, "azure2021").read_text()


def test_off_lists_nothing(tmp_path: Path) -> None:
    params, paths = tree(tmp_path, **{"from": "off"})
    assert scan.run(params, paths, "azure2021") == "off"
    assert manifest(paths)["files"] == []


def test_a_changed_byte_changes_the_manifest_and_nothing_else_does(tmp_path: Path) -> None:
    params, paths = inbox(tmp_path, {NAME: (HEADER + ROW).encode()})
    scan.run(params, paths, "azure2021")
    before = manifest_file(paths, "azure2021").stat().st_mtime_ns
    scan.run(params, paths, "azure2021")
    shutil.rmtree(tmp_path / ".trine")  # the memory may go at any time
    scan.run(params, paths, "azure2021")
    assert manifest_file(paths, "azure2021").stat().st_mtime_ns == before
    old = manifest(paths)["files"][0]["sha256"]
    (paths.inbox("azure2021") / NAME).write_text(HEADER + ROW.replace("1.5", "1.6"))
    scan.run(params, paths, "azure2021")
    assert manifest(paths)["files"][0]["sha256"] != old


def test_the_twin_is_written_once_and_again_only_when_its_recipe_or_a_file_changes(tmp_path: Path) -> None:
    params, paths = tree(tmp_path, **{"from": "twin", "days": 2, "apps": 3, "rate": 0.01})
    scan.run(params, paths, "azure2021")
    folder = raw_folder(paths, "azure2021") / "files"
    first = {f.name: f.stat().st_ino for f in folder.iterdir()}
    hashes = [f["sha256"] for f in manifest(paths)["files"]]
    assert len(first) == len(hashes) == 2
    scan.run(params, paths, "azure2021")
    assert {f.name: f.stat().st_ino for f in folder.iterdir()} == first
    victim = sorted(folder.iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-30])
    scan.run(params, paths, "azure2021")
    assert [f["sha256"] for f in manifest(paths)["files"]] == hashes
    params, paths = tree(tmp_path, **{"from": "twin", "days": 3, "apps": 3, "rate": 0.01})
    scan.run(params, paths, "azure2021")
    assert len(list(folder.iterdir())) == 3


def test_the_unchanged_path_imports_nothing_heavy(tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    folder = tmp_path / "data" / "azure" / "2021"
    folder.mkdir(parents=True)
    (folder / NAME).write_text(HEADER + ROW)
    text = (tmp_path / "params.yaml").read_text().replace("profile: quick", "profile: sample", 1)
    (tmp_path / "params.yaml").write_text(text)
    code = (
        "import sys; from tasks.__main__ import main; assert main(['scan', 'azure2021']) == 0; "
        "print(sorted({'numpy', 'duckdb', 'polars', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    environment = os.environ | {"TRINE_SAMPLE_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
