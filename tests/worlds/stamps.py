"""Files of a folder without the stamps that a stage in a process of its own writes into its JSON. Not here: what stamps say (lineage)."""

from __future__ import annotations

import json
from pathlib import Path


def unstamped(folder: Path) -> dict[str, object]:
    """Every file below a folder by its relative name: its bytes, or a JSON file's value without `made_from`."""
    found: dict[str, object] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found[file.relative_to(folder).as_posix()] = _without(file) if file.suffix == ".json" else file.read_bytes()
    return found


def _without(file: Path) -> object:
    value = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(value, dict):
        value.pop("made_from", None)
    return value
