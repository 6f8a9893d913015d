"""How many calls an app will get in a coming interval: an exponentially weighted mean of the past ones. Not here: bursts (rush.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from simulator.control.view import View

Float64 = NDArray[np.float64]
KEEP = 0.9  # weight of the past
LEAST_SHARE = 0.05  # of the mean of the train span: an app that has been quiet may come back


def expected_calls(view: View, usual: Float64) -> Float64:
    """Return the calls expected in a tactical interval, float64 [A].

    Args:
        view: its past; intervals that have ended count.
        usual: float64 [A], calls of a tactical interval as learned, which stand for everything before the first one.
    """
    begin = view.past.first_call
    return mean_calls(np.diff(view.past.history.day_end, axis=0, prepend=begin[None])[1:], usual)


def mean_calls(counts: NDArray[np.int64], usual: Float64) -> Float64:
    """Return the weighted mean of the calls of past intervals (int64 [K, A], newest last), float64 [A]; see `expected_calls`."""
    weights = (1.0 - KEEP) * KEEP ** np.arange(len(counts) - 1, -1, -1)
    mean = weights @ counts + KEEP ** len(counts) * usual
    return np.maximum(mean, LEAST_SHARE * usual)
