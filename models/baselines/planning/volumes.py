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
    counts = np.diff(view.past.history.day_end, axis=0, prepend=begin[None])[1:]
    weights = (1.0 - KEEP) * KEEP ** np.arange(len(counts) - 1, -1, -1)
    mean = weights @ counts + KEEP ** len(counts) * usual
    return np.maximum(mean, LEAST_SHARE * usual)
