"""What the candidates arm reads at a barrier: the app's own past, every placement, and what the planner expects of it. Not here: learning.

The planner's expectation is the prior. Everything is in units of the app: what an interval of its usual volume costs, the mean over the
placements that it may use. So one network serves apps that differ by a factor of a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.units import SLOT_US
from models.baselines.planning.costs import Costs
from models.baselines.planning.response import response_weights
from simulator.control.features import candidates, lagged

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
VERSION = 1  # of the columns below; those of the features have versions of their own
HORIZON = 10  # intervals: the coming one is `near`, the mean of the others `far`
# Columns of `features.candidates` that are used. Left out is what depends on where the app and the others are now (instances up, headroom,
# the app runs there): a replay says nothing of it.
COLUMNS = (0, 1, 3, 4, 5, 7, 8, 9)
PRIOR_COLUMNS = 5  # near, far, expected utilisation of the coming interval, response, out
OWN, PLACES = lagged.FEATURES, len(COLUMNS) + PRIOR_COLUMNS
LEAST_SCALE_USD, LEAST_CALLS = 1e-9, 1e-6


class Seen(NamedTuple):
    """One barrier. A apps, P placements.

    own: float32 [A, OWN], see `features.lagged`. places: float32 [A, P, PLACES]. prior_usd: float64 [horizon, A, P], the planner's costs of
    the coming intervals; response_usd: likewise, the part of it that is the response of the app's own bursts. scale_usd: float64 [A].
    """

    own: Float32
    places: Float32
    prior_usd: Float64
    response_usd: Float64
    scale_usd: Float64


class Observer:
    """Observes in one run.

    Args:
        facts: of the scenario.
        learned: of its past, see `models.baselines.planning.learned`.
        horizon: intervals of the prior.
    """

    def __init__(self, facts: Facts, learned: Learned, horizon: int = HORIZON) -> None:
        self.facts, self.learned = facts, learned
        self.costs = Costs(facts, learned, horizon=horizon)
        self._places, self._own = candidates.start(facts, scope="all"), lagged.start(facts)

    def observe(self, view: View) -> Seen:
        """Read a view; the planner's expectations come from its own costs."""
        expected, allowed = self.costs.expected(view), self.facts.is_allowed
        prior, volume = expected.usd, expected.calls
        usual = np.maximum(volume, self.learned.calls) / np.maximum(volume, LEAST_CALLS)
        scale = np.maximum(_mean(prior[0], allowed) * usual, LEAST_SCALE_USD)
        places = np.empty((*allowed.shape, PLACES), dtype=np.float32)
        places[:, :, : len(COLUMNS)] = candidates.observe(view, self._places)[:, :, COLUMNS]
        more = places[:, :, len(COLUMNS) :]
        more[:, :, 0] = _signed_log(centred(prior[0], allowed) / scale[:, None])
        more[:, :, 1] = _signed_log(centred(prior[1:].mean(axis=0), allowed) / scale[:, None])
        more[:, :, 2] = expected.used
        response = self._response(view) * volume[:, None]
        more[:, :, 3] = np.log1p(response[0] / scale[:, None])
        more[:, :, 4] = ~view.is_open
        return Seen(lagged.observe(view, self._own), places, prior, response, scale)

    def _response(self, view: View) -> Float64:
        """What an app's own bursts add to a call as the planner expects it, USD, float64 [horizon, A, P]."""
        learned, world = self.learned, self.facts.world
        slots = world.tactical_us // SLOT_US
        used = learned.congestion.expected(view.utilisation_ppm, view.is_out, slots, self.costs.horizon, world)
        weights = response_weights(learned.congestion.nodes(used)).mean(axis=2)
        found: Float64 = learned.response_usd @ weights.transpose(0, 2, 1)
        return found


def centred(usd: Float64, allowed: NDArray[np.bool_]) -> Float64:
    """Return costs (float64 [A, P]) less their mean over the placements that an app may use: an interval's own effect drops out."""
    found: Float64 = usd - _mean(usd, allowed)[:, None]
    return found


def _mean(usd: Float64, allowed: NDArray[np.bool_]) -> Float64:
    found: Float64 = (usd * allowed).sum(axis=1) / np.maximum(allowed.sum(axis=1), 1)
    return found


def _signed_log(x: Float64) -> Float64:
    return np.sign(x) * np.log1p(np.abs(x))
