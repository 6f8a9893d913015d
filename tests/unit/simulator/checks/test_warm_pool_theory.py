"""The warm pool against queueing theory, the published case of SimFaaS and the real head of the Azure trace.

Standard errors come from independent runs; the quick tests use few and short ones, `make verify` many. The seeds are fixed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ParameterError
from core.units import US_PER_S
from simulator.checks import queueing as theory
from simulator.checks.warm_pool import PoolResult, simulate_pool

FOR_EVER_US = 10**18
WARM_UP = 0.1  # share of the calls at the start of a run that is left out of the mean wait
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def exponential(rng: np.random.Generator, calls: int) -> NDArray[np.float64]:
    """Mean 1, squared coefficient of variation 1."""
    return rng.exponential(1.0, calls)


def hyperexponential(rng: np.random.Generator, calls: int) -> NDArray[np.float64]:
    """Mean 1, squared coefficient of variation 4: two exponentials, each with half of the work."""
    share = (1 + np.sqrt(3 / 5)) / 2
    return rng.exponential(1.0, calls) / (2 * np.where(rng.random(calls) < share, share, 1 - share))


def arrivals(rng: np.random.Generator, calls: int, rate_per_s: float) -> NDArray[np.int64]:
    """Poisson arrivals."""
    return np.rint(np.cumsum(rng.exponential(1 / rate_per_s, calls)) * US_PER_S).astype(np.int64)


def queue(rng: np.random.Generator, calls: int, load: float, servers: int, draw: Draw, timeout_us: int | None = None) -> PoolResult:
    """A pool without cold delay or expiry is a queue with `servers` servers."""
    return simulate_pool(
        arrivals(rng, calls, load),
        np.rint(draw(rng, calls) * US_PER_S).astype(np.int64),
        0,
        keep_alive_us=FOR_EVER_US,
        ceiling=servers,
        timeout_us=timeout_us,
    )


def waits(result: PoolResult) -> NDArray[np.float64]:
    """Waits after the warm-up, in mean service times."""
    return result.wait_us[int(WARM_UP * len(result.wait_us)) :] / US_PER_S


def mean_wait(result: PoolResult) -> float:
    return float(waits(result).mean())


def lost_share(result: PoolResult) -> float:
    return result.rejected / len(result.wait_us)


QUEUES: dict[str, tuple[float, int, Draw, int | None, Callable[[PoolResult], float], float, float]] = {
    # name: load, servers, service, timeout, what is measured, its closed form, the figure in the books
    "M/M/1 Wq": (0.8, 1, exponential, None, mean_wait, theory.mean_wait_mmc(0.8, 1), 4.0),
    "M/M/10 P(wait)": (8.0, 10, exponential, None, lambda r: float((waits(r) > 0).mean()), theory.erlang_c(8, 10), 0.40918),
    "M/M/10 Wq": (8.0, 10, exponential, None, mean_wait, theory.mean_wait_mmc(8, 10), 0.20459),
    "M/M/10 P95 of wait": (
        *(8.0, 10, exponential, None),
        lambda r: float(np.quantile(waits(r), 0.95)),
        *(theory.wait_quantile_mmc(8, 10, 0.95), 1.0511),
    ),
    "M/G/1 Wq, cs2 4": (0.8, 1, hyperexponential, None, mean_wait, theory.mean_wait_mg1(0.8, 4.0), 10.0),
    "M/M/100/100 loss": (95.0, 100, exponential, 0, lost_share, theory.erlang_b(95, 100), 0.048804),
    "M/G/100/100 loss, cs2 4": (95.0, 100, hyperexponential, 0, lost_share, theory.erlang_b(95, 100), 0.048804),
    "M/G/10 mean busy, cs2 4": (8.0, 10, hyperexponential, None, lambda r: r.mean_busy, theory.mean_busy(8.0, 1.0), 8.0),
}


def over_runs(measure: Callable[[np.random.Generator], float], runs: int) -> tuple[float, float, float]:
    """Mean over independent runs, its standard error, the deviation of one run."""
    values = np.array([measure(np.random.Generator(np.random.PCG64([2026, run]))) for run in range(runs)])
    deviation = float(values.std(ddof=1))
    return float(values.mean()), deviation / np.sqrt(runs), deviation


def check_queue(name: str, runs: int, calls: int) -> tuple[str, float]:
    """Assert that the queue is within 3 standard errors of its closed form; return the figures and the relative error."""
    load, servers, draw, timeout_us, measured, wanted, _ = QUEUES[name]
    found, error, _ = over_runs(lambda rng: measured(queue(rng, calls, load, servers, draw, timeout_us)), runs)
    figures = f"{found:.6f} against {wanted:.6f}, standard error {error:.6f}"
    assert abs(found - wanted) <= 3 * error, f"{name}: {figures}"
    return figures, found / wanted - 1


def test_closed_forms_have_their_published_values() -> None:
    for name, (*_, form, published) in QUEUES.items():
        assert form == pytest.approx(published, rel=5e-5), name
    assert theory.cold_share_of_rare_calls(1 / 3600, 600) == pytest.approx(0.846482, abs=5e-7)
    assert theory.cold_share_of_rare_calls(3 / 3600, 600) == pytest.approx(0.606531, abs=5e-7)
    assert theory.cold_share_of_rare_calls(6 / 3600, 600) == pytest.approx(0.367879, abs=5e-7)


def test_closed_forms_agree_with_each_other() -> None:
    assert theory.erlang_c(0.3, 1) == pytest.approx(0.3)
    assert theory.mean_wait_mg1(0.7, 1.0) == pytest.approx(theory.mean_wait_mmc(0.7, 1))
    assert theory.mean_wait_mg1(0.7, 0.0) == pytest.approx(theory.mean_wait_mg1(0.7, 1.0) / 2)
    assert theory.erlang_b(0.0, 3) == 0.0
    assert theory.wait_quantile_mmc(8, 10, 0.5) == 0.0
    beyond = theory.wait_quantile_mmc(8, 10, 0.9)
    assert theory.erlang_c(8, 10) * np.exp(-2 * beyond) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.erlang_b(-1, 2),
        lambda: theory.erlang_c(2, 2),
        lambda: theory.wait_quantile_mmc(1, 2, 1.0),
        lambda: theory.mean_wait_mg1(1.0, 1.0),
        lambda: theory.cold_share_of_rare_calls(-1, 1),
        lambda: theory.mean_busy(1, -1),
    ],
)
def test_closed_forms_refuse_what_has_no_answer(call: Callable[[], float]) -> None:
    with pytest.raises(ParameterError, match="has no answer"):
        call()


@pytest.mark.parametrize("name", QUEUES)
def test_queue(name: str) -> None:
    check_queue(name, runs=8, calls=100_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUEUES)
def test_queue_long(name: str, proof: Any) -> None:
    figures, relative = check_queue(name, runs=40, calls=500_000)
    proof(figure=figures, bound="within 3 standard errors and 2 % of the closed form")
    assert abs(relative) <= 0.02


def cold_share(rng: np.random.Generator, calls: int, rate_per_s: float, keep_alive_s: int) -> float:
    """Share of cold starts of calls that take no time."""
    result = simulate_pool(arrivals(rng, calls, rate_per_s), 0, 0, keep_alive_us=keep_alive_s * US_PER_S)
    return (result.cold_starts - 1) / (calls - 1)  # the first call of a run has no gap before it


@pytest.mark.parametrize("calls_per_h", [1, 3, 6])
def test_rare_calls_start_cold(calls_per_h: int) -> None:
    wanted = theory.cold_share_of_rare_calls(calls_per_h / 3600, 600)
    found, error, _ = over_runs(lambda rng: cold_share(rng, 50_000, calls_per_h / 3600, 600), 8)
    assert abs(found - wanted) <= 3 * error


@pytest.mark.slow
@pytest.mark.parametrize("calls_per_h", [1, 3, 6])
def test_rare_calls_start_cold_long(calls_per_h: int, proof: Any) -> None:
    wanted = theory.cold_share_of_rare_calls(calls_per_h / 3600, 600)
    found, error, _ = over_runs(lambda rng: cold_share(rng, 500_000, calls_per_h / 3600, 600), 40)
    proof(figure=f"{found:.6f} against {wanted:.6f}, standard error {error:.6f}", bound="within 3 standard errors and 2 %")
    assert abs(found - wanted) <= min(3 * error, 0.02 * wanted)


def simfaas_case(rng: np.random.Generator) -> PoolResult:
    """The example that the package simfaas 0.2.2 comes with: 10^6 s of Poisson calls at 0.9/s, exponential service times.

    Mean service 1.991 s warm and 2.244 s cold, keep-alive 600 s; a cold call draws its time as a warm one, on the longer scale.
    """
    arrival_us = arrivals(rng, 910_000, 0.9)
    arrival_us = arrival_us[arrival_us < 10**6 * US_PER_S]
    unit = exponential(rng, len(arrival_us))
    duration_us, cold_us = (np.rint(mean_us * unit).astype(np.int64) for mean_us in (1_991_000, 253_000))
    return simulate_pool(arrival_us, duration_us, 0, keep_alive_us=600 * US_PER_S, cold_us=cold_us)


def check_simfaas_case(runs: int) -> str:
    """Assert the cold share and instances of a run of the package, whose deviation is that of one of our runs.

    It takes the idle instance that was created last, not the one that became free last, which changes neither figure by 1 %.
    """
    results = [simfaas_case(np.random.Generator(np.random.PCG64([2026, run]))) for run in range(runs)]
    cold = np.array([r.cold_starts / len(r.wait_us) for r in results])
    instances, busy = (float(np.mean([getattr(r, k) for r in results])) for k in ("mean_instances", "mean_busy"))
    deviation = float(cold.std(ddof=1))
    figures = (
        f"cold share {cold.mean():.6f} against 0.001341, deviation of a run {deviation:.6f}, instances {instances:.4f} against 7.703, "
        f"busy {busy:.4f}"
    )
    assert abs(cold.mean() - 0.001341) <= 3 * deviation, figures
    assert abs(instances / 7.703 - 1) <= 0.01, figures
    assert abs(busy / theory.mean_busy(0.9, 1.991 + 0.253 * cold.mean()) - 1) <= 0.01, figures
    return figures


def test_case_of_simfaas() -> None:
    check_simfaas_case(6)


@pytest.mark.slow
def test_case_of_simfaas_long(proof: Any) -> None:
    proof(figure=check_simfaas_case(200), bound="cold share within 3 deviations of a run, instances and busy within 1 %")


@pytest.mark.slow
@pytest.mark.parametrize(("keep_alive_s", "cold_starts"), [(60, 541), (600, 145), (1200, 133)])
def test_real_head_of_azure_2021(sample_dir: Path, keep_alive_s: int, cold_starts: int) -> None:
    file = sample_dir / "azure" / "2021" / "AzureFunctionsInvocationTraceForTwoWeeksJan2021.head998.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = sorted({(row["app"], row["func"]) for row in rows})
    pool = [names.index((row["app"], row["func"])) for row in rows]
    duration_us = [round(float(row["duration"]) * US_PER_S) for row in rows]
    arrival_us = [round(float(row["end_timestamp"]) * US_PER_S) - d for row, d in zip(rows, duration_us, strict=True)]
    found = simulate_pool(arrival_us, duration_us, pool, keep_alive_us=keep_alive_s * US_PER_S)
    assert len(rows) == 998
    assert (found.cold_starts, found.max_concurrency) == (cold_starts, 25)
