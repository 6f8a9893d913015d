"""One fleet through episodes: where they begin, what a decision changes, what it earns. Not here: gymnasium's interface (single, vector).

A `Run` is the part that single and vector environments share. It handles all apps of a scenario as arrays; a single environment gives it a
scenario of one app (`alone`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.errors import ParameterError, TrineError
from core.units import SLOT_US
from simulator import kernel
from simulator.control.baseline import HOME_SEED, home_objective, reward_scale, stored_home
from simulator.control.judge import Span, span_steps
from simulator.control.view import Observation, observe
from simulator.fleet import Fleet
from simulator.objective import objective_usd
from simulator.scenario import Scenario, load_scenario

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A scenario with the fleet's run at home.

    Args:
        scenario: the world.
        home_usd: float64 [A, tactical intervals], see simulator/control/baseline.py.
        apps: int64 [A], index of each app in the scenario it comes from.
        is_eligible: bool [A], apps with enough train calls to learn from (objective.reward.min_train_calls).
        is_coupled: apps share capacity.
    """

    scenario: Scenario
    home_usd: Float64
    apps: Int64
    is_eligible: Bool
    is_coupled: bool = True

    @classmethod
    def of(cls, source: Scenario | Path | str, luck_seed: int = HOME_SEED) -> Setting:
        """Take a scenario, or read one from its folder, and run it at home unless the folder holds that run."""
        scenario = source if isinstance(source, Scenario) else load_scenario(source)
        home = home_objective(scenario, luck_seed) if isinstance(source, Scenario) else stored_home(source, scenario, luck_seed)
        calls = scenario.calls
        is_train = calls.group_step < scenario.split_steps[0]
        count = np.bincount(calls.group_app[is_train], calls.group_calls[is_train], minlength=len(home))
        return cls(scenario, home, np.arange(len(home)), count >= scenario.objective.reward.min_train_calls)

    def alone(self, app: int) -> Setting:
        """The setting of one app, alone in the world: its calls only, and all the capacity of its placement."""
        one = slice(app, app + 1)
        return Setting(_alone(self.scenario, app), self.home_usd[one], self.apps[one], self.is_eligible[one], is_coupled=False)


