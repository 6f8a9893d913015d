"""One twin of the drill, without a shift and with each: its calls, residuals by class, alarms. Not here: what an alarm is worth, tables.

Arrivals and durations do not depend on decisions, so an alarm is the same whatever is kept warm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US, SLOT_US
from models.operational.drift import DETECTORS, SHIFTS, SIGNALS, Residuals, alarms, residuals, shifted
from models.operational.reaction import Alarm
from simulator.draws import memory_mb
from simulator.parameters import Objective, Slo, World
from simulator.rng import text_id
from simulator.scenario import Scenario
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.fleets import MEMORY_MEDIAN_MB, MEMORY_SIGMA, twin_scenario
from simulator.workload import Invocations
from tasks.core.terms import CLASSES

UNSHIFTED = "none"
CASES = (UNSHIFTED, *SHIFTS)
SPLITS = (0.7, 0.85)  # ends of train and valid; the shift comes with the test span
TWO_WEEKS_US = 14 * DAY_US
SHOWN_BEFORE_H = 24
HOUR_SLOTS = 12


@dataclass(frozen=True)
class Twin:
    """Which twin and which case of it.

    Args:
        seed, days, apps, rate: of the twin.
        limits: of the classes, calls in 14 days.
        case: without a shift, or which one.
        world, slo, objective: of its scenario.
        reference: folder of the tables.
    """

    seed: int
    days: int
    apps: int
    rate: float
    limits: tuple[int, int, int]
    case: str
    world: World
    slo: Slo
    objective: Objective
    reference: Path

    @property
    def end_us(self) -> int:
        """Of the twin."""
        return self.days * DAY_US

    @property
    def at_us(self) -> int:
        """When it shifts: at midnight, so that a daily cycle moves no call into the past."""
        return int(SPLITS[1] * self.end_us) // DAY_US * DAY_US

    @property
    def train_us(self) -> int:
        """End of what is known of it."""
        return int(SPLITS[0] * self.end_us) // DAY_US * DAY_US


@dataclass(frozen=True, eq=False)
class Case:
    """A twin in its case: calls, the class of each app, and what the detectors see of each class."""

    twin: Twin
    trace: Invocations
    classes: NDArray[np.str_]
    seen: dict[str, Residuals]

    @classmethod
    def of(cls, twin: Twin) -> Case:
        """Generate the twin, shift it, and compute its residuals."""
        made = generate_azure2021(twin.seed, twin.days, twin.apps, twin.rate)
        memory = memory_mb(twin.seed, np.array([text_id(app) for app in made.app_ids]), MEMORY_MEDIAN_MB, MEMORY_SIGMA)
        trace = Invocations(made.app_ids, made.function_ids, made.app, made.function, made.arrival_us, made.duration_us, memory)
        classes = _classes(trace, twin)
        if twin.case != UNSHIFTED:
            rng = np.random.Generator(np.random.PCG64([twin.seed, 61, SHIFTS.index(twin.case)]))
            trace = shifted(trace, twin.case, twin.at_us, twin.end_us, rng)  # type: ignore[arg-type]
        slots, train = twin.end_us // SLOT_US, twin.train_us // SLOT_US
        seen = {}
        for name in CLASSES:
            own = classes[trace.app] == name
            if own.any():
                seen[name] = residuals(trace.arrival_us[own], trace.duration_us[own], slots, train)
        return cls(twin, trace, classes, seen)

    def scenario(self) -> Scenario:
        """The world with these calls."""
        twin, step_us = self.twin, self.twin.world.step_us
        ends = twin.train_us // step_us, twin.at_us // step_us, twin.end_us // step_us - twin.world.tactical_steps
        return twin_scenario(
            "calm", twin.seed, days=twin.days, split_steps=ends, world=twin.world, slo=twin.slo, objective=twin.objective,
            reference=twin.reference, trace=self.trace,
        )  # fmt: skip

    def slots(self) -> dict[tuple[str, str, str], list[int]]:
        """Slots from the shift on in which a detector gives an alarm, by detector, signal and class."""
        begin = self.twin.at_us // SLOT_US
        return {
            (detector, signal, name): alarms(getattr(seen, signal), make(), begin)
            for name, seen in self.seen.items()
            for detector, make in DETECTORS.items()
            for signal in SIGNALS
        }

    def alarms(self, slots: dict[tuple[str, str, str], list[int]], detector: str, app_ids: tuple[str, ...]) -> list[Alarm]:
        """The alarms of a detector, each at the barrier that ends its slot; `app_ids`: in the order of the scenario."""
        steps = SLOT_US // self.twin.world.step_us
        of = dict(zip(self.trace.app_ids, self.classes.tolist(), strict=True))
        group = np.array([of[app] for app in app_ids])
        found = [
            Alarm((slot + 1) * steps, group == name, name, signal)
            for (by, signal, name), own in slots.items()
            if by == detector
            for slot in own
        ]
        return sorted(found, key=lambda alarm: (alarm.step, alarm.app_class, alarm.signal))

    def hours(self, slot: int) -> float:
        """From the shift to the end of a slot."""
        return ((slot + 1) * SLOT_US - self.twin.at_us) / 3.6e9

    def series(self, slots: dict[tuple[str, str, str], list[int]]) -> list[dict[str, Any]]:
        """Rows of the timeline."""
        first = self.twin.at_us // SLOT_US - SHOWN_BEFORE_H * HOUR_SLOTS
        rows = []
        for name, seen in self.seen.items():
            for signal in SIGNALS:
                values = getattr(seen, signal)[first:]
                parts = values[: len(values) // HOUR_SLOTS * HOUR_SLOTS].reshape(-1, HOUR_SLOTS)
                known = np.isfinite(parts).any(axis=1)
                means = [round(float(np.nanmean(part)), 4) if ok else None for part, ok in zip(parts, known, strict=True)]
                hours = [hour - SHOWN_BEFORE_H for hour in range(len(parts))]
                by = {d: [round(self.hours(slot), 3) for slot in slots[d, signal, name]] for d in DETECTORS}
                rows.append(
                    {"case": self.twin.case, "signal": signal, "app_class": name, "hours": hours, "residual": means, "alarms": by}
                )  # fmt: skip
        return rows


def _classes(trace: Invocations, twin: Twin) -> NDArray[np.str_]:
    """Class of each app by its calls in the train span, as calls in 14 days."""
    count = np.bincount(trace.app[trace.arrival_us < twin.train_us], minlength=twin.apps) * (TWO_WEEKS_US / twin.train_us)
    rare, low, mid = twin.limits
    return np.select([count < rare, count < low, count < mid], list(CLASSES[:3]), CLASSES[3])
