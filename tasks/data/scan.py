"""Stage `scan`: lists the raw files of one source, and writes its twin. Not here: reading rows (tasks/data/ingest.py).

It runs at every `dvc repro`, so a file whose size, times and inode are those of the last scan is not hashed again (the memory of that
lies in .trine/, which no output depends on).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RawDataError
from tasks.core.faults import GZIP_FAULTS
from tasks.core.files import read_json, write_json
from tasks.core.lineage import without_stamp
from tasks.data import cleaning, raw_files
from tasks.data.scan_outputs import manifest_file
from tasks.data.sources.base import Kind
from tasks.data.traces import trace_of

if TYPE_CHECKING:
    from types import ModuleType

    from tasks.core.params import Params
    from tasks.core.paths import Paths
    from tasks.data.traces import Trace

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATOR = ("simulator/rng.py", "simulator/twin*.py", "tasks/data/twin_files.py", "data/reference/twin/*")
BLOCK = 1 << 20
HEAD = 1 << 18  # bytes kept of the beginning, for the header
TAIL = 1 << 16  # bytes kept of the end, for the last day


def run(params: Params, paths: Paths, source: str) -> str:
    """Write the manifest of `source` if anything changed; return the summary line.

    Raises:
        RawDataError: a file or the folder cannot be used (named, with the remedy).
        ParameterError: the origin of the source is not usable.
    """
    trace = trace_of(params, source)
    folder = raw_files.folder_text(params, source)
    manifest: dict[str, Any] = {"source": source, "from": trace.origin, "folder": folder, "files": [], "ignored": []}
    written = ""
    if trace.origin != "off":
        module = importlib.import_module(f"tasks.data.sources.{source}")
        memory = _Memory(paths, source, module)
        if trace.origin == "twin":
            manifest["twin"], written = _ensure_twin(params, paths, source, module, memory)
        manifest["files"], manifest["ignored"] = list_files(raw_files.resolve_folder(folder, paths), folder, module, memory)
        memory.save()
    if _read_manifest(paths, source) != manifest:
        write_json(manifest_file(paths, source), manifest)
    if trace.origin == "off":
        return "off"
    files = manifest["files"]
    return f"{len(files)} files, {sum(f['rows'] for f in files):,} rows, {sum(f['bytes'] for f in files):,} bytes{written}"


def list_files(folder: Path, shown: str, module: ModuleType, memory: _Memory) -> tuple[list[dict[str, Any]], list[str]]:
    """Describe every file below `folder` that matches a kind of the source, sorted by name.

    Args:
        folder: to look into.
        shown: how messages call it.
        module: the source.
        memory: of earlier scans.

    Returns:
        (manifest entries, names of files that match no kind).

    Raises:
        RawDataError: see the module `tasks.data.raw_files`; also a part that is there twice, and a folder without a file of the source.
    """
    if not folder.is_dir():
        what = "the folder of the raw files does not exist" if not folder.exists() else "this is a file, not a folder"
        raise RawDataError(what, where=f"{shown} (from: of this source in params.yaml)", how="create it, or correct the path")
    files, ignored = [], []
    for name, path in _walk(folder):
        kind = raw_files.kind_of(name, module.KINDS)
        if kind is None:
            ignored.append(name)
        else:
            _check_plain_file(path, name, folder)
            files.append(memory.entry(name, path, kind))
    if not files:
        patterns = ", ".join(k.pattern for k in module.KINDS)
        seen = f"{len(ignored)} other files, e.g. {ignored[0]}" if ignored else "nothing"
        raise RawDataError(f"no file of this source; found {seen}", where=shown, how=f"expected names like {patterns}; or set from: off")
    _check_repeats(files)
    complaint = module.check_files(files) if hasattr(module, "check_files") else None
    if complaint:
        raise RawDataError(complaint[0], where=shown, how=complaint[1])
    return files, ignored


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (POSIX path below the folder, path) in order; folders with a file's name are left to the checks."""
    for base, directories, names in os.walk(folder):
        directories.sort()
        linked = [d for d in directories if (Path(base) / d).is_symlink() or "." in d]
        for name in sorted(names + linked):
            path = Path(base) / name
            below = path.relative_to(folder).as_posix()
            if path.is_symlink() and path.is_dir():
                _check_inside(path, below, folder)
            elif name in names or path.is_dir():
                yield below, path


