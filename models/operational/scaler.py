"""Online min-max of each app's inputs, with exponential moving statistics. Not here: the features themselves, scales of the targets.

The statistics start from the train span of the scenario in which they are used and are saved with the model; there they are input, not
weights. A new extreme counts at once, an old one fades: low and high drift towards what is seen now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
FADING = 1.7e-5  # of a step: an extreme has faded by half after seven days
LEAST_SPAN = 1e-6


@dataclass
class MinMax:
    """Statistics of A apps and n inputs.

    Args:
        low, high: float32 [A, n].
        fading: part of the distance to the present value by which low and high move in a step.
    """

    low: Float32
    high: Float32
    fading: float = FADING

    @classmethod
    def of(cls, values: Float32, fading: float = FADING) -> MinMax:
        """The statistics of a train span, float32 [A, T, n], in order of time; without a step low and high are 0."""
        if values.shape[1] == 0:
            nothing = np.zeros((values.shape[0], values.shape[2]), dtype=np.float32)
            return cls(nothing, nothing.copy(), fading)
        # A later value of the same size counts more than an earlier one: what faded since then is taken off.
        age = np.arange(values.shape[1] - 1, -1, -1, dtype=np.float32)[None, :, None]
        kept = np.float32(1.0 - fading) ** age
        last = values[:, -1:, :]
        high = (last + (values - last) * kept).max(axis=1)
        low = (last + (values - last) * kept).min(axis=1)
        return cls(low.astype(np.float32), high.astype(np.float32), fading)

    def update(self, values: Float32) -> None:
        """Take in the values of a step, float32 [A, n]."""
        self.low += np.float32(self.fading) * (values - self.low)
        self.high += np.float32(self.fading) * (values - self.high)
        np.minimum(self.low, values, out=self.low)
        np.maximum(self.high, values, out=self.high)

    def scaled(self, values: Float32) -> Float32:
        """(value - low) / (high - low), float32 [A, ..., n]; where nothing ever changed, 0."""
        shape = (len(self.low), *(1,) * (values.ndim - 2), self.low.shape[1])
        low, span = self.low.reshape(shape), (self.high - self.low).reshape(shape)
        found: Float32 = np.divide(values - low, span, out=np.zeros_like(values), where=span > LEAST_SPAN)
        return found

    def of_apps(self, apps: NDArray[np.int64]) -> MinMax:
        """The statistics of some apps, int64 [n]: copies."""
        return MinMax(self.low[apps], self.high[apps], self.fading)

    def copy(self) -> MinMax:
        """Statistics that a run may change."""
        return MinMax(self.low.copy(), self.high.copy(), self.fading)
