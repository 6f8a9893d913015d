"""One fleet through episodes: their start, observations, rewards. Not here: gymnasium's interface (single.py, vector.py).

`Episodes` is the part that single and vector environments share: the loop of `simulator.control`, turned inside out. It handles all apps of
a scenario as arrays; a single environment gives it a scenario of one app (`alone`). What is seen and ordered are the functions of
`simulator.control.features`, so a network is judged by the features it was trained on.
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
from simulator.control.acting import Layer
from simulator.control.baseline import home_objective, stored_home
from simulator.control.decision import Decision, Policy, PolicyBase, Role, Scope
from simulator.control.loop import Loop
from simulator.control.reward import Reward, eligible, reward, reward_scale
from simulator.control.spans import Span, span_steps
from simulator.control.view import Facts, View
from simulator.fleet import Fleet
from simulator.objective import objective_usd
from simulator.parameters import World
from simulator.scenario import Scenario, load_scenario

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """Where episodes play: a scenario with the fleet's run at home.

    Args:
        scenario: the world.
        home_usd: float64 [A, tactical intervals], see simulator/control/baseline.py.
        apps: int64 [A], index of each app in the scenario it comes from.
        is_eligible: bool [A], apps with enough train calls to learn from (reward.min_train_calls).
        is_coupled: apps share capacity.
    """

    scenario: Scenario
    home_usd: Float64
    apps: Int64
    is_eligible: Bool
    is_coupled: bool = True

    @classmethod
    def of(cls, source: Scenario | Path | str, luck_seed: int, reward: Reward) -> Stage:
        """Take a scenario, or read one from its folder, and run it at home unless the folder holds that run."""
        scenario = source if isinstance(source, Scenario) else load_scenario(source)
        home = home_objective(scenario, luck_seed) if isinstance(source, Scenario) else stored_home(source, scenario, luck_seed)
        return cls(scenario, home, np.arange(len(home)), eligible(scenario, reward.min_train_calls))

    def alone(self, app: int) -> Stage:
        """The same for one app, alone in the world: its calls only, and all the capacity of its placement."""
        one = slice(app, app + 1)
        return Stage(_alone(self.scenario, app), self.home_usd[one], self.apps[one], self.is_eligible[one], is_coupled=False)


class Learner(PolicyBase):
    """The part of the policy that an environment answers for."""

    name = "learner"

    def __init__(self, layer: Layer, period_steps: int, scope: Scope) -> None:
        self.period_steps, self.scope, self.needs_steps = period_steps, scope, layer.NEEDS_STEPS

    def decide(self, view: View) -> Decision:
        """The environment decides: nobody asks here."""
        raise TrineError("a learner's decisions come from outside", where="simulator.envs", how="step the environment")


class Episodes(ABC):
    """A fleet that is decided for, episode after episode. Subclasses say which layer decides, and which parts are above and below it.

    Args:
        stage: the scenario.
        span: part of it that episodes lie in.
        intervals: decisions in an episode; None: the whole span, else episodes begin at random decisions of the span.
        luck_seed: of cold starts and keep-alives, the same in every episode and at home.
        reward: scale and clip.

    Raises:
        ParameterError: the span holds fewer decisions, or does not begin at one.
    """

    layer: Layer
    role: Role
    scope: Scope = "cloud"
    action_space: spaces.Space[Any]

    def __init__(self, stage: Stage, *, span: Span, intervals: int | None, luck_seed: int, reward: Reward) -> None:
        period_steps = self.period_of(stage.scenario.world)
        self.stage, self.scenario, self.period_steps, self.luck_seed = stage, stage.scenario, period_steps, luck_seed
        self.facts, self.reward = Facts.of(stage.scenario), reward
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
        self.apps = np.arange(len(stage.apps))
        self.scale_usd = reward_scale(self.scenario, stage.home_usd, period_steps, reward.min_scale_usd)
        self.observation_space, self.action_space = self.layer.space(self.facts), self.layer.actions(self.facts)

    @staticmethod
    @abstractmethod
    def period_of(world: World) -> int:
        """Return the steps between two decisions."""

    @abstractmethod
    def policy(self, learner: Learner) -> Policy:
        """Return the policy of an episode, with the learner in its place."""

    def known(self) -> Any:
        """What the features of an episode remember."""
        return self.layer.start(self.facts)

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:  # noqa: B027
        """Draw what else an episode needs."""

    def more_info(self) -> dict[str, NDArray[Any]]:
        """What an environment reports besides the mask and eligibility, arrays [A, ...]."""
        return {}

    def home_usd(self, step: int, to_step: int) -> Float64:
        """The objective at home in the steps [step, to_step), float64 [A]."""
        tactical = self.scenario.world.tactical_steps
        return self.stage.home_usd[:, step // tactical : to_step // tactical].sum(axis=1)

    def reset(self, rng: np.random.Generator, options: Mapping[str, Any] | None = None) -> tuple[Float32, dict[str, NDArray[Any]]]:
        """Begin an episode; `rng` draws its first decision and whatever `prepare` needs.

        Returns:
            observations float32 [A, ...], info.
        """
        self.start = self.begin + self.period_steps * int(rng.integers(self.starts))
        self.end = self.start + self.period_steps * self.intervals
        self.prepare(rng, options or {})
        self.learner, self.features = Learner(self.layer, self.period_steps, self.scope), self.known()
        self.loop = self.new_loop(self.policy(self.learner))
        self.counted = np.zeros_like(self.loop.fleet.state.total)
        return self._look(self._next())

    @property
    def fleet(self) -> Fleet:
        """The fleet of the running episode."""
        return self.loop.fleet

    def new_loop(self, policy: Policy) -> Loop:
        """A run of the episode's steps. Its results have one bucket: what is known so far."""
        return Loop(
            self.scenario,
            policy,
            self.luck_seed,
            begin=self.start,
            end=self.end,
            bucket_us=self.scenario.steps * self.scenario.world.step_us,
            is_coupled=self.stage.is_coupled,
        )

    def step(self, actions: NDArray[Any]) -> tuple[Float32, Float64, bool, dict[str, NDArray[Any]]]:
        """Decide for every app (actions [A, ...]) at the barrier reached and run to the next one.

        Returns:
            observations float32 [A, ...], rewards float64 [A] (no unit), whether the episode is over, info.

        Raises:
            TrineError: the episode was over before.
        """
        begin, end = self.loop.fleet.step, self.loop.fleet.step + self.period_steps
        if end > self.end:
            raise TrineError("the episode is over", where="step", how="call reset()")
        self.loop.answer(self.layer.decision(self.view, self.features, actions))
        observation, info = self._look(self._next())
        if end == self.end:
            self.loop.finish()  # books what is still idle; the observation above is of the fleet as it was before
        now = self.loop.fleet.state.total.copy()
        objective = objective_usd(now - self.counted, self.scenario.objective)
        self.counted = now
        home = self.home_usd(begin, end)
        earned = np.clip(reward(objective, home, self.scale_usd), -self.reward.clip, self.reward.clip)
        return observation, earned, end == self.end, info | {"objective_usd": objective, "home_usd": home}

    def _next(self) -> View:
        """Let the other parts take their turns until it is the learner's, or the end is reached."""
        while (turn := self.loop.turn()) is not None:
            if turn.policy is self.learner:
                return turn.view
            self.loop.answer(turn.policy.decide(turn.view))
        return self.loop.view(self.role)

    def _look(self, view: View) -> tuple[Float32, dict[str, NDArray[Any]]]:
        self.view = view
        info: dict[str, NDArray[Any]] = {"is_eligible": self.stage.is_eligible}
        mask = self.layer.mask(view, self.features)
        if mask is not None:
            info["action_mask"] = mask.astype(np.int8)
        return self.layer.observe(view, self.features), info | self.more_info()


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