def _check_inside(path: Path, name: str, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        how = "put a copy of the file in its place: links out of the folder are not followed"
        raise RawDataError("a symbolic link leaves the folder of the source", where=name, how=how)


def _check_plain_file(path: Path, name: str, folder: Path) -> None:
    if path.is_symlink():
        _check_inside(path, name, folder)
        if not path.exists():
            raise RawDataError("a symbolic link points nowhere", where=name, how="remove it or put the file in its place")
    if path.is_dir():
        raise RawDataError("this is a folder, a file is expected", where=name, how="move its content one level up, or rename the folder")
    if not path.is_file():
        raise RawDataError("this is not a regular file", where=name, how="put a regular file in its place")


def _check_repeats(files: list[dict[str, Any]]) -> None:
    """Refuse the same content twice (files without rows aside, which are necessarily equal)."""
    seen: dict[str, str] = {}
    for entry in files:
        if entry["rows"] and entry["sha256"] in seen:
            where = f"{seen[entry['sha256']]} and {entry['name']}"
            raise RawDataError("the same part is there twice, byte for byte", where=where, how="remove one of the two")
        seen[entry["sha256"]] = entry["name"]


def describe(name: str, path: Path, kind: Kind, module: ModuleType) -> dict[str, Any]:
    """Hash one file, count its rows, check its first lines; the entry of the manifest.

    Raises:
        RawDataError: empty, unreadable, damaged, or not what its name says.
    """
    size = path.stat().st_size
    if size == 0:
        raise RawDataError("the file is empty", where=name, how="fetch it again or remove it")
    try:
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest() if raw_files.is_gzip(name) or kind.layout == "parquet" else ""
    except OSError as error:
        raise raw_files.unreadable(name, error) from error
    if kind.layout == "parquet":
        return _entry(name, kind, size, sha256, _parquet_rows(name, path, kind), None, None)
    head, tail, lines, digest = _stream(name, path)
    firsts = raw_files.first_lines(head, whole=len(head) < HEAD)
    raw_files.check_first_lines(kind, name, firsts)
    rows = sum(1 for _ in cleaning.records(raw_files.raw_lines(path, name), kind, name)) if kind.layout == "quoted_csv" else lines
    first_row = firsts[int(kind.has_header) :][:1]
    last_row = tail.rstrip(b"\r\n").rsplit(b"\n", 1)[-1:] if rows > kind.has_header else []
    days = [_day(module, kind, name, row) for row in (first_row, last_row)]
    return _entry(name, kind, size, sha256 or digest, rows - kind.has_header, days[0], days[1])


def _stream(name: str, path: Path) -> tuple[bytes, bytes, int, str]:
    """Read a file once: (beginning, end, number of physical lines, SHA-256 of the bytes read)."""
    digest, lines, head, tail, last = hashlib.sha256(), 0, b"", b"", b"\n"
    try:
        with raw_files.open_raw(path) as handle:
            while block := handle.read(BLOCK):
                digest.update(block)
                lines += block.count(b"\n")
                if len(head) < HEAD:
                    head += block[: HEAD - len(head)]
                tail = block[-TAIL:] if len(block) >= TAIL else (tail + block)[-TAIL:]
                last = block[-1:]
    except GZIP_FAULTS as error:
        raise raw_files.damaged_gzip(path, name, error) from error
    except OSError as error:
        raise raw_files.unreadable(name, error) from error
    if not head:
        raise RawDataError("the file is empty once unpacked", where=name, how="fetch it again or remove it")
    return head, tail, lines + (last != b"\n"), digest.hexdigest()


def _parquet_rows(name: str, path: Path, kind: Kind) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        meta = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise RawDataError(f"not readable as Parquet: {error}", where=name, how="fetch it again or remove it") from error
    found = meta.schema_arrow.names
    wrong = kind.columns(found) if callable(kind.columns) else None if tuple(found) == kind.columns else f"expected {kind.columns}"
    if wrong:
        raise RawDataError(f"wrong columns: {wrong}; found {found}", where=name, how="export the table again with these columns")
    return int(meta.metadata.num_rows)


def _day(module: ModuleType, kind: Kind, name: str, row: list[bytes]) -> int | None:
    """Ask the source for the day of a row (sources without `day_of`, and rows that make no sense, have none)."""
    if not row or not hasattr(module, "day_of"):
        return None
    fields = raw_files.split_line(row[0].strip().decode("utf-8", errors="replace"))
    return module.day_of(kind.name, name, fields) if fields else None


def _entry(name: str, kind: Kind, size: int, sha256: str, rows: int, first: int | None, last: int | None) -> dict[str, Any]:
    return {"name": name, "kind": kind.name, "bytes": size, "sha256": sha256, "rows": rows, "first_day": first, "last_day": last}


class _Memory:
    """What earlier scans found, by size, modification time and inode; valid for one folder and one version of the code."""

    def __init__(self, paths: Paths, source: str, module: ModuleType) -> None:
        self.file = paths.root / ".trine" / f"scan-{source}.json"
        self.module = module
        code = [*(Path(str(m.__file__)) for m in (cleaning, raw_files, module)), Path(__file__), *getattr(module, "REFERENCE_FILES", ())]
        self.code = hashlib.sha256(b"".join(p.read_bytes() for p in code)).hexdigest()
        try:
            stored = read_json(self.file)
            self.known: dict[str, Any] = stored["files"] if stored["code"] == self.code else {}
        except (OSError, ValueError, KeyError, TypeError):
            self.known = {}
        self.now: dict[str, Any] = {}

    def entry(self, name: str, path: Path, kind: Kind) -> dict[str, Any]:
        """Return the manifest entry of a file, hashed only where it may have changed."""
        stat = path.stat()
        key, mark = str(path.absolute()), [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, kind.name, name]
        found = self.known.get(key)
        if not (isinstance(found, dict) and found.get("mark") == mark):
            found = {"mark": mark, "entry": describe(name, path, kind, self.module)}
        self.now[key] = found
        return dict(found["entry"])

    def save(self) -> None:
        """Keep what this scan found, and only that."""
        if self.now != self.known:
            write_json(self.file, {"code": self.code, "files": self.now})


def _read_manifest(paths: Paths, source: str) -> dict[str, Any] | None:
    try:
        found = without_stamp(read_json(manifest_file(paths, source)))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def generator_fingerprint() -> str:
    """Return the CRC-32 chain (8 hex digits) over the files that decide what the twin looks like."""
    crc = 0
    for pattern in GENERATOR:
        for file in sorted(REPOSITORY.glob(pattern)):
            crc = zlib.crc32(file.name.encode() + b"\0" + file.read_bytes(), crc)
    return f"{crc:08x}"


def _ensure_twin(params: Params, paths: Paths, source: str, module: ModuleType, memory: _Memory) -> tuple[dict[str, Any], str]:
    """Write the twin's files unless those of the manifest are there, byte for byte; (what made them, note for the summary)."""
    trace: Trace = trace_of(params, source)
    made_by = {"seed": params.seed, "days": trace.days, "apps": trace.apps, "rate": trace.rate, "generator": generator_fingerprint()}
    folder = raw_files.folder_text(params, source)
    old = _read_manifest(paths, source)
    if old is not None and old.get("twin") == made_by:
        try:
            files, _ = list_files(raw_files.resolve_folder(folder, paths), folder, module, memory)
        except RawDataError:
            files = []
        if files and files == old.get("files"):
            return made_by, ""
    from tasks.data.twin_files import write_twin

    write_twin(source, raw_files.resolve_folder(folder, paths), params.seed, trace.days, trace.apps, trace.rate)
    return made_by, ", twin written"
