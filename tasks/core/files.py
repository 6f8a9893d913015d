"""Small files: equal content gives equal bytes, a crash leaves the old file. Not here: Parquet (DuckDB and Polars write it)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from core.errors import DamagedFileError
from tasks.core.drafts import draft_of


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8; see `write_bytes_atomic`."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `path` through a temporary neighbour, so that readers see the old or the new file, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = draft_of(path)
    try:
        neighbour.write_bytes(content)
        os.replace(neighbour, path)  # noqa: PTH105 (Path.replace is the same call; os.replace names the guarantee)
    finally:
        neighbour.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys; NaN and infinity are refused because JSON has neither.

    Raises:
        ValueError: a float is NaN or infinite.
    """
    write_text_atomic(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file written by `write_json`.

    Raises:
        DamagedFileError: it is not JSON.
        FileNotFoundError: it is missing.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFileError(f"it is not JSON: {error}", where=str(path), how="delete it and run: trine run") from None
