"""When the functions of a fleet were called before a barrier. Not here: what follows from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.control.view import View

Int64 = NDArray[np.int64]


def past_arrivals(view: View) -> list[list[Int64]]:
    """Times of the calls before the barrier, by app and function, us."""
    found = []
    for a, functions in enumerate(np.diff(view.facts.apps.first_function).tolist()):
        calls = view.past.calls(a)
        order = np.argsort(calls.function, kind="stable")
        edges = np.searchsorted(calls.function[order], np.arange(functions + 1))
        at = calls.arrival_us[order]
        found.append([at[edges[f] : edges[f + 1]] for f in range(functions)])
    return found
