"""What a warm call costs at a slowdown, against hand cases and the simulator. Not here: levels, the response."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.planning.curve import SLOWDOWNS, cost_curve, reject_usd, typical_calls, weights_at
from simulator.fleet import Field, Fleet
from simulator.objective import objective_usd
from tests.worlds.small_worlds import plain_scenario

SECOND = 1_000_000


def test_the_curve_of_one_call_by_hand() -> None:
    # 1 GB at 1e-5 USD/GB-s, data round trip 1 ms, caller 2 ms away, 200 nano-USD a request;
    # 1,024 bytes in take 10 us; 10^6 bytes out cost 2,000 nano-USD.
    call = {"arrival_us": SECOND, "duration_us": SECOND, "bytes_in": 1024, "bytes_out": 1_000_000}
    scenario = plain_scenario(capacity=[[9] * 3], calls=[call])
    curve = cost_curve(scenario, scenario.calls.first_call[1:])[0, 0]
    weights, slo = scenario.objective, scenario.slo
    for s, found in zip(SLOWDOWNS, curve, strict=True):
        work_us = 1_000 + 10 + SECOND * s
        billed_us = np.ceil(work_us / 1_000) * 1_000
        latency_us = 2_000 + work_us
        is_missed = latency_us > slo.floor_us + slo.factor * SECOND
        late_s = (latency_us - SECOND) / SECOND
        expected = 200e-9 + 2_000e-9 + billed_us / SECOND * 1e-5 + late_s * weights.latency_usd_per_s + is_missed * weights.miss_usd
        assert found == pytest.approx(expected, rel=1e-12)
    assert curve[-1] > curve[0] + weights.miss_usd  # the slowest misses, the fastest does not


def test_a_warm_call_costs_in_the_simulator_what_the_curve_says() -> None:
    # The second call finds the first one's instance; both wait for nothing. The grid has no carbon price here.
    calls = [{"arrival_us": i * 20 * SECOND, "duration_us": 3 * SECOND, "bytes_in": 4_000, "bytes_out": 9_000} for i in range(2)]
    scenario = plain_scenario(capacity=[[9] * 3], calls=calls, slowdown_permille=1_300)
    fleet = Fleet(scenario, scenario.apps.home, luck_seed=1, bucket_us=15 * SECOND)
    fleet.finish()
    second = fleet.out[0, 1].copy()
    second[Field.CARBON_NG] = 0
    curve = cost_curve(scenario, scenario.calls.first_call[1:])[0, 0]
    at = weights_at(SLOWDOWNS, np.array(1.3)) @ curve
    assert float(objective_usd(second, scenario.objective)) == pytest.approx(float(at), abs=2e-9)


def test_an_app_without_known_calls_has_no_curve_and_every_nth_call_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [{"arrival_us": i * SECOND, "duration_us": (i % 2) * SECOND} for i in range(10)]
    scenario = plain_scenario(capacity=[[9] * 3], calls=calls)
    assert not cost_curve(scenario, scenario.calls.first_call[:-1]).any()
    monkeypatch.setattr("models.baselines.planning.curve.MOST_CALLS", 5)
    only_even = plain_scenario(capacity=[[9] * 3], calls=calls[::2])
    every_second, even = (cost_curve(one, one.calls.first_call[1:]) for one in (scenario, only_even))
    np.testing.assert_array_equal(every_second, even)


def test_hat_functions_are_linear_between_the_points_and_constant_outside() -> None:
    grid = np.array([0.0, 1.0, 3.0])
    weights = weights_at(grid, np.array([-1.0, 0.0, 0.5, 2.0, 3.0, 9.0]))
    np.testing.assert_allclose(weights, [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1], [0, 0, 1]])


def test_a_reject_is_charged_a_miss_twice_the_execution_and_the_wait() -> None:
    calls = [{"arrival_us": i * SECOND, "duration_us": (1 + i) * SECOND} for i in range(3)]
    scenario = plain_scenario(capacity=[[9] * 3], calls=calls)
    weights = scenario.objective
    fixed = weights.miss_usd + weights.reject_extra_usd + 30 * weights.latency_usd_per_s
    first = scenario.calls.first_call[:-1]
    np.testing.assert_allclose(reject_usd(scenario, first + 2), fixed + 2 * 1.5 * 1e-5, rtol=1e-12)
    np.testing.assert_allclose(reject_usd(scenario, first), fixed, rtol=1e-12)  # nothing is known: no execution


def test_typical_calls_count_apps_the_same() -> None:
    calls = [{"app": 0, "arrival_us": i * 1000, "duration_us": 1} for i in range(900)] + [
        {"app": 1, "arrival_us": i * 1000, "duration_us": 2} for i in range(100)
    ]
    scenario = plain_scenario(capacity=[[9] * 3], calls=calls, functions_of_app=(1, 1, 1))
    duration = typical_calls(scenario, 40).duration_us
    assert np.bincount(duration).tolist() == [0, 20, 20]
