"""The three layers as one policy: loads what was chosen of each layer and returns the composite on its three clocks.

Clouds every 1,000 steps, placements every 100, warm floors every step. A layer hands its order down in the view (`cloud`, `target`), so the
layer below decides inside it; `simulator.control.loop` runs the clocks and keeps the decision records, with the estimates of every
alternative. Not here: a loop, training, how a layer was chosen (tasks/learning).

orchestrator = Orchestrator.load("data/models")
policy = orchestrator.policy(facts, learned)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import CheckpointError
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.strategic.dqn import MASKED, DQNAgent
from models.tactical.candidates import CandidatesAgent
from models.tactical.candidates_ppo import PlannedAgent
from models.tactical.ppo import PPOAgent
from simulator.control.acting import Act, Acting, Layer
from simulator.control.decision import Composite, Policy, Scope
from simulator.control.features import strategic, tactical

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
LayerName = Literal["strategic", "tactical", "operational"]
Weigh = Callable[[Float32, Any], Float32]
Placing = PPOAgent | CandidatesAgent | PlannedAgent | Mapping[str, float]  # the parameters: of the planner
CHOSEN = "chosen.json"
REWARD, LOG_PROBABILITY = "units of the reward", "log probability"
AGAIN = "choose it again: trine run"


@dataclass(frozen=True)
class Chosen:
    """What was chosen of one layer.

    Args:
        arm: its name.
        file: of the weights, below the layer's folder; empty for a rule.
        parameters: of the arm.
        why: in words.
        is_used: whether the layer is of use; where not, this is the best of it all the same. The operational layer always is.
        planner: parameters of the planner that the tactical layer begins with, by family of scenarios.
    """

    arm: str
    file: str
    parameters: Mapping[str, float]
    why: str
    is_used: bool = True
    planner: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Chosen:
        """Read `chosen.json` of a layer's folder.

        Raises:
            CheckpointError: it is missing or says something else.
        """
        file = folder / CHOSEN
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            planner = {family: dict(own) for family, own in found.get("planner", {}).items()}
            is_used = bool(found.get("is_used", True))
            return cls(str(found["arm"]), str(found["file"]), dict(found["parameters"]), str(found["why"]), is_used, planner)
        except FileNotFoundError:
            raise CheckpointError("it is not said what the orchestrator uses of this layer", where=str(file), how=AGAIN) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"no choice can be read: {type(error).__name__} {error}", where=str(file), how=AGAIN) from None


class Orchestrator:
    """The chosen parts of all layers.

    Args:
        strategic: network that chooses clouds; None: the layer is absent.
        tactical: network that chooses placements, or the parameters of the planner; None: the layer is absent.
        operational: makes the policy of a run from the facts; None: reactive.
        planner: horizon and switches of the planner that the candidates arm corrects; None: its defaults.
    """

    def __init__(
        self,
        strategic: DQNAgent | None = None,
        tactical: Placing | None = None,
        operational: Callable[[Facts], Policy] | None = None,
        planner: Mapping[str, float] | None = None,
    ) -> None:
        self.strategic, self.tactical, self.operational, self.planner = strategic, tactical, operational, dict(planner or {})

    @classmethod
    def load(
        cls,
        models: Path | str,
        layers: tuple[LayerName, ...] | None = None,
        operational: Callable[[Facts], Policy] | None = None,
        *,
        family: str | None = None,
    ) -> Orchestrator:
        """Load what `chosen.json` of each layer names.

        Args:
            models: the folder `data/models`.
            layers: that are used whether they were found to be of use or not, the others are absent; None: those of use, and the
                operational one if it is given.
            operational: the policy of the operational layer, which knows more of a scenario than its facts (timers, prices).
            family: of the scenario, whose parameters the planner takes; None: those of the first family.

        Raises:
            CheckpointError: a choice, weights or a card are missing, damaged, or do not belong together.
        """
        root = Path(models)
        if layers is None:
            used: dict[LayerName, bool] = {name: Chosen.read(root / name).is_used for name in ("strategic", "tactical")}
            layers = (*(name for name, is_used in used.items() if is_used), "operational")
        above = cls._strategic(root / "strategic") if "strategic" in layers else None
        placing, planner = cls._tactical(root / "tactical", family) if "tactical" in layers else (None, None)
        return cls(above, placing, operational if "operational" in layers else None, planner)

    @staticmethod
    def _strategic(folder: Path) -> DQNAgent:
        return DQNAgent.load(folder / Chosen.read(folder).file)

    @staticmethod
    def _tactical(folder: Path, family: str | None) -> tuple[Placing, Mapping[str, float]]:
        chosen = Chosen.read(folder)
        p, planner = chosen.parameters, chosen.planner.get(family or "", next(iter(chosen.planner.values()), {}))
        if chosen.arm == "candidates":
            return CandidatesAgent.load(folder / chosen.file, (p["volume"], p["response"])), planner
        if chosen.arm == "candidates_ppo":
            return PlannedAgent.load(folder / chosen.file, p["strength"], p["temperature"]), planner
        return PPOAgent.load(folder / chosen.file) if chosen.file else planner, planner

    def policy(self, facts: Facts, learned: Learned | None = None, *, name: str = "full") -> Composite:
        """Return the layers as one policy, for one run.

        Args:
            facts: of the scenario.
            learned: of its past; the candidates arm and the planner need it.
            name: of the arm.

        Raises:
            TrineError: all layers are absent.
            ValueError: a part needs `learned`.
        """
        above = None
        if self.strategic is not None:
            known, period_steps = strategic.start(facts), facts.world.strategic_steps
            above = Weighed("clouds", strategic, known, self.strategic.act, self.strategic.weights, REWARD, period_steps)
        operational = None if self.operational is None else self.operational(facts)
        below = self.placing(facts, learned, "all" if above is None else "cloud")
        return Composite(name, strategic=above, tactical=below, operational=operational)

    def placing(self, facts: Facts, learned: Learned | None, scope: Scope) -> Policy | None:
        """Return the tactical part alone, for one run; None: the layer is absent.

        Args:
            facts: of the scenario.
            learned: of its past, see `policy`.
            scope: 'cloud': inside the cloud that a strategic part gives.

        Raises:
            ValueError: the part needs `learned`.
        """
        agent, period_steps = self.tactical, facts.world.tactical_steps
        if agent is None:
            return None
        if isinstance(agent, PPOAgent):
            return Weighed("placements", tactical, tactical.start(facts), agent.act, agent.weights, LOG_PROBABILITY, period_steps)
        if learned is None:
            raise ValueError("the tactical layer needs what was learned of the scenario's past")
        if isinstance(agent, CandidatesAgent | PlannedAgent):
            return agent.policy(facts, learned, period_steps=period_steps, scope=scope, **_options(self.planner))
        return Planner(Costs(facts, learned), "planner_response", period_steps=period_steps, scope=scope, **_options(agent))


def _options(tuned: Mapping[str, float]) -> dict[str, Any]:
    """Parameters of the planner as it takes them."""
    return {name: int(value) if name == "horizon" else value for name, value in tuned.items()}


class Weighed(Acting):
    """A network's policy that also says what it makes of every alternative.

    Args:
        name, layer, known, act, period_steps: see `Acting`.
        weigh: (observations, mask) -> values of the actions, float32 [A, n].
        unit: of the values.
    """

    def __init__(self, name: str, layer: Layer, known: Any, act: Act, weigh: Weigh, unit: str, period_steps: int) -> None:
        super().__init__(name, layer, known, act, period_steps=period_steps)
        self._weigh, self._unit = weigh, unit

    def estimates(self, view: View) -> tuple[Float64, str]:
        """Values of all clouds, float64 [A, C], or placements, float64 [A, P]; NaN where one may not be chosen."""
        mask: Any = self.layer.mask(view, self.known)
        values = self._weigh(self.layer.observe(view, self.known), mask).astype(np.float64)
        values[~mask | (values <= MASKED)] = np.nan
        if self.layer is not tactical:
            return values, self._unit
        found, apps = self.known.candidates(view), np.arange(len(values))[:, None]
        everywhere = np.full(view.facts.is_allowed.shape, np.nan)
        row, column = np.nonzero(found >= 0)
        everywhere[apps[row, 0], found[row, column]] = values[row, column]
        return everywhere, self._unit
