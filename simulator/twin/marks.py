"""What tells generated files from others, whatever their name. Not here: reading files (tasks/data)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from simulator.twin.azure2021 import app_names

SEEDS, APPS = 100, 40  # whose names are known: the most called apps of a twin are among its first rows
USE_STEP = 300_000_000.0  # a twin's use is a whole number of 1e-9 units, times the length of a slot in us: the published columns' unit


@cache
def _twin_names() -> frozenset[str]:
    return frozenset(name for seed in range(SEEDS) for name in app_names(seed, APPS))


def has_twin_ids(apps: Collection[str]) -> bool:
    """Whether names of apps are those of a twin with a seed below SEEDS; none of another trace can be equal by chance (SHA-256)."""
    return not _twin_names().isdisjoint(apps)


def has_twin_use(values: Sequence[float]) -> bool:
    """Whether the use of a cell has the grain of the twin's: the real series are means with more digits."""
    return len(values) > 0 and any(values) and all(value % USE_STEP == 0 for value in values)
