"""The one door through which the page reads its inputs, so that its fingerprint follows from the files that were in fact read.

Not here: what the files mean. No other module of tasks/report opens a file of the pipeline (tests/unit/tasks/report/test_reading.py).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any, TypeVar

from core.errors import DamagedFileError
from tasks.core.lineage import without_stamp
from tasks.core.records import Record, checked

R = TypeVar("R", bound=Record)
DIGITS = 7  # of the fingerprint, as many as of a short commit


class Inputs:
    """Reads files below the root of a working tree and remembers their bytes.

    Args:
        root: of the working tree; every path below is relative to it, e.g. `reports/eda/volumes.json`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, bytes | None] = {}

    def record(self, relative: str, kind: type[R]) -> R | None:
        """Return a JSON file as a record; None if it is missing or holds `{}`, which is how a stage says that it has no answer.

        Raises:
            DamagedFileError: it is not JSON, or its keys or types are not those of the record.
        """
        content = self._json(relative)
        return checked(content, kind, self._root / relative) if content else None

    def mapping(self, relative: str) -> dict[str, Any]:
        """Return a JSON file of data/reference, {} if it is missing.

        Raises:
            DamagedFileError: it is not JSON.
        """
        return self._json(relative) or {}

    def rows(self, relative: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file, [] if it is missing."""
        content = self._bytes(relative)
        return [] if content is None else list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))

    def listed(self, relative: str) -> list[dict[str, Any]]:
        """Return a JSON list of rows, e.g. a training history, [] if the file is missing.

        Raises:
            DamagedFileError: it is not JSON, or no list.
        """
        found: Any = self._json(relative)
        if found is not None and not isinstance(found, list):
            raise DamagedFileError("it is no list of rows", where=str(self._root / relative), how="delete it and run: trine run")
        return found or []

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read, in order of their names."""
        return tuple(sorted(name for name, content in self._read.items() if content is not None))

    @property
    def fingerprint(self) -> str:
        """First hex digits of the SHA-256 over name, length and content of the files that were read."""
        digest = hashlib.sha256()
        for name in self.files:
            content = self._read[name] or b""
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()[:DIGITS]

    def _json(self, relative: str) -> dict[str, Any] | None:
        content = self._bytes(relative)
        try:
            found: dict[str, Any] | None = None if content is None else without_stamp(json.loads(content))
        except ValueError as error:
            where, how = str(self._root / relative), "delete it and run: trine run"
            raise DamagedFileError(f"it is not JSON: {error}", where=where, how=how) from None
        return found

    def _bytes(self, relative: str) -> bytes | None:
        if relative not in self._read:
            file = self._root / relative
            self._read[relative] = file.read_bytes() if file.is_file() else None
        return self._read[relative]
