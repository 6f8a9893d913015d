"""Rules that set floors and what `tune_operational` tries of each, with one budget. Not here: trying, the rules themselves, networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

from models.operational.allocator import Knowledge
from models.operational.gaps import Hazard, Hold, HybridHistogram
from models.operational.scaling import MovingAverage, SeasonalNaive, Static
from models.operational.timers import TimerRules, Timers
from simulator.control.decision import Policy
from tasks.evaluation.arms.table import Arm, ordered

Parameters = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class FloorRule(Arm):
    """One row.

    Args:
        grid: what is tried, in this order; the budget cuts the grids.
        build: what is known of the apps, parameters -> policy.
    """

    grid: tuple[Parameters, ...]
    build: Callable[[Knowledge, Parameters], Policy]


def timers(known: Knowledge, parameters: Parameters) -> Policy:
    """Timers just in time."""
    return Timers(known.benefit_usd, timer_rules(parameters))


def timer_rules(parameters: Parameters) -> TimerRules:
    """What is tuned of the timers."""
    return TimerRules(parameters["sd_factor"], parameters["benefit_share"])


def _grid(**values: tuple[float, ...]) -> tuple[Parameters, ...]:
    return tuple(dict(zip(values, point, strict=True)) for point in product(*values.values()))


SHARES = (1.0, 0.5, 0.25, 0.1, 0.75, 0.05)
RULES = ordered(
    FloorRule(
        name="static_2x",
        label="Twice the mean, always",
        order=20,
        grid=_grid(threshold=(0.5, 1.0, 0.25, 0.75, 1.5, 2.0)),
        build=lambda k, p: Static(2.0, p["threshold"]),
    ),
    FloorRule(
        name="moving_average",
        label="Five-minute average",
        order=30,
        grid=_grid(threshold=(0.5, 0.9, 0.25, 0.75, 1.0, 0.1)),
        build=lambda k, p: MovingAverage(20, 1.0, p["threshold"]),
    ),
    FloorRule(
        name="seasonal_naive",
        label="As yesterday",
        order=40,
        grid=_grid(window_steps=(0, 2), least_calls=(1, 2, 4)),
        build=lambda k, p: SeasonalNaive(int(p["window_steps"]), int(p["least_calls"])),
    ),
    FloorRule(
        name="hybrid_histogram",
        label="Hybrid histogram",
        order=50,
        grid=_grid(head=(0.05, 0.2), tail=(0.99, 0.8, 0.5)),
        build=lambda k, p: HybridHistogram(p["head"], p["tail"]),
    ),
    FloorRule(
        name="hazard",
        label="Hazard against price",
        order=60,
        grid=_grid(share=SHARES),
        build=lambda k, p: Hazard(k.benefit_usd, p["share"]),
    ),
    FloorRule(
        name="hold",
        label="Hold idle instances",
        order=70,
        grid=_grid(share=SHARES),
        build=lambda k, p: Hold(k.benefit_usd, p["share"]),
    ),
    FloorRule(
        name="timers",
        label="Timers just in time",
        order=80,
        grid=_grid(sd_factor=(0.0, 1.4), benefit_share=(1.0, 0.8, 0.6)),
        build=timers,
    ),
)
