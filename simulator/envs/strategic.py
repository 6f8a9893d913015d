"""Which cloud an app runs in, every strategic interval: `trine/Strategic-v0`. Not here: where inside the cloud (tactical)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.control.decision import Composite, Policy
from simulator.control.features import strategic
from simulator.control.view import Facts
from simulator.envs.episodes import Episodes, Learner, Stage
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.parameters import World


class StrategicEpisodes(Episodes):
    """Twenty features (with three clouds), one cloud chosen; see `StrategicEnv`."""

    layer, role = strategic, "strategic"

    def __init__(self, stage: Stage, *, tactical: Callable[[Facts], Policy] | None = None, **options: Any) -> None:
        super().__init__(stage, **options)
        self.tactical = tactical

    @staticmethod
    def period_of(world: World) -> int:
        """A strategic interval."""
        return world.strategic_steps

    def policy(self, learner: Learner) -> Policy:
        """The learner above the tactical policy."""
        return Composite("episode", strategic=learner, tactical=self.tactical(self.facts) if self.tactical else None)


class StrategicEnv(DecisionEnv):
    """Choose the cloud of one app every strategic interval (4 h 10 by default); a lower policy chooses the placement in it.

    Args beyond `DecisionEnv`: `tactical`, a callable that makes the tactical policy of an episode from the facts of its apps (of one app in
    this environment); by default the placement with the least estimated cost of a call (of equal ones the first name), chosen once a
    decision.

    ## Observation: `Box(float32)` of shape (5 C + 5,), C clouds; with the published tables 20 numbers

    The first four rows are of the best allowed placement of each cloud for this app: the one with the least estimate
    (`features.estimate.Estimate`); a cloud that the app may not use shows the upper limit of each. Everything is as of the last barrier.

    | index | meaning | unit | low, high |
    |---|---|---|---|
    | 0 .. C - 1 | estimated cost per 1000 calls, over that at home | - | 0, 4 |
    | C .. 2 C - 1 | expected 95 % quantile of latency: log(1 + ms) / log(1 + 60,000) | - | 0, 1 |
    | 2 C .. 3 C - 1 | carbon intensity of the hour | kg/kWh | 0, 1 |
    | 3 C .. 4 C - 1 | throttled: calls since the last decision that waited or were rejected, of all apps there | share | 0, 1 |
    | 4 C | load: log(1 + calls since the last decision) / log(1 + 10^6) | - | 0, 1 |
    | 4 C + 1 | cold starts / served calls since the last decision | share | 0, 1 |
    | 4 C + 2 | SLA rate: calls in time / calls since the last decision; without calls 1 | share | 0, 1 |
    | 4 C + 3 .. 5 C + 2 | the app's current cloud, one-hot | - | 0, 1 |
    | 5 C + 3, 5 C + 4 | time of day (UTC), sine and cosine | - | -1, 1 |

    The outcome of a call is known at its arrival, as in all results. Alone in the world, throttling is of the app's own calls.

    ## Action: `Discrete(C)`

    The cloud. `info["action_mask"]` (int8 [C]) is 1 where the app has an allowed placement with capacity; an action that is 0 there means
    the cloud where the app runs.

    ## Reward and episode end

    As in `TacticalEnv`, per strategic interval; the scale is the mean over strategic train intervals with calls.
    """

    episodes_class = StrategicEpisodes


class StrategicVectorEnv(DecisionVectorEnv):
    """`StrategicEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    episodes_class = StrategicEpisodes
