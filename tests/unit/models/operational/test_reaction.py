"""Reactions change what they say they change, at the barrier of the alarm, by what the run has shown until then."""

from __future__ import annotations

import numpy as np
import pytest

from models.operational.allocator import AllocationRules, Allocator, Forecasted, Knowledge
from models.operational.lstm import LSTMPredictor, Network
from models.operational.reaction import LEAST_STEPS, Alarm, Reacting, Seen, fine_tuned, found_anew, recalibrated
from models.operational.scaler import MinMax
from models.operational.scaling import MovingAverage, Static
from models.operational.timers import Timers
from models.operational.windows import demand, recent_demand
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run
from simulator.control.view import View
from simulator.scenario import Scenario
from tests.worlds.operational_world import timer_world

BENEFIT = np.full((3, 3), 1e-2)
AT = 3600 + 2 * LEAST_STEPS


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world(functions=2)


def alarm(*apps: int, step: int = AT) -> Alarm:
    return Alarm(step, np.isin(np.arange(3), apps), "mid", "rate")


def network_arm(scale: float = 100.0) -> tuple[Forecasted, LSTMPredictor]:
    inputs = MinMax(np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32))
    known = Knowledge(np.full((3, 3), scale, np.float32), inputs, BENEFIT, np.zeros(3, dtype=np.int64))
    predictor = LSTMPredictor(Network().state_dict())
    return Forecasted(Allocator(predictor, known, AllocationRules(is_priced=False)), "network"), predictor


class Kept(PolicyBase):
    """Keeps the view of one barrier."""

    name, period_steps, needs_steps = "kept", 1, True

    def __init__(self, step: int) -> None:
        self.step = step
        self.seen = Seen()

    def decide(self, view: View) -> Decision:
        self.seen.note(view)
        if view.step == self.step:
            self.view, self.rows = view, self.seen.last_day(view)
        return Decision()


def test_recent_demand_is_what_was_asked_as_far_as_it_is_known(world: Scenario) -> None:
    kept = Kept(AT)
    run(world, kept, 1, "test")
    begin = kept.rows[1]
    assert begin == 3600
    whole = demand(world, AT)[:, begin:]
    found = recent_demand(kept.view, begin)
    np.testing.assert_allclose(found[:, :-1], whole[:, :-1], rtol=1e-5)  # a call of the last step may run on
    assert kept.rows[0].shape[:2] == found.shape[:2]


def test_recalibration_is_of_the_alarm_s_apps_alone(world: Scenario) -> None:
    policy, _ = network_arm()
    reacting = Reacting(policy, [alarm(0)], "recalibrate", recalibrated(policy), MovingAverage())
    run(world, reacting, 1, "test")
    scale = policy.allocator.known.scale
    assert scale[0, 0] < 1
    assert scale[0, 1] == 2048
    assert (scale[1:] == 100).all()
    assert policy.allocator.known.inputs.high[0, 0] < 0.5
    assert [(one.step, one.app_class, one.reaction) for one in reacting.actions] == [(AT, "mid", "recalibrate")]


def test_fine_tuning_exchanges_the_network(world: Scenario) -> None:
    policy, predictor = network_arm(1.0)
    reacting = Reacting(policy, [alarm(0)], "fine_tune", fine_tuned(policy, predictor, lambda found: found), MovingAverage())
    run(world, reacting, 1, "test")
    now = policy.allocator.predictor
    assert isinstance(now, LSTMPredictor)
    assert now is not predictor
    states = np.random.default_rng(1).random((4, 12, 5)).astype(np.float32)
    assert np.abs(now.predict(states) - predictor.predict(states)).max() > 0


def test_a_fall_back_gives_the_apps_the_floors_of_the_plainer_rule(world: Scenario) -> None:
    plain = Static(factor=1.0, threshold=-10.0)  # eleven instances always
    ordered: list[np.ndarray] = []

    class Noted(Reacting):
        def decide(self, view: View) -> Decision:
            found = super().decide(view)
            assert found.floors is not None
            ordered.append(found.floors)
            return found

    run(world, Noted(Timers(BENEFIT), [alarm(1)], "fall_back", None, plain), 1, "test")
    floors = np.stack(ordered)
    first = world.apps.first_function[1]
    before, after = floors[: AT - 3600], floors[AT - 3600 :]
    assert (after[:, first] >= 10).all()
    assert before.max() < 10
    assert after[:, 0].max() < 10


def test_clocks_are_found_anew_and_go_on(world: Scenario) -> None:
    timers = Timers(BENEFIT)
    before = timers.tracker
    reacting = Reacting(timers, [alarm(0)], "recalibrate", found_anew(timers), MovingAverage())
    fleet = run(world, reacting, 1, "test")
    assert timers.tracker is not before
    assert len(timers.tracker.clocks.app) == 3
    alone = run(world, Timers(BENEFIT), 1, "test")
    assert fleet.out[..., 0].sum() == alone.out[..., 0].sum()


def test_an_alarm_of_the_first_hour_changes_nothing_that_must_be_learned(world: Scenario) -> None:
    policy, _ = network_arm()
    reacting = Reacting(policy, [alarm(0, step=3610)], "recalibrate", recalibrated(policy), MovingAverage())
    run(world, reacting, 1, "test")
    assert reacting.actions == []
    assert (policy.allocator.known.scale == 100).all()


def test_a_view_without_steps_is_refused(world: Scenario) -> None:
    class Blind(PolicyBase):
        name, period_steps = "blind", 1 << 40

        def decide(self, view: View) -> Decision:
            with pytest.raises(ValueError, match="must say needs_steps"):
                Seen().note(view)
            return Decision()

    run(world, Blind(), 1, "test")
