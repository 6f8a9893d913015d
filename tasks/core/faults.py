"""Faults of the machine and of libraries as what, where and fix, in one place: a full disk, a missing permission, no memory, DuckDB, Arrow.

A stage lets them pass; `python -m tasks` and the command line ask here before they would print a traceback. An error that says more than
the library knows (which raw file, which line) is raised where it is known. Not here: faults of our own code, which keep their traceback.
"""

from __future__ import annotations

import errno
import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import ParameterError, RawDataError, SpaceError, TrineError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_SPACE_TEXTS = ("no space left", "file too large", "quota exceeded", "out of disk space")
NO_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate", "malloc of size")
GZIP_FAULTS = (EOFError, gzip.BadGzipFile, zlib.error)
LIBRARIES = {"duckdb": "DuckDB", "_duckdb": "DuckDB", "polars": "Polars", "pyarrow": "Arrow", "pyo3_runtime": "Polars", "numba": "numba"}
NAMED_FILE = re.compile(r"""["'](/[^"']+|[\w.-]+/[^"']+)["']|: (/\S+)$""")
NAMED_NUMBER = re.compile(r"(?:os error|errno) (\d+)", re.IGNORECASE)
SHOWN = 600  # characters of a library's message


Writer = Callable[[Path, Path], str]


def explained(error: BaseException, root: Path, rerun: str = "", writer_of: Writer | None = None) -> TrineError | None:
    """Return an error of the machine or of a library as one that a user can act on; None for any other.

    Args:
        error: as it was caught.
        root: of the working tree, for files that a stage writes.
        rerun: the command that failed, for the remedy.
        writer_of: names the stage that writes a file (path, root), or ""; it knows dvc.yaml, which stages must not depend on.
    """
    if isinstance(error, TrineError):
        return error
    text = str(error).lower()
    again = f" and run again{f': {rerun}' if rerun else ''}"
    if _number(error) in NO_SPACE or any(words in text for words in NO_SPACE_TEXTS):
        how = f"free disk space (or raise the quota){again}; what was there before is untouched"
        return SpaceError(f"a write failed for lack of space: {_first(error)}", where=_place(error, root), how=how)
    if isinstance(error, MemoryError) or _number(error) == errno.ENOMEM or _lacks_memory(error, text):
        how = f"free memory, or set TRINE_THREADS=1 and a TRINE_MEMORY_LIMIT below what is free,{again}"
        return TrineError(f"out of memory: {_first(error)}", where=_place(error, root), how=how)
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        return _of_the_system(error, root, again, writer_of)
    if isinstance(error, UnicodeError):
        return _of_encoding(error, root)
    if type(error).__name__ == "ValidationError" and getattr(error, "title", "") == "Environment":
        return _of_the_environment(error)
    if isinstance(error, GZIP_FAULTS):
        how = "fetch the file again (gzip -t must accept it) or take it out of the folder"
        return RawDataError(f"a compressed file is cut off or damaged: {_first(error)}", where=_place(error, root), how=how)
    return _of_a_library(error, root, again, writer_of)


def _number(error: BaseException) -> int:
    """The number of a fault of the operating system: libraries in other languages say it in their text or by the kind alone; 0: none."""
    if not isinstance(error, OSError):
        return 0
    named = NAMED_NUMBER.search(str(error))
    kinds = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}
    return error.errno or (int(named[1]) if named else kinds.get(type(error), 0))


def _lacks_memory(error: BaseException, text: str) -> bool:
    return type(error).__name__ in ("OutOfMemoryException", "OutOfMemoryError") or any(words in text for words in NO_MEMORY_TEXTS)


