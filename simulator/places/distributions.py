"""Distributions of cold starts and idle life as tables of quantiles. Not here: draws from them (the kernel), files (csv_rows.py)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from core.units import US_PER_S
from simulator.places.csv_rows import Row, TableError

QUANTILES = 257  # entry j of a distribution is its quantile at probability j / 256


def quantile_table(probabilities: Sequence[Fraction], values: Sequence[Fraction]) -> list[int]:
    """Return the quantiles at 0/256 .. 256/256 of a distribution that is known at some points, rounded down.

    Where the probability falls from one point to the next, its running maximum is taken. Of points with equal probability the latest
    counts, of those with the highest the earliest: nobody lives longer than the first time that all have died. Linear in between,
    constant outside.

    Args:
        probabilities: P(X <= value) at each point.
        values: ascending.
    """
    running = list(accumulate(probabilities, max))
    value_at = {level: value for level, value in zip(running, values, strict=True) if level < running[-1]}
    value_at[running[-1]] = values[running.index(running[-1])]
    levels, times = list(value_at), list(value_at.values())
    table = []
    for j in range(QUANTILES):
        p = Fraction(j, QUANTILES - 1)
        i = bisect_left(levels, p)
        if 0 < i < len(levels):
            share = (p - levels[i - 1]) / (levels[i] - levels[i - 1])
            table.append(math.floor(times[i - 1] + (times[i] - times[i - 1]) * share))
        else:
            table.append(math.floor(times[min(i, len(times) - 1)]))
    return table


def distribution_table(
    rows: list[Row], source: str, names: Sequence[tuple[str, ...]], columns: tuple[str, ...], point: tuple[str, str]
) -> NDArray[np.int64]:
    """Return the quantiles of one distribution for each of `names`, us.

    Args:
        rows: of a table of distributions, in any order.
        source: which one of the table's, by its column `law`.
        names: what a distribution exists for, for example (cloud, package).
        columns: the columns of `names`.
        point: columns of a probability and of a time in seconds.

    Returns:
        int64 [len(names), 257].
    """
    points: dict[tuple[str, ...], list[tuple[Fraction, Fraction]]] = defaultdict(list)
    for row in rows:
        name = tuple(row.text(column) for column in columns)
        if name not in names:
            how = f"use one of: {'; '.join(' '.join(known) for known in names)}"
            raise TableError(f"unknown {' '.join(columns)}: {' '.join(name)}", where=row.where, how=how)
        probability, seconds = (row.exact(column) for column in point)
        if probability > 1:
            raise TableError(f"{point[0]} is {row.text(point[0])}, more than 1", where=row.where, how="write a share of 1")
        if row.text("law") == source:
            points[name].append((seconds, probability))
    for name in names:
        if name not in points:
            have = ", ".join(sorted({row.text("law") for row in rows}))
            how = f"add its rows, or name another one in params.yaml; the table has {have}"
            raise TableError(f"no distribution {source} for {' '.join(name)}", where=rows[0].file, how=how)
    tables = []
    for name in names:
        found = sorted(points[name])
        tables.append(quantile_table([p for _, p in found], [seconds * US_PER_S for seconds, _ in found]))
    return np.array(tables, dtype=np.int64)
