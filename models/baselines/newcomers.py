"""Apps without a history: they follow the leader of replays of their own calls. Not here: apps whose past is known (planner.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.baselines.planner import SWITCH_USD
from models.baselines.planning.congestion import slowdown
from models.baselines.planning.curve import SLOWDOWNS, curve_of, weights_at
from simulator.control.decision import Decision, PolicyBase
from simulator.control.view import CARBON_NANOUSD, OBJECTIVE_NANOUSD
from simulator.places.constants import app_constants
from simulator.places.prices import copy_nanousd_per_mb

if TYPE_CHECKING:
    from models.baselines.planning.curve import SampledCalls
    from simulator.control.decision import Policy
    from simulator.control.view import Facts, View

Float64 = NDArray[np.float64]
NAME = "follow_the_leader"
PRIOR_CALLS = 20.0  # calls of its own that outweigh what calls of other fleets say


class FollowTheLeader(PolicyBase):
    """Every app starts at home and moves when another placement's lead over the present one pays for the move. Good for one run.

    The lead is what the app's own calls since its arrival would have cost here more than there, alone, with what typical calls of another
    fleet would have cost an app with these data and this memory counting as PRIOR_CALLS of its own.

    Args:
        facts: of the scenario.
        typical: calls of another fleet.
        period_steps: between decisions.
    """

    name, needs_replays = NAME, True

    def __init__(self, facts: Facts, typical: SampledCalls, period_steps: int = 100) -> None:
        self.facts, self.period_steps = facts, period_steps
        self.total = PRIOR_CALLS * prior_usd(facts, typical)
        self._copy = facts.apps.state_bytes[:, None, None] / 1e6 * copy_nanousd_per_mb(facts.tables)[None] / 1e9
        self._has_begun = False

    def decide(self, view: View) -> Decision:
        """Follow the leader; the first decision is home."""
        apps, region = np.arange(len(view.placement)), self.facts.tables.region_of_placement
        if not self._has_begun:
            self._has_begun = True
            return Decision(placement=self.facts.apps.home)
        if view.replayed is not None:  # the loop gives replays to a policy that needs them
            self.total += (view.replayed[:, :, OBJECTIVE_NANOUSD] + view.replayed[:, :, CARBON_NANOUSD]).T / 1e9
        leader = np.where(self.facts.is_allowed, self.total, np.inf).argmin(axis=1)
        lead = self.total[apps, view.placement] - self.total[apps, leader]
        price = self._copy[apps, region[view.placement], region[leader]] + SWITCH_USD
        is_moving = (lead > price) & view.is_open[leader]
        return Decision(placement=np.where(is_moving, leader, view.placement))

    def estimates(self, view: View) -> tuple[Float64, str]:
        """What the calls so far would have cost at every placement, float64 [A, P]; NaN where an app may not run."""
        return np.where(self.facts.is_allowed, self.total, np.nan), "USD of all calls since the app's arrival"


class Beside(PolicyBase):
    """Apps without a history follow one policy, all others another one. Good for one run.

    Args:
        name: of the arm.
        known: decides for the apps whose past is known; it must leave the others where they are.
        new: decides for the others.
        is_new: bool [A].
    """

    needs_replays = True

    def __init__(self, name: str, known: Policy, new: FollowTheLeader, is_new: NDArray[np.bool_]) -> None:
        self.name, self.known, self.new, self.is_new, self.period_steps = name, known, new, is_new, new.period_steps

    def decide(self, view: View) -> Decision:
        """Order what each policy orders for its apps."""
        known, new = self.known.decide(view).placement, self.new.decide(view).placement
        here = view.placement
        return Decision(placement=np.where(self.is_new, here if new is None else new, here if known is None else known))


def prior_usd(facts: Facts, typical: SampledCalls) -> Float64:
    """Return what a typical call would cost every app at the mean utilisation, USD, float64 [A, P]; callers are at the app's home."""
    t, apps, world = facts.tables, facts.apps, facts.world
    constants = app_constants(facts, apps.memory_mb)
    home = t.metro_of_region[t.region_of_placement[apps.home]]
    mean = slowdown(np.array(world.utilisation.u_mean), world)
    found = np.stack([curve_of(typical.called_from(int(metro)), t.rtt_us, constants[a], facts) for a, metro in enumerate(home)])
    usd: Float64 = (found @ weights_at(SLOWDOWNS, mean))[:, t.region_of_placement]
    return usd
