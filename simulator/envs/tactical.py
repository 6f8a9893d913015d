"""Where inside a cloud an app runs, every tactical interval: `trine/Tactical-v0` and `trine/TacticalCandidates-v0`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.errors import ParameterError
from core.units import SLOT_US
from simulator.control.baseline import HOME_SEED
from simulator.control.features.estimate import DIRTIEST_MG_PER_KWH, FAR_US, Estimate, Places, instances
from simulator.control.history import history
from simulator.control.judge import Span
from simulator.control.view import Observation
from simulator.envs.run import Bool, Float32, Float64, Run, Setting
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.kernel import PRICE

TREND_SLOTS = 5  # the trend of the utilisation is its change over 25 minutes
CANDIDATE_FEATURES = 11


class TacticalRun(Run):
    """Seven features (with three clouds), one placement of the given cloud chosen; see `TacticalEnv`."""

    def __init__(self, setting: Setting, *, span: Span = "train", intervals: int | None = None, luck_seed: int = HOME_SEED) -> None:
        period = setting.scenario.world.tactical_steps
        super().__init__(setting, period_steps=period, span=span, intervals=intervals, luck_seed=luck_seed)
        self.places = Places.of(self.scenario)
        self.past = history(self.scenario, period)
        self.clouds = len(self.scenario.tables.clouds)
        self.one_hot = np.eye(self.clouds, dtype=np.float32)
        self.allowed = self.scenario.is_allowed.astype(np.float64)
        self.choices = self.allowed @ self.places.is_in_cloud  # allowed placements of each app in each cloud, [A, C]
        self.observation_space = spaces.Box(0.0, 1.0, (self.clouds + 4,), np.float32)
        self.action_space = spaces.Discrete(self.places.candidates.shape[1])

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:
        """Draw the cloud of every app among those that it may use, or take it from the options."""
        draw = rng.random((len(self.apps), self.clouds)) * (self.choices > 0)
        cloud = np.argmax(draw, axis=1)
        if "cloud" in options:
            cloud = np.broadcast_to(np.asarray(options["cloud"], dtype=np.int64), cloud.shape).copy()
            if cloud.min() < 0 or cloud.max() >= self.clouds:
                raise ParameterError(f"cloud {options['cloud']}", where="reset(options=)", how=f"use 0..{self.clouds - 1}")
        self.cloud = cloud

    @property
    def candidates(self) -> NDArray[np.int64]:
        """Placements that each app chooses among, int64 [A, N]; -1: none."""
        return self.places.candidates[self.cloud]

    def mask(self) -> Bool:
        """Candidates that may be chosen: allowed, and with capacity at the barrier (if none has, allowed is enough), bool [A, N]."""
        found = self.candidates
        allowed = (found >= 0) & self.scenario.is_allowed[self.apps[:, None], found]
        is_open = allowed & (self.opening()[found] > 0)
        return np.where(is_open.any(axis=1, keepdims=True), is_open, allowed)

    def info(self) -> dict[str, NDArray[Any]]:
        """The mask and the cloud, too: `action_mask`, int8 [A, N], and `cloud`, int64 [A]."""
        self.now_allowed = self.mask()
        return super().info() | {"action_mask": self.now_allowed.astype(np.int8), "cloud": self.cloud.copy()}

    def go(self, actions: NDArray[Any], end: int) -> None:
        """Order the chosen candidates (int64 [A], 0 .. N - 1); a masked one means to stay."""
        chosen = self.candidates[self.apps, actions]
        self.send(np.where(self.now_allowed[self.apps, actions], chosen, self.fleet.placement))
        self.fleet.advance(end)

    def see(self, seen: Observation) -> Float32:
        """The features of `TacticalEnv`, float32 [A, C + 4]."""
        c, row = self.clouds, self.fleet.step // self.period_steps
        region = self.scenario.tables.region_of_placement[seen.placement]
        found = np.empty((len(self.apps), c + 4), dtype=np.float32)
        found[:, :c] = self.one_hot[self.cloud]
        found[:, c] = self.places.locality[self.apps, region]
        found[:, c + 1] = self.past.cold[row, self.apps, self.cloud]
        rtt_us = np.einsum("am,am->a", self.past.origins[row], self.places.rtt_us[region])
        found[:, c + 2] = (rtt_us - self.places.rtt_min_us) / self.places.rtt_range_us
        found[:, c + 3] = self._mean_utilisation(seen)
        return np.clip(found, 0, 1, out=found)

    def _mean_utilisation(self, seen: Observation) -> Float64:
        """Mean over the candidates that the app is allowed to use, float64 [A]."""
        total = self.allowed @ (self.places.is_in_cloud * (seen.utilisation_ppm / 1e6)[:, None])
        return (total / np.maximum(self.choices, 1))[self.apps, self.cloud]


class CandidatesRun(TacticalRun):
    """Eleven features of every candidate; see `TacticalCandidatesEnv`."""

    def __init__(self, setting: Setting, *, levels_usd: Mapping[str, Float64] | None = None, **options: Any) -> None:
        super().__init__(setting, **options)
        self.levels_usd = None if levels_usd is None else levels_usd[self.scenario.id][setting.apps]
        self.estimate = Estimate(self.scenario)
        price = self.estimate.constants[:, :, PRICE]
        self.price = (price / price.max(axis=1, keepdims=True))[:, self.scenario.tables.region_of_placement]
        self.observation_space = spaces.Box(-1.0, 1.0, (self.places.candidates.shape[1], CANDIDATE_FEATURES), np.float32)

    def see(self, seen: Observation) -> Float32:
        """The features of `TacticalCandidatesEnv`, float32 [A, N, 11]."""
        row, apps, found = self.fleet.step // self.period_steps, self.apps[:, None], self.candidates
        region = self.scenario.tables.region_of_placement[found]
        quota = self.scenario.world.quota_per_placement
        is_here = found == seen.placement[:, None]
        level = self.levels_usd if self.levels_usd is not None else self.estimate.usd(seen, self.past.mean[row], self.past.origins[row])
        used = seen.utilisation_ppm / 1e6
        out = np.empty((*found.shape, CANDIDATE_FEATURES), dtype=np.float32)
        out[:, :, 0] = self.places.locality[apps, region]
        out[:, :, 1] = (self.past.origins[row] @ self.places.rtt_us.T / FAR_US)[apps, region]
        out[:, :, 2] = is_here * (np.log1p(instances(self.fleet)[:, :1]) / np.log1p(quota))
        out[:, :, 3] = self.past.cold[row, self.apps, self.cloud][:, None]
        out[:, :, 4] = used[found]
        out[:, :, 5] = (used - self._earlier())[found]
        out[:, :, 6] = (seen.free / quota)[found]
        out[:, :, 7] = self.price[apps, found]
        out[:, :, 8] = (seen.carbon_mg_per_kwh / DIRTIEST_MG_PER_KWH)[region]
        out[:, :, 9] = (level / level.max(axis=1, keepdims=True))[apps, found]
        out[:, :, 10] = is_here
        out[found < 0] = 0
        return np.clip(out, -1, 1, out=out)

    def _earlier(self) -> Float64:
        """Utilisation `TREND_SLOTS` before the last finished slot, float64 [P]."""
        seen, now = self.scenario.conditions, self.fleet.step * self.scenario.world.step_us
        slot = min(max(now // SLOT_US - 1 - TREND_SLOTS, 0), seen.utilisation_ppm.shape[1] - 1)
        return seen.utilisation_ppm[:, slot] / 1e6


class TacticalEnv(DecisionEnv):
    """Choose a placement of a given cloud for one app every tactical interval (25 minutes by default).

    The cloud is drawn for every episode among those the app may use, or given: `reset(options={"cloud": index})`, told as `info["cloud"]`.
    Everything observed stood at the last barrier. C clouds; with the published tables C = 3, the observation has 7 numbers and there are
    24 placements. Every episode begins at home with empty pools.

    ## Observation: `Box(0, 1, (C + 4,), float32)`

    | index | meaning | unit | low, high |
    |---|---|---|---|
    | 0 .. C - 1 | the given cloud, one-hot | - | 0, 1 |
    | C | data locality where the app runs: 1 - min(1, data round trip / 250 ms) | - | 0, 1 |
    | C + 1 | cold-start probability: P(gap > idle life), gaps that ended in the last 24 h, the given cloud's law | share | 0, 1 |
    | C + 2 | network latency where the app runs: mean round trip of the callers of the last 5 min, min-max over the table | share | 0, 1 |
    | C + 3 | utilisation of the last finished 5-minute slot, mean over the cloud's allowed placements, without one 0 | share | 0, 1 |

    ## Action: `Discrete(N)`, N = most placements of a cloud

    The placement, in the order of the tables (region by region, zone by zone). `info["action_mask"]` (int8 [N]) is 1 where the app is
    allowed and capacity was open at the barrier; an action that is 0 there means to stay. The first choice of an episode is free, a later
    one is a move: it copies the app's state, switches when that has arrived, and starts with an empty pool.

    ## Reward

    (`home_usd` - `objective_usd`) / scale, clipped to +-`objective.reward.clip` (10 by default).

    | term | meaning | unit |
    |---|---|---|
    | `info["objective_usd"]` | the interval's execution, egress, carbon, misses, rejects, excess latency, moves and floors | USD |
    | `info["home_usd"]` | the same of the stored coupled run of the whole fleet at home, in the same interval | USD |
    | scale | mean objective of the app at home over the train intervals with calls, at least `objective.reward.min_scale_usd` | USD |
    | reward | their ratio | - |

    What has become known since the last barrier counts: all of a call at its arrival, the energy of an idle instance when its idle period
    ends, and all that is left at the end of the episode. So the sum over an episode is exact where nothing is clipped: times the scale it
    is the objective at home of its intervals minus the objective that the judge finds.

    ## Episode end

    Truncation after `intervals` decisions, or at the end of the span; never termination, so learners must bootstrap.
    """

    run_class = TacticalRun


class TacticalVectorEnv(DecisionVectorEnv):
    """`TacticalEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`; every app draws its own cloud."""

    run_class = TacticalRun


class TacticalCandidatesEnv(DecisionEnv):
    """As `TacticalEnv`, but every placement of the given cloud is described, so that one network can score them all.

    Args beyond `DecisionEnv`: `levels_usd`, by scenario id float64 [A, P], what a call of each app costs at each placement as learned on
    the train span; without it, the estimate of `simulator.envs.features.Estimate` at the barrier (published tables, the last 24 h).

    ## Observation: `Box(-1, 1, (N, 11), float32)`, one row a placement

    | column | meaning | unit | low, high |
    |---|---|---|---|
    | 0 | data locality: 1 - min(1, data round trip / 250 ms) | - | 0, 1 |
    | 1 | mean round trip of the callers of the last 5 min / 250 ms | - | 0, 1 |
    | 2 | instances of the app that are up there: log(1 + n) / log(1 + quota) | - | 0, 1 |
    | 3 | cold-start probability by the cloud's law, see `TacticalEnv` | share | 0, 1 |
    | 4 | utilisation of the last finished slot | share | 0, 1 |
    | 5 | its change over 25 minutes | share | -1, 1 |
    | 6 | room for instances at the barrier / quota (alone: capacity / quota) | share | 0, 1 |
    | 7 | execution price / the dearest region's | share | 0, 1 |
    | 8 | carbon intensity of the hour | kg/kWh | 0, 1 |
    | 9 | the app's cost level there / its dearest placement's | share | 0, 1 |
    | 10 | the app runs there | - | 0, 1 |

    Rows beyond the cloud's placements are 0 and masked. Action, reward and episode end: see `TacticalEnv`.
    """

    run_class = CandidatesRun


class TacticalCandidatesVectorEnv(DecisionVectorEnv):
    """`TacticalCandidatesEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    run_class = CandidatesRun
