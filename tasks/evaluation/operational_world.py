"""What the arms of the operational layer are built from in one scenario, read and made when it is first asked for. Not here: the arms.

A miss may cost more than the scenario says: then the benefit of an avoided cold start and the memory sizes are learned anew, with the
networks and the parameters of the rules as they are. A job that judges a few arms pays for what these need, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.operational.allocator import Knowledge
from models.operational.economics import cold_start_benefit
from models.operational.lstm import LSTMPredictor
from models.operational.windows import Recorded, demand
from simulator.control.home_run import HomeRun, load_home_run
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.learning.operational_known import chosen_sizes, inputs_of, load_known
from tasks.learning.operational_outputs import LAYER
from tasks.learning.tune_operational_record import TunedFloors

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Float32 = NDArray[np.float32]
MARGIN_WINDOWS = 4000


@dataclass(frozen=True, eq=False)
class Judged:
    """One scenario and the folders that belong to it.

    Args:
        folder: of the scenario.
        models: the folder `data/models`.
        seed: of the luck.
        miss_usd: what a miss costs; None: as the scenario says.
    """

    folder: Path
    models: Path
    seed: int
    miss_usd: float | None = None

    @property
    def layer(self) -> Path:
        """The folder of the layer's models."""
        return self.models / LAYER

    @cached_property
    def scenario(self) -> Scenario:
        """The world; an arm that is causal reads its facts alone."""
        return self._priced(load_scenario(self.folder))

    @cached_property
    def tuned(self) -> TunedFloors:
        """What was chosen of the rules."""
        return read_record(self.models / "tuned" / LAYER / "tuned.json", TunedFloors)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, float]]:
        """Of the tuned rules, by name."""
        return self.tuned.rules

    @cached_property
    def run(self) -> HomeRun:
        """The recorded run at home."""
        return load_home_run(self.folder, self.scenario)

    @property
    def nothing_idle(self) -> NDArray[np.bool_]:
        """Calls of the recorded run that found nothing idle, bool [N]; for hindsight."""
        return self.run.nothing_idle

    @cached_property
    def known(self) -> Knowledge:
        """What is known of the apps, of the time before the test span."""
        stored = load_known(self.models / "tuned" / LAYER / self.folder.name)
        if self.miss_usd is None:
            return stored
        past = self._priced(load_scenario(self.folder, until="valid"))
        flags = load_home_run(self.folder, past).nothing_idle
        benefit = cold_start_benefit(past, flags, past.split_steps[0])
        return replace(stored, benefit_usd=benefit, memory_class=chosen_sizes(past, self.tuned.luck_seed))

    @cached_property
    def recorded(self) -> Recorded:
        """The whole recorded run at home, scaled as the networks expect it."""
        scenario, end = self.scenario, self.scenario.split_steps[2]
        inputs = self.known.inputs.scaled(inputs_of(self.run, scenario, 0, end))
        return Recorded(inputs, demand(scenario, end), self.known.scale, scenario.world.step_us)

    @cached_property
    def margin(self) -> Float32:
        """What the symmetric network lacks of the specified one's mean forecast, on windows of the train span, float32 [3]."""
        recorded, train = self.recorded, self.scenario.split_steps[0]
        rng = np.random.Generator(np.random.PCG64(1))
        app = rng.integers(0, len(recorded.inputs), MARGIN_WINDOWS)
        window = recorded.windows(app, rng.integers(0, train - 1, MARGIN_WINDOWS))
        more, less = (self.network(arm).predict(window).mean(axis=0) for arm in ("lstm_specified", "lstm_symmetric"))
        return np.asarray(np.maximum(more - less, 0), dtype=np.float32)

    def network(self, arm: str) -> LSTMPredictor:
        """The network of an arm, of its first training seed."""
        return LSTMPredictor.load(min((self.layer / arm).glob("seed-*.pt")))

    def _priced(self, scenario: Scenario) -> Scenario:
        if self.miss_usd is None:
            return scenario
        return replace(scenario, objective=scenario.objective.model_copy(update={"miss_usd": self.miss_usd}))
