"""Whatever the numbers of a world: calls, bytes and money add up over apps, buckets and groups, and capacity is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.units import HOUR_US, SLOT_US
from simulator.fleet import Field, Fleet
from simulator.objective import components_usd
from simulator.parameters import World
from simulator.scenario import Scenario
from tests.worlds.kernel_play import busy_of
from tests.worlds.world_runs import BuildTwin, run, turned


def test_sums_of_apps_are_the_sums_of_the_fleet(twin: Scenario) -> None:
    """Uncoupled, each app alone (the others' calls taken away) gives its rows of the whole; money of sums is the sum of money."""
    whole = run(twin, turned(twin), is_coupled=False)
    calls = twin.calls
    rows = np.zeros_like(whole.out)
    for a in np.flatnonzero(np.diff(calls.first_call) > 0)[::4].tolist():
        mine = calls.group_app == a
        groups = {name: getattr(calls, name)[mine] for name in ("group_step", "group_app", "group_first", "group_calls")}
        rows[a] = run(replace(twin, calls=replace(calls, **groups)), turned(twin), is_coupled=False).out[a]
        np.testing.assert_array_equal(rows[a], whole.out[a])
    by_app = components_usd(whole.out, twin.objective)
    of_sums = components_usd(whole.out.sum(axis=(0, 1)), twin.objective)
    for name, usd in by_app.items():
        assert usd.sum() == pytest.approx(float(of_sums[name]), rel=1e-9), name


def test_buckets_are_sums_of_smaller_ones(twin: Scenario) -> None:
    moves = {5_000: turned(twin)}
    hours, days = (run(twin, moves=moves, bucket_us=width).out for width in (HOUR_US, 24 * HOUR_US))
    np.testing.assert_array_equal(hours.reshape(len(hours), 3, 24, -1).sum(axis=2), days)


def test_calls_and_their_bytes_are_conserved(twin: Scenario) -> None:
    """Every call is served or rejected in its hour; where all are served, egress and requests are those of all calls, summed one by one."""
    calls, apps, tables = twin.calls, twin.apps, twin.tables
    fleet = run(twin, has_histogram=True)
    app = np.repeat(np.arange(len(apps.app_ids)), np.diff(calls.first_call))
    arrived = np.zeros(fleet.out.shape[:2], dtype=np.int64)
    np.add.at(arrived, (app, calls.arrival_us // HOUR_US), 1)
    np.testing.assert_array_equal(fleet.out[:, :, Field.CALLS], arrived)
    np.testing.assert_array_equal(fleet.out[:, :, Field.SERVED] + fleet.out[:, :, Field.REJECTED], arrived)
    np.testing.assert_array_equal(fleet.state.histogram.sum(axis=2), fleet.out[:, :, Field.SERVED])
    total = fleet.out.sum(axis=1)
    region = tables.region_of_placement[apps.home][app]
    inbound = calls.bytes_in.astype(np.int64) * tables.egress_nanousd_per_mb[apps.data_region[app], region]
    outbound = calls.bytes_out.astype(np.int64) * tables.internet_nanousd_per_mb[region]
    egress = np.bincount(app, weights=(inbound + outbound) // 1_000_000, minlength=len(total)).astype(np.int64)
    rtt = np.bincount(app, weights=tables.rtt_us[calls.origin, region], minlength=len(total)).astype(np.int64)
    all_served = (total[:, Field.REJECTED] == 0) & (total[:, Field.CALLS] > 0)
    assert all_served.sum() > 50
    np.testing.assert_array_equal(total[all_served, Field.EGRESS_NANOUSD], egress[all_served])
    network = total[:, Field.LATENCY_US] - total[:, Field.WAIT_US] - total[:, Field.BUSY_US]
    np.testing.assert_array_equal(network[all_served], rtt[all_served])


def test_capacity_is_kept(build_twin: BuildTwin) -> None:
    """In a tight world what is busy at a placement never grows past its capacity; idle instances may, until the next barrier."""
    tight = build_twin(world=World(quota_per_placement=12))
    fleet = Fleet(tight, tight.apps.home, luck_seed=2)
    fleet.advance(1)
    is_full = is_beyond = 0
    for step in range(1, 6_000):
        before, capacity = busy_of(fleet), tight.conditions.capacity[:, step * tight.world.step_us // SLOT_US]
        fleet.advance(step + 1)
        busy = busy_of(fleet)
        assert (busy >= 0).all()
        assert (busy <= np.maximum(before, capacity)).all(), step
        is_full += int((busy >= capacity).any())
        is_beyond += int((fleet.state.alive > capacity).any())
    assert is_full > 50
    assert is_beyond > 50
