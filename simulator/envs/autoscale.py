"""How many instances an app keeps warm and how much memory they have, every step: `trine/Autoscale-v0`. Not here: where it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.control.baseline import Stay
from simulator.control.decision import Composite, Policy
from simulator.control.features import operational
from simulator.control.view import Facts
from simulator.envs.episodes import Episodes, Float64, Learner, Stage
from simulator.envs.single import DecisionEnv
from simulator.envs.vector import DecisionVectorEnv
from simulator.objective import objective_usd
from simulator.parameters import World


class AutoscaleEpisodes(Episodes):
    """A window of twelve steps, floors and a memory class chosen; see `AutoscaleEnv`."""

    layer, role = operational, "operational"

    def __init__(
        self, stage: Stage, *, functions: int | None = None, placement: Callable[[Facts], Policy] | None = None, **options: Any
    ) -> None:
        super().__init__(stage, **options)
        self.functions, self.placement = functions, placement
        self.action_space = operational.actions(self.facts, functions)

    @staticmethod
    def period_of(world: World) -> int:
        """One step."""
        return 1

    def policy(self, learner: Learner) -> Policy:
        """The learner under the policy that places, if there is one."""
        return Composite("episode", tactical=self.placement(self.facts) if self.placement else None, operational=learner)

    def known(self) -> operational.Known:
        """With the action space of all apps."""
        return operational.start(self.facts, self.functions)

    def prepare(self, rng: np.random.Generator, options: Mapping[str, Any]) -> None:
        """Start the fleet that stays at home without floors."""
        self.at_home = self.new_loop(Stay())
        self.home_counted = np.zeros_like(self.at_home.fleet.state.total)

    def home_usd(self, step: int, to_step: int) -> Float64:
        """The objective of the fleet beside at home, as far as it became known in the step, float64 [A]."""
        while (turn := self.at_home.turn(until=to_step)) is not None:
            self.at_home.answer(turn.policy.decide(turn.view))
        if to_step == self.end:
            self.at_home.finish()
        now = self.at_home.fleet.state.total.copy()
        found = objective_usd(now - self.home_counted, self.scenario.objective)
        self.home_counted = now
        return found


class AutoscaleEnv(DecisionEnv):
    """Keep instances of one app warm and choose its memory, every step (15 s by default).

    Args beyond `DecisionEnv`: `placement`, where the apps run: a callable that makes the tactical policy of an episode from the facts of
    its apps (of one app in this environment), so that this layer is trained under the one above; by default every app stays at home.

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
    functions do nothing, and where a cloud keeps one pool per app only the first counts. The last number is the memory: 0 the configured
    size, 1 and 2 the next larger ones (beyond the largest, the largest); duration falls with the vCPUs that come with them. All zeros is
    what home does. Nothing is masked.

    ## Reward

    As in `TacticalEnv`, with two differences. Home by steps is not stored but run beside, with the same luck from the same empty start,
    so that doing as home does earns exactly 0. The scale is the objective at home over the train span / its steps with calls, USD.

    ## Episode end

    As in `TacticalEnv`: truncation only.
    """

    episodes_class = AutoscaleEpisodes

    def _run_of(self, app: int) -> Episodes:
        """All apps get the action space of the app with most functions."""
        self._options["functions"] = int(np.diff(self.stage.scenario.apps.first_function).max())
        return super()._run_of(app)


class AutoscaleVectorEnv(DecisionVectorEnv):
    """`AutoscaleEnv` for all apps of fleets that share capacity: see `DecisionVectorEnv`."""

    episodes_class = AutoscaleEpisodes
