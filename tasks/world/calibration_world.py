"""Figures of one scenario: the run at home per call, the limits of the world, other assumptions. Not here: theory, one call, places.

Every re-run keeps the luck and the placements, so that differences come from the changed assumption alone; placements are those that were
chosen under the defaults, so a sensitivity says what the assumption does, not what a new choice would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US
from models.baselines.rules import Fixed
from simulator.conditions import OUTAGE_PPM, slowdown_permille
from simulator.control.loop import run as play
from simulator.control.spans import span_steps
from simulator.fleet import Field, Fleet
from simulator.objective import COMPONENTS, components_usd, objective_usd
from simulator.parameters import Objective, Slo, World
from simulator.places.tables import load_tables
from simulator.scenario import Scenario
from simulator.twin.azure2021 import published_calls
from simulator.twin.fleets import REFERENCE, twin_scenario
from tasks.world.calibration_assumed import ASSUMED, Basis
from tasks.world.calibration_theory import Check, short
from tasks.world.scenario_settings import ScenarioSettings
from tasks.world.twin_calls import twin_invocations, with_comparable_apps

if TYPE_CHECKING:
    from tasks.core.params import Params

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
NIGHT_SHIFT = 0.15
REAL_OUTAGES = 0.5  # per zone and year
# Per call at home, from an independent implementation of the same world on its own twin: field, figure, low, high.
PER_CALL: tuple[tuple[str, Field, float, str, float, float, float], ...] = (
    ("execution and requests", Field.COST_NANOUSD, 1e-3, "USD per million", 11.55, 11.55 / 1.6, 11.55 * 1.6),
    ("egress", Field.EGRESS_NANOUSD, 1e-3, "USD per million", 6.9, 6.9 / 2.5, 6.9 * 2.5),
    ("carbon", Field.CARBON_NG, 1e-6, "mg", 1.65, 1.65 * 0.65, 1.65 * 1.35),
    ("misses", Field.MISSES, 1.0, "share", 0.085, 0.05, 0.15),
    ("excess latency", Field.EXCESS_US, 1e-6, "s", 0.605, 0.35, 0.9),
    ("cold starts", Field.COLD_STARTS, 1.0, "share", 0.072, 0.05, 0.10),
    ("calls that waited", Field.WAITED, 1.0, "share", 0.0057, 0.002, 0.02),
    ("rejects", Field.REJECTED, 1.0, "share", 0.0029, 0.0, 0.01),
)


def run_at_home(scenario: Scenario, luck_seed: int) -> Fleet:
    """All apps at home over train, valid and test, coupled."""
    return play(scenario, Fixed("home", scenario.apps.home), luck_seed, "all")


def per_call(fleet: Fleet) -> dict[str, float]:
    """What a call costs on average at home: the figures of `PER_CALL` in their units."""
    total = fleet.out.sum(axis=(0, 1))
    return {what: float(total[field] * factor / total[Field.CALLS]) for what, field, factor, *_ in PER_CALL}


def twin_at_home(piece: tuple[Params, World, Slo, Objective, int, int]) -> dict[str, float]:
    """`per_call` of a scenario's world on the twin of a seed, of the size that the section `scenario` says, on the carried tables.

    Args:
        piece: parameters, the world with its objectives, seed of the twin, seed of the luck.
    """
    params, world, slo, objective, seed, luck_seed = piece
    wanted, tables = params.section("scenario", ScenarioSettings), load_tables(REFERENCE, world)
    trace = with_comparable_apps(twin_invocations(params, seed), published_calls(seed, wanted.apps), seed, tables, world, params)
    scenario = twin_scenario(
        "calm",
        seed,
        days=wanted.days,
        split_steps=wanted.split_steps,
        world=world,
        slo=slo,
        objective=objective,
        carbon_month=wanted.carbon_month,
        trace=trace,
    )
    return per_call(run_at_home(scenario, luck_seed))


def home_checks(worlds: Mapping[int, dict[str, float]], is_full_size: bool) -> list[Check]:
    """What a call costs at home, on average over worlds: a few large apps move the figures of a single one.

    Args:
        worlds: `per_call` of the twin of each seed, at least one.
        is_full_size: whether they have the full length and rate; judged only then.
    """
    out = []
    which = f"mean of {len(worlds)} twins" if len(worlds) > 1 else f"twin {min(worlds)}"
    for what, _, _, unit, expected, low, high in PER_CALL:
        found = float(np.mean([world[what] for world in worlds.values()]))
        source = "first implementation of the world; a target of the twin, not a confirmation"
        out.append(Check(f"Home run, {which}, per call: {what}", expected, found, None, unit, low, high, source, "prototype", is_full_size))
    return out


def night_shift_checks(scenario: Scenario) -> list[Check]:
    """How much the mean slowdown moves over the hours of a day, against the diurnal range measured on a real platform."""
    factor, is_out = scenario.conditions.slowdown_permille / 1000.0, scenario.conditions.utilisation_ppm == OUTAGE_PPM
    hour = np.arange(factor.shape[1]) * SLOT_US // HOUR_US % 24
    means = np.stack([_mean(factor, ~is_out & (hour == h)[None]) for h in range(24)], axis=1)
    spread = np.nanmax(means, axis=1) / np.nanmin(means, axis=1) - 1.0
    source = "Schirmer et al. 2023, The Night Shift: up to 15 %"
    return [
        Check(f"Slowdown over the day, {name}", None, float(value), None, "share", 0.0, NIGHT_SHIFT, source, "measured")
        for name, value in (("median zone", np.median(spread)), ("P90 zone", np.quantile(spread, 0.9)))
    ]


def limits(scenario: Scenario, fleet: Fleet, reference: Path) -> dict[str, float]:
    """The figures that limit what any policy can gain in this world, from its conditions and its run at home."""
    t, carbon = scenario.tables, scenario.conditions.carbon_mg_per_kwh.astype(np.float64)
    begin, end = (s * scenario.world.step_us // HOUR_US for s in span_steps(scenario, "all"))
    carbon = carbon[:, begin : max(end, begin + 2)]
    metro = t.metro_of_region
    same = metro[:, None] == metro[None, :]
    pairs = ~np.eye(len(metro), dtype=bool)
    related = np.atleast_2d(np.corrcoef(carbon))
    first = np.array([int(np.flatnonzero(metro == m)[0]) for m in np.unique(metro)])
    cleanest = carbon[first].argmin(axis=0)
    total = fleet.out.sum(axis=(0, 1))
    span_us = (fleet.end_step - fleet.start_step) * scenario.world.step_us
    shares = [_share(total, scenario.objective.model_copy(update={"carbon_usd_per_kg": price})) for price in (0.19, 1.0)]
    return {
        "carbon_correlation_same_metro": float(np.mean(related[same & pairs])) if (same & pairs).any() else 1.0,
        "carbon_correlation_other_metro": float(np.mean(related[~same])),
        "cleanest_region_share_of_hours": float(np.bincount(cleanest).max() / len(cleanest)),
        "carbon_share_at_0_19": shares[0],
        "carbon_share_at_1": shares[1],
        "busy_instances": float(total[Field.BUSY_US] / span_us),
        "room_of_a_zone": float(scenario.conditions.capacity.mean()),
        "congestion_after_25_min": _autocorrelation(scenario, scenario.world.tactical_steps),
        "congestion_after_4_h_10": _autocorrelation(scenario, scenario.world.strategic_steps),
        "assumed_prices_share_of_home": assumed_share(scenario, fleet.out.sum(axis=1), scenario.apps.home, Basis(reference)),
    }


def assumed_share(scenario: Scenario, sums: Int64, placement: Int64, basis: Basis) -> float:
    """The share of the objective that is execution or egress priced at least in part by assumed rows of prices.csv or network.csv.

    Args:
        scenario: the world.
        sums: int64 [A, fields], of a run in which no app moved.
        placement: int64 [A].
        basis: of the reference tables.
    """
    t = scenario.tables
    pairs = [(t.regions[t.region_of_placement[p]], t.regions[d]) for p, d in zip(placement, scenario.apps.data_region, strict=True)]
    execution = np.array([ASSUMED in (basis.price(here, "execution"), basis.price(here, "requests")) for here, _ in pairs])
    egress = np.array(
        [
            basis.price(here, "internet_egress") == ASSUMED or (data != here and basis.network(data, here, "egress_usd_per_gb") == ASSUMED)
            for here, data in pairs
        ]
    )
    parts = components_usd(sums, scenario.objective)
    money = parts["execution"][execution].sum() + parts["egress"][egress].sum()
    return float(money / objective_usd(sums.sum(axis=0), scenario.objective))


def replays(scenario: Scenario, static: Int64, luck_seed: int) -> tuple[Int64, Int64]:
    """Sums of the test span per app, int64 [A, fields] each: all at home, and all where `static` puts them."""
    home, moved = (_test_sums(scenario, place, luck_seed) for place in (scenario.apps.home, static))
    return home, moved


def sensitivity(scenario: Scenario, static: Int64, luck_seed: int, reference: Path) -> list[dict[str, Any]]:
    """Home and best static on the test span under other assumptions.

    Args:
        scenario: the world under its defaults.
        static: int64 [A], placements chosen under the defaults.
        luck_seed: of every run.
        reference: folder of the reference tables.

    Returns:
        Rows of change, how (replayed or priced anew), home_usd, static_usd, static_of_home, home_change, and the shares of both that are
        priced at assumed prices (home_assumed, static_assumed).
    """
    basis = Basis(reference)
    sums = replays(scenario, static, luck_seed)

    def row(change: str, how: str, changed: Scenario, sums: tuple[Int64, Int64]) -> dict[str, Any]:
        home, moved = (float(objective_usd(part.sum(axis=0), changed.objective)) for part in sums)
        shares = [assumed_share(changed, part, place, basis) for part, place in zip(sums, (scenario.apps.home, static), strict=True)]
        money = {"home_usd": home, "static_usd": moved, "static_of_home": moved / home}
        numbers = money | dict(zip(("home_assumed", "static_assumed"), shares, strict=True))
        return {"change": change, "how": how} | {name: short(value) for name, value in numbers.items()}

    rows = [row("defaults", "replayed", scenario, sums)]
    for name, change in _changes(scenario, reference).items():
        changed = change(scenario)
        rows.append(row(name, "replayed", changed, replays(changed, static, luck_seed)))
    for field, label, values in (
        ("carbon_usd_per_kg", "carbon {} USD/kg", (0.19, 3.0)),
        ("miss_usd", "a miss {} USD", (1e-5, 1e-3)),
        ("latency_usd_per_s", "latency {} USD/s", (1e-6, 1e-4)),
    ):
        for value in values:
            objective = scenario.objective.model_copy(update={field: value})
            name = label.format(np.format_float_positional(value, trim="-"))
            rows.append(row(name, "priced anew", replace(scenario, objective=objective), sums))
    for found in rows:
        found["home_change"] = short(found["home_usd"] / rows[0]["home_usd"] - 1.0)
    return rows


def _changes(scenario: Scenario, reference: Path) -> dict[str, Callable[[Scenario], Scenario]]:
    per_year = f"outages {REAL_OUTAGES} per zone and year"
    quotas = {f"quota {quota} per zone": lambda s, quota=quota: _with_quota(s, quota) for quota in (30, 60, 1000)}
    return quotas | {
        per_year: _with_real_outages,
        "keep-alive law mikhail_2021": lambda s: _with_keep_alive(s, reference),
        "slowdown k = 1": _with_weak_slowdown,
    }


def _with_quota(scenario: Scenario, quota: int) -> Scenario:
    ppm = scenario.conditions.utilisation_ppm.astype(np.int64)
    headroom = np.maximum(quota * (OUTAGE_PPM - ppm) // OUTAGE_PPM, 1)
    capacity = np.where(ppm == OUTAGE_PPM, 0, headroom).astype(np.int32)
    return replace(
        scenario,
        world=scenario.world.model_copy(update={"quota_per_placement": quota}),
        conditions=replace(scenario.conditions, capacity=capacity),
    )


def _with_real_outages(scenario: Scenario) -> Scenario:
    """Keep one outage in k, k = default rate / real rate; the utilisation in the others is interpolated from one side to the other."""
    ppm = scenario.conditions.utilisation_ppm.copy()
    keep_every = max(1, round(scenario.world.outages.per_zone_year / REAL_OUTAGES))
    count = 0
    for p in range(ppm.shape[0]):
        is_out = np.concatenate([[False], ppm[p] == OUTAGE_PPM, [False]])
        edges = np.flatnonzero(np.diff(is_out.astype(np.int8)))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            count += 1
            if (count - 1) % keep_every == keep_every - 1:
                continue
            before, after = ppm[p, max(begin - 1, 0)], ppm[p, min(end, ppm.shape[1] - 1)]
            sides = [x for x in (before, after) if x < OUTAGE_PPM] or [np.int32(scenario.world.utilisation.u_mean * OUTAGE_PPM)]
            ppm[p, begin:end] = np.rint(np.linspace(sides[0], sides[-1], end - begin))
    conditions = replace(scenario.conditions, utilisation_ppm=ppm, slowdown_permille=slowdown_permille(ppm, scenario.world))
    return _with_quota(replace(scenario, conditions=conditions), scenario.world.quota_per_placement)


def _with_keep_alive(scenario: Scenario, reference: Path) -> Scenario:
    keep_alive = scenario.world.keep_alive.model_copy(update={"source": "mikhail_2021"})
    world: World = scenario.world.model_copy(update={"keep_alive": keep_alive})
    tables = load_tables(reference, world)
    return replace(scenario, world=world, tables=replace(scenario.tables, keep_alive_us=tables.keep_alive_us))


def _with_weak_slowdown(scenario: Scenario) -> Scenario:
    world = scenario.world.model_copy(update={"slowdown": scenario.world.slowdown.model_copy(update={"k": 1.0})})
    factor = slowdown_permille(scenario.conditions.utilisation_ppm, world)
    return replace(scenario, world=world, conditions=replace(scenario.conditions, slowdown_permille=factor))


def _test_sums(scenario: Scenario, placement: Int64, luck_seed: int) -> Int64:
    sums: Int64 = play(scenario, Fixed("fixed", placement), luck_seed).out.sum(axis=1)
    return sums


def _share(total: Int64, objective: Objective) -> float:
    parts = components_usd(total, objective)
    return float(parts["carbon"] / sum(parts[name] for name in COMPONENTS))


def _autocorrelation(scenario: Scenario, steps: int) -> float:
    """Of the slowdown after some steps: deviations from each placement's mean, all placements pooled, outages left out."""
    factor = scenario.conditions.slowdown_permille / 1000.0
    known = scenario.conditions.utilisation_ppm < OUTAGE_PPM
    deviation = np.where(known, factor - _mean(factor, known)[:, None], 0.0)
    lag = steps * scenario.world.step_us // SLOT_US
    if lag >= factor.shape[1]:
        return 0.0
    both = known[:, lag:] & known[:, :-lag]
    return float((deviation[:, lag:] * deviation[:, :-lag]).sum() / both.sum() / ((deviation**2).sum() / known.sum()))


def _mean(values: Float64, mask: NDArray[np.bool_]) -> Float64:
    count = mask.sum(axis=1)
    return np.where(count > 0, (values * mask).sum(axis=1) / np.maximum(count, 1), np.nan)
