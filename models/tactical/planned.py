"""The planner as an environment: what a network on top of it observes, and episodes in which it decides. Not here: the network, learning.

The action is a placement out of all (or out of those of the cloud given from above). An observation holds what `scoring.Observer` sees of
the app and of every placement, whether the app is there, and the logit of the planner: minus what the cheapest way that begins there costs
beyond the cheapest of all, in units of the app times a temperature. The most likely placement of these logits is the planner's own choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from models.baselines.planner import MIN_CALLS, SWITCH_USD
from models.baselines.planning.lookahead import ways
from models.tactical.scoring import OWN, PLACES, Observer
from models.worlds import FleetWorld, Seen
from simulator.control.decision import Composite, Decision, Policy, Scope
from simulator.control.features import candidates, lagged
from simulator.envs.episodes import Episodes, Learner, Stage
from simulator.parameters import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.baselines.planning.learned import Learned
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
ROW = PLACES + 2  # of a placement: what is seen of it, whether the app is there, the planner's logit
HERE, LOGIT = PLACES, PLACES + 1
VERSION = 10_000 + 100 * candidates.VERSION + lagged.VERSION
LEAST_LOGIT = -60.0  # below it a placement is as good as impossible
LARGEST = 20.0


class Known:
    """What a run remembers.

    Args:
        facts: of the scenario.
        learned: of its past.
    """

    def __init__(self, facts: Facts, learned: Learned) -> None:
        self.observer, self.is_known = Observer(facts, learned), learned.known_calls >= MIN_CALLS
        self.is_first = True


class Planned:
    """The layer of one scenario, see `simulator.control.acting.Layer`.

    Args:
        learned: of the scenario's past.
        temperature: of the planner's logits, in units of the app.
        horizon, switches: of the planner.
        scope: 'cloud': inside the cloud that the layer above has given.
    """

    VERSION, NEEDS_STEPS = VERSION, False

    def __init__(self, learned: Learned, temperature: float, *, horizon: int, switches: float, scope: Scope = "all") -> None:
        self.learned, self.temperature, self.horizon, self.switches, self.scope = learned, temperature, horizon, switches, scope

    def start(self, facts: Facts) -> Known:
        """Return what a run remembers."""
        return Known(facts, self.learned)

    def space(self, facts: Facts) -> spaces.Box:
        """The space of one app's observation: its own past, then a row per placement."""
        return spaces.Box(LEAST_LOGIT, LARGEST, (OWN + facts.is_allowed.shape[1] * ROW,), np.float32)

    def actions(self, facts: Facts) -> spaces.Discrete:
        """All placements in the order of the tables."""
        return spaces.Discrete(facts.is_allowed.shape[1])

    def observe(self, view: View, known: Known) -> Float32:
        """Return the observation of every app, float32 [A, OWN + P x ROW]."""
        seen, allowed = known.observer.observe(view), self.mask(view, known)
        total = ways(
            seen.prior_usd[: self.horizon],
            known.observer.costs.move_usd(view) + self.switches * SWITCH_USD,
            view.facts.tables.region_of_placement,
            allowed,
            view.placement,
            known.is_first,
        )
        beyond = total - total.min(axis=1, keepdims=True)
        apps, places = allowed.shape
        row = np.empty((apps, places, ROW), dtype=np.float32)
        row[:, :, :PLACES] = seen.places
        row[:, :, HERE] = np.arange(places) == view.placement[:, None]
        row[:, :, LOGIT] = np.maximum(-beyond / (self.temperature * seen.scale_usd[:, None]), LEAST_LOGIT)
        return np.concatenate([seen.own, row.reshape(apps, -1)], axis=1)

    def mask(self, view: View, known: Known) -> Bool:
        """Placements that may be chosen, bool [A, P]; an app of which too little is known stays."""
        allowed = view.facts.is_allowed & known.is_known[:, None]
        if self.scope == "cloud":
            allowed = allowed & (view.facts.cloud_of_placement == view.cloud[:, None])
        stays = np.flatnonzero(~allowed.any(axis=1))
        allowed[stays, view.placement[stays]] = True
        return allowed

    def decision(self, view: View, known: Known, chosen: NDArray[Any]) -> Decision:
        """Order the placements, int64 [A]."""
        known.is_first = False
        return Decision(placement=np.asarray(chosen, dtype=np.int64))


class PlannedEpisodes(Episodes):
    """Episodes after the step up to which the planner has learned, so that its error is the one it makes out of sample.

    Args:
        stage: the scenario.
        planned: the layer.
        known_step: a tactical barrier; what `planned` has learned is from before it.
        options: see `Episodes`.
    """

    role = "tactical"

    def __init__(self, stage: Stage, *, planned: Planned, known_step: int, **options: Any) -> None:
        self.layer, self.scope = planned, planned.scope
        super().__init__(stage, **options)
        end = self.begin + self.period_steps * (self.starts + self.intervals - 1)
        self.begin = max(self.begin, known_step)
        self.starts = (end - self.begin) // self.period_steps - self.intervals + 1

    @staticmethod
    def period_of(world: World) -> int:
        """A tactical interval."""
        return world.tactical_steps

    def policy(self, learner: Learner) -> Policy:
        """The learner alone."""
        return Composite("episode", tactical=learner)


class PlannedWorld(FleetWorld):
    """Episodes of fleets in which a network on top of the planner decides; see `FleetWorld`.

    Args:
        stages: training fleets.
        planned: layer of each fleet and the step up to which it has learned, by the fleet's name.
        options: of the episodes.
    """

    def __init__(self, stages: list[Stage], planned: Mapping[str, tuple[Planned, int]], *, multiple: int, **options: Any) -> None:
        def kind(stage: Stage, **options: Any) -> Episodes:
            layer, step = planned[stage.scenario.id]
            return PlannedEpisodes(stage, planned=layer, known_step=step, **options)

        super().__init__(stages, kind, multiple=multiple, **options)

    def begin(self, seed: int) -> Seen:
        """See `FleetWorld`; what the last episode remembered of its barriers is let go first, 70 MB in a fleet of 119 apps."""
        if hasattr(self, "run"):
            del self.run.features, self.run.loop
        return super().begin(seed)

    def _stay(self, rng: np.random.Generator, is_chosen: Bool) -> tuple[Int64, dict[str, Int64]]:
        """Apps that do not learn stay at home."""
        return self.run.facts.apps.home.astype(np.int64), {}
