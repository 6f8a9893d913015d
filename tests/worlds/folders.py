"""What a folder holds, to be compared byte by byte. Not here: which folder, and what must be equal."""

from __future__ import annotations

from pathlib import Path


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """The bytes of every file below `folder` whose name matches the pattern, by its path in the folder."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob(pattern)) if file.is_file()}
