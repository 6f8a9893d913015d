"""What the orchestrator uses above the timers: the event head, memory sizes, or nothing. Not here: training them (train_operational.py).

It is chosen on valid spans, at home, coupled. Timers alone are what stands unless another use saves more than the spread of its saving over
parts of the spans; and memory sizes are judged here as they would have been chosen before the valid span, so that they are not judged on
what they were chosen on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.operational.events import EventFloors, EventRules
from models.operational.scaling import StaticMemory
from models.operational.timers import TimerRules
from simulator.control.baseline import Stay
from simulator.control.loop import run as play
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record
from tasks.evaluation.arms.floors import timer_rules
from tasks.learning.operational_known import chosen_sizes, load_known
from tasks.learning.operational_outputs import LAYER, operational_models, tuned_operational
from tasks.learning.operational_policy import boosted_heads
from tasks.learning.tune_operational_record import TunedFloors
from tasks.world.scenario_outputs import scenario_folder

if TYPE_CHECKING:
    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.core.paths import Paths

Float64 = NDArray[np.float64]
Use = tuple[float, float, float]
# Shares of the benefit that the near and the far head count on, and whether memory sizes are ordered.
ALONE: Use = (0.0, 0.0, 0.0)
USES: tuple[Use, ...] = (ALONE, (0.0, 1.0, 0.0), (1.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 1.0))
PART_STEPS = 2000  # 8 h 20 min: shorter parts of a span are not independent, fewer say nothing of a spread
LEAST_ERRORS = 2.0  # a saving is believed from so many standard errors on


class Job(NamedTuple):
    """One use in one scenario; no use: reactive scaling."""

    scenario: Path
    known: Path
    models: Path
    timers: TimerRules
    use: Use | None
    seed: int


def choose_use(paths: Paths, scenarios: int, seed: int) -> tuple[dict[str, Any], list[tuple[object, ...]]]:
    """Return what chosen.json holds, and the rows of validation_results.csv; the boosted heads are those on disk.

    Args:
        paths: of the working tree.
        scenarios: of the tuned ones whose valid spans count.
        seed: of the luck.
    """
    tuned = read_record(tuned_operational(paths) / "tuned.json", TunedFloors)
    names, tried = tuned.scenarios[:scenarios], (None, *USES)
    timers, models = timer_rules(tuned.rules["timers"]), operational_models(paths)
    jobs = [
        Job(scenario_folder(paths) / name, tuned_operational(paths) / name, models, timers, use, seed) for name in names for use in tried
    ]
    usd = dict(zip([(job.known.name, job.use) for job in jobs], map_in_processes(_judged, jobs, "valid spans"), strict=True))
    found = {use: [100 * usd[name, use] / usd[name, None].mean() for name in names] for use in USES}
    best = chosen({use: np.concatenate(parts) for use, parts in found.items()})
    means = {use: float(np.mean([part.mean() for part in parts])) for use, parts in found.items()}
    near, far, memory = best
    parameters = {"near": near, "far": far, "memory": memory, **dict(tuned.rules["timers"])}
    why = f"{means[best]:.3f} % of home on the valid spans, timers alone {means[ALONE]:.3f}"
    choice = {"arm": "event_head" if near + far > 0 else "timers", "file": "event_head/seed-1.pt", "parameters": parameters, "why": why}
    rows: list[tuple[object, ...]] = [
        (LAYER, f"near {use[0]:g} far {use[1]:g} memory {use[2]:g}", 1, 0, "calm", round(means[use], 6), use == best) for use in USES
    ]
    return choice, rows


def _judged(job: Job) -> Float64:
    """Objective of one use by part of a valid span, USD, float64 [parts]."""
    scenario = load_scenario(job.scenario, until="valid")
    if job.use is None:
        return _parts_usd(scenario, Stay(), job.seed)
    near, far, memory = job.use
    floors = EventFloors(boosted_heads(job.models), load_known(job.known).benefit_usd, EventRules(near, far, job.timers))
    if not memory:
        return _parts_usd(scenario, floors, job.seed)
    return _parts_usd(scenario, StaticMemory(chosen_sizes(scenario, job.seed, is_train_only=True), floors), job.seed)


def chosen(parts: dict[Use, Float64]) -> Use:
    """The use with the least mean cost among those that save more than `LEAST_ERRORS` standard errors; timers alone where none does.

    Args:
        parts: cost of each use by part of the spans, float64 [n] each; the same parts.
    """
    best, least = ALONE, 0.0
    for use, own in parts.items():
        saving = parts[ALONE] - own
        error = float(saving.std(ddof=1)) / np.sqrt(len(saving)) if len(saving) > 1 else np.inf
        if saving.mean() > max(LEAST_ERRORS * error, least):
            best, least = use, float(saving.mean())
    return best


def _parts_usd(scenario: Scenario, policy: Policy, seed: int) -> Float64:
    """Objective by part of the valid span, USD, float64 [parts]; what is left at the end joins the last one."""
    width = scenario.world.tactical_us
    fleet = play(scenario, policy, seed, "valid", bucket_us=width)
    begin, end = scenario.split_steps[0], scenario.split_steps[1]
    usd = objective_usd(fleet.out.sum(axis=0), scenario.objective)
    first, last = (step * scenario.world.step_us // width for step in (begin, end))
    each = max(1, PART_STEPS * scenario.world.step_us // width)
    edges = list(range(int(first), int(last), each)) or [int(first)]
    if len(edges) > 1 and last - edges[-1] < each:
        edges.pop()
    return np.add.reduceat(usd, edges)
