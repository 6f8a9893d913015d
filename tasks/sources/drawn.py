"""Columns that more than one source has to draw. Here: memory of an app. Not here: what only one source draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.params import Params

MEMORY_STREAM = 10  # random stream
LEAST_MEMORY_MB, MOST_MEMORY_MB = 30, 10_240  # 10,240 MB is the largest function that AWS Lambda sells


def memory_mb(app_ids: Sequence[int], params: Params) -> list[int]:
    """Return the drawn memory of each app in MB: log-normal, cut to what a function can have."""
    import numpy as np

    from simulator import rng

    z = rng.normal(params.seed, np.array(app_ids, dtype=np.int64), MEMORY_STREAM)
    drawn = params.ingest.memory_median_mb * np.exp(params.ingest.memory_sigma * z)
    return [int(x) for x in np.clip(np.rint(drawn), LEAST_MEMORY_MB, MOST_MEMORY_MB)]
