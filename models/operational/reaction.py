"""What is done about an alarm in a run: statistics anew, another network, or a plainer rule. Not here: detectors and shifts (drift.py).

Alarms are of classes of apps and come from arrivals and ended calls alone, so they are the same whatever is kept warm, and are known before
a run; each acts at the first barrier after its slot. Every reaction works on the run so far, a day of it at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US
from models.operational.clocks import Tracker
from models.operational.lstm import LSTMPredictor, LSTMTraining, Settings, Windows
from models.operational.scaler import MinMax
from models.operational.windows import Recorded, choose, recent_demand, series
from simulator.control.decision import Decision, PolicyBase

if TYPE_CHECKING:
    from models.operational.allocator import Forecasted, Predictor
    from models.operational.timers import Timers
    from simulator.control.view import View

Int64 = NDArray[np.int64]
Reaction = Literal["recalibrate", "fall_back", "fine_tune"]
TUNED_WINDOWS, TUNED_EPOCHS, TUNED_LR = 4000, 2, 3e-4
LEAST_STEPS = 240  # of a run, an hour: with less there is nothing to learn from


@dataclass(frozen=True, eq=False)
class Alarm:
    """When it acts, whom it is about (bool [A]), and what for the record calls it."""

    step: int
    apps: NDArray[np.bool_]
    app_class: str
    signal: str


@dataclass(frozen=True)
class Action:
    """What was done: the record of an alarm."""

    step: int
    app_class: str
    signal: str
    reaction: str


class Seen:
    """What a run has shown so far: the newest row of every step, int [A, fields] each."""

    def __init__(self) -> None:
        self.rows: list[Int64] = []

    def note(self, view: View) -> None:
        """Take the row of the step that has ended.

        Raises:
            ValueError: the view has no steps.
        """
        if view.steps is None:
            raise ValueError("a reaction needs view.steps: the policy must say needs_steps")
        self.rows.append(view.steps[-1].copy())

    def last_day(self, view: View) -> tuple[Int64, int]:
        """Rows of the last day, or of the run so far, int64 [A, steps, fields], and the step of the first one."""
        most = DAY_US // view.facts.world.step_us
        rows = self.rows[1:][-most:]  # the first row is of before the run
        return np.stack(rows, axis=1), view.step - len(rows)


class Reacts(Protocol):
    """One reaction of one policy: changes it at a barrier, given the run so far."""

    def __call__(self, view: View, alarm: Alarm, seen: Seen) -> None:
        """Change the policy."""


class Reacting(PolicyBase):
    """A policy and what happens to it at alarms. Good for one run.

    Args:
        below: the policy.
        alarms: in order of time.
        reaction: for the record.
        reacts: changes `below`; None: from an alarm on, the apps it is about get the floors of `plain` instead.
        plain: a rule that needs no knowledge.
    """

    period_steps, needs_steps = 1, True

    def __init__(self, below: PolicyBase, alarms: Sequence[Alarm], reaction: Reaction, reacts: Reacts | None, plain: PolicyBase) -> None:
        self.name, self.below, self.plain = f"{below.name}_{reaction}", below, plain
        self.reaction, self.reacts = reaction, reacts
        self.actions: list[Action] = []
        self._waiting = list(alarms)
        self._seen = Seen()
        self._fallen = np.zeros(0, dtype=np.bool_)

    def decide(self, view: View) -> Decision:
        """React to what is due, then order as the policy below does now."""
        self._seen.note(view)
        if not len(self._fallen):
            first = view.facts.apps.first_function
            self._app_of_function = np.repeat(np.arange(len(first) - 1), np.diff(first))
            self._fallen = np.zeros(len(first) - 1, dtype=np.bool_)
        while self._waiting and self._waiting[0].step <= view.step:
            self._react(view, self._waiting.pop(0))
        ordered: Decision = self.below.decide(view)  # type: ignore[attr-defined]
        if self.reacts is not None or ordered.floors is None:
            return ordered
        plain = self.plain.decide(view).floors  # type: ignore[attr-defined]  # from the start, so that its average is warm
        return Decision(floors=np.where(self._fallen[self._app_of_function], plain, ordered.floors), memory_class=ordered.memory_class)

    def _react(self, view: View, alarm: Alarm) -> None:
        if self.reacts is None:
            self._fallen |= alarm.apps
        elif len(self._seen.rows) > LEAST_STEPS:
            self.reacts(view, alarm, self._seen)
        else:
            return
        self.actions.append(Action(view.step, alarm.app_class, alarm.signal, self.reaction))


def recalibrated(policy: Forecasted) -> Reacts:
    """Scales of demand and statistics of the inputs of the alarm's apps are those of the last day."""

    def reacts(view: View, alarm: Alarm, seen: Seen) -> None:
        rows, begin = seen.last_day(view)
        known, own = policy.allocator.known, np.flatnonzero(alarm.apps)
        now = MinMax.of(series(rows[own], view.facts.world.quota_per_placement))
        known.inputs.low[own], known.inputs.high[own] = now.low, now.high
        most = recent_demand(view, begin)[own].max(axis=1)
        known.scale[own] = np.where(most > 0, most, known.scale[own])

    return reacts


def found_anew(policy: Timers) -> Reacts:
    """The clocks are looked for again, among all calls so far."""

    def reacts(view: View, alarm: Alarm, seen: Seen) -> None:
        policy.tracker = Tracker()
        policy.forget()

    return reacts


def fine_tuned(policy: Forecasted, predictor: LSTMPredictor, serve: Callable[[LSTMPredictor], Predictor]) -> Reacts:
    """The network goes on learning from the last day of all apps, and answers from then on.

    Args:
        policy: whose network it is.
        predictor: the network.
        serve: how it answers in a run.
    """
    held = [predictor]

    def reacts(view: View, alarm: Alarm, seen: Seen) -> None:
        rows, begin = seen.last_day(view)
        known = policy.allocator.known
        inputs = known.inputs.scaled(series(rows, view.facts.world.quota_per_placement))
        recorded = Recorded(inputs, recent_demand(view, begin), known.scale, view.facts.world.step_us, begin)
        chosen = choose(recorded, 0, rows.shape[1], TUNED_WINDOWS, np.random.Generator(np.random.PCG64(view.step)))
        window, target = recorded.windows(chosen.app, chosen.step), recorded.targets(chosen.app, chosen.step)
        data = Windows(window, target, chosen.weight, np.zeros((len(window), 0), dtype=np.float32))
        own = Settings(loss=held[0].settings.loss, lr=TUNED_LR, epochs=TUNED_EPOCHS)
        training = LSTMTraining(own, view.step, data, data, "fine_tuned")
        training.network.load_state_dict(held[0].network.state_dict())
        list(training.run())
        held[0] = LSTMPredictor(dict(training.network.state_dict()), own)
        policy.allocator.predictor = serve(held[0])

    return reacts
