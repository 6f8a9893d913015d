"""What a folder of raw files holds besides files of the source. Not here: listing the files (scan.py), whose they are (whose.py).

Every file that is left out gets a line with its reason; a table of calls in another dialect gets the command that imports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RawDataError, TrineError
from tasks.data import dialects, tables
from tasks.data.import_table import OWN_FILE

if TYPE_CHECKING:
    from types import ModuleType

    from tasks.core.paths import Paths

SHOWN_LINES = 40  # of files that are left out
REJECTS = re.compile(r"(?:.*/)?import\.[0-9a-f]{8}\.rejects\.jsonl")
NOTES = ("README.md",)  # files of the repository itself
DIGEST = 8  # digits of a table's digest in the names of imported files


def lines(folder: Path, shown: str, ignored: Sequence[str], files: Sequence[dict[str, Any]], module: ModuleType) -> Iterator[str]:
    """Yield a line for each file that is left out.

    Args:
        folder: that was looked into.
        shown: how messages call it.
        ignored: names below the folder that match no kind of the source.
        files: the manifest's entries.
        module: the source.
    """
    imported = digests(file["name"] for file in files)
    for name in ignored[:SHOWN_LINES]:
        yield f"ignored {shown}/{name}: {_why(folder / name, f'{shown}/{name}', shown, imported, module)}"
    if len(ignored) > SHOWN_LINES:
        yield f"ignored {len(ignored) - SHOWN_LINES} more files in {shown}; the manifest lists all of them"


def digests(names: Iterable[str]) -> set[str]:
    """Return the digests of the tables from which some of these files were imported."""
    return {found["digest"] for name in names if (found := OWN_FILE.fullmatch(Path(name).name))}


def is_imported(path: Path, imported: set[str]) -> bool:
    """Whether a file is a table from which others in its folder were imported, so that its calls must not count twice."""
    return bool(imported) and not OWN_FILE.fullmatch(path.name) and path.is_file() and tables.sha256_of(path)[:DIGEST] in imported


def stray_lines(paths: Paths, module: ModuleType) -> Iterator[str]:
    """Yield a line for each file that lies in data/inbox itself, outside of a source's folder."""
    inbox = paths.inbox("azure2021").parent
    for path in sorted(inbox.iterdir()) if inbox.is_dir() else ():
        if path.is_file() and path.name not in NOTES:
            shown = f"data/inbox/{printable(path.name)}"
            yield f"ignored {shown}: {_why(path, shown, 'data/inbox/azure2021', set(), module)}"


def _why(path: Path, shown: str, folder: str, imported: set[str], module: ModuleType) -> str:
    """Why one file is left out, and what to do about it."""
    name = path.name
    if REJECTS.fullmatch(name):
        return "rows that an import rejected"
    if name.startswith("."):
        return "a hidden file"
    if tables.is_archive(name):
        return "an archive: unpack it here"
    if is_importable(module) and tables.is_table(name):
        if is_imported(path, imported):
            return "imported already"
        found = _dialect(path)
        if found is not None:
            return f"a table of calls in another dialect, run: {dialects.command(shown, found[0], folder)}"
    return f"no file of this source by its name; names are like {module.KINDS[0].names}"


def is_importable(module: ModuleType) -> bool:
    """Whether tables of calls can be imported into this source."""
    return bool(getattr(module, "IS_IMPORTABLE", False))


def _dialect(path: Path) -> tuple[dialects.Dialect, bool] | None:
    """The dialect of a table of calls, and whether it is the canonical one; None if it is no such table."""
    try:
        header, rows = tables.first_rows(path)
    except (TrineError, OSError):
        return None
    found = dialects.recognised(header, rows)
    return None if found is None else (found, dialects.is_canonical(found, header, rows))


def require_canonical(path: Path, shown: str, folder: str) -> None:
    """Refuse a file of calls whose first rows are in another dialect, with the command that imports it.

    Args:
        path: of the file, whose name is one of the source.
        shown: how messages call it.
        folder: how messages call the folder of the source.

    Raises:
        RawDataError: times since 1970, milliseconds, readable ids, or other columns.
    """
    found = _dialect(path)
    if found is None or found[1]:
        return
    what = "a table of calls in another dialect (other columns, times since 1970, or ids that are not hashed)"
    how = f"run: {dialects.command(shown, found[0], folder)}"
    raise RawDataError(what, where=shown, how=how)


def printable(name: str) -> str:
    """A file's name as text; bytes that are not UTF-8 are escaped."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
