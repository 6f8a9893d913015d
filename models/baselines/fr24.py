"""A weighted score of nearness and load, after Femminella & Reali (2024). Not here: what is reconstructed and why (docs/provenance.md).

The score of a placement adds up distance to the data, expected cold start, distance to the callers, and utilisation, each in [0, 1]; an app
moves when another placement is better by a margin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.control.decision import Decision, PolicyBase
from simulator.control.features.estimate import FAR_US, Places

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Float64 = NDArray[np.float64]
NAME = "fr24_heuristic"
SLOWEST_US = 10_000_000  # a median cold start that counts as 1
MEDIAN = 0.5


def usable(facts: Facts, view: View) -> NDArray[np.bool_]:
    """Return the allowed placements that were open in the last finished slot, bool [A, P]; of an app that has none, all allowed ones."""
    found = facts.is_allowed & view.is_open
    return np.where(found.any(axis=1, keepdims=True), found, facts.is_allowed)


class Weights(NamedTuple):
    """Of the parts of the score: data, cold start, callers, utilisation."""

    data: float = 1.0
    cold_start: float = 1.0
    callers: float = 1.0
    utilisation: float = 1.0


class WeightedScore(PolicyBase):
    """Chooses the placement with the least weighted score. Good for one run.

    Args:
        facts: of the scenario.
        weights: of the parts.
        margin: by how much another placement must be better.
        period_steps: between decisions.
    """

    name = NAME

    def __init__(self, facts: Facts, weights: Weights, *, margin: float, period_steps: int = 100) -> None:
        self.facts, self.weights, self.margin, self.period_steps = facts, weights, margin, period_steps
        self.places = facts.made(Places.of)
        quantiles = facts.tables.cold_start_us  # [C, packages, quantiles]
        median = quantiles[:, :, round(MEDIAN * (quantiles.shape[2] - 1))]
        self._cold_us = median[:, facts.apps.package].T  # [A, C]
        self._is_first = True

    def decide(self, view: View) -> Decision:
        """Order the best placement where it is better by the margin."""
        apps, score = np.arange(len(view.placement)), self.score(view)
        best = score.argmin(axis=1)
        is_better = score[apps, best] < score[apps, view.placement] - self.margin
        chosen = np.where(is_better | self._is_first, best, view.placement)
        self._is_first = False
        return Decision(placement=chosen)

    def score(self, view: View) -> Float64:
        """Return the score of every placement, float64 [A, P]; infinite where an app may not run or a zone was out."""
        now, region = view.past.history, self.facts.tables.region_of_placement
        cloud = self.facts.cloud_of_placement
        data = 1.0 - self.places.locality[:, region].astype(np.float64)
        cold = np.minimum(1.0, now.cold[-1][:, cloud] * self._cold_us[:, cloud] / SLOWEST_US)
        callers = np.minimum(1.0, (now.origins[-1].astype(np.float64) @ self.facts.tables.rtt_us)[:, region] / FAR_US)
        parts = (data, cold, callers, view.utilisation_now_ppm[None, :] / 1e6)
        total = sum((weight * part for weight, part in zip(self.weights, parts, strict=True)), np.zeros(self.facts.is_allowed.shape))
        found: Float64 = np.where(usable(self.facts, view), total, np.inf)
        return found

    def estimates(self, view: View) -> tuple[Float64, str]:
        """The scores, NaN where masked."""
        found = self.score(view)
        return np.where(np.isfinite(found), found, np.nan), "score"
