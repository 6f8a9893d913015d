"""The least that a card beside weights must say to be loaded. Not here: real cards (tasks/learning/card.py)."""

from __future__ import annotations

import json
from pathlib import Path


def write_plain_card(folder: Path, layer: str, version: int, sizes: dict[str, int]) -> None:
    (folder / "card.json").write_text(json.dumps({"layer": layer, "features": {"version": version}, "sizes": sizes}))
