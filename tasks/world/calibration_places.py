"""Where the calls of one scenario run, and what became cheaper for those that best static moves. Not here: the bill of the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US
from simulator.control.spans import span_steps
from simulator.objective import components_usd
from simulator.places.csv_rows import read_rows
from simulator.places.prices import execution_fusd_per_us
from simulator.scenario import Scenario
from tasks.world.calibration_assumed import Basis, weakest
from tasks.world.calibration_theory import short

Int64 = NDArray[np.int64]
MEMORY_MB = 256  # the size whose price is shown


def places(scenario: Scenario, static: Int64, reference: Path) -> list[dict[str, Any]]:
    """Per region: place, mean grid intensity of the test span, prices, share of the test's calls at home and under best static.

    Args:
        scenario: the world.
        static: int64 [A], placements of best static.
        reference: folder of the reference tables: names of metros, and which prices are assumed (`price_basis`).
    """
    t, begin, end = scenario.tables, *span_steps(scenario, "test")
    counts, regions, basis = _test_calls(scenario), len(t.regions), Basis(reference)
    names = {row.text("metro"): row.text("metro_name") for row in read_rows(reference, "metros.csv", ("metro", "metro_name"), ("metro",))}
    shares = [
        np.bincount(t.region_of_placement[place], weights=counts, minlength=regions) / max(1, counts.sum())
        for place in (scenario.apps.home, static)
    ]
    hours = slice(begin * scenario.world.step_us // HOUR_US, max(1, end * scenario.world.step_us // HOUR_US))
    price = execution_fusd_per_us(t, MEMORY_MB)
    grid = scenario.conditions.carbon_mg_per_kwh[:, hours].mean(axis=1) / 1000.0
    return [
        {
            "region": name,
            "cloud": t.clouds[t.cloud_of_region[r]],
            "metro": t.metros[t.metro_of_region[r]],
            "metro_name": names[t.metros[t.metro_of_region[r]]],
            "lat": float(t.lat[t.metro_of_region[r]]),
            "lon": float(t.lon[t.metro_of_region[r]]),
            "g_per_kwh": short(float(grid[r])),
            "nanousd_per_s_of_256_mb": int(price[r]),
            "internet_usd_per_gb": short(float(t.internet_nanousd_per_mb[r]) / 1e6),
            "price_basis": weakest(basis.price(name, "execution"), basis.price(name, "internet_egress")),
            "home_share": short(float(shares[0][r])),
            "static_share": short(float(shares[1][r])),
        }
        for r, name in enumerate(t.regions)
    ]


def shifts(scenario: Scenario, static: Int64, sums: tuple[Int64, Int64]) -> list[dict[str, Any]]:
    """What best static moves between metros and clouds: one row per pair of them, most calls first; apps that stay are not in it.

    Args:
        scenario: the world.
        static: int64 [A], placements of best static.
        sums: int64 [A, fields] twice, of the test span at home and under best static.

    Returns:
        Rows of from_metro, to_metro, from_cloud, to_cloud, apps, share of the test's calls, and `<component>_usd`: best static less home,
        USD, of the apps of the row.
    """
    t, counts = scenario.tables, _test_calls(scenario)
    ends = [t.region_of_placement[place] for place in (scenario.apps.home, static)]
    before, after = (components_usd(part, scenario.objective) for part in sums)
    rows = []
    for old, new in sorted({(int(a), int(b)) for a, b in zip(*ends, strict=True) if a != b}):
        own = (ends[0] == old) & (ends[1] == new)
        where = {
            f"{side}_{kind}": names[of[r]]
            for side, r in (("from", old), ("to", new))
            for kind, names, of in (("metro", t.metros, t.metro_of_region), ("cloud", t.clouds, t.cloud_of_region))
        }
        change = {f"{name}_usd": short(float((after[name] - before[name])[own].sum())) for name in before if name != "moves"}
        rows.append(where | {"apps": int(own.sum()), "share": short(float(counts[own].sum() / max(1, counts.sum())))} | change)
    return sorted(rows, key=lambda row: -row["share"])


def _test_calls(scenario: Scenario) -> Int64:
    """Calls of each app in the test span, int64 [A]."""
    begin, end = (step * scenario.world.step_us for step in span_steps(scenario, "test"))
    calls = scenario.calls
    app = np.repeat(np.arange(len(scenario.apps.app_ids)), np.diff(calls.first_call))
    return np.bincount(app[(calls.arrival_us >= begin) & (calls.arrival_us < end)], minlength=len(scenario.apps.app_ids))
