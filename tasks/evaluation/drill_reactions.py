"""What a reaction to an alarm is worth: arms in a shifted world, with and without it, coupled, in money. Not here: alarms, tables.

The run begins with the shift. What is known of the apps, the networks and the parameters of the rules are of before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import DAY_US
from models.operational.allocator import AllocationRules, Allocator, Forecasted, Knowledge
from models.operational.economics import cold_start_benefit
from models.operational.lstm import LSTMPredictor
from models.operational.onnx_export import OnnxPredictor, exported
from models.operational.reaction import Alarm, Reacting, Reaction, Reacts, fine_tuned, found_anew, recalibrated
from models.operational.scaler import MinMax
from models.operational.scaling import MovingAverage
from models.operational.timers import Timers
from models.operational.windows import demand, target_scale
from simulator.control.baseline import HOME_SEED, Stay
from simulator.control.home_run import HomeRun
from simulator.control.loop import Loop, finished
from simulator.objective import objective_usd
from tasks.evaluation.arms.floors import timer_rules
from tasks.learning.operational_known import inputs_of

if TYPE_CHECKING:
    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.evaluation.drill_cases import Case
    from tasks.learning.tune_operational_record import TunedFloors

REACTIVE, NOTHING = "reactive", "nothing"
NETWORK, TIMERS = "lstm_symmetric", "timers"
REACTIONS: dict[str, tuple[Reaction, ...]] = {NETWORK: ("recalibrate", "fall_back", "fine_tune"), TIMERS: ("recalibrate", "fall_back")}
KNOWN_DAYS = 7  # of the train span, on which scales and statistics are taken
Slots = dict[tuple[str, str, str], list[int]]
Made = tuple[Any, Callable[[Reaction], Reacts | None]]  # an arm, and what each reaction does to it


@dataclass(frozen=True, eq=False)
class Drilled:
    """One case and what the arms in it are built from.

    Args:
        case: of a twin.
        slots: of its alarms.
        tuned: parameters of the rules.
        models: the folder data/models/operational.
        seed: of the luck.
        days: judged, from the shift on.
    """

    case: Case
    slots: Slots
    tuned: TunedFloors
    models: Path
    seed: int
    days: float

    def rows(self, detectors: tuple[str, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What each arm costs with and without each reaction to the alarms of each detector, and what was done."""
        scenario = self.case.scenario()
        known = _known(scenario)
        rows, actions = [self._row(REACTIVE, "", NOTHING, 0, self._usd(scenario, Stay()))], []
        for arm, reactions in REACTIONS.items():
            policy, _ = self._made(arm, known)
            without = self._usd(scenario, policy)
            rows.append(self._row(arm, "", NOTHING, 0, without))
            for detector in detectors:
                alarms = self._alarms(scenario, detector)
                for reaction in reactions:
                    done = self._with(scenario, known, arm, alarms, reaction) if alarms else None
                    usd, did = (without, []) if done is None else done
                    rows.append(self._row(arm, detector, reaction, len(did), usd))
                    actions += [{"arm": arm, "case": self.case.twin.case, "detector": detector, **one} for one in did]
        return rows, actions

    def _with(
        self, scenario: Scenario, known: Knowledge, arm: str, alarms: list[Alarm], reaction: Reaction
    ) -> tuple[float, list[dict[str, Any]]]:
        policy, reacts = self._made(arm, known)
        plain = MovingAverage(20, 1.0, self.tuned.rules["moving_average"]["threshold"])
        reacting = Reacting(policy, alarms, reaction, reacts(reaction), plain)
        usd, begin = self._usd(scenario, reacting), self._span(scenario)[0]
        hours = scenario.world.step_us / 3.6e9
        return usd, [
            {"reaction": one.reaction, "signal": one.signal, "app_class": one.app_class, "hour": round((one.step - begin) * hours, 3)}
            for one in reacting.actions
        ]

    def _made(self, arm: str, known: Knowledge) -> Made:
        """An arm, new for one run."""
        if arm == TIMERS:
            timers = Timers(known.benefit_usd, timer_rules(self.tuned.rules["timers"]))
            return timers, lambda reaction: found_anew(timers) if reaction == "recalibrate" else None
        predictor = LSTMPredictor.load(min((self.models / NETWORK).glob("seed-*.pt")))
        policy = Forecasted(Allocator(_served(predictor), known, AllocationRules(is_priced=False)), NETWORK)
        by = {"recalibrate": recalibrated(policy), "fine_tune": fine_tuned(policy, predictor, _served)}
        return policy, by.get

    def _alarms(self, scenario: Scenario, detector: str) -> list[Alarm]:
        end = self._span(scenario)[1]
        return [alarm for alarm in self.case.alarms(self.slots, detector, scenario.apps.app_ids) if alarm.step < end]

    def _span(self, scenario: Scenario) -> tuple[int, int]:
        begin = self.case.twin.at_us // scenario.world.step_us
        return begin, min(begin + round(self.days * DAY_US / scenario.world.step_us), scenario.split_steps[2])

    def _usd(self, scenario: Scenario, policy: Policy) -> float:
        begin, end = self._span(scenario)
        fleet = finished(Loop(scenario, policy, self.seed, begin=begin, end=end))
        return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))

    def _row(self, arm: str, detector: str, reaction: str, actions: int, usd: float) -> dict[str, Any]:
        twin = self.case.twin
        return {
            "arm": arm,
            "case": twin.case,
            "detector": detector,
            "reaction": reaction,
            "seed": twin.seed,
            "actions": actions,
            "usd": usd,
        }


def _served(predictor: LSTMPredictor) -> OnnxPredictor:
    return OnnxPredictor(exported(predictor))


def _known(scenario: Scenario) -> Knowledge:
    """What is known of the apps at the end of the train span, by its last days at home; memory as configured."""
    train = scenario.split_steps[0]
    begin = max(0, train - KNOWN_DAYS * DAY_US // scenario.world.step_us)
    run = HomeRun.of(finished(Loop(scenario, Stay(), HOME_SEED, begin=begin, end=train, has_rows=True)))
    asked = demand(scenario, train)[:, begin:]
    return Knowledge(
        scale=target_scale(asked, asked.shape[1]),
        inputs=MinMax.of(inputs_of(run, scenario, begin, train)),
        benefit_usd=cold_start_benefit(scenario, run.nothing_idle, train),
        memory_class=np.zeros(len(scenario.apps.app_ids), dtype=np.int64),
    )
