"""Apps without a history in a fleet whose other apps have one: they start where the fleet suggests, then follow the leader.

What is known of such an app is what its owner declares: memory, payload class, home, where its data lie. A call of it is expected to cost
what a typical call with such a payload would cost, plus what calls of the fleet's other apps cost beyond that in the same region (the
median app). Not here: an app in a fleet of strangers, which starts at home (newcomers.py); apps whose past is known (planner.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.baselines.newcomers import PRIOR_CALLS, FollowTheLeader
from models.baselines.planner import MIN_CALLS
from models.baselines.planning.congestion import slowdown
from models.baselines.planning.curve import SLOWDOWNS, curve_of, weights_at
from simulator.control.decision import Decision
from simulator.places.constants import app_constants
from simulator.rng import normal_quantile
from simulator.workload import BYTES_IN_MEDIAN, BYTES_OUT_MEDIAN, BYTES_SIGMA, MOST_BYTES

if TYPE_CHECKING:
    from models.baselines.planning.curve import SampledCalls
    from models.baselines.planning.learned import Learned
    from simulator.control.view import Facts, View

Float64 = NDArray[np.float64]
STEPS = (0.6180339887, 0.7548776662)  # of the shares of bytes in and out; irrational, so that they neither repeat nor go together
ENDS = (1e-6, 1 - 1e-6)


class StartsAsTheFleet(FollowTheLeader):
    """Every app starts at the placement that is expected to be cheapest for it, and follows the leader from there. Good for one run.

    Args:
        facts: of the scenario.
        typical: calls of another fleet.
        learned: of the apps of this fleet whose past is known.
        period_steps: between decisions.
    """

    def __init__(self, facts: Facts, typical: SampledCalls, learned: Learned, period_steps: int = 100) -> None:
        super().__init__(facts, typical, period_steps)
        self.typical, self.learned = typical, learned

    def decide(self, view: View) -> Decision:
        """Order the start, or follow the leader."""
        if self._has_begun:
            return super().decide(view)
        self._has_begun = True
        usd = expected_usd(self.facts, self.typical, self.learned, view)
        self.total = PRIOR_CALLS * usd
        here = self.facts.is_allowed & view.is_open
        here = np.where(here.any(axis=1, keepdims=True), here, self.facts.is_allowed)
        return Decision(placement=np.where(here, usd, np.inf).argmin(axis=1))


def expected_usd(facts: Facts, typical: SampledCalls, learned: Learned, view: View) -> Float64:
    """Return what a call of every app is expected to cost at every placement if nothing is known of its calls, USD, float64 [A, P].

    Zones are as full as they have been on average until the barrier of the view.
    """
    t, apps, world = facts.tables, facts.apps, facts.world
    mean = view.utilisation_ppm.mean(axis=1) / 1e6 if view.utilisation_ppm.shape[1] else world.utilisation.u_mean
    weights = weights_at(SLOWDOWNS, slowdown(np.broadcast_to(np.asarray(mean), len(t.zones)), world))
    constants, home = app_constants(facts, apps.memory_mb), t.metro_of_region[t.region_of_placement[apps.home]]
    found = np.empty(facts.is_allowed.shape)
    for a, (metro, payload) in enumerate(zip(home.tolist(), apps.payload.tolist(), strict=True)):
        curve = curve_of(_with_payload(typical, payload).called_from(metro), t.rtt_us, constants[a], facts)
        found[a] = (curve[t.region_of_placement] * weights).sum(axis=1)
    is_known = learned.known_calls >= MIN_CALLS
    beyond = np.median(learned.plain_level_usd[is_known], axis=0) if is_known.any() else np.zeros(len(t.regions))
    usd: Float64 = found + beyond[t.region_of_placement]
    return usd


def _with_payload(typical: SampledCalls, payload: int) -> SampledCalls:
    """The calls with bytes as those of a payload class are drawn."""

    def drawn(median: int, step: float) -> NDArray[np.int32]:
        share = (0.5 + step * np.arange(len(typical.bytes_in))) % 1.0  # every share comes once, in no order
        spread = np.exp(BYTES_SIGMA * normal_quantile(np.clip(share, *ENDS)))
        return np.minimum(np.rint(median * spread), MOST_BYTES).astype(np.int32)

    return replace(typical, bytes_in=drawn(BYTES_IN_MEDIAN[payload], STEPS[0]), bytes_out=drawn(BYTES_OUT_MEDIAN[payload], STEPS[1]))
