"""Stage `scan`: lists the raw files of one source and, for the twin, writes them. Not here: reading rows (tasks/ingest.py).

It runs every time, so the path on which nothing changed imports no numerical library and hashes only files whose stat changed.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clouds.errors import RawDataError
from tasks.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.params import Params
    from tasks.paths import Paths
    from tasks.sources.base import Kind

CHUNK = 1 << 20
BOM = b"\xef\xbb\xbf"
SAMPLE_VARIABLE = "$TRINE_SAMPLE_DIR"
GENERATORS = ("simulator/rng.py", "simulator/twin.py", "simulator/twin_google.py", "tasks/twin_files.py")


def run(params: Params, paths: Paths, source: str) -> str:
    """Write data/raw/<source>/manifest.json when it differs from the one there; return the summary line.

    Raises:
        RawDataError: the folder or a file in it cannot be used; the message names it.
    """
    trace = params.traces[source]
    manifest: dict[str, Any] = {"source": source, "from": trace.origin, "folder": None, "files": [], "ignored": []}
    cache_file = paths.root / ".trine" / f"scan-{source}.json"
    cache: dict[str, Any] = read_json(cache_file) if cache_file.exists() else {}
    fresh: dict[str, Any] = {}
    if trace.origin == "twin":
        manifest["twin"] = {"seed": params.seed, "days": trace.days, "apps": trace.apps, "rate": trace.rate, "generator": _generator()}
        manifest["folder"] = f"data/raw/{source}/files"
        old = read_json(paths.manifest(source)) if paths.manifest(source).exists() else {}
        if old.get("twin") != manifest["twin"] or not _files_as_listed(paths.raw(source) / "files", old, cache):
            from tasks.twin_files import write_twin

            write_twin(source, paths.raw(source) / "files", params.seed, trace.days, trace.apps, trace.rate)
    elif trace.origin == "inbox":
        manifest["folder"] = f"data/inbox/{source}"
    elif trace.origin != "off":
        manifest["folder"] = trace.origin.removeprefix("path:")
    if manifest["folder"] is not None:
        folder = resolve_folder(manifest["folder"], paths)
        manifest["files"], manifest["ignored"] = _list(source, folder, cache, fresh)
    write_json(cache_file, fresh)
    is_new = not paths.manifest(source).exists() or read_json(paths.manifest(source)) != manifest
    if is_new:
        write_json(paths.manifest(source), manifest)
    size = sum(f["bytes"] for f in manifest["files"])
    state = "changed" if is_new else "unchanged"
    return f"{trace.origin}, {len(manifest['files'])} files, {size:,} bytes, {sum(f['rows'] for f in manifest['files']):,} rows, {state}"


def resolve_folder(folder: str, paths: Paths) -> Path:
    """Expand $TRINE_SAMPLE_DIR and anchor a relative folder at the working tree."""
    if folder.startswith(SAMPLE_VARIABLE):
        from tasks.settings import Settings

        folder = str(Settings().sample_dir) + folder[len(SAMPLE_VARIABLE) :]
    return (paths.root / folder).resolve()


def _generator() -> str:
    """Fingerprint of the code and figures that make the twin."""
    root = Path(__file__).resolve().parent.parent
    files = [root / g for g in GENERATORS] + sorted((root / "data" / "reference" / "twin").iterdir())
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _stamp(file: Path) -> list[int]:
    info = file.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino]


def _files_as_listed(folder: Path, manifest: dict[str, Any], cache: dict[str, Any]) -> bool:
    """Whether the twin's files are those of the manifest (by stat where the cache knows it, else by content)."""
    if not folder.is_dir():
        return False
    listed = {f["name"]: f for f in manifest.get("files", [])}
    if sorted(p.name for p in folder.iterdir()) != sorted(listed):
        return False
    for name, entry in listed.items():
        known = cache.get(name)
        if known and known["stamp"] == _stamp(folder / name) and known["entry"]["sha256"] == entry["sha256"]:
            continue
        with (folder / name).open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != entry["sha256"]:
                return False
    return True


