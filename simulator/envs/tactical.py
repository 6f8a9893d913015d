"""Where inside a cloud an app runs, every tactical interval: `trine/Tactical-v0` and `trine/TacticalCandidates-v0`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from simulator.control.decision import NEVER_STEPS, Composite, Decision, Policy, PolicyBase
from simulator.control.features import candidates, tactical
from simulator.control.view import Facts, View
from simulator.envs.episodes import Episodes, Float64, Int64, Learner, Stage
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.parameters import World


class GivenClouds(PolicyBase):
    """The strategic part of an episode: a cloud for every app, chosen once.

    Args:
        cloud: int64 [A].
    """

    name, period_steps = "given_clouds", NEVER_STEPS

    def __init__(self, cloud: Int64) -> None:
        self.cloud = cloud

    def decide(self, view: View) -> Decision:
        """Order the clouds."""
        return Decision(cloud=self.cloud)


class TacticalEpisodes(Episodes):
    """Seven features (with three clouds), one placement of the given cloud chosen; see `TacticalEnv`."""

    layer, role = tactical, "tactical"

    def __init__(self, stage: Stage, *, strategic: Callable[[Facts], Policy] | None = None, **options: Any) -> None:
        super().__init__(stage, **options)
        self.strategic = strategic
        self.clouds = len(self.facts.tables.clouds)

    @staticmethod
    def period_of(world: World) -> int:
        """A tactical interval."""
        return world.tactical_steps

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:
        """Draw the cloud of every app among those that it may use, or take it from the options."""
        cloud = np.argmax(rng.random((len(self.apps), self.clouds)) * self.facts.may_use, axis=1)
        if "cloud" in options:
            cloud = np.broadcast_to(np.asarray(options["cloud"], dtype=np.int64), cloud.shape).copy()
            if cloud.min() < 0 or cloud.max() >= self.clouds:
                raise ParameterError(f"cloud {options['cloud']}", where="reset(options=)", how=f"use 0..{self.clouds - 1}")
        self.cloud = cloud

    def policy(self, learner: Learner) -> Policy:
        """The learner under the layer above, or under the clouds of the episode."""
        above = self.strategic(self.facts) if self.strategic else GivenClouds(self.cloud)
        return Composite("episode", strategic=above, tactical=learner)

    def more_info(self) -> dict[str, NDArray[Any]]:
        """The cloud of every app, int64 [A]."""
        return {"cloud": self.cloud.copy()}


class CandidatesEpisodes(TacticalEpisodes):
    """Eleven features of every candidate; see `TacticalCandidatesEnv`."""

    layer = candidates

    def __init__(self, stage: Stage, *, levels_usd: Mapping[str, Float64] | None = None, **options: Any) -> None:
        self.levels_usd = None if levels_usd is None else levels_usd[stage.scenario.id][stage.apps]
        super().__init__(stage, **options)

    def known(self) -> candidates.Known:
        """With the levels, if they were given."""
        return candidates.start(self.facts, self.levels_usd)


class TacticalEnv(DecisionEnv):
    """Choose a placement of a given cloud for one app every tactical interval (25 minutes by default).

    Args beyond `DecisionEnv`: `strategic`, a callable that makes the policy that chooses clouds in an episode from the facts of its apps,
    so that this layer is trained under the one above; by default clouds are given once an episode.

    The cloud is sampled for every episode among those the app may use, or given by `reset(options={"cloud": index})`; it is in
    `info["cloud"]`. Everything observed is as of the last barrier. C clouds; with the published tables C = 3, the observation has 7 numbers
    and there are 24 placements. Every episode begins at home with empty pools.

    ## Observation: `Box(0, 1, (C + 4,), float32)`

    | index | meaning | unit | low, high |
    |---|---|---|---|
    | 0 .. C - 1 | the given cloud, one-hot | - | 0, 1 |
    | C | data locality where the app runs: 1 - min(1, data round trip / 250 ms) | - | 0, 1 |
    | C + 1 | cold-start probability: P(gap > idle life), gaps that ended in the last 24 h, the given cloud's idle life | share | 0, 1 |
    | C + 2 | network latency where the app runs: mean round trip of the callers of the last 5 min, min-max over the table | share | 0, 1 |
    | C + 3 | utilisation of the last finished 5-minute slot, mean over the cloud's allowed placements, without one 0 | share | 0, 1 |

    ## Action: `Discrete(N)`, N = most placements of a cloud

    The placement, in the order of the tables (region by region, zone by zone). `info["action_mask"]` (int8 [N]) is 1 where the app is
    allowed and capacity was open at the barrier; an action that is 0 there means to stay. The first choice of an episode is free, a later
    one is a move: it copies the app's state, switches when that has arrived, and starts with an empty pool.

    ## Reward

    (`home_usd` - `objective_usd`) / scale, clipped to +-`reward.clip` (10 by default).

    | term | meaning | unit |
    |---|---|---|
    | `info["objective_usd"]` | the interval's execution, egress, carbon, misses, rejects, excess latency, moves and floors | USD |
    | `info["home_usd"]` | the same of the stored coupled run of the whole fleet at home, in the same interval | USD |
    | scale | mean objective of the app at home over the train intervals with calls, at least `reward.min_scale_usd` | USD |
    | reward | their ratio | - |

    What has become known since the last barrier counts: all of a call at its arrival, the energy of an idle instance when its idle period
    ends, and all that is left at the end of the episode. So the sum over an episode is exact where nothing is clipped: times the scale it
    is the objective at home of its intervals minus the objective that the judge finds.

    ## Episode end

    Truncation after `intervals` decisions, or at the end of the span; never termination, so learners must bootstrap.
    """

    episodes_class = TacticalEpisodes


class TacticalVectorEnv(DecisionVectorEnv):
    """`TacticalEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`; every app draws its own cloud."""

    episodes_class = TacticalEpisodes


class TacticalCandidatesEnv(DecisionEnv):
    """As `TacticalEnv`, but every placement of the given cloud is described, so that one network can score them all.

    Args beyond `DecisionEnv`: `levels_usd`, by scenario id float64 [A, P], what a call of each app costs at each placement as learned on
    the train span; without it, `simulator.control.features.estimate.Estimate` at the barrier (published tables, the last 24 h).

    ## Observation: `Box(-1, 1, (N, 11), float32)`, one row per placement

    | column | meaning | unit | low, high |
    |---|---|---|---|
    | 0 | data locality: 1 - min(1, data round trip / 250 ms) | - | 0, 1 |
    | 1 | mean round trip of the callers of the last 5 min / 250 ms | - | 0, 1 |
    | 2 | instances of the app that are up there: log(1 + n) / log(1 + quota) | - | 0, 1 |
    | 3 | cold-start probability on the cloud, see `TacticalEnv` | share | 0, 1 |
    | 4 | utilisation of the last finished slot | share | 0, 1 |
    | 5 | its change over 25 minutes | share | -1, 1 |
    | 6 | headroom for instances at the barrier / quota (alone: capacity / quota) | share | 0, 1 |
    | 7 | execution price / the most expensive region's | share | 0, 1 |
    | 8 | carbon intensity of the hour | kg/kWh | 0, 1 |
    | 9 | the app's cost level there / its most expensive placement's | share | 0, 1 |
    | 10 | the app runs there | - | 0, 1 |

    Rows beyond the cloud's placements are 0 and masked. Action, reward and episode end: see `TacticalEnv`.
    """

    episodes_class = CandidatesEpisodes


class TacticalCandidatesVectorEnv(DecisionVectorEnv):
    """`TacticalCandidatesEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    episodes_class = CandidatesEpisodes