def _of_the_system(error: OSError, root: Path, again: str, writer_of: Writer | None) -> TrineError | None:
    """What the operating system refused."""
    place = _place(error, root)
    if _number(error) == errno.ENOENT:
        return missing(Path(str(error.filename or place)), root, writer_of)
    said = {
        errno.EROFS: ("the file system is read-only", f"make it writable, or work in a copy of the folder elsewhere,{again}"),
        errno.EACCES: ("no permission", f"look at its owner and mode with ls -ld, allow yourself to read and write it{again}"),
        errno.EPERM: ("the operation is not permitted", f"look at its owner and mode with ls -ld{again}"),
        errno.EMFILE: ("too many open files", f"raise the limit, e.g. ulimit -n 4096,{again}"),
        errno.ENFILE: ("too many open files on this machine", f"close other programs{again}"),
        errno.ENAMETOOLONG: ("a name is too long for this file system", f"shorten the path{again}"),
        errno.EIO: ("the disk reports an error", f"check the disk{again}"),
        errno.ENOTDIR: ("a file is where a folder is expected", f"move it away{again}"),
        errno.EISDIR: ("a folder is where a file is expected", f"move it away{again}"),
        errno.EEXIST: ("something has this name already", f"move it away{again}"),
        errno.ENOTEMPTY: ("a folder holds what does not belong there", f"move that away{again}"),
        errno.ELOOP: ("a symbolic link leads in a circle", f"remove it{again}"),
    }.get(_number(error))
    if said is None:
        return None
    return TrineError(said[0], where=place, how=said[1])


def missing(path: Path, root: Path, writer_of: Writer | None) -> TrineError:
    """The error of a file that is not there: the stage that writes it is named, if one does."""
    shown = _shown(path, root)
    writer = writer_of(path, root) if writer_of else ""
    if writer:
        return TrineError(f"what the stage {writer} writes is missing", where=shown, how=f"run: dvc repro {writer}")
    is_ours = (root / path).is_relative_to(root) and not shown.startswith(("data/inbox", ".trine"))
    how = f"if it belongs to the repository, restore it: git checkout -- {shown}; else correct the path" if is_ours else "correct the path"
    return TrineError("a file is missing", where=shown, how=how)


def _of_encoding(error: UnicodeError, root: Path) -> TrineError | None:
    if isinstance(error, UnicodeEncodeError) and any("\ud800" <= c <= "\udfff" for c in error.object):
        name = error.object.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return RawDataError("a name is not UTF-8", where=name[:SHOWN], how="rename the file or folder with letters that are UTF-8")
    if isinstance(error, UnicodeDecodeError):
        what = f"a text file holds bytes that are not UTF-8 (byte {error.start}: {error.object[error.start : error.start + 4]!r})"
        return TrineError(what, where=_place(error, root), how="save the file as UTF-8")
    return None


def _of_the_environment(error: Any) -> TrineError:
    faults = [(f"TRINE_{'_'.join(map(str, fault['loc'])).upper()}", fault["input"], fault["msg"]) for fault in error.errors()]
    what = "; ".join(f"{name} is {value!r}: {message}" for name, value, message in faults)
    return ParameterError(what, where="environment", how="correct or unset it; docs/parameters.md lists these variables")


def _of_a_library(error: BaseException, root: Path, again: str, writer_of: Writer | None) -> TrineError | None:
    """What DuckDB, Polars, Arrow or numba refused."""
    library = LIBRARIES.get(type(error).__module__.split(".")[0])
    if library is None:
        return None
    text = str(error).lower()
    if "no files found" in text or "no such file" in text:
        found = NAMED_FILE.search(str(error))
        if found:
            return missing(Path(found[1] or found[2]), root, writer_of)
    kinds: tuple[tuple[str, Callable[[str], OSError]], ...] = (
        ("permission denied", lambda name: PermissionError(errno.EACCES, "", name)),
        ("read-only file system", lambda name: OSError(errno.EROFS, "", name)),
        ("too many open files", lambda name: OSError(errno.EMFILE, "", name)),
    )
    for words, kind in kinds:
        if words in text:
            return _of_the_system(kind(_place(error, root)), root, again, None)
    how = "if the message names one of your files or settings, correct it and run again; else tell the maintainers, with the message"
    return TrineError(f"{library} refuses: {_first(error)}", where=_place(error, root), how=how)


def _first(error: BaseException) -> str:
    """The first line of a message, or the name of the error where it has none."""
    text = (getattr(error, "strerror", None) or str(error)).strip().split("\n")[0]
    return text[:SHOWN] or type(error).__name__


def _place(error: BaseException, root: Path) -> str:
    """The file that an error is about, as far as it says so; else the working tree."""
    name = getattr(error, "filename", None)
    if isinstance(name, bytes):
        name = name.decode("utf-8", "backslashreplace")
    if name is None:
        found = NAMED_FILE.search(str(error))
        name = (found[1] or found[2]) if found else None
    return _shown(Path(str(name)), root) if name else str(root)


def _shown(path: Path, root: Path) -> str:
    """A path as messages name it: inside the working tree from its root; bytes that are not UTF-8 escaped."""
    text = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
