"""What a step asked for, windows as the view shows them, and a choice of windows that keeps losses means over all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.operational.allocator import scaled_states
from models.operational.scaler import MinMax
from models.operational.windows import IDLE_SHARE, Recorded, choose, demand, phases, series, target_scale
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features import operational
from simulator.control.loop import run
from simulator.control.view import View
from simulator.scenario import Scenario
from tests.worlds.env_worlds import without_future
from tests.worlds.operational_world import timer_world


class Watch(PolicyBase):
    """Keeps the newest row of every step, and the windows at some barriers."""

    name, period_steps, needs_steps = "watch", 1, True

    def __init__(self, every: int) -> None:
        self.every, self.rows, self.windows = every, [], {}
        self.known: operational.Known | None = None

    def decide(self, view: View) -> Decision:
        assert view.steps is not None
        self.known = self.known or operational.start(view.facts)
        window = operational.observe(view, self.known)
        self.rows.append(view.steps[-1].copy())
        if view.step % self.every == 0:
            self.windows[view.step] = window
        return Decision()


def naive_demand(scenario: Scenario, app: int, step: int) -> list[float]:
    """Of one app and step, from the definition."""
    begin, end = step * 15_000_000, (step + 1) * 15_000_000
    lo, hi = scenario.calls.first_call[app : app + 2]
    calls = [(int(t), int(t + d)) for t, d in zip(scenario.calls.arrival_us[lo:hi], scenario.calls.duration_us[lo:hi], strict=True)]
    busy = sum(max(0, min(e, end) - max(t, begin)) for t, e in calls)
    edges = [max(t, begin) for t, e in calls if t < end and (e > begin or t >= begin)]
    most = max((sum(t <= x and (x < e or t == x) for t, e in calls) for x in edges), default=0)
    came = sum(begin <= t < end for t, _ in calls)
    return [busy / 15e6, most, came / 15]


def test_demand_is_that_of_its_definition(scenario: Scenario) -> None:
    asked = demand(scenario, 2000)
    vcpu = np.divide(asked[:, :, 0], 1, out=np.zeros_like(asked[:, :, 0]))
    busiest = np.argsort(-asked[:, :, 2].sum(axis=1))[:3]
    for app in busiest.tolist():
        steps = np.flatnonzero(asked[app, :, 1] > 0)[:40]
        naive = np.array([naive_demand(scenario, app, int(step)) for step in steps])
        ratio = vcpu[app, steps][naive[:, 0] > 0] / naive[:, 0][naive[:, 0] > 0]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)  # the vCPUs of an instance
        np.testing.assert_allclose(asked[app, steps, 1], naive[:, 1] * scenario.apps.memory_mb[app])
        np.testing.assert_allclose(asked[app, steps, 2], naive[:, 2], rtol=1e-6)


def test_the_future_changes_no_past_input_scale_or_window(scenario: Scenario) -> None:
    whole, cut = demand(scenario, 3000), demand(without_future(scenario, 3000), 3000)
    np.testing.assert_array_equal(whole[:, :, 2], cut[:, :, 2])
    np.testing.assert_array_equal(whole, cut)
    np.testing.assert_array_equal(target_scale(whole, 2000), target_scale(whole[:, :2000], 2000))
    one = MinMax.of(whole[:, :2000])
    other = MinMax.of(demand(without_future(scenario, 2000), 2000))
    np.testing.assert_array_equal(one.high, other.high)


def test_windows_of_a_recorded_run_are_those_that_the_policy_sees(scenario: Scenario) -> None:
    """A network is judged by the inputs it was trained on, app by app and step by step."""
    watch = Watch(every=37)
    run(scenario, watch, 1, "valid")
    begin = scenario.split_steps[0]
    rows = np.stack(watch.rows[1:]).transpose(1, 0, 2)  # the first view shows what was before the run
    inputs = series(rows, scenario.world.quota_per_placement)
    scale = MinMax.of(inputs)
    asked = np.zeros((*inputs.shape[:2], 3), dtype=np.float32)
    recorded = Recorded(scale.scaled(inputs), asked, np.ones((len(inputs), 3), np.float32), 15_000_000, begin)
    apps = np.arange(len(inputs))
    for step, window in watch.windows.items():
        if step > begin:
            found = recorded.windows(apps, np.full(len(apps), step - 1 - begin))
            np.testing.assert_allclose(found, scaled_states(window, scale), atol=1e-6, err_msg=f"step {step}")


def test_windows_without_a_call_of_one_step_are_one_window(scenario: Scenario) -> None:
    rng = np.random.default_rng(1)
    inputs = np.where(rng.random((5, 400, 4)) > 0.97, rng.random((5, 400, 4)), 0).astype(np.float32)
    recorded = Recorded(inputs, np.zeros((5, 400, 3), np.float32), np.ones((5, 3), np.float32), 15_000_000)
    app, step = np.repeat(np.arange(5), 400), np.tile(np.arange(400), 5)
    window, which = recorded.distinct(app, step)
    np.testing.assert_array_equal(window[which], recorded.windows(app, step))
    has_call = (recorded.windows(app, step)[:, :, 0] > 0).any(axis=1)
    np.testing.assert_array_equal(recorded.has_call(app, step), has_call)
    assert len(window) == has_call.sum() + len(np.unique(step[~has_call]))


def test_the_order_of_the_apps_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    asked = rng.random((6, 300, 3)).astype(np.float32)
    order = rng.permutation(6)
    one, other = MinMax.of(asked), MinMax.of(asked[order])
    np.testing.assert_array_equal(one.scaled(asked)[order], other.scaled(asked[order]))


@pytest.mark.parametrize("count", [400, 100_000])
def test_weights_keep_the_shares_of_active_and_idle_windows(count: int) -> None:
    world = timer_world()
    asked = demand(world, 3000)
    recorded = Recorded(np.zeros((3, 3000, 4), np.float32), asked, np.ones((3, 3), np.float32), 15_000_000)
    chosen = choose(recorded, 0, 3000, count, np.random.default_rng(1))
    has_call = asked[:, :, 2] > 0
    active = np.array([has_call[a, max(0, t - 11) : t + 2].any() for a, t in zip(chosen.app, chosen.step, strict=True)])
    truth = np.mean([[has_call[a, max(0, t - 11) : t + 2].any() for t in range(2999)] for a in range(3)])
    assert chosen.weight.mean() == pytest.approx(1, abs=1e-5)
    assert chosen.weight[active].sum() / chosen.weight.sum() == pytest.approx(truth, rel=1e-4)
    assert (np.diff(chosen.step) >= 0).all()
    assert chosen.step.max() <= 2998
    if count == 400:
        assert np.mean(~active) == pytest.approx(IDLE_SHARE, abs=0.01)


def test_phases_are_those_of_the_end_of_a_step() -> None:
    assert phases(np.array([0, 2879, 5759]), 15_000_000).tolist() == pytest.approx([1 / 5760, 0.5, 0.0])


def test_an_extreme_counts_at_once_and_fades() -> None:
    scale = MinMax.of(np.zeros((1, 5, 1), np.float32), fading=0.5)
    scale.update(np.array([[4.0]], np.float32))
    assert scale.high.tolist() == [[4.0]]
    scale.update(np.array([[2.0]], np.float32))
    assert (scale.low.tolist(), scale.high.tolist()) == ([[2.0]], [[3.0]])
    assert scale.scaled(np.array([[2.25]], np.float32)).tolist() == [[0.25]]
    one = dataclasses.replace(scale)
    assert one.copy().high is not one.high


def test_statistics_of_a_span_are_those_of_its_steps_one_by_one() -> None:
    values = np.random.default_rng(1).random((2, 200, 3)).astype(np.float32)
    once, stepwise = MinMax.of(values, fading=1e-3), MinMax.of(values[:, :1], fading=1e-3)
    for t in range(1, 200):
        stepwise.update(values[:, t])
    np.testing.assert_allclose(once.high, stepwise.high, atol=0.12)
    assert MinMax.of(values[:, :0]).high.tolist() == [[0.0] * 3] * 2
