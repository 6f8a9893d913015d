"""Stage `drill_operational`: dated shifts are put into long twins; when do both detectors notice, and what is a reaction worth?

`drift_drill.csv` has one row per (detector, signal, class, case): false alarms in a week of unshifted twins, and for each shift the delay
of the first alarm after it, hours (empty: none until the end). `drift_reaction.csv` has the objective of arms with and without a reaction
to these alarms; `drift_timeline.json`, what the section draws. Not here: detectors (models/operational/drift.py), reactions (reaction.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field

from models.operational.drift import SHIFTS
from models.statistics import ratio_of_means
from simulator.parameters import Objective, Section, Seed, Slo, World
from tasks.core.app_classes import AppClasses
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.evaluation.drill_cases import CASES, SPLITS, UNSHIFTED, Case, Twin
from tasks.evaluation.drill_reactions import NOTHING, REACTIVE, Drilled
from tasks.evaluation.drill_record import DriftTimeline
from tasks.learning.operational_outputs import operational_models, operational_reports, tuned_operational, write_rows
from tasks.learning.tune_operational_record import TunedFloors

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

COLUMNS = ("detector", "signal", "app_class", "case", "seeds", "noticed", "delay_h_median", "delay_h_longest", "alarms_per_week")
REACTION_COLUMNS = (
    *("arm", "case", "detector", "reaction", "seeds", "actions", "pct_of_reactive", "pct_without_reaction", "change_pct"),
    *("ci_low", "ci_high"),
)
Detector = Literal["adwin", "page_hinkley"]


class DrillOperational(Section):
    """The section `drill_operational`: which twins are shifted, and how long reactions are judged."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="of the twins; each is seen without a shift and with each of them")
    days: int = Field(ge=14, le=366, description="length of a twin; the shift comes at 85 % of it")
    apps: int = Field(ge=1, le=100_000, description="of a twin")
    rate: float = Field(gt=0, le=1000, description="factor on the calls of a twin")
    luck_seed: Seed = Field(description="luck of the runs in which reactions are judged")
    judged_days: float = Field(gt=0, le=366, description="length of these runs, from the shift on")
    reacts_to: tuple[Detector, ...] = Field(min_length=1, description="detectors whose alarms are reacted to")


class Job(NamedTuple):
    """One case of a twin, and what is judged in it."""

    twin: Twin
    tuned: TunedFloors
    models: Path
    seed: int
    days: float
    detectors: tuple[str, ...]


class Found(NamedTuple):
    """Of one case: hours from the shift to each alarm by detector, signal and class; money; actions; the timeline."""

    hours: dict[tuple[str, str, str], list[float]]
    money: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    series: list[dict[str, Any]]


def run(params: Params, paths: Paths) -> str:
    """Write drift_drill.csv, drift_reaction.csv and drift_timeline.json; return the summary line."""
    settings = params.section("drill_operational", DrillOperational)
    tuned = read_record(tuned_operational(paths) / "tuned.json", TunedFloors)
    twins = [_twin(params, paths, settings, seed, case) for seed in settings.seeds for case in CASES]
    models, judged = operational_models(paths), (settings.luck_seed, settings.judged_days, settings.reacts_to)
    found = map_in_processes(_drill, [Job(twin, tuned, models, *judged) for twin in twins], "cases")
    rows = _delays(twins, found, settings)
    write_rows(operational_reports(paths) / "drift_drill.csv", COLUMNS, rows)
    write_rows(operational_reports(paths) / "drift_reaction.csv", REACTION_COLUMNS, _worth([row for one in found for row in one.money]))
    shown: dict[str, Any] = {"seed": settings.seeds[0], "series": [], "actions": []}
    for one in found[: len(CASES)]:
        shown["series"] += one.series
        shown["actions"] += one.actions
    write_record(operational_reports(paths) / "drift_timeline.json", DriftTimeline, shown)
    return f"{len(settings.seeds)} twins of {settings.days} days, {len(SHIFTS)} shifts, {len(rows)} rows"


def _twin(params: Params, paths: Paths, settings: DrillOperational, seed: int, case: str) -> Twin:
    classes = params.section("app_classes", AppClasses)
    limits = (classes.rare_below, classes.low_below, classes.mid_below)
    world, slo, objective = params.section("world", World), params.section("slo", Slo), params.section("objective", Objective)
    return Twin(seed, settings.days, settings.apps, settings.rate, limits, case, world, slo, objective, paths.reference)


def _drill(job: Job) -> Found:
    """Alarms of every detector in one case, and what reactions to them are worth."""
    torch.set_num_threads(1)
    case = Case.of(job.twin)
    slots = case.slots()
    money, actions = Drilled(case, slots, job.tuned, job.models, job.seed, job.days).rows(job.detectors)
    hours = {key: [case.hours(slot) for slot in own] for key, own in slots.items()}
    return Found(hours, money, actions, case.series(slots))


def _delays(twins: list[Twin], found: list[Found], settings: DrillOperational) -> list[tuple[object, ...]]:
    weeks = (settings.days - int(SPLITS[1] * settings.days)) / 7
    rows: list[tuple[object, ...]] = []
    by_case = {case: [one.hours for twin, one in zip(twins, found, strict=True) if twin.case == case] for case in CASES}
    for detector, signal, name in sorted({key for one in found for key in one.hours}):
        for case in sorted(CASES):
            by_seed = [one[detector, signal, name] for one in by_case[case] if (detector, signal, name) in one]
            first = [hours[0] for hours in by_seed if hours]
            delays = (round(float(np.median(first)), 3), round(max(first), 3)) if first and case != UNSHIFTED else ("", "")
            per_week = round(float(np.mean([len(hours) for hours in by_seed])) / weeks, 3) if by_seed else ""
            rows.append((detector, signal, name, case, len(by_seed), len(first), *delays, per_week))
    return rows


def _worth(money: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Rows of drift_reaction.csv: ratios of means over the seeds."""
    usd: dict[tuple[str, str, str, str], list[float]] = {}
    actions: dict[tuple[str, str, str, str], int] = {}
    for row in money:
        key = row["arm"], row["case"], row["detector"], row["reaction"]
        usd.setdefault(key, []).append(row["usd"])
        actions[key] = actions.get(key, 0) + row["actions"]
    rows: list[tuple[object, ...]] = []
    for (arm, case, detector, reaction), own in usd.items():
        base, without = usd[REACTIVE, case, "", NOTHING], usd[arm, case, "", NOTHING]
        change = ratio_of_means([own], [without])
        ends = [round(100 * end - 100, 4) if end == end and reaction != NOTHING else "" for end in (change.low, change.high)]
        pct, pct_without = (round(100 * float(np.mean(x) / np.mean(base)), 4) for x in (own, without))
        changed = round(100 * change.value - 100, 4)
        rows.append((arm, case, detector, reaction, len(own), actions[arm, case, detector, reaction], pct, pct_without, changed, *ends))
    return rows
