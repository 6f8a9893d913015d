"""Closed forms of queueing theory that a warm pool must reproduce. Here: formulas with their sources. Not here: any simulation.

Waits are in units of the mean service time and the load is offered work (arrival rate x mean service time, in erlang), so no formula
depends on a unit of time. The textbook behind all of them is Kleinrock, Queueing Systems, Volume 1: Theory, Wiley 1975.
"""

from __future__ import annotations

import math

from core.errors import ParameterError


def erlang_b(load: float, servers: int) -> float:
    """Share of calls lost in M/G/c/c: no queue, Poisson arrivals, any distribution of service times (Erlang 1917).

    Computed by the recursion B(0) = 1, B(c) = load B(c-1) / (c + load B(c-1)), which does not overflow (Jagerman 1974).

    Args:
        load: offered work in erlang, not negative.
        servers: at least 1.

    Raises:
        ParameterError: an argument is out of range.
    """
    _check(load >= 0 and servers >= 1, f"erlang_b(load={load}, servers={servers})", "load >= 0, servers >= 1")
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """Share of calls that wait in M/M/c (Erlang 1917): C = c B / (c - load (1 - B)) with B of `erlang_b`.

    Args:
        load: offered work in erlang, not negative and below `servers`.
        servers: at least 1.

    Raises:
        ParameterError: an argument is out of range, or the queue would grow without limit.
    """
    _check(0 <= load < servers, f"erlang_c(load={load}, servers={servers})", "0 <= load < servers")
    blocked = erlang_b(load, servers)
    return servers * blocked / (servers - load * (1.0 - blocked))


def mean_wait_mmc(load: float, servers: int) -> float:
    """Mean wait of all calls in M/M/c, in mean service times: C / (c - load); arguments and errors as `erlang_c`."""
    return erlang_c(load, servers) / (servers - load)


def wait_quantile_mmc(load: float, servers: int, share: float) -> float:
    """Wait that `share` of all calls do not exceed in M/M/c, served in order, in mean service times.

    P(wait > t) = C exp(-(c - load) t); the quantile is zero where enough calls do not wait at all.

    Args:
        load: as in `erlang_c`.
        servers: as in `erlang_c`.
        share: in [0, 1).

    Raises:
        ParameterError: an argument is out of range, or the queue would grow without limit.
    """
    _check(0 <= share < 1, f"wait_quantile_mmc(share={share})", "0 <= share < 1")
    waiting = erlang_c(load, servers)
    return math.log(waiting / (1.0 - share)) / (servers - load) if waiting > 1.0 - share else 0.0


def mean_wait_mg1(load: float, variation: float) -> float:
    """Mean wait of all calls in M/G/1, in mean service times: load (1 + cs^2) / (2 (1 - load)) (Pollaczek 1930, Khinchine 1932).

    Args:
        load: utilisation, not negative and below 1.
        variation: squared coefficient of variation cs^2 of the service time; 1 is M/M/1, 0 is M/D/1.

    Raises:
        ParameterError: an argument is out of range, or the queue would grow without limit.
    """
    _check(0 <= load < 1 and variation >= 0, f"mean_wait_mg1(load={load}, variation={variation})", "0 <= load < 1, variation >= 0")
    return load * (1.0 + variation) / (2.0 * (1.0 - load))


def cold_share_of_rare_calls(rate_per_s: float, keep_alive_s: float) -> float:
    """Share of cold starts of Poisson calls that take next to no time: a gap exceeds the keep-alive with exp(-rate x keep-alive).

    Args:
        rate_per_s: calls per second, not negative.
        keep_alive_s: how long the instance stays warm, not negative.

    Raises:
        ParameterError: an argument is negative.
    """
    _check(rate_per_s >= 0 and keep_alive_s >= 0, f"cold_share_of_rare_calls({rate_per_s}, {keep_alive_s})", "pass 0 or more")
    return math.exp(-rate_per_s * keep_alive_s)


def mean_busy(rate_per_s: float, mean_service_s: float) -> float:
    """Mean number of busy instances: rate x mean service time (Little 1961, A Proof for the Queuing Formula L = lambda W).

    Args:
        rate_per_s: served calls per second, not negative.
        mean_service_s: not negative.

    Raises:
        ParameterError: an argument is negative.
    """
    _check(rate_per_s >= 0 and mean_service_s >= 0, f"mean_busy({rate_per_s}, {mean_service_s})", "pass 0 or more")
    return rate_per_s * mean_service_s


def _check(is_right: bool, call: str, how: str) -> None:
    if not is_right:
        raise ParameterError(f"{call} has no answer", where="simulator/checks/queueing.py", how=how)