def _list(source: str, folder: Path, cache: dict[str, Any], fresh: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    kinds: tuple[Kind, ...] = importlib.import_module(f"tasks.sources.{source}").KINDS
    how = "set traces.<source>.from in params.yaml to a folder that holds the raw files, or to twin or off"
    if not folder.is_dir():
        raise RawDataError("the folder of the raw files does not exist", where=str(folder), how=how)
    entries, ignored, by_digest = [], [], {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        kind = next((k for k in kinds if re.fullmatch(k.pattern, name)), None)
        if kind is None:
            if not path.is_dir():
                ignored.append(name)
            continue
        _refuse_strange(path, folder)
        stamp = _stamp(path)
        known = cache.get(name)
        entry = known["entry"] if known and known["stamp"] == stamp and known["kind"] == kind.name else _inspect(path, name, kind)
        if entry["sha256"] in by_digest:
            raise RawDataError(
                f"the same part twice: {by_digest[entry['sha256']]} and {name}", where=str(path), how="remove one of the two"
            )
        by_digest[entry["sha256"]] = name
        fresh[name] = {"stamp": stamp, "kind": kind.name, "entry": entry}
        entries.append(entry)
    if not entries:
        patterns = ", ".join(k.pattern for k in kinds)
        raise RawDataError("no raw file matches", where=str(folder), how=f"names must match one of: {patterns}")
    return entries, ignored


def _refuse_strange(path: Path, folder: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise RawDataError("a link that leaves the folder", where=str(path), how="copy the file into the folder")
    if path.is_dir():
        raise RawDataError("a folder with the name of a raw file", where=str(path), how="rename or remove it")
    if not os.access(path, os.R_OK):
        raise RawDataError("no permission to read", where=str(path), how=f"chmod u+r {path.name}")
    if path.stat().st_size == 0:
        raise RawDataError("the file is empty", where=str(path), how="fetch it again or remove it")


def _inspect(path: Path, name: str, kind: Kind) -> dict[str, Any]:
    """Hash a file, count its data rows and check its first line."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    try:
        rows = count_rows(path, kind)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise RawDataError(f"the archive is cut or damaged: {error}", where=str(path), how="fetch the file again") from error
    return {
        "name": name,
        "kind": kind.name,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "rows": rows,
        "first_day": None,
        "last_day": None,
    }


def open_bytes(path: Path) -> io.BufferedReader | gzip.GzipFile:
    """Open a raw file, decompressing `.gz`."""
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")


def count_rows(path: Path, kind: Kind) -> int:
    """Check the header and count the data rows (lines; records for quoted_csv) without trusting any parser of the ingest.

    Raises:
        RawDataError: line 1 is not what the kind expects.
    """
    with open_bytes(path) as handle:
        first = handle.readline()
        fields = check_first_line(first, path, kind)
        if kind.layout == "quoted_csv":
            text = io.TextIOWrapper(handle, encoding="utf-8", errors="replace", newline="")
            return sum(1 for _ in csv.reader(text)) + (not kind.has_header)
        lines = 0
        last = first
        for chunk in _chunks(handle):
            lines += chunk.count(b"\n")
            last = chunk
        lines += not last.endswith(b"\n") and last is not first
        del fields
        return lines + (not kind.has_header)


def _chunks(handle: Any) -> Iterator[bytes]:
    while chunk := handle.read(CHUNK):
        yield chunk


def check_first_line(line: bytes, path: Path, kind: Kind) -> list[str]:
    """Return the fields of line 1; RawDataError when it is not the header (or first row) that the kind expects."""
    how = "fetch the file again, or rename it so that it matches no pattern"
    try:
        text = line.removeprefix(BOM).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise RawDataError("line 1 is not UTF-8 text", where=f"{path}, line 1", how=how) from error
    if "\0" in text:
        raise RawDataError("line 1 holds NUL bytes", where=f"{path}, line 1", how=how)
    fields = next(csv.reader([text]), [])
    if callable(kind.columns):
        complaint = kind.columns(fields)
    elif kind.has_header:
        complaint = None if tuple(fields) == kind.columns else f"expected the header {','.join(kind.columns)}"
    else:
        complaint = None if len(fields) == len(kind.columns) else f"expected {len(kind.columns)} fields, found {len(fields)}"
    if complaint:
        raise RawDataError(f"wrong or missing header: {complaint}; found {text[:120]!r}", where=f"{path}, line 1", how=how)
    return fields
