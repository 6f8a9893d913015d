"""What the networks and heads of the operational layer learn from: windows and pools of the training fleets. Not here: training.

All of it is of train spans. The last fifth of a fleet's span is for early stopping, so it comes after what is learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.operational.allocator import Knowledge
from models.operational.events import Collector, label
from models.operational.forecasters import lagged
from models.operational.lstm import Windows
from models.operational.windows import Recorded, choose
from simulator.control.baseline import HOME_SEED
from simulator.control.home_run import load_home_run
from simulator.control.loop import Loop, finished
from simulator.scenario import load_scenario
from tasks.learning.operational_known import learn_known

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
EARLY_STOPPING_SHARE = 0.2
STREAM_WINDOWS, STREAM_ROWS = 41, 42
EVENTS_FROM = 0.2  # of a span: timers need a past


@dataclass(frozen=True, eq=False)
class RecordedFleet:
    """One training fleet: what is known of its apps, its recorded run, where early stopping begins, and its seed."""

    folder: Path
    known: Knowledge
    recorded: Recorded
    split: int
    end: int
    seed: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Pools at barriers: features float32 [n, 16], windows of their apps float32 [n, 12, 5], events bool [n, 2], weight float32 [n]."""

    x: Float32
    window: Float32
    event: NDArray[np.bool_]
    weight: Float32


def read_fleet(folder: Path) -> RecordedFleet:
    """Load a training fleet and its recorded run; memory sizes are as configured."""
    scenario = load_scenario(folder, until="train")
    known, recorded = learn_known(scenario, folder, None)
    end = scenario.split_steps[0]
    return RecordedFleet(folder, known, recorded, round(end * (1 - EARLY_STOPPING_SHARE)), end, scenario.seed)


@dataclass(frozen=True)
class Amounts:
    """How much is learned from: windows before and after the early-stopping split, all fleets together; steps between the barriers at which
    pools are collected, and how many pools of a fleet are kept, about.
    """

    windows: int
    valid_windows: int
    row_steps: int
    rows: int


def learned_from(folders: Sequence[Path], amounts: Amounts) -> tuple[Windows, Windows, Rows]:
    """The windows before and after the early-stopping split, and the pools, of some fleets; one fleet is in memory at a time."""
    train, valid, rows = [], [], []
    for folder in folders:
        fleet = read_fleet(folder)
        train.append(windows_of(fleet, amounts.windows // len(folders), is_valid=False))
        valid.append(windows_of(fleet, amounts.valid_windows // len(folders), is_valid=True))
        rows.append(rows_of(fleet, amounts.row_steps, amounts.rows))
    return in_order(train), in_order(valid), joined(rows)


def windows_of(fleet: RecordedFleet, count: int, *, is_valid: bool) -> tuple[Int64, Windows]:
    """Choose windows of a fleet, in order of time, and the steps with which they end, int64 [count]; lagged calls are the extra inputs."""
    begin, end = (fleet.split, fleet.end) if is_valid else (0, fleet.split)
    rng = np.random.Generator(np.random.PCG64([fleet.seed, STREAM_WINDOWS, is_valid]))
    chosen = choose(fleet.recorded, begin, end, count, rng)
    own = chosen.app, chosen.step
    extra = lagged(fleet.recorded, *own)
    return chosen.step, Windows(fleet.recorded.windows(*own), fleet.recorded.targets(*own), chosen.weight, extra)


def in_order(parts: list[tuple[Int64, Windows]]) -> Windows:
    """The windows of all fleets in order of time."""
    order = np.argsort(np.concatenate([step for step, _ in parts]), kind="stable")
    columns = (np.concatenate([getattr(own, name) for _, own in parts])[order] for name in ("window", "target", "weight", "extra"))
    return Windows(*columns)


def without_extra(data: Windows) -> Windows:
    """The same windows for a network that takes nothing else."""
    return Windows(data.window, data.target, data.weight, data.extra[:, :0])


def rows_of(fleet: RecordedFleet, every: int, most: int) -> Rows:
    """Collect pools without a clock that may be dead, at home, every so many steps; of those without an event a share that leaves `most`.

    Heads decide for no other pools. What they learned from timers made them too sure of the rest: where they said 98 %, nothing came.
    """
    scenario = load_scenario(fleet.folder, until="train")
    rng = np.random.Generator(np.random.PCG64([fleet.seed, STREAM_ROWS]))
    collector = Collector(every, 1.0, rng)
    begin = round(fleet.end * EVENTS_FROM)
    finished(Loop(scenario, collector, HOME_SEED, begin=begin, end=fleet.end))
    x, pool, step = collector.rows()
    own = ~collector.seen.has_clock(scenario.apps.first_function)[pool]
    x, pool, step = x[own], pool[own], step[own]
    event = label(scenario, load_home_run(fleet.folder, scenario).nothing_idle, pool, step)
    is_rare = event[:, 0]
    keep = min(1.0, max(most - int(is_rare.sum()), 1) / max(int((~is_rare).sum()), 1))
    picked = np.flatnonzero(is_rare | (rng.random(len(x)) < keep))
    app = np.searchsorted(scenario.apps.first_function, pool[picked], side="right") - 1
    window = fleet.recorded.windows(app, step[picked] - 1)
    weight = np.where(is_rare[picked], 1.0, 1.0 / keep).astype(np.float32)
    return Rows(x[picked], window, event[picked], weight)


def joined(parts: list[Rows]) -> Rows:
    """The rows of all fleets."""
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "window", "event", "weight")))
