"""How many instances an app keeps warm and how much memory they have, every step: `trine/Autoscale-v0`. Not here: where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.baseline import HOME_SEED
from simulator.control.features.estimate import instances
from simulator.control.judge import Span
from simulator.control.view import Observation
from simulator.envs.run import Float32, Float64, Int64, Run, Setting
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.fleet import Field
from simulator.objective import objective_usd
from simulator.places.rounding import vcpus
from simulator.workload import MEMORY_SIZES_MB

WINDOW, SERIES = 12, 5  # three minutes of 15 s
RATE, MEMORY, CPU, QUEUE, TIME = range(SERIES)
MOST_FLOOR = 3
MEMORY_CLASSES = 3  # the configured size and the next larger ones


class AutoscaleRun(Run):
    """A window of twelve steps, floors and a memory class chosen; see `AutoscaleEnv`."""

    def __init__(
        self, setting: Setting, *, span: Span = "train", intervals: int | None = None, luck_seed: int = HOME_SEED, pools: int | None = None
    ) -> None:
        super().__init__(setting, period_steps=1, span=span, intervals=intervals, luck_seed=luck_seed)
        first = self.scenario.apps.first_function
        self.pools = int(np.diff(first).max()) if pools is None else pools
        self.pool_app = np.repeat(self.apps, np.diff(first))
        self.pool_column = np.arange(first[-1]) - first[self.pool_app]
        self.sizes_mb, self.duration_factor_permille = self._memory()
        self.observation_space = spaces.Box(0.0, 1.0, (WINDOW, SERIES), np.float32)
        self.action_space = spaces.MultiDiscrete([MOST_FLOOR + 1] * self.pools + [MEMORY_CLASSES])

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:
        """Start the fleet that stays at home without floors, and empty the windows."""
        self.at_home, self.home_known = self.new_fleet(self.fleet.step), self.known
        self.window = np.zeros((len(self.apps), WINDOW, SERIES), dtype=np.float32)
        self.memory_class = np.zeros(len(self.apps), dtype=np.int64)

    def go(self, actions: NDArray[Any], end: int) -> None:
        """Set the floor of every pool and the memory of every app (int64 [A, Q + 1], see `AutoscaleEnv`), and run the step."""
        self.fleet.set_floors(np.asarray(actions[:, :-1], dtype=np.int64)[self.pool_app, self.pool_column])
        wanted = np.asarray(actions[:, -1], dtype=np.int64)
        if (wanted != self.memory_class).any():
            cloud = self.scenario.tables.cloud_of_region[self.scenario.tables.region_of_placement[self.fleet.placement]]
            self.fleet.set_memory(self.sizes_mb[self.apps, wanted], self.duration_factor_permille[self.apps, cloud, wanted])
            self.memory_class = wanted
        self.fleet.advance(end)

    def home_usd(self, step: int, to_step: int) -> Float64:
        """The objective of the fleet beside at home, as far as it became known in the step, float64 [A]."""
        self.at_home.advance(to_step)
        if to_step == self.end:
            self.at_home.finish()
        now = self.at_home.out[:, 0].copy()
        found = objective_usd(now - self.home_known, self.scenario.objective)
        self.home_known = now
        return found

    def see(self, seen: Observation) -> Float32:
        """The window of `AutoscaleEnv`, float32 [A, 12, 5]."""
        now = self.fleet.step * self.scenario.world.step_us
        if self.fleet.step > self.fleet.start_step:
            quota = self.scenario.world.quota_per_placement
            up = instances(self.fleet)
            waited = seen.recent[:, Field.WAITED] + seen.recent[:, Field.REJECTED]
            self.window[:, :-1] = self.window[:, 1:]
            row = self.window[:, -1]
            row[:, RATE] = np.log1p(seen.recent[:, Field.CALLS]) / np.log1p(quota)
            row[:, MEMORY] = up[:, 0] / quota
            row[:, CPU] = up[:, 1] / np.maximum(up[:, 0], 1)
            row[:, QUEUE] = np.log1p(waited) / np.log1p(quota)
            np.clip(row, 0, 1, out=row)
        self.window[:, -1, TIME] = (now / DAY_US) % 1
        return self.window.copy()

    def _memory(self) -> tuple[Int64, Int64]:
        """Sizes of the memory classes, int64 [A, classes], and the factor on durations, int64 [A, C, classes] in thousandths.

        A duration is (1 - b) + b * vcpu at the configured size / vcpu, b the share of it that scales with vCPU.
        """
        apps, t = self.scenario.apps, self.scenario.tables
        ladder = np.array(MEMORY_SIZES_MB)
        at = np.searchsorted(ladder, apps.memory_mb)[:, None] + np.arange(MEMORY_CLASSES)
        sizes = np.maximum(ladder[np.minimum(at, len(ladder) - 1)], apps.memory_mb[:, None])
        vcpu = vcpus(t, sizes).swapaxes(1, 2)
        bound = apps.vcpu_bound_permille[:, None, None] / 1000
        return sizes, np.rint(1000 * ((1 - bound) + bound * vcpu[:, :, :1] / vcpu)).astype(np.int64)


class AutoscaleEnv(DecisionEnv):
    """Keep instances of one app warm, at home, and choose its memory, every step (15 s by default).

    ## Observation: `Box(0, 1, (12, 5), float32)`, the last 12 steps, the newest last

    | column | meaning | unit |
    |---|---|---|
    | 0 | request rate: log(1 + calls of the step) / log(1 + quota) | - |
    | 1 | memory utilisation: instances up at the end of the step / quota | share |
    | 2 | CPU utilisation: instances that work / instances up; without one 0 | share |
    | 3 | pending queue: log(1 + calls of the step that waited or were rejected) / log(1 + quota) | - |
    | 4 | time of day (UTC) at the end of the step | days |

    Rows before the episode are 0; the newest row of the first observation holds the time alone.

    ## Action: `MultiDiscrete([4] * Q + [3])`, Q = most functions of an app

    Numbers 0 .. Q - 1 are the warm floors (0..3 instances) of the app's pools, by function in the order of its ids; those beyond the app's
    functions do nothing, and where a cloud keeps one pool an app only the first counts. The last number is the memory: 0 the configured
    size, 1 and 2 the next larger ones (beyond the largest, the largest); duration falls with the vCPUs that come with them. All zeros is
    what home does. Nothing is masked.

    ## Reward

    As in `TacticalEnv`, with two differences. Home by steps is not stored but run beside, with the same luck from the same empty start,
    so that doing as home does earns exactly 0. The scale is the objective at home over the train span / its steps with calls, USD.

    ## Episode end

    As in `TacticalEnv`: truncation only.
    """

    run_class = AutoscaleRun

    def _run_of(self, app: int) -> Run:
        """All apps get the action space of the app with most functions."""
        self._options["pools"] = int(np.diff(self.setting.scenario.apps.first_function).max())
        return super()._run_of(app)


class AutoscaleVectorEnv(DecisionVectorEnv):
    """`AutoscaleEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    run_class = AutoscaleRun
