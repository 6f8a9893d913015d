"""Which cloud an app runs in, every strategic interval: `trine/Strategic-v0`. Not here: where inside the cloud (tactical)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.baseline import HOME_SEED
from simulator.control.features.estimate import DIRTIEST_MG_PER_KWH, Estimate, Places
from simulator.control.history import history
from simulator.control.judge import Span
from simulator.control.view import Observation, observe
from simulator.envs.run import Bool, Float32, Float64, Int64, Run, Setting
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.fleet import Field
from simulator.scenario import Scenario

Lower = Callable[[Scenario, Observation, Int64], Int64]
LONGEST_MS, MOST_CALLS = 60_000, 1_000_000
DEAREST = 4.0  # of home


class StrategicRun(Run):
    """Twenty features (with three clouds), one cloud chosen; see `StrategicEnv`."""

    def __init__(
        self,
        setting: Setting,
        *,
        span: Span = "train",
        intervals: int | None = None,
        luck_seed: int = HOME_SEED,
        lower: Lower | None = None,
        lower_steps: int | None = None,
    ) -> None:
        period = setting.scenario.world.strategic_steps
        super().__init__(setting, period_steps=period, span=span, intervals=intervals, luck_seed=luck_seed)
        self.lower, self.lower_steps = lower or self.cheapest, lower_steps or period
        self.places, self.estimate = Places.of(self.scenario), Estimate(self.scenario)
        self.past = history(self.scenario, period, has_p95=True)
        clouds = len(self.scenario.tables.clouds)
        self.one_hot = np.eye(clouds, dtype=np.float32)
        # Placements of each cloud by the names of their zones, [C, N]: equal estimates must not be told apart by the order of rows.
        rank = np.append(np.argsort(np.argsort(self.scenario.tables.zones)), len(self.scenario.tables.zones))  # of no placement: last
        found = self.places.candidates
        self.inside: Int64 = np.take_along_axis(found, np.argsort(rank[found], axis=1), axis=1)
        self.allowed: Bool = (self.inside >= 0) & self.scenario.is_allowed[:, self.inside]  # [A, C, N]
        high = np.ones(5 * clouds + 5, dtype=np.float32)
        high[:clouds] = DEAREST
        low = np.zeros_like(high)
        low[-2:] = -1
        self.observation_space, self.action_space = spaces.Box(low, high, dtype=np.float32), spaces.Discrete(clouds)

    def mask(self) -> Bool:
        """Clouds with an allowed placement that has capacity at the barrier (if none has, allowed is enough), bool [A, C]."""
        is_open: Bool = np.any(self.allowed & (self.opening()[self.inside] > 0), axis=2)
        return np.where(is_open.any(axis=1, keepdims=True), is_open, self.allowed.any(axis=2))

    def info(self) -> dict[str, NDArray[Any]]:
        """The mask, too: `action_mask`, int8 [A, C]."""
        self.now_allowed = self.mask()
        return super().info() | {"action_mask": self.now_allowed.astype(np.int8)}

    def go(self, actions: NDArray[Any], end: int) -> None:
        """Let the lower policy choose in the clouds (int64 [A]), every `lower_steps`."""
        self.cloud, recent = np.where(self.now_allowed[self.apps, actions], actions, self.places.cloud[self.fleet.placement]), self.recent
        while self.fleet.step < end:
            self.send(self.lower(self.scenario, observe(self.fleet, recent), self.cloud))
            before = self.fleet.out[:, 0].copy()
            self.fleet.advance(min(self.fleet.step + self.lower_steps, end))
            recent = self.fleet.out[:, 0] - before

    def cheapest(self, scenario: Scenario, seen: Observation, cloud: Int64) -> Int64:
        """The lower policy unless another is given: the placement in the cloud that was cheapest at the last decision, int64 [A]."""
        return self.best[self.apps, cloud]

    def see(self, seen: Observation) -> Float32:
        """The features of `StrategicEnv`, float32 [A, 5 C + 5]."""
        clouds, row = self.one_hot.shape[0], self.fleet.step // self.period_steps
        usd = self.estimate.usd(seen, self.past.mean[row], self.past.origins[row])
        self.best, has_any = self._best(usd), self.allowed.any(axis=2)
        region = self.scenario.tables.region_of_placement[self.best]
        at_home = usd[self.apps, self.scenario.apps.home]
        p95_ms = self.estimate.p95_us(seen, self.past, row, self.best) / 1000
        now = self.fleet.step * self.scenario.world.step_us
        phase = 2 * np.pi * (now % DAY_US) / DAY_US
        calls = seen.recent[:, Field.CALLS]
        out = np.empty((len(self.apps), 5 * clouds + 5), dtype=np.float32)
        out[:, :clouds] = np.where(has_any, usd[self.apps[:, None], self.best] / at_home[:, None], DEAREST)
        out[:, clouds : 2 * clouds] = np.where(has_any, np.log1p(p95_ms) / np.log1p(LONGEST_MS), 1)
        out[:, 2 * clouds : 3 * clouds] = np.where(has_any, (seen.carbon_mg_per_kwh / DIRTIEST_MG_PER_KWH)[region], 1)
        out[:, 3 * clouds : 4 * clouds] = np.where(has_any, self._throttled(seen)[region], 1)
        out[:, 4 * clouds] = np.log1p(calls) / np.log1p(MOST_CALLS)
        out[:, 4 * clouds + 1] = seen.recent[:, Field.COLD_STARTS] / np.maximum(seen.recent[:, Field.SERVED], 1)
        out[:, 4 * clouds + 2] = 1 - seen.recent[:, Field.MISSES] / np.maximum(calls, 1)
        out[:, 4 * clouds + 3 : 5 * clouds + 3] = self.one_hot[self.places.cloud[seen.placement]]
        out[:, -2], out[:, -1] = np.sin(phase), np.cos(phase)
        return np.clip(out, self.observation_space.low, self.observation_space.high, out=out)

    def _best(self, usd: Float64) -> Int64:
        """Allowed placement of each cloud with the least estimate (of equal ones the first name), else its first, int64 [A, C]."""
        at = np.argmin(np.where(self.allowed, usd[:, self.inside], np.inf), axis=2)
        return self.inside[np.arange(len(self.inside)), at]

    def _throttled(self, seen: Observation) -> Float64:
        """Share of the fleet's calls in each region that waited or were rejected in the last interval, float64 [R]."""
        t = self.scenario.tables
        region = t.region_of_placement[seen.placement]
        bad = np.bincount(region, seen.recent[:, Field.WAITED] + seen.recent[:, Field.REJECTED], minlength=len(t.regions))
        return bad / np.maximum(np.bincount(region, seen.recent[:, Field.CALLS], minlength=len(t.regions)), 1)


class StrategicEnv(DecisionEnv):
    """Choose the cloud of one app every strategic interval (4 h 10 by default); a lower policy chooses the placement in it.

    Args beyond `DecisionEnv`: `lower`, a callable (scenario, observation, clouds int64 [A]) -> placements int64 [A], by default the
    placement with the least estimated cost of a call (of equal ones the first name); `lower_steps`, how often it is asked, by default
    once a decision. Scenario and observation are those of the apps that are decided for: of one app in this environment.

    ## Observation: `Box(float32)` of shape (5 C + 5,), C clouds; with the published tables 20 numbers

    The first four rows are of the best allowed placement of each cloud for this app: the one with the least estimate
    (`features.Estimate`); a cloud that the app may not use shows the high of each. Everything stood at the last barrier.

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

    run_class = StrategicRun


class StrategicVectorEnv(DecisionVectorEnv):
    """`StrategicEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    run_class = StrategicRun
