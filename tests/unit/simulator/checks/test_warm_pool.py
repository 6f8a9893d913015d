"""The warm pool against hand-computed cases and a slow pure-Python pool, value by value."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from core.errors import ParameterError
from simulator.checks.warm_pool import NEAR, simulate_pool

Call = tuple[int, int, int, int, int]  # arrival, duration, pool, keep-alive, cold


def served(calls: list[Call], **limits: Any) -> Any:
    """The kernel on a list of calls."""
    columns = np.array(calls, dtype=np.int64).reshape(-1, 5).T
    return simulate_pool(columns[0], columns[1], columns[2], keep_alive_us=columns[3], cold_us=columns[4], **limits)


def slow_pool(calls: list[Call], ceiling: int | None, timeout_us: int | None) -> dict[str, Any]:
    """The same rules with lists of instances, each (free, expiry), and lists of the intervals in which they were busy or idle."""
    out: dict[str, Any] = {"cold_starts": 0, "rejected": 0, "wait_us": [0] * len(calls)}
    busy: list[tuple[int, int]] = []
    idle: list[tuple[int, int]] = []
    for pool in sorted({call[2] for call in calls}):
        mine = sorted((i for i in range(len(calls)) if calls[i][2] == pool), key=lambda i: calls[i][0])
        instances: list[tuple[int, int]] = []
        for i in mine:
            t, service, _, keep, cold = calls[i]
            expired = [x for x in instances if x[0] <= t and x[1] <= t]
            idle += expired
            instances = [x for x in instances if x not in expired]
            free = [x for x in instances if x[0] <= t]
            start = t
            if free:
                taken = max(free)
                idle.append((taken[0], t))
                instances.remove(taken)
            elif ceiling is None or len(instances) < ceiling:
                out["cold_starts"] += 1
                service += cold
            else:
                taken = min(instances)
                start = taken[0]
                if timeout_us is not None and start - t > timeout_us:
                    out["rejected"] += 1
                    out["wait_us"][i] = -1
                    continue
                instances.remove(taken)
            out["wait_us"][i] = start - t
            busy.append((start, start + service))
            instances.append((start + service, start + service + keep))
        idle += instances
    first, last = min(c[0] for c in calls), max(c[0] for c in calls)
    out["busy_us"] = sum(min(b, last) - min(a, last) for a, b in busy)
    out["alive_us"] = out["busy_us"] + sum(min(b, last) - min(a, last) for a, b in idle)
    out["span_us"] = last - first
    out["max_concurrency"] = max((sum(a <= t < b for a, b in busy) for t, _ in busy), default=0)
    return out


def random_calls(rng: np.random.Generator) -> list[Call]:
    """Few distinct times, so that ties of every kind are common; now and then more busy instances than the line holds."""
    count, pools = int(rng.integers(1, 90)), int(rng.integers(1, 5))
    horizon, longest, keep, cold = (int(rng.choice(x)) for x in ([1, 10, 60, 400], [1, 4, 30, 200], [0, 3, 20, 100], [0, 2, 9]))
    per_call = rng.random() < 0.5
    return [
        (
            int(rng.integers(0, horizon + 1)),
            int(rng.integers(0, longest + 1)),
            int(rng.integers(0, pools)) * 7 - 3,
            int(rng.integers(0, keep + 1)) if per_call else keep,
            int(rng.integers(0, cold + 1)) if per_call else cold,
        )
        for _ in range(count)
    ]


@pytest.mark.slow
def test_equals_the_slow_pool_on_many_small_cases() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    seen = {"wait": 0, "rejected": 0, "many_busy": 0, "cold": 0, "warm": 0}
    for case in range(700):
        calls = random_calls(rng)
        ceiling = None if rng.random() < 0.4 else int(rng.choice([1, 2, 3, 8, 30]))
        timeout_us = None if rng.random() < 0.4 else int(rng.choice([0, 1, 5, 50]))
        found, wanted = served(calls, ceiling=ceiling, timeout_us=timeout_us), slow_pool(calls, ceiling, timeout_us)
        where = f"case {case}: {calls}, ceiling {ceiling}, timeout {timeout_us}"
        assert (found.cold_starts, found.rejected, found.max_concurrency) == tuple(
            wanted[k] for k in ("cold_starts", "rejected", "max_concurrency")
        ), where
        assert found.wait_us.tolist() == wanted["wait_us"], where
        if wanted["span_us"]:
            assert found.mean_busy == wanted["busy_us"] / wanted["span_us"], where
            assert found.mean_instances == wanted["alive_us"] / wanted["span_us"], where
        else:
            assert np.isnan(found.mean_busy), where
            assert np.isnan(found.mean_instances), where
        seen["wait"] += max(wanted["wait_us"]) > 0
        seen["rejected"] += wanted["rejected"] > 0
        seen["many_busy"] += len({c[2] for c in calls}) == 1 and wanted["max_concurrency"] > NEAR
        seen["cold"] += wanted["cold_starts"] > 1
        seen["warm"] += wanted["cold_starts"] + wanted["rejected"] < len(calls)
    assert min(seen.values()) >= 20, seen


def test_newest_idle_is_taken_first() -> None:
    # Two instances, free at 10 and 12; the call at 20 takes the second, so the first expires at 110 and the second lives until 121.
    calls = [(0, 10, 0, 100, 0), (0, 12, 0, 100, 0), (20, 1, 0, 100, 0), (115, 1, 0, 100, 0), (115, 1, 0, 100, 0)]
    found = served(calls)
    assert found.cold_starts == 3
    assert found.max_concurrency == 2


def test_edges_of_the_keep_alive() -> None:
    # Free at 5: a call at 5 is warm. Free at 6, expired at 16: a call at 16 is cold, at 15 it would have been warm.
    assert served([(0, 5, 0, 10, 0), (5, 1, 0, 10, 0), (16, 1, 0, 10, 0)]).cold_starts == 2
    assert served([(0, 5, 0, 10, 0), (5, 1, 0, 10, 0), (15, 1, 0, 10, 0)]).cold_starts == 1


def test_cold_start_lengthens_the_busy_time() -> None:
    found = served([(0, 10, 0, 0, 90), (200, 10, 0, 0, 90)])
    assert found.mean_busy == 100 / 200
    assert found.cold_starts == 2


def test_ceiling_queue_and_loss() -> None:
    calls = [(0, 10, 0, 100, 0), (1, 10, 0, 100, 0), (2, 10, 0, 100, 0)]
    assert served(calls, ceiling=1).wait_us.tolist() == [0, 9, 18]
    assert served(calls, ceiling=1, timeout_us=9).wait_us.tolist() == [0, 9, -1]
    assert served(calls, ceiling=1, timeout_us=0).wait_us.tolist() == [0, -1, -1]
    assert served(calls, ceiling=2).wait_us.tolist() == [0, 0, 8]


def test_input_order_of_pools_does_not_matter() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    arrival, duration = rng.permutation(40_000) * 37, rng.integers(0, 900_000, 40_000)
    pool = rng.integers(-5, 300, 40_000)
    whole = simulate_pool(arrival, duration, pool, keep_alive_us=500_000, cold_us=1000, ceiling=6)
    order = np.lexsort((arrival, pool))
    ordered = simulate_pool(arrival[order], duration[order], pool[order], keep_alive_us=500_000, cold_us=1000, ceiling=6)
    assert np.array_equal(ordered.wait_us, whole.wait_us[order])
    counts = [simulate_pool(arrival[pool == p], duration[pool == p], p, keep_alive_us=500_000, cold_us=1000, ceiling=6) for p in set(pool)]
    assert whole.cold_starts == ordered.cold_starts == sum(c.cold_starts for c in counts)
    assert (whole.mean_busy, whole.mean_instances, whole.max_concurrency) == (
        *(ordered.mean_busy, ordered.mean_instances),
        ordered.max_concurrency,
    )
    assert whole.wait_us.max() > 0


def test_highest_concurrency_over_pools_equals_a_sweep() -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    for scale in (5, 5_000, 5_000_000):
        arrival, duration = np.sort(rng.integers(0, 20 * scale, 30_000)), rng.integers(0, scale, 30_000)
        found = simulate_pool(arrival, duration, rng.integers(0, 40, 30_000), keep_alive_us=7)
        events = np.concatenate([2 * arrival + 1, 2 * (arrival + duration)])  # no cold delay, no ceiling: busy from the arrival on
        step = np.where(np.sort(events[np.tile(duration > 0, 2)]) & 1, 1, -1)
        assert found.max_concurrency == int(np.cumsum(step).max())


def test_a_burst_is_not_quadratic() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    calls = 400_000
    arrival, duration = np.repeat([0, 10**7], calls // 2), rng.integers(1, 10**6, calls)
    simulate_pool([0], [0], 0, keep_alive_us=0)  # compile
    started = time.process_time()
    found = simulate_pool(arrival, duration, 0, keep_alive_us=10**8)
    assert time.process_time() - started < 5.0
    assert (found.cold_starts, found.max_concurrency) == (calls // 2, calls // 2)


def test_no_calls() -> None:
    found = simulate_pool([], [], [], keep_alive_us=1)
    assert (found.cold_starts, found.rejected, len(found.wait_us), found.max_concurrency) == (0, 0, 0, 0)
    assert np.isnan(found.mean_busy)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arrival_us": [-1, 2]}, "arrival_us has a negative value"),
        ({"arrival_us": [0.5, 2]}, "arrival_us holds float64"),
        ({"arrival_us": 3}, "arrival_us has 0 dimensions"),
        ({"duration_us": [1, 2, 3]}, "duration_us has 3 values for 2 calls"),
        ({"pool_id": [1]}, "pool_id has 1 values for 2 calls"),
        ({"keep_alive_us": [[1, 2]]}, "keep_alive_us has 2 dimensions"),
        ({"keep_alive_us": 2**63 - 1}, "times may pass"),
        ({"cold_us": -5}, "cold_us has a negative value"),
        ({"ceiling": 0}, "ceiling is 0"),
        ({"ceiling": 1.5}, "ceiling is 1.5"),
        ({"timeout_us": -1}, "timeout_us is -1"),
    ],
)
def test_errors_say_what_is_wrong(changed: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"arrival_us": [0, 2], "duration_us": 1, "pool_id": 0, "keep_alive_us": 5} | changed
    with pytest.raises(ParameterError, match=said):
        simulate_pool(**arguments)
