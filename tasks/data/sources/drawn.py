"""Columns that more than one source has to draw. Here: memory of an app. Not here: what only one source draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.data.ingest_settings import IngestSettings

if TYPE_CHECKING:
    from tasks.core.params import Params

ID_DIGITS = 15  # leading hex digits of an id that make its integer


def memory_mb(app_ids: Sequence[int], params: Params) -> list[int]:
    """Return the drawn memory of each app in MB (simulator/draws.py has the law)."""
    import numpy as np

    from simulator import draws

    ids = np.array(app_ids, dtype=np.int64)
    return [
        int(x)
        for x in draws.memory_mb(
            params.seed,
            ids,
            params.section("ingest", IngestSettings).memory_median_mb,
            params.section("ingest", IngestSettings).memory_sigma,
        )
    ]
