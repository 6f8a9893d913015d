"""One memory size per app, chosen by replaying the past with each. Not here: ordering it (scaling.py), what a size costs (simulator)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.control.counterfactual import sized_fields
from simulator.control.orders import MEMORY_CLASSES, memory_constants
from simulator.control.view import Facts
from simulator.objective import objective_usd

if TYPE_CHECKING:
    from simulator.control.spans import Span
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


def sizes_usd(scenario: Scenario, seed: int, spans: tuple[Span, ...] = ("train", "valid")) -> Float64:
    """Return the objective of each app alone at home with each memory class over spans of the past, USD, float64 [A, classes]."""
    sizes, constants = memory_constants(Facts.of(scenario))
    found = np.zeros((len(scenario.apps.app_ids), MEMORY_CLASSES))
    for span in spans:
        for m in range(MEMORY_CLASSES):
            found[:, m] += objective_usd(sized_fields(scenario, seed, span, sizes[:, m], constants[m]), scenario.objective)
    return found


def best_sizes(usd: Float64, least_saving: float = 0.0) -> Int64:
    """Return the class with the least objective, int64 [A]; the configured one unless the saving exceeds a share of its objective."""
    best = usd.argmin(axis=1)
    saving = usd[:, 0] - usd[np.arange(len(usd)), best]
    return np.where(saving > least_saving * usd[:, 0], best, 0).astype(np.int64)
