"""Whose traces raw files are, by their content: `twin` (generated), `real` (the public traces) or `own`. Not here: the files (scan.py)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.data.raw_files import open_raw

TWIN_NAME = ".twin.day"
TWIN_SERIES = '"",avgcpu,'  # the published series have no quotes there
LOOKED_AT = 200  # rows that may show that a file is the twin's
SAMPLES = "path:$TRINE_SAMPLE_DIR"  # the folder of the real slices
PUBLISHED_NAME, PUBLISHED_ROWS = "AzureFunctionsInvocationTraceForTwoWeeksJan2021", 1_980_951


def whose(origin: str, files: Sequence[Mapping[str, Any]], *, has_generated: bool) -> str:
    """Return `off`, `twin`, `real` or `own`; one generated file makes the whole a twin.

    Args:
        origin: `from` of params.yaml: off, twin, inbox, path:<folder>.
        files: entries of the manifest.
        has_generated: whether one of them is generated.
    """
    if origin in ("twin", "off"):
        return origin
    if has_generated:
        return "twin"
    is_real = origin.startswith(SAMPLES) or (bool(files) and all(map(_is_published, files)))
    return "real" if is_real else "own"


def is_generated(path: Path, kind: str) -> bool:
    """Whether the beginning of a file is the twin's: ids that it makes, or the quotes around the empty name of a series' first column."""
    if TWIN_NAME in path.name:
        return True
    if kind not in ("invocations", "utilisation"):
        return False
    with open_raw(path) as handle:
        lines = [line.decode("utf-8", "replace") for line in itertools.islice(handle, 1 + LOOKED_AT)]
    if kind == "utilisation":
        return lines[0].startswith(TWIN_SERIES)
    from simulator.twin.marks import has_twin_ids

    return has_twin_ids({line.split(",", 1)[0] for line in lines[1:]})


def _is_published(entry: Mapping[str, Any]) -> bool:
    """Whether a file is the published trace of 2021: it has its name and all of its rows."""
    return Path(entry["name"]).name.startswith(PUBLISHED_NAME) and entry["rows"] == PUBLISHED_ROWS
