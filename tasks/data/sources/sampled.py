"""Columns that a trace of calls does not have and that are sampled by id: memory of an app, trigger of a function. Not here: calls."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.data.ingest_settings import IngestSettings

if TYPE_CHECKING:
    from tasks.core.params import Params

ID_DIGITS = 15  # leading hex digits of an id that make its integer
TRIGGER_STREAM = 11  # random stream of the drawn trigger
TRIGGER_MIX = Path(__file__).resolve().parents[3] / "data" / "reference" / "trigger_mix.csv"


def memory_mb(app_ids: Sequence[int], params: Params) -> list[int]:
    """Return the sampled memory of each app in MB (simulator/draws.py has the distribution)."""
    import numpy as np

    from simulator import draws

    ids = np.array(app_ids, dtype=np.int64)
    settings = params.section("ingest", IngestSettings)
    return [int(x) for x in draws.memory_mb(params.seed, ids, settings.memory_median_mb, settings.memory_sigma)]


def triggers(function_ids: Sequence[int], params: Params) -> list[str]:
    """Return the drawn trigger of each function, by the share of functions in data/reference/trigger_mix.csv."""
    import numpy as np

    from simulator import rng

    with TRIGGER_MIX.open(encoding="utf-8", newline="") as handle:
        mix = [(row["trigger"], float(row["share_functions"])) for row in csv.DictReader(handle)]
    edges = np.cumsum([share for _, share in mix])
    u = rng.uniform(params.seed, np.array(function_ids, dtype=np.int64), TRIGGER_STREAM) * edges[-1]
    chosen = np.minimum(np.searchsorted(edges, u, side="right"), len(mix) - 1)
    return [mix[int(i)][0] for i in chosen]
