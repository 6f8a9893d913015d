"""Apps and calls: shares of what is sampled, what no draw may depend on, order, ids, groups."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.errors import ParameterError
from core.units import DAY_US
from simulator.parameters import World
from simulator.places.tables import Tables, load_tables
from simulator.workload import BYTES_IN_MEDIAN, BYTES_OUT_MEDIAN, Apps, Calls, Invocations, build
from tests.worlds.changed_tables import shuffle_rows

WORLD = World()
SEED, APPS = 5, 40


@pytest.fixture(scope="module")
def tables(repository: Path) -> Tables:
    return load_tables(repository / "data" / "reference", WORLD)


def some_trace(apps: int = APPS, calls: int = 6000, days: int = 2, seed: int = 1) -> Invocations:
    rng = np.random.default_rng(seed)
    app = rng.integers(0, apps, calls) // (1 + rng.integers(0, 3, calls))  # some apps are called more than others
    arrival = rng.integers(0, days * DAY_US // 50_000_000, calls) * 50_000_000 // 1_000 * 1_000  # many ties
    return Invocations(
        app_ids=[f"app {k:05d}" for k in rng.permutation(apps)],
        function_ids=[f"function {k:05d}" for k in rng.permutation(apps * 3)],
        app=app,
        function=app * 3 + rng.integers(0, 3, calls),
        arrival_us=arrival,
        duration_us=rng.integers(0, 5, calls) * 1000,
        memory_mb=rng.integers(30, 3000, apps),
    )


def build_some(tables: Tables, trace: Invocations, days: int = 2) -> tuple[Apps, Calls]:
    apps, calls, _ = build(SEED, tables, WORLD, trace, days * DAY_US)
    return apps, calls


def app_of(calls: Calls) -> np.ndarray:
    return np.repeat(np.arange(len(calls.first_call) - 1), np.diff(calls.first_call))


def call_ids(apps: Apps, calls: Calls) -> np.ndarray:
    app = app_of(calls)
    return apps.id_base[app] | (np.arange(len(app)) - calls.first_call[app]).astype(np.uint64)


def by_name(apps: Apps, tables: Tables) -> dict[str, tuple[object, ...]]:
    """Everything sampled for an app, places by name."""
    rows = zip(
        apps.id_base.tolist(),
        apps.memory_mb.tolist(),
        apps.package.tolist(),
        apps.payload.tolist(),
        (tables.zones[p] for p in apps.home),
        (tables.regions[r] for r in apps.data_region),
        apps.state_bytes.tolist(),
        apps.vcpu_bound_permille.tolist(),
        apps.is_global.tolist(),
        strict=True,
    )
    return dict(zip(apps.app_ids, rows, strict=True))


def calls_by_id(apps: Apps, calls: Calls, tables: Tables) -> dict[int, tuple[object, ...]]:
    functions = [apps.function_ids[apps.first_function[a] + f] for a, f in zip(app_of(calls), calls.function, strict=True)]
    origins = [tables.metros[m] for m in calls.origin]
    columns = (calls.arrival_us.tolist(), calls.duration_us.tolist(), functions, calls.bytes_in.tolist(), calls.bytes_out.tolist(), origins)
    return dict(zip(call_ids(apps, calls).tolist(), zip(*columns, strict=True), strict=True))


def shuffled(trace: Invocations, seed: int = 9) -> Invocations:
    """The same trace with apps, functions and calls in another order."""
    rng = np.random.default_rng(seed)
    apps, functions, calls = (rng.permutation(n) for n in (len(trace.app_ids), len(trace.function_ids), len(trace.app)))
    return Invocations(
        [trace.app_ids[k] for k in apps],
        [trace.function_ids[k] for k in functions],
        np.argsort(apps)[trace.app[calls]],
        np.argsort(functions)[trace.function[calls]],
        trace.arrival_us[calls],
        trace.duration_us[calls],
        trace.memory_mb[apps],
    )


@pytest.fixture(scope="module")
def many(tables: Tables) -> Apps:
    """Apps enough for shares."""
    return build_some(tables, some_trace(apps=6000, calls=10))[0]


def assert_share(hits: np.ndarray, share: float) -> None:
    sigma = np.sqrt(len(hits) * share * (1 - share))
    assert abs(hits.sum() - len(hits) * share) <= 3 * sigma


def test_home_and_data_have_their_shares(many: Apps, tables: Tables) -> None:
    region = tables.region_of_placement[many.home]
    for c, share in enumerate(tables.home_share_cloud):
        assert_share(tables.cloud_of_region[region] == c, share)
    for m, share in enumerate(tables.home_share_metro):
        assert_share(tables.metro_of_region[region] == m, share)
    for number in range(3):
        assert_share(tables.zone_number[many.home] == number, 1 / 3)
    assert_share(tables.metro_of_region[many.data_region] != tables.metro_of_region[region], 0.30 * 7 / 8)
    assert_share(tables.cloud_of_region[many.data_region] != tables.cloud_of_region[region], 0.15 * 2 / 3)


def test_nothing_is_sampled_where_a_cloud_has_no_region(tables: Tables) -> None:
    region_at = tables.region_at.copy()
    region_at[[0, 1, 2], [0, 2, 2]] = -1  # lhr keeps one cloud only
    apps, _ = build_some(dataclasses.replace(tables, region_at=region_at), some_trace(apps=2000, calls=10))
    regions = set(region_at[region_at >= 0].tolist())
    assert set(tables.region_of_placement[apps.home].tolist()) == regions
    assert set(apps.data_region.tolist()) == regions


def test_classes_and_distributions_of_apps(many: Apps) -> None:
    for values, shares in ((many.package, (0.5, 0.3, 0.2)), (many.payload, (0.7, 0.2, 0.1))):
        for k, share in enumerate(shares):
            assert_share(values == k, share)
    assert_share(many.is_global, 0.4)
    assert_share(many.state_bytes < 10_000_000, 0.5)
    assert_share(many.state_bytes < 10_000_000 * np.exp(1.2), 0.841345)
    assert many.state_bytes.max() <= 1_000_000_000
    assert many.vcpu_bound_permille.min() >= 200
    assert many.vcpu_bound_permille.max() <= 900
    assert_share(many.vcpu_bound_permille < 550, 350 / 701)
    assert len(np.unique(many.id_base)) == len(many.app_ids)
    assert (many.id_base & np.uint64(0xFFFFFFFF) == 0).all()


def test_configured_memory_holds_the_use_with_headroom(tables: Tables) -> None:
    trace = dataclasses.replace(some_trace(apps=6), memory_mb=np.array([30, 116, 117, 465, 466, 9000]))
    trace = dataclasses.replace(trace, app_ids=[f"app {k}" for k in range(6)])
    assert build_some(tables, trace)[0].memory_mb.tolist() == [128, 128, 256, 512, 1024, 4096]


def test_bytes_are_log_normal_by_class_of_payload(tables: Tables) -> None:
    apps, calls = build_some(tables, some_trace(apps=300, calls=60_000))
    payload = apps.payload[app_of(calls)]
    for k in range(3):
        for values, medians in ((calls.bytes_in, BYTES_IN_MEDIAN), (calls.bytes_out, BYTES_OUT_MEDIAN)):
            part = values[payload == k]
            assert len(part) > 1000
            assert_share(part < medians[k], 0.5)
            assert_share(part < medians[k] * np.e, 0.841345)


def test_callers_sit_at_home_or_follow_the_sun(tables: Tables) -> None:
    apps, calls = build_some(tables, some_trace(apps=300, calls=200_000))
    app = app_of(calls)
    home = tables.metro_of_region[tables.region_of_placement[apps.home]]
    roams = apps.is_global[app]
    assert (calls.origin[~roams] == home[app[~roams]]).all()
    hour = calls.arrival_us // 3_600_000_000 % 24
    offsets = np.array([-5, 1, 0, 9, 8, 11, 5.5, -3])  # February, in the order of the metros
    assert tables.metros == ("iad", "fra", "lhr", "nrt", "sin", "syd", "bom", "gru")
    for h in (0, 6, 15, 20):
        weight = tables.home_share_metro * (0.15 + np.maximum(0, np.cos(2 * np.pi * (h + offsets - 15) / 24)))
        for m, share in enumerate(weight / weight.sum()):
            assert_share(calls.origin[roams & (hour == h)] == m, share)


def test_no_draw_depends_on_the_order_of_anything(tables: Tables) -> None:
    trace = some_trace()
    first, second = build_some(tables, trace), build_some(tables, shuffled(trace))
    for one, other in zip(first, second, strict=True):
        for field in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def test_no_draw_depends_on_the_order_of_the_rows_of_the_tables(tmp_path: Path, repository: Path, tables: Tables) -> None:
    reference = repository / "data" / "reference"
    other = load_tables(shuffle_rows(reference, tmp_path / "reference", 4, [file.stem for file in reference.glob("*.csv")]), WORLD)
    assert other.zones != tables.zones
    assert other.metros != tables.metros
    first, second = build_some(tables, some_trace()), build_some(other, some_trace())
    assert by_name(first[0], tables) == by_name(second[0], other)
    assert calls_by_id(*first, tables) == calls_by_id(*second, other)


def test_later_days_and_new_apps_and_functions_renumber_nothing(tables: Tables) -> None:
    trace, extra = some_trace(), some_trace(apps=APPS + 20, calls=5000, days=5, seed=2)
    later = extra.arrival_us >= 2 * DAY_US
    names = [f"an app {k:05d}" for k in range(20)]  # these, too, sort before the old ones
    functions = [f"another function {k:05d}" for k in range(len(extra.function_ids))]  # sorts before the old ones
    longer = Invocations(
        [*trace.app_ids, *names],
        [*trace.function_ids, *functions],
        np.concatenate([trace.app, extra.app[later]]),
        np.concatenate([trace.function, extra.function[later] + len(trace.function_ids)]),
        np.concatenate([trace.arrival_us, extra.arrival_us[later]]),
        np.concatenate([trace.duration_us, extra.duration_us[later]]),
        np.concatenate([trace.memory_mb, np.full(20, 100)]),
    )
    short, long = build_some(tables, trace), build_some(tables, longer, days=5)
    apps = by_name(long[0], tables)
    assert {name: apps[name] for name in short[0].app_ids} == by_name(short[0], tables)
    kept, every = calls_by_id(*short, tables), calls_by_id(*long, tables)
    assert len(every) == len(trace.app) + later.sum()
    assert {k: every[k] for k in kept} == kept


def test_calls_are_sorted_and_what_lies_outside_is_counted(tables: Tables) -> None:
    trace = some_trace(days=3)
    trace.arrival_us[:7] = -1
    apps, calls, left_out = build(SEED, tables, WORLD, trace, 2 * DAY_US)
    inside = (trace.arrival_us >= 0) & (trace.arrival_us < 2 * DAY_US)
    assert left_out == (~inside).sum() > 7
    assert len(calls.arrival_us) == inside.sum()
    wanted = sorted(
        (trace.app_ids[a], t, trace.function_ids[f], d)
        for a, t, f, d in zip(*(x[inside].tolist() for x in (trace.app, trace.arrival_us, trace.function, trace.duration_us)), strict=True)
    )
    app = app_of(calls)
    names = [apps.function_ids[apps.first_function[a] + f] for a, f in zip(app, calls.function, strict=True)]
    found = list(zip((apps.app_ids[a] for a in app), calls.arrival_us.tolist(), names, calls.duration_us.tolist(), strict=True))
    assert found == wanted
    assert sum(getattr(calls, f.name).nbytes for f in dataclasses.fields(calls)[1:7]) <= 30 * len(found)


def test_groups_are_the_runs_of_one_app_in_one_step(tables: Tables) -> None:
    _, calls = build_some(tables, some_trace())
    found = zip(*(x.tolist() for x in (calls.group_step, calls.group_app, calls.group_first, calls.group_calls)), strict=True)
    wanted: dict[tuple[int, int], list[int]] = {}
    for i, (a, t) in enumerate(zip(app_of(calls).tolist(), calls.arrival_us.tolist(), strict=True)):
        wanted.setdefault((t // 15_000_000, a), []).append(i)
    assert max(map(len, wanted.values())) > 1
    assert list(found) == [(step, a, members[0], len(members)) for (step, a), members in sorted(wanted.items())]


def test_a_trace_without_calls_is_a_workload(tables: Tables) -> None:
    apps, calls = build_some(tables, some_trace(calls=0))
    assert calls.first_call.tolist() == [0] * (APPS + 1)
    assert len(calls.group_step) == len(calls.bytes_in) == len(apps.function_ids) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"app_ids": ["twice"] * APPS}, "app ids must differ"),
        ({"app": np.full(6000, APPS)}, "an index of app"),
        ({"function": np.full(6000, -1)}, "an index of function"),
        ({"duration_us": np.full(6000, -1)}, "a duration is negative"),
    ],
)
def test_a_trace_that_is_not_canonical_is_refused(tables: Tables, change: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build_some(tables, dataclasses.replace(some_trace(), **change))  # type: ignore[arg-type]
