"""Views made by hand, for tests of rules. Not here: views of a run (the loop makes them)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simulator.control.view import Facts, View
from simulator.fleet import Field
from tests.worlds.small_worlds import plain_scenario


def make_view(
    facts: Facts, placement: ArrayLike, *, step: int = 100, calls: ArrayLike = 0, slowdown: ArrayLike = 1000, carbon: ArrayLike = 300_000
) -> View:
    """A view of apps at `placement` (whole numbers [A]) after `calls` each, with this slowdown [P] (permille) and grid [R] (mg/kWh)."""
    place = np.atleast_1d(np.asarray(placement, dtype=np.int64))
    apps, places, regions = len(place), len(facts.tables.zones), len(facts.tables.regions)
    recent = np.zeros((apps, len(Field)), dtype=np.int64)
    recent[:, Field.CALLS] = calls
    nothing = np.zeros(apps, dtype=np.int64)
    view = View(
        facts=facts,
        step=step,
        placement=place,
        target=nothing - 1,
        cloud=facts.cloud_of_placement[place],
        recent=recent,
        peak=nothing,
        pools=np.zeros((0, 5), dtype=np.int64),
        memory_class=nothing,
        arrivals=None,  # type: ignore[arg-type]  # nor at these
        utilisation_ppm=np.full((places, 1), 500_000),
        is_out=np.zeros((places, 1), dtype=np.bool_),
        free=np.full(places, 9),
        carbon_mg_per_kwh=np.zeros((regions, 1), dtype=np.int64) + np.asarray(carbon).reshape(-1, 1),
        past=plain_scenario(capacity=[[1]], calls=[], steps=1),  # type: ignore[arg-type]  # no rule looks at it
    )
    view.__dict__["slowdown_permille"] = np.zeros(places, dtype=np.int64) + np.asarray(slowdown)  # what utilisation could not give
    return view
