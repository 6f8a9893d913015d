"""Runs as a `gymnasium.vector.VectorEnv`: all apps of one or many fleets. Not here: what is seen and done (tactical.py and so on)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from core.errors import ParameterError
from simulator.control.baseline import HOME_SEED
from simulator.control.reward import Reward
from simulator.control.spans import Span
from simulator.envs.episodes import Bool, Episodes, Float32, Float64, Stage
from simulator.scenario import Scenario


class DecisionVectorEnv(VectorEnv[Float32, Any, NDArray[Any]]):
    """All apps of one or many fleets at once, one sub-environment per app; the apps of a fleet are coupled, as in the judge.

    Sub-environment i is app `app[i]` of fleet `fleet[i]`. Fleets are independent of each other; all apps of a fleet begin and end together.
    An episode that ends is followed by the next one in the same step (`AutoresetMode.SAME_STEP`): its last observation and information are
    in `final_obs` (float32 [num_envs, ...]) and `final_info`, valid where `_final_obs` and `_final_info` say so.

    Args:
        num_envs: 1 (what `gymnasium.make_vec` says by default) or apps x fleets, which the scenarios fix.
        scenario: a scenario or its folder, or several; one that is named twice is two fleets.
        span, intervals, luck_seed, reward, options: see `DecisionEnv`.

    Attributes:
        fleet, app: int64 [num_envs].
        is_eligible: bool [num_envs]; the apps to learn from, the others have too few train calls and are best left at home.

    Raises:
        ParameterError: another number of environments, or see `Episodes`.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (gymnasium declares it so)
    episodes_class: type[Episodes]

    def __init__(
        self,
        num_envs: int = 1,
        *,
        scenario: Scenario | Path | str | Sequence[Scenario | Path | str],
        span: Span = "train",
        intervals: int | None = None,
        luck_seed: int = HOME_SEED,
        reward: Reward | None = None,
        **options: Any,
    ) -> None:
        sources = [scenario] if isinstance(scenario, Scenario | Path | str) else list(scenario)
        known: dict[Any, Stage] = {}
        reward = reward or Reward()
        for source in sources:
            key = id(source) if isinstance(source, Scenario) else str(source)
            known[key] = known.get(key) or Stage.of(source, luck_seed, reward)
        keys = [id(source) if isinstance(source, Scenario) else str(source) for source in sources]
        self.runs = [
            self.episodes_class(known[key], span=span, intervals=intervals, luck_seed=luck_seed, reward=reward, **options) for key in keys
        ]
        sizes = [len(run.apps) for run in self.runs]
        self.num_envs = sum(sizes)
        if num_envs not in (1, self.num_envs):
            how = f"leave num_envs out; these scenarios give {self.num_envs}"
            raise ParameterError(f"num_envs is {num_envs}", where="gymnasium.make_vec", how=how)
        shapes = {(run.observation_space.shape, str(run.action_space)) for run in self.runs}
        if len(shapes) > 1:
            raise ParameterError("the scenarios differ in their spaces", where="gymnasium.make_vec", how="use scenarios on equal tables")
        self.single_observation_space, self.single_action_space = self.runs[0].observation_space, self.runs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.fleet = np.repeat(np.arange(len(sizes)), sizes)
        self.app = np.concatenate([run.apps for run in self.runs])
        self.is_eligible = np.concatenate([run.stage.is_eligible for run in self.runs])
        self._rows = np.split(np.arange(self.num_envs), np.cumsum(sizes)[:-1])

    def reset(self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None) -> tuple[Float32, dict[str, Any]]:
        """Begin an episode of every fleet; a list of seeds counts by its first, an option is one value or one a sub-environment.

        Returns:
            observations float32 [num_envs, ...], information of arrays [num_envs, ...].
        """
        super().reset(seed=seed[0] if isinstance(seed, list) else seed)
        given = {name: np.broadcast_to(value, self.num_envs) for name, value in (options or {}).items()}
        parts = [
            run.reset(self.np_random, {name: value[rows] for name, value in given.items()})
            for run, rows in zip(self.runs, self._rows, strict=True)
        ]
        return np.concatenate([seen for seen, _ in parts]), _joined([info for _, info in parts])

    def step(self, actions: NDArray[Any]) -> tuple[Float32, Float64, Bool, Bool, dict[str, Any]]:
        """Decide for every app (actions [num_envs, ...]) and run one interval; episodes end by truncation only.

        Returns:
            observations float32 [num_envs, ...], rewards float64 [num_envs] (no unit), terminated (never) and truncated bool [num_envs],
            information of arrays [num_envs, ...].
        """
        parts = [run.step(actions[rows]) for run, rows in zip(self.runs, self._rows, strict=True)]
        seen, infos = [part[0] for part in parts], [part[3] for part in parts]
        truncated = np.repeat([part[2] for part in parts], [len(rows) for rows in self._rows])
        info = _joined(infos)
        if truncated.any():
            info |= {"final_obs": np.concatenate(seen), "_final_obs": truncated, "final_info": _joined(infos), "_final_info": truncated}
            for i, run in enumerate(self.runs):
                if parts[i][2]:
                    seen[i], begun = run.reset(self.np_random)
                    for name, value in begun.items():
                        info[name][self._rows[i]] = value
        rewards = np.concatenate([part[1] for part in parts])
        return np.concatenate(seen), rewards, np.zeros(self.num_envs, dtype=np.bool_), truncated, info


def _joined(infos: list[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    return {name: np.concatenate([info[name] for info in infos]) for name in infos[0]}
