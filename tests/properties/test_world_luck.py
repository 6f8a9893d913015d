"""Whatever the numbers of a world: the same call in the same state has the same luck, wherever it runs and whatever was before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulator.fleet import Field
from simulator.scenario import Scenario
from tests.worlds.world_runs import even, run, turned


def test_an_empty_pool_meets_the_same_luck_anywhere(twin: Scenario) -> None:
    """The first call of an app starts cold: equally long in all zones of a cloud, at the same quantile on every cloud."""
    first = twin.calls.first_call[:-1][np.diff(twin.calls.first_call) > 0]
    owner = np.flatnonzero(np.diff(twin.calls.first_call) > 0)
    groups = [
        int(np.flatnonzero((twin.calls.group_app == a) & (twin.calls.group_first == i))[0]) for a, i in zip(owner, first, strict=True)
    ]
    chosen = np.sort(groups)
    names = ("group_step", "group_app", "group_first")
    calls = {name: getattr(twin.calls, name)[chosen] for name in names}
    lonely = replace(even(twin), calls=replace(twin.calls, **calls, group_calls=np.ones(len(chosen), dtype=np.int32)))
    tables, package = twin.tables, twin.apps.package[owner]
    fetch = tables.data_rtt_us[twin.apps.data_region[owner]]
    fetch = fetch + twin.calls.bytes_in[first][:, None] * tables.us_per_kib[twin.apps.data_region[owner]] // 1024
    quantile: list[NDArray[np.float64]] = []
    for cloud in range(len(tables.clouds)):
        cold = []
        for place in np.flatnonzero(tables.cloud_of_region[tables.region_of_placement] == cloud)[[0, 4, 11, 23]].tolist():
            busy = run(lonely, np.full(len(twin.apps.app_ids), place), is_coupled=False).out.sum(axis=1)[owner, Field.BUSY_US]
            cold.append(busy - twin.calls.duration_us[first] - fetch[:, tables.region_of_placement[place]])
        for other in cold[1:]:
            np.testing.assert_array_equal(other, cold[0])
        quantiles = tables.cold_start_us[cloud]
        inside = [np.interp(us, quantiles[kind], np.arange(257), left=0, right=256) for us, kind in zip(cold[0], package, strict=True)]
        quantile.append(np.array(inside))
    for other in quantile[1:]:
        in_body = (quantile[0] > 8) & (quantile[0] < 248)  # outside, distributions are flat and a value has many quantiles
        assert in_body.sum() > 60
        np.testing.assert_allclose(other[in_body], quantile[0][in_body], atol=0.01)


def test_a_call_that_meets_the_same_state_has_the_same_luck(twin: Scenario) -> None:
    """An app that was elsewhere for hours and one that stayed fare alike from their first call after a long silence on."""
    scenario, home = even(twin), twin.apps.home
    away, back, width = 4_000, 8_000, twin.world.tactical_us
    stayed = run(scenario, is_coupled=False, bucket_us=width, luck_seed=4).out
    left = run(scenario, None, {away: turned(twin), back: home}, is_coupled=False, bucket_us=width, luck_seed=4).out
    compared = 0
    for a in np.flatnonzero(turned(twin) != home).tolist():
        silent = np.flatnonzero(stayed[a, back // 100 + 1 :, Field.CALLS] == 0) + back // 100 + 1
        # A silent interval (25 min) after one in which whatever runs has ended: no instance outlives 16 minutes.
        quiet = [b for b in silent if b + 1 in silent and b + 2 < stayed.shape[1]]
        if quiet:
            later = slice(quiet[0] + 1, None)
            np.testing.assert_array_equal(left[a, later], stayed[a, later])
            compared += int(stayed[a, later, Field.CALLS].sum())
    assert compared > 1_000
    assert (left[:, away // 100 : back // 100] != stayed[:, away // 100 : back // 100]).any()
