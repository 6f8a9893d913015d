"""Stage `scan`: lists the raw files of one source, and writes its twin. Not here: reading rows (tasks/data/ingest.py).

It runs at every `dvc repro`, so a file whose size, times and inode are those of the last scan is not hashed again (the memory of that
lies in .trine/, which no output depends on).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RawDataError
from tasks.core.files import read_json, write_json
from tasks.core.lineage import without_stamp
from tasks.data import cleaning, dialects, inbox, raw_entry, raw_files, tables
from tasks.data.found_days import found_days
from tasks.data.scan_outputs import manifest_file
from tasks.data.sources.base import Kind
from tasks.data.traces import trace_of
from tasks.data.whose import is_generated, whose

if TYPE_CHECKING:
    from types import ModuleType

    from tasks.core.params import Params
    from tasks.core.paths import Paths
    from tasks.data.traces import Trace

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATOR = ("simulator/rng.py", "simulator/twin*.py", "tasks/data/twin_files.py", "data/reference/twin/*")


def run(params: Params, paths: Paths, source: str) -> str:
    """Write the manifest of `source` if anything changed; return the summary line.

    Raises:
        RawDataError: a file or the folder cannot be used (named, with the remedy).
        ParameterError: the origin of the source is not usable.
    """
    module = importlib.import_module(f"tasks.data.sources.{source}")
    origin = _resolved_origin(params, paths, source, module)
    folder = raw_files.folder_text(origin, source)
    manifest: dict[str, Any] = {"source": source, "from": origin, "origin": origin, "folder": folder, "files": [], "ignored": []}
    written = ""
    if origin != "off":
        memory = _Memory(paths, source, module)
        if origin == "twin":
            manifest["twin"], written = _ensure_twin(params, paths, source, module, memory)
        place = raw_files.resolve_folder(folder, paths)
        if origin == "inbox":
            _say(inbox.stray_lines(paths, module) if inbox.is_importable(module) else ())
        manifest["files"], manifest["ignored"] = list_files(place, folder, module, memory)
        manifest["origin"] = whose(origin, manifest["files"], has_generated=memory.has_generated)
        _say(inbox.lines(place, folder, manifest["ignored"], manifest["files"], module))
        if params.until_day is None:
            manifest["days"] = found_days(params, paths, source, place, manifest["files"])
        memory.save()
    if _read_manifest(paths, source) != manifest:
        write_json(manifest_file(paths, source), manifest)
    if origin == "off":
        return "off"
    files = manifest["files"]
    return f"{len(files)} files, {sum(f['rows'] for f in files):,} rows, {sum(f['bytes'] for f in files):,} bytes{written}"


def _resolved_origin(params: Params, paths: Paths, source: str, module: ModuleType) -> str:
    """Return where the files come from: `inbox or twin` and `inbox or off` depend on whether the inbox has a file of the source."""
    first, _, other = trace_of(params, source).origin.partition(" or ")
    if not other:
        return first
    folder = paths.inbox(source)
    has_files = folder.is_dir() and any(raw_files.kind_of(name, module.KINDS) for name, _ in _walk(folder))
    return first if has_files else other


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


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
    found = list(_walk(folder))
    imported = inbox.digests(name for name, _ in found) if inbox.is_importable(module) else set()
    for name, path in found:
        kind = raw_files.kind_of(name, module.KINDS)
        if kind is None or inbox.is_imported(path, imported):
            ignored.append(inbox.printable(name))
            continue
        if inbox.printable(name) != name:
            raise RawDataError("a name is not UTF-8", where=f"{shown}/{inbox.printable(name)}", how="rename the file or the folder")
        _check_plain_file(path, name, folder)
        files.append(memory.entry(name, path, kind, shown))
    if not files:
        names = ", ".join(kind.names for kind in module.KINDS)
        seen = f"{len(ignored)} other files" if ignored else "nothing"
        said = "".join(f"\n  {line}" for line in inbox.lines(folder, shown, ignored, files, module))
        raise RawDataError(f"no file of this source; found {seen}{said}", where=shown, how=f"expected names like {names}; or set from: off")
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


class _Memory:
    """What earlier scans found, by size, modification time and inode; valid for one folder and one version of the code."""

    def __init__(self, paths: Paths, source: str, module: ModuleType) -> None:
        self.file = paths.root / ".trine" / f"scan-{source}.json"
        self.module = module
        code = [
            *(Path(str(m.__file__)) for m in (cleaning, dialects, inbox, raw_entry, raw_files, tables, module)),
            Path(__file__),
            *getattr(module, "REFERENCE_FILES", ()),
        ]
        self.code = hashlib.sha256(b"".join(p.read_bytes() for p in code)).hexdigest()
        try:
            stored = read_json(self.file)
            self.known: dict[str, Any] = stored["files"] if stored["code"] == self.code else {}
        except (OSError, ValueError, KeyError, TypeError):
            self.known = {}
        self.now: dict[str, Any] = {}

    def entry(self, name: str, path: Path, kind: Kind, shown: str) -> dict[str, Any]:
        """Return the manifest entry of a file, hashed only where it may have changed; messages call its folder `shown`."""
        stat = path.stat()
        key, mark = str(path.absolute()), [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, kind.name, name]
        found = self.known.get(key)
        if not (isinstance(found, dict) and found.get("mark") == mark):
            entry = raw_entry.describe(name, path, kind, self.module, shown)
            found = {"mark": mark, "entry": entry, "is_generated": is_generated(path, kind.name)}
        self.now[key] = found
        return dict(found["entry"])

    @property
    def has_generated(self) -> bool:
        """Whether a file of this scan is the twin's."""
        return any(found["is_generated"] for found in self.now.values())

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
    folder = raw_files.folder_text("twin", source)
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
