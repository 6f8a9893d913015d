"""Calibration of the warm pool and the sampled distributions by theory and measurement. Not here: the fleet (calibration_world.py).

Each queue is simulated several times from fixed seeds; the standard error comes from these independent runs, and a figure is within its
tolerance if it lies no further than three of them from the closed form. docs/methods/world.md has the formulas and their sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_S, US_PER_S
from simulator import kernel
from simulator.checks import queueing as theory
from simulator.checks.warm_pool import PoolResult, simulate_pool
from simulator.places.csv_rows import Row
from simulator.places.tables import Tables
from simulator.rng import hash_u64

FOR_EVER_US = 10**18
SEED, STREAM = 2026, 70
WARM_UP = 0.1  # share of the calls at the start of a run that is left out of the waits
RARE_CALLS, SIMFAAS_S, SIMFAAS_CALLS = 50_000, 10**6, 910_000
ERRORS = 3.0  # standard errors that a figure may be away
CELL = 1 / 256  # probability between two points of a distribution as the kernel holds it
LEVELS = (0.05, 0.5, 0.95)
Rng = np.random.Generator
Kind = Literal["theory", "measured", "hand", "prototype"]


@dataclass(frozen=True)
class Check:
    """One figure of our world and what it should be: `expected`, or only a range [low, high]; `is_within` None: not judged."""

    what: str
    expected: float | None
    found: float
    standard_error: float | None
    unit: str
    low: float
    high: float
    source: str
    kind: Kind
    is_judged: bool = True

    def row(self) -> dict[str, Any]:
        """The row of the table; floats to nine significant digits, so that equal input gives equal bytes."""
        found = {name: getattr(self, name) for name in ("expected", "found", "standard_error", "low", "high")}
        numbers = {name: None if value is None else short(value) for name, value in found.items()}
        within = bool(self.low <= self.found <= self.high) if self.is_judged else None
        return {"what": self.what, "unit": self.unit, "source": self.source, "kind": self.kind, "is_within": within} | numbers


def exponential(rng: Rng, calls: int) -> NDArray[np.float64]:
    """Service times of mean 1 and squared coefficient of variation 1."""
    return rng.exponential(1.0, calls)


def hyperexponential(rng: Rng, calls: int) -> NDArray[np.float64]:
    """Service times of mean 1 and squared coefficient of variation 4: two exponentials with equal means of work."""
    share = (1 + np.sqrt(3 / 5)) / 2
    return rng.exponential(1.0, calls) / (2 * np.where(rng.random(calls) < share, share, 1 - share))


def queue_checks(runs: int, calls: int) -> list[Check]:
    """Waits, losses, busy servers and cold starts of textbook queues; `runs` of `calls` calls each."""

    def mean_wait(r: PoolResult) -> float:
        return float(_waits(r).mean())

    def lost(r: PoolResult) -> float:
        return r.rejected / len(r.wait_us)

    cases: list[tuple[str, str, float, int, Any, int | None, Callable[[PoolResult], float], float]] = [
        ("M/M/1: mean wait, load 0.8", "service times", 0.8, 1, exponential, None, mean_wait, theory.mean_wait_mmc(0.8, 1)),
        ("M/M/10: calls that wait, load 8", "share", 8.0, 10, exponential, None, _waiting, theory.erlang_c(8, 10)),
        ("M/M/10: mean wait, load 8", "service times", 8.0, 10, exponential, None, mean_wait, theory.mean_wait_mmc(8, 10)),
        ("M/M/10: P95 of the wait, load 8", "service times", 8.0, 10, exponential, None, _p95, theory.wait_quantile_mmc(8, 10, 0.95)),
        ("M/G/1: mean wait, load 0.8, cs2 4", "service times", 0.8, 1, hyperexponential, None, mean_wait, theory.mean_wait_mg1(0.8, 4)),
        ("Erlang B: loss, load 95 on 100", "share", 95.0, 100, exponential, 0, lost, theory.erlang_b(95, 100)),
        ("Erlang B: the same, variation 4", "share", 95.0, 100, hyperexponential, 0, lost, theory.erlang_b(95, 100)),
        ("Little: busy instances, load 8", "instances", 8.0, 10, hyperexponential, None, lambda r: r.mean_busy, theory.mean_busy(8, 1)),
    ]  # fmt: skip
    sources = (
        "Kleinrock 1975",
        "Erlang 1917",
        "Kleinrock 1975",
        "Kleinrock 1975",
        "Pollaczek 1930",
        "Erlang 1917",
        "Erlang 1917",
        "Little 1961",
    )
    out = []
    for (what, unit, load, servers, draw, timeout_us, measure, expected), source in zip(cases, sources, strict=True):
        run = partial(_queue, calls=calls, load=load, servers=servers, draw=draw, timeout_us=timeout_us)
        out.append(_by_runs(what, unit, expected, [measure(run(_rng(i))) for i in range(runs)], source))
    for per_h in (1, 3, 6):
        expected = theory.cold_share_of_rare_calls(per_h / HOUR_S, 600)
        found = [_cold_share(_rng(i), per_h / HOUR_S) for i in range(runs)]
        out.append(_by_runs(f"Rare calls: cold share at {per_h} an hour", "share", expected, found, "exp(-rate x keep-alive of 600 s)"))
    return out


def simfaas_checks(runs: int) -> list[Check]:
    """The example of SimFaaS 0.2.2: 10^6 s of Poisson calls at 0.9/s, service 1.991 s warm and 2.244 s cold, keep-alive 600 s.

    It takes the idle instance that was created last, not the one that became free last, which changes neither figure by 1 %.
    """
    results = [_simfaas(_rng(i)) for i in range(runs)]
    cold = np.array([r.cold_starts / len(r.wait_us) for r in results])
    deviation = float(cold.std(ddof=1))  # theirs is one run
    alive = float(np.mean([r.mean_instances for r in results]))
    source = "example of SimFaaS 0.2.2 (Mahmoudi and Khazaei 2021)"
    error = deviation / np.sqrt(runs)
    first = ("SimFaaS: cold share of its example", 0.001341, float(cold.mean()), error, "share")
    second = ("SimFaaS: instances of its example", 7.703, alive, None, "instances")
    return [
        Check(*first, 0.001341 - ERRORS * deviation, 0.001341 + ERRORS * deviation, source, "measured"),
        Check(*second, 7.703 * 0.99, 7.703 * 1.01, source, "measured"),
    ]


def distribution_checks(tables: Tables, cold_rows: list[Row], keep_rows: list[Row], distribution: str, draws: int) -> list[Check]:
    """Sampled cold starts and keep-alives of each cloud against the measured points of the reference tables.

    Args:
        tables: with the distributions as the kernel draws from them.
        cold_rows: rows of cold_start.csv.
        keep_rows: rows of keep_alive.csv.
        distribution: of keep_alive.csv, as in the parameters.
        draws: per cloud and distribution.
    """
    out = []
    for c, cloud in enumerate(tables.clouds):
        found = _sampled(tables.cold_start_us[c, 0], draws, 2 * c) / 1e6
        known = [(r.number("probability"), r.number("seconds")) for r in cold_rows if _is(r, cloud=cloud, package="small")]
        points = dict(sorted(known))
        source = next(r.text("source") for r in cold_rows if _is(r, cloud=cloud, package="small"))
        for level in LEVELS:
            expected, quantile = points[level], float(np.quantile(found, level))
            reach = ERRORS * np.sqrt(level * (1 - level) / draws) + CELL  # in probability, then by the measured points in seconds
            low, high = (float(np.interp(level + side, list(points), list(points.values()))) for side in (-reach, reach))
            out.append(
                Check(f"Cold start on {cloud}, small: P{round(100 * level)}", expected, quantile, None, "s", low, high, source, "measured")
            )
        life = _sampled(tables.keep_alive_us[c], draws, 2 * c + 1) / 1e6
        out += [_keep_alive(cloud, r, life) for r in _turning_points([r for r in keep_rows if _is(r, cloud=cloud, law=distribution)])]
    return out


def _keep_alive(cloud: str, row: tuple[float, float, str], life_s: NDArray[np.float64]) -> Check:
    idle_s, expected, source = row
    found = float((life_s <= idle_s).mean())
    error = float(np.sqrt(max(found * (1 - found), 1e-9) / len(life_s)))
    reach = ERRORS * error + 2 * CELL
    what = f"Keep-alive on {cloud}: ended after {idle_s:g} s idle"
    return Check(what, expected, found, error, "share", expected - reach, expected + reach, source, "measured")


def _turning_points(rows: list[Row]) -> list[tuple[float, float, str]]:
    """(idle seconds, running maximum of the cold share, source) where it first reaches 25, 50 and 90 %."""
    points, highest = [], 0.0
    for row in sorted(rows, key=lambda r: r.exact("idle_s")):
        before, highest = highest, max(highest, float(row.exact("cold_probability")))
        if any(before < level <= highest < 1 for level in (0.25, 0.5, 0.9)):
            points.append((float(row.exact("idle_s")), highest, row.text("source")))
    return points


def _sampled(table: NDArray[np.int64], draws: int, stream: int) -> NDArray[np.float64]:
    """Draws of the kernel from a distribution, us: ids 0, 1, ... of one stream."""
    words = hash_u64(SEED, np.arange(draws), STREAM + stream)
    return np.array([kernel.draw(table, word) for word in words], dtype=np.float64)


def _is(row: Row, **values: str) -> bool:
    return all(row.text(column) == value for column, value in values.items())


def _rng(run: int) -> Rng:
    return np.random.Generator(np.random.PCG64([SEED, run]))


def _by_runs(what: str, unit: str, expected: float, values: list[float], source: str) -> Check:
    found, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return Check(what, expected, found, error, unit, expected - ERRORS * error, expected + ERRORS * error, source, "theory")


def _arrivals(rng: Rng, calls: int, per_s: float) -> NDArray[np.int64]:
    return np.rint(np.cumsum(rng.exponential(1 / per_s, calls)) * US_PER_S).astype(np.int64)


def _queue(rng: Rng, *, calls: int, load: float, servers: int, draw: Callable[[Rng, int], Any], timeout_us: int | None) -> PoolResult:
    """A pool without cold delay or expiry is a queue with `servers` servers."""
    arrival_us = _arrivals(rng, calls, load)
    service_us = np.rint(draw(rng, calls) * US_PER_S).astype(np.int64)
    return simulate_pool(arrival_us, service_us, 0, keep_alive_us=FOR_EVER_US, ceiling=servers, timeout_us=timeout_us)


def _waits(result: PoolResult) -> NDArray[np.float64]:
    return result.wait_us[int(WARM_UP * len(result.wait_us)) :] / US_PER_S


def _waiting(result: PoolResult) -> float:
    return float((_waits(result) > 0).mean())


def _p95(result: PoolResult) -> float:
    return float(np.quantile(_waits(result), 0.95))


def _cold_share(rng: Rng, per_s: float) -> float:
    result = simulate_pool(_arrivals(rng, RARE_CALLS, per_s), 0, 0, keep_alive_us=600 * US_PER_S)
    return (result.cold_starts - 1) / (RARE_CALLS - 1)  # the first call of a run has no gap before it


def _simfaas(rng: Rng) -> PoolResult:
    arrival_us = _arrivals(rng, SIMFAAS_CALLS, 0.9)
    arrival_us = arrival_us[arrival_us < SIMFAAS_S * US_PER_S]
    unit = exponential(rng, len(arrival_us))
    duration_us, cold_us = (np.rint(mean_us * unit).astype(np.int64) for mean_us in (1_991_000, 253_000))
    return simulate_pool(arrival_us, duration_us, 0, keep_alive_us=600 * US_PER_S, cold_us=cold_us)


def short(value: float) -> float:
    """Return a figure with nine significant digits, as the files of the stage hold them."""
    return float(f"{value:.9g}")
