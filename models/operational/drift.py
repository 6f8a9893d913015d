"""Concept drift: alarms on residuals of each class of app, and the shifts of a drill. Not here: what is done about an alarm (reaction.py).

The series are five-minute residuals of log rate and log duration, in units of the train span's spread, clipped at 3. Page-Hinkley knows
the mean (0 by construction): a running mean would swallow a shift before it is noticed. ADWIN (Bifet and Gavalda 2007) is river's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US, SLOT_US

if TYPE_CHECKING:
    from simulator.workload import Invocations

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Signal = Literal["rate", "duration"]
SIGNALS: tuple[Signal, ...] = ("rate", "duration")
CLIP = 3.0
SLOTS_OF_DAY = DAY_US // SLOT_US
DELTA, LAMBDA, ADWIN_DELTA = 0.5, 75.0, 1e-5
HOUR_SLOTS = 12


class Detector(Protocol):
    """Notices that the mean of a series has moved."""

    def update(self, value: float) -> bool:
        """Take the next value; True: an alarm, after which it begins anew."""


class PageHinkley:
    """Two-sided Page-Hinkley with a known mean of 0 (Page 1954).

    Args:
        delta: a shift smaller than this is not looked for.
        threshold: of the sum of what exceeds it.
    """

    def __init__(self, delta: float = DELTA, threshold: float = LAMBDA) -> None:
        self.delta, self.threshold = delta, threshold
        self.up = self.down = 0.0

    def update(self, value: float) -> bool:
        """See `Detector`."""
        self.up = max(0.0, self.up + value - self.delta)
        self.down = max(0.0, self.down - value - self.delta)
        if max(self.up, self.down) > self.threshold:
            self.up = self.down = 0.0
            return True
        return False


class Adwin:
    """ADWIN of river; an alarm begins it anew.

    Args:
        delta: of false alarms.
    """

    def __init__(self, delta: float = ADWIN_DELTA) -> None:
        from river.drift import ADWIN

        self._make: Callable[[], ADWIN] = lambda: ADWIN(delta=delta)
        self._own = self._make()

    def update(self, value: float) -> bool:
        """See `Detector`."""
        self._own.update(value)
        if self._own.drift_detected:
            self._own = self._make()
            return True
        return False


DETECTORS: dict[str, Callable[[], Detector]] = {"adwin": Adwin, "page_hinkley": PageHinkley}


@dataclass(frozen=True, eq=False)
class Residuals:
    """Five-minute residuals of one class of apps.

    Args:
        rate, duration: float64 [slots], in spreads of the train span, clipped; a slot in which no call ends has a duration of NaN.
    """

    rate: Float64
    duration: Float64


def residuals(arrival_us: Int64, duration_us: Int64, slots: int, train_slots: int) -> Residuals:
    """Return the residuals of the calls of one class (int64 [n], sorted by arrival) over a number of slots.

    Log rate is compared with the mean of the same time of day in the train span, smoothed over an hour; log duration with its mean there.
    A duration is seen in the slot in which its call ends: before, nobody knows it.
    """
    slot = np.minimum(arrival_us // SLOT_US, slots - 1)
    count = np.bincount(slot, minlength=slots)
    log_rate = np.log1p(count)
    of_day = np.arange(slots) % SLOTS_OF_DAY
    days = np.bincount(of_day[:train_slots], minlength=SLOTS_OF_DAY)
    profile = np.bincount(of_day[:train_slots], log_rate[:train_slots], minlength=SLOTS_OF_DAY) / np.maximum(days, 1)
    kernel = np.ones(HOUR_SLOTS) / HOUR_SLOTS
    profile = np.convolve(np.concatenate([profile[-HOUR_SLOTS:], profile, profile[:HOUR_SLOTS]]), kernel, "same")[HOUR_SLOTS:-HOUR_SLOTS]
    ends = (arrival_us + duration_us) // SLOT_US
    seen = ends < slots
    ended = np.bincount(ends[seen], minlength=slots)
    total = np.bincount(ends[seen], np.log(np.maximum(duration_us[seen], 1_000) / 1e6), minlength=slots)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_duration = np.where(ended > 0, total / ended, np.nan)
    return Residuals(_standard(log_rate - profile[of_day], train_slots), _standard(log_duration, train_slots))


def _standard(values: Float64, train_slots: int) -> Float64:
    seen = values[:train_slots][np.isfinite(values[:train_slots])]
    mean, spread = (float(seen.mean()), float(seen.std())) if len(seen) > 1 else (0.0, 0.0)
    found: Float64 = np.clip((values - mean) / (spread if spread > 0 else 1.0), -CLIP, CLIP)
    return found


def alarms(series: Float64, detector: Detector, begin: int) -> list[int]:
    """Slots from `begin` on in which a detector that has seen all before them gives an alarm; NaN is not seen."""
    found = []
    for slot, value in enumerate(series.tolist()):
        if value == value and detector.update(value) and slot >= begin:
            found.append(slot)
    return found


Shift = Literal["rate_x3", "cycle_6h", "duration_x2"]
SHIFTS: tuple[Shift, ...] = ("rate_x3", "cycle_6h", "duration_x2")
COPY_SPREAD_US = 60_000_000


def shifted(trace: Invocations, shift: Shift, at_us: int, end_us: int, rng: np.random.Generator) -> Invocations:
    """Return a trace that changes at a time.

    Args:
        trace: calls of a fleet, sorted by arrival.
        shift: `rate_x3`: each later call comes three times, within a minute; `cycle_6h`: later calls come six hours later in the day, those
            of a day's last six hours in its first; `duration_x2`: later calls take twice as long.
        at_us: when; a whole day for `cycle_6h`.
        end_us: of the trace: calls beyond are left out.
        rng: of the copies.
    """
    later = trace.arrival_us >= at_us
    if shift == "duration_x2":
        return replace(trace, duration_us=np.where(later, 2 * trace.duration_us, trace.duration_us))
    if shift == "cycle_6h":
        day, of_day = trace.arrival_us // DAY_US, trace.arrival_us % DAY_US
        moved = day * DAY_US + (of_day + DAY_US // 4) % DAY_US
        return _sorted(trace, np.where(later, moved, trace.arrival_us), np.arange(len(later)))
    own = np.concatenate([np.arange(len(later)), np.flatnonzero(later), np.flatnonzero(later)])
    moved = trace.arrival_us[own].copy()
    moved[len(later) :] += (rng.random(len(own) - len(later)) * COPY_SPREAD_US).astype(np.int64)
    keep = moved < end_us
    return _sorted(trace, moved[keep], own[keep])


def _sorted(trace: Invocations, arrival_us: Int64, own: Int64) -> Invocations:
    """The calls `own` of a trace at new times, in order."""
    app, function, duration = trace.app[own], trace.function[own], trace.duration_us[own]
    order = np.lexsort((duration, function, app, arrival_us))
    return replace(trace, app=app[order], function=function[order], arrival_us=arrival_us[order], duration_us=duration[order])
