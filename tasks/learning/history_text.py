"""The text of a training history: one row a line, as DVC plots it. Not here: what is measured (models/training.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def history_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows (layer, arm, seed, update, transitions, metric, value) as JSON."""
    return "[\n" + ",\n".join(json.dumps(dict(row), allow_nan=False) for row in rows) + "\n]\n"
