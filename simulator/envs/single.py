"""A run as a `gymnasium.Env`: one app per episode, alone in the world. Not here: what is seen and done (tactical, strategic, autoscale)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from core.errors import ParameterError
from simulator.control.baseline import HOME_SEED
from simulator.control.reward import Reward
from simulator.control.spans import Span
from simulator.envs.episodes import Episodes, Float32, Stage
from simulator.scenario import Scenario


class DecisionEnv(gymnasium.Env[Any, Any]):
    """One app per episode, alone in the world, so that a step is cheap.

    The app has all the capacity of its placement, and only its own calls run; the fleet's herd is in the vector environments. Episodes go
    through the apps with at least `reward.min_train_calls` train calls, in an order that the seed draws. Rewards are relative to
    the stored run of the whole fleet at home.

    Args:
        scenario: a scenario, or its folder.
        span: train, valid, test or all.
        intervals: decisions in an episode; None: the whole span. Shorter episodes begin at a random decision of the span.
        luck_seed: of cold starts and keep-alives, in every episode and at home.
        reward: scale and clip of the rewards; None: the defaults.
        render_mode: None, there is nothing to draw.
        options: of the kind of run.

    `reset(options={"app": index})` chooses the app of the scenario.

    ## Information besides the observation

    | key | meaning | from |
    |---|---|---|
    | `app` | index of the app in the scenario | reset, step |
    | `is_eligible` | the app has enough train calls to learn from | reset, step |
    | `objective_usd`, `home_usd` | what the interval cost, and at home, USD, not clipped | step |

    Raises:
        ParameterError: see `Episodes`; at reset: no such app, or none with enough train calls to draw from.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (gymnasium declares it so)
    episodes_class: type[Episodes]

    def __init__(
        self,
        scenario: Scenario | Path | str,
        *,
        span: Span = "train",
        intervals: int | None = None,
        luck_seed: int = HOME_SEED,
        reward: Reward | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self.render_mode = render_mode
        self.reward = reward or Reward()
        self.stage = Stage.of(scenario, luck_seed, self.reward)
        self._options = {"span": span, "intervals": intervals, "luck_seed": luck_seed, "reward": self.reward} | options
        self._runs: dict[int, Episodes] = {}
        self._queue: list[int] = []
        self.eligible = np.flatnonzero(self.stage.is_eligible)
        self.run = self._run_of(int(self.eligible[0]) if len(self.eligible) else 0)
        self.observation_space, self.action_space = self.run.observation_space, self.run.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Float32, dict[str, Any]]:
        """Begin an episode with the next app; returns its observation (float32, of the observation space) and information."""
        super().reset(seed=seed)
        options = options or {}
        if seed is not None:
            self._queue = []
        app = int(options["app"]) if "app" in options else self._next_app()
        self.run = self._run_of(app)
        observation, info = self.run.reset(self.np_random, options)
        return observation[0], {"app": app, **{name: value[0] for name, value in info.items()}}

    def step(self, action: Any) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Decide and run one interval; observation, reward (no unit), False, whether the episode is over, information."""
        observation, reward, is_over, info = self.run.step(np.asarray(action)[None])
        app = int(self.run.stage.apps[0])
        return observation[0], float(reward[0]), False, is_over, {"app": app, **{name: value[0] for name, value in info.items()}}

    def _next_app(self) -> int:
        """Take the next of the eligible apps; when all had their turn, draw a new order."""
        if not len(self.eligible):
            least = self.reward.min_train_calls
            how = 'choose one with reset(options={"app": index}), or lower reward.min_train_calls'
            raise ParameterError(f"no app has {least} calls in the train span", where="reset", how=how)
        if not self._queue:
            self._queue = [int(a) for a in self.np_random.permutation(self.eligible)]
        return self._queue.pop()

    def _run_of(self, app: int) -> Episodes:
        apps = len(self.stage.apps)
        if not 0 <= app < apps:
            raise ParameterError(f"there is no app {app}", where="reset(options=)", how=f"use 0..{apps - 1}")
        if app not in self._runs:
            self._runs[app] = self.episodes_class(self.stage.alone(app), **self._options)
        return self._runs[app]
