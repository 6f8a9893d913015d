"""The names of generated apps, and what they tell of a file of any name. Not here: reading files (tasks/data), calls (azure2021.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from functools import cache

SEEDS, APPS = 100, 40  # whose names are known: the most called apps of a twin are among its first rows


def app_names(seed: int, apps: int) -> list[str]:
    """Return the names of the apps of the twin of a seed, most called first: 64 hexadecimal digits."""
    return [hex_id(seed, "app", i) for i in range(apps)]


def hex_id(seed: int, kind: str, index: int) -> str:
    """Return the name of an app or a function of a twin."""
    return hashlib.sha256(f"trine twin {seed} {kind} {index}".encode()).hexdigest()


@cache
def _twin_names() -> frozenset[str]:
    return frozenset(name for seed in range(SEEDS) for name in app_names(seed, APPS))


def has_twin_ids(apps: Collection[str]) -> bool:
    """Whether names of apps are those of a twin with a seed below SEEDS; none of another trace can be equal by chance (SHA-256)."""
    return not _twin_names().isdisjoint(apps)
