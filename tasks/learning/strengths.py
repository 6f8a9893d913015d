"""How much of a network on top of the planner counts: strengths played on the valid spans. Not here: the networks, choosing.

What is played first is the planner itself, with the same options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.training import Tensors
from simulator.control.view import Facts
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.learn_planner_outputs import load_learned, planner_folder
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.learning.valid_spans import ValidSpan, mean_over_families, valid_families
from tasks.world.scenario_outputs import scenario_folder

if TYPE_CHECKING:
    from pathlib import Path

    from models.baselines.planning.learned import Learned
    from simulator.control.decision import Policy
    from tasks.core.paths import Paths


class Agent(Protocol):
    """A network on top of the planner."""

    def policy(self, facts: Facts, learned: Learned, *, horizon: int, switches: float, period_steps: int) -> Policy:
        """The arm in one run; the options are those of `Planner`."""


Make = Callable[[Tensors, Any], Agent]


class Spans(NamedTuple):
    """Which valid spans are played: seed of the luck, families (empty: all), scenarios of a family."""

    luck_seed: int
    families: tuple[str, ...]
    scenarios: int


class Played(NamedTuple):
    """What one strength costs: % of home (winsorised) by scenario, and the mean over families."""

    pct: dict[str, float]
    mean: float


class Trial(NamedTuple):
    """One valid span: folders of scenarios and planner, its name, seed of the luck, networks with what makes agents, options."""

    scenarios: Path
    planner: Path
    name: str
    luck_seed: int
    make: Make
    networks: tuple[Tensors, ...]
    strengths: tuple[Any, ...]
    options: dict[str, Any]


def planner_options(chosen: ChosenBaselines, family: str) -> dict[str, Any]:
    """The tuned options of `planner_response` in a family: horizon, switches."""
    tuned = chosen.rules[family]["planner_response"].parameters
    return {"horizon": int(tuned["horizon"]), "switches": tuned["switches"]}


def play_strengths(paths: Paths, spans: Spans, make: Make, networks: Sequence[Tensors], strengths: Sequence[Any]) -> list[Played]:
    """Return what the planner costs, then every strength: means over the networks.

    Args:
        paths: of the working tree.
        spans: that are played.
        make: (parameters, strength) -> agent; a function that another process can import.
        networks: parameters of each training seed.
        strengths: that are tried.
    """
    families = valid_families(paths, spans.families, spans.scenarios)
    chosen = read_record(baselines_folder(paths) / "chosen.json", ChosenBaselines)
    folders, tensors = (scenario_folder(paths), planner_folder(paths)), tuple(dict(one) for one in networks)
    jobs = [
        Trial(*folders, name, spans.luck_seed, make, tensors, tuple(strengths), planner_options(chosen, family))
        for name, family in families.items()
    ]
    found = dict(zip(families, map_in_processes(_play, jobs, "valid spans"), strict=True))
    by_strength = [{name: values[i] for name, values in found.items()} for i in range(1 + len(strengths))]
    return [Played(pct, mean_over_families(pct, families)) for pct in by_strength]


def _play(trial: Trial) -> list[float]:
    """Costs on one valid span, % of home: of the planner, then of every strength."""
    scenario = load_scenario(trial.scenarios / trial.name, until="valid")
    facts, learned = Facts.of(scenario), load_learned(trial.planner / trial.name, "valid")
    span, options = ValidSpan(scenario, trial.luck_seed), trial.options | {"period_steps": scenario.world.tactical_steps}
    found = [span.pct_of_home(Planner(Costs(facts, learned), "planner_response", **options))]
    for strength in trial.strengths:
        costs = [span.pct_of_home(trial.make(one, strength).policy(facts, learned, **options)) for one in trial.networks]
        found.append(round(sum(costs) / len(costs), 6))
    return found