class Run(ABC):
    """A fleet that is decided for, episode after episode. Subclasses say what is seen and what an action does.

    Args:
        setting: the scenario.
        span: part of it that episodes lie in.
        intervals: decisions in an episode; None: the whole span, else episodes begin at random decisions of the span.
        luck_seed: of cold starts and keep-alives, the same in every episode and at home.

    Raises:
        ParameterError: the span holds fewer decisions, or does not begin at one.
    """

    observation_space: spaces.Box
    action_space: spaces.Space[Any]

    def __init__(self, setting: Setting, *, period_steps: int, span: Span, intervals: int | None, luck_seed: int) -> None:
        self.setting, self.scenario, self.period_steps, self.luck_seed = setting, setting.scenario, period_steps, luck_seed
        begin, end = span_steps(self.scenario, span)
        tactical = self.scenario.world.tactical_steps
        held = (end - begin) // period_steps
        self.intervals = held if intervals is None else intervals
        if begin % max(period_steps, tactical) or not 1 <= self.intervals <= held or (period_steps % tactical and tactical % period_steps):
            raise ParameterError(
                f"span {span} (steps {begin} to {end}) has no {self.intervals} whole decisions of {period_steps} steps",
                where="gymnasium.make: intervals, span",
                how="use fewer intervals, or splits and periods that are multiples of world.tactical_steps",
            )
        self.begin, self.starts = begin, held - self.intervals + 1
        self.apps = np.arange(len(setting.apps))
        self.scale_usd = reward_scale(self.scenario, setting.home_usd, period_steps)

    @abstractmethod
    def go(self, actions: NDArray[Any], end: int) -> None:
        """Carry out the actions of all apps ([A, ...], of the action space) at the barrier reached, and run to barrier `end` (a step)."""

    @abstractmethod
    def see(self, seen: Observation) -> Float32:
        """Return what every app observes, float32 [A, ...]."""

    def info(self) -> dict[str, NDArray[Any]]:
        """What an environment tells beside the observation, arrays [A, ...]."""
        return {"is_eligible": self.setting.is_eligible}

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:  # noqa: B027
        """Draw what else an episode needs."""

    def home_usd(self, step: int, to_step: int) -> Float64:
        """The objective at home in the steps [step, to_step), float64 [A]."""
        tactical = self.scenario.world.tactical_steps
        return self.setting.home_usd[:, step // tactical : to_step // tactical].sum(axis=1)

    def reset(self, rng: np.random.Generator, options: Mapping[str, Any] | None = None) -> tuple[Float32, dict[str, NDArray[Any]]]:
        """Begin an episode; `rng` draws its first decision and whatever `prepare` needs.

        Returns:
            observations float32 [A, ...], info.
        """
        start = self.begin + self.period_steps * int(rng.integers(self.starts))
        self.end = start + self.period_steps * self.intervals
        self.fleet = self.new_fleet(start)
        self.known = np.zeros((len(self.apps), kernel.FIELDS), dtype=np.int64)
        self.recent = self.known
        self.prepare(rng, options or {})
        return self._look()

    def new_fleet(self, start: int) -> Fleet:
        """A fleet at home that begins at barrier `start`. Its results have one bucket: what is known of the episode so far."""
        return Fleet(
            self.scenario,
            self.scenario.apps.home,
            luck_seed=self.luck_seed,
            start_step=start,
            end_step=self.end,
            bucket_us=self.scenario.steps * self.scenario.world.step_us,
            is_coupled=self.setting.is_coupled,
        )

    def step(self, actions: NDArray[Any]) -> tuple[Float32, Float64, bool, dict[str, NDArray[Any]]]:
        """Decide for every app (actions [A, ...]) at the barrier reached and run to the next one.

        Returns:
            observations float32 [A, ...], rewards float64 [A] (no unit), whether the episode is over, info.

        Raises:
            TrineError: the episode was over before.
        """
        begin, end = self.fleet.step, self.fleet.step + self.period_steps
        if end > self.end:
            raise TrineError("the episode is over", where="step", how="call reset()")
        self.go(actions, end)
        self.recent = self.fleet.out[:, 0] - self.known
        observation, info = self._look()
        if end == self.end:
            self.fleet.finish()  # books what is still idle; the observation above is of the fleet as it stood before
        now = self.fleet.out[:, 0].copy()
        objective = objective_usd(now - self.known, self.scenario.objective)
        self.known = now
        home = self.home_usd(begin, end)
        clip = self.scenario.objective.reward.clip
        reward = np.clip((home - objective) / self.scale_usd, -clip, clip)
        return observation, reward, end == self.end, info | {"objective_usd": objective, "home_usd": home}

    def send(self, placement: Int64) -> None:
        """Order moves to placements (int64 [A]); at the first decision of an episode, choose the free first placement."""
        if self.fleet.step == self.fleet.start_step:
            self.fleet.place(placement)
        else:
            self.fleet.move(placement)

    def opening(self) -> Int64:
        """Capacity of each placement at the barrier, int64 [P]."""
        capacity, now = self.scenario.conditions.capacity, self.fleet.step * self.scenario.world.step_us
        return capacity[:, min(now // SLOT_US, capacity.shape[1] - 1)].astype(np.int64)

    def _look(self) -> tuple[Float32, dict[str, NDArray[Any]]]:
        return self.see(observe(self.fleet, self.recent)), self.info()


def _alone(scenario: Scenario, app: int) -> Scenario:
    """The scenario with one app and its calls."""
    apps, calls, one = scenario.apps, scenario.calls, slice(app, app + 1)
    lo, hi = (int(i) for i in calls.first_call[app : app + 2])
    functions = slice(*(int(i) for i in apps.first_function[app : app + 2]))
    mine = np.flatnonzero(calls.group_app == app)
    per_app = ("id_base", "memory_mb", "package", "payload", "home", "data_region", "state_bytes", "vcpu_bound_permille", "is_global")
    per_call = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
    return replace(
        scenario,
        apps=replace(
            apps,
            app_ids=apps.app_ids[one],
            function_ids=apps.function_ids[functions],
            first_function=np.array([0, functions.stop - functions.start], dtype=np.int64),
            **{name: getattr(apps, name)[one] for name in per_app},
        ),
        calls=replace(
            calls,
            first_call=np.array([0, hi - lo], dtype=np.int64),
            **{name: getattr(calls, name)[lo:hi] for name in per_call},
            group_step=calls.group_step[mine],
            group_app=np.zeros(len(mine), dtype=calls.group_app.dtype),
            group_first=calls.group_first[mine] - lo,
            group_calls=calls.group_calls[mine],
        ),
        is_allowed=scenario.is_allowed[one],
    )
