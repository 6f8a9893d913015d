"""Stage `drill_operational`: dated shifts are put into long twins, and both detectors are asked when they noticed.

`reports/operational/drift_drill.csv` has one row per (detector, signal, class, case): false alarms in a week of unshifted twins, and for
each shift the delay of the first alarm after it, hours (empty: none until the end). Nothing here decides a floor: arrivals and durations
do not depend on decisions, so an alarm is the same whatever is kept warm. Not here: the detectors (models/operational/drift.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.units import DAY_US, SLOT_US
from models.operational.drift import DETECTORS, SHIFTS, SIGNALS, Residuals, alarms, residuals, shifted
from simulator.parameters import Section, Seed
from simulator.twin.azure2021 import generate_azure2021
from simulator.workload import Invocations
from tasks.core.app_classes import AppClasses
from tasks.core.parallel import map_in_processes
from tasks.core.terms import CLASSES
from tasks.learning.operational_outputs import operational_reports, write_rows

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

COLUMNS = ("detector", "signal", "app_class", "case", "seeds", "noticed", "delay_h_median", "delay_h_longest", "alarms_per_week")
UNSHIFTED = "none"
SPLITS = (0.7, 0.85)  # ends of train and valid; the shift comes with the test span
TWO_WEEKS_US = 14 * DAY_US


class DrillOperational(Section):
    """The section `drill_operational`: which twins are shifted."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="of the twins; each is seen without a shift and with each of them")
    days: int = Field(ge=14, le=366, description="length of a twin; the shift comes at 85 % of it")
    apps: int = Field(ge=1, le=100_000, description="of a twin")
    rate: float = Field(gt=0, le=1000, description="factor on the calls of a twin")


class Job(NamedTuple):
    """One twin, and the limits of the classes."""

    seed: int
    days: int
    apps: int
    rate: float
    limits: tuple[int, int, int]


Found = dict[tuple[str, str, str, str], list[float]]  # by detector, signal, class, case: hours from the shift to each alarm


def run(params: Params, paths: Paths) -> str:
    """Write `reports/operational/drift_drill.csv`; return the summary line."""
    settings, classes = params.section("drill_operational", DrillOperational), params.section("app_classes", AppClasses)
    limits = (classes.rare_below, classes.low_below, classes.mid_below)
    jobs = [Job(seed, settings.days, settings.apps, settings.rate, limits) for seed in settings.seeds]
    found = map_in_processes(_drill, jobs)
    weeks = (settings.days - int(SPLITS[1] * settings.days)) / 7
    rows = []
    for key in sorted({key for one in found for key in one}):
        by_seed = [one[key] for one in found if key in one]
        first = [hours[0] for hours in by_seed if hours]
        delays = (round(float(np.median(first)), 3), round(max(first), 3)) if first and key[3] != UNSHIFTED else ("", "")
        per_week = round(float(np.mean([len(hours) for hours in by_seed])) / weeks, 3)
        rows.append((*key, len(by_seed), len(first), *delays, per_week))
    write_rows(operational_reports(paths) / "drift_drill.csv", COLUMNS, rows)
    return f"{len(settings.seeds)} twins of {settings.days} days, {len(SHIFTS)} shifts, {len(rows)} rows"


def _drill(job: Job) -> Found:
    """Alarms of every detector in one twin, without a shift and with each."""
    twin = generate_azure2021(job.seed, job.days, job.apps, job.rate)
    memory = np.full(job.apps, 128, dtype=np.int64)
    trace = Invocations(twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, memory)
    end_us = job.days * DAY_US
    at_us = int(SPLITS[1] * end_us) // DAY_US * DAY_US  # a daily cycle moves at midnight, so that no call moves into the past
    cases = {UNSHIFTED: trace}
    for number, shift in enumerate(SHIFTS):
        rng = np.random.Generator(np.random.PCG64([job.seed, 61, number]))
        cases[shift] = shifted(trace, shift, at_us, end_us, rng)
    group = _classes(trace, int(SPLITS[0] * end_us), job)
    found: Found = {}
    for case, seen in cases.items():
        for name in CLASSES:
            own = group[seen.app] == name
            if not own.any():
                continue
            slots, train = end_us // SLOT_US, int(SPLITS[0] * end_us) // SLOT_US
            made = residuals(seen.arrival_us[own], seen.duration_us[own], slots, train)
            found |= {(d, s, name, case): hours for (d, s), hours in _alarms(made, at_us // SLOT_US).items()}
    return found


def _alarms(made: Residuals, begin: int) -> dict[tuple[str, str], list[float]]:
    """Hours from slot `begin` to each alarm, by detector and signal."""
    found: dict[tuple[str, str], list[float]] = {}
    for name, make in DETECTORS.items():
        for signal in SIGNALS:
            slots = alarms(getattr(made, signal), make(), begin)
            found[name, signal] = [(slot + 1 - begin) * SLOT_US / 3.6e9 for slot in slots]
    return found


def _classes(trace: Invocations, train_us: int, job: Job) -> NDArray[np.str_]:
    """Class of each app by its calls in the train span, as calls in 14 days."""
    count = np.bincount(trace.app[trace.arrival_us < train_us], minlength=job.apps) * (TWO_WEEKS_US / train_us)
    rare, low, mid = job.limits
    return np.select([count < rare, count < low, count < mid], list(CLASSES[:3]), CLASSES[3])
