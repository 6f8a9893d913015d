"""Prices of an instance and of a copy, in the integers of the world. Not here: the rows they come from (tables.py), the bill of a call.

Prices of time are femto-USD per microsecond, to the nearest integer (to the even one in the middle).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.units import FUSD_PER_US
from simulator.places.rounding import billed_gb, vcpus

if TYPE_CHECKING:
    from simulator.places.tables import Tables

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


def execution_fusd_per_us(tables: Tables, memory_mb: ArrayLike) -> Int64:
    """Return the price of a running instance in each region, int64 [..., R], for configured memory int64 [...]."""
    return _fusd_per_us(_usd_per_s(tables, memory_mb, tables.usd_per_gb_s, tables.usd_per_vcpu_s))


def floor_fusd_per_us(tables: Tables, memory_mb: ArrayLike) -> Int64:
    """Return the price of an instance that a floor keeps warm, int64 [..., R], for configured memory int64 [...]."""
    return _fusd_per_us(_usd_per_s(tables, memory_mb, tables.provisioned_usd_per_gb_s, tables.provisioned_usd_per_vcpu_s))


def provisioned_fusd_per_us(tables: Tables, memory_mb: ArrayLike) -> Int64:
    """Return the price of running on an instance that a floor keeps warm, int64 [..., R]; the usual one where the table has none."""
    special = tables.provisioned_duration_usd_per_gb_s
    has_none = np.isnan(special)
    own = _fusd_per_us(_by_region(tables, billed_gb(tables, memory_mb)) * np.where(has_none, 0.0, special))
    return np.where(has_none, execution_fusd_per_us(tables, memory_mb), own)


def copy_nanousd_per_mb(tables: Tables) -> Int64:
    """Return the price of copying state between regions, int64 [R, R] nano-USD per 10^6 bytes; inside a region that between its zones."""
    price = tables.egress_nanousd_per_mb.copy()
    np.fill_diagonal(price, tables.inter_zone_nanousd_per_mb[tables.cloud_of_region])
    return price


def _usd_per_s(tables: Tables, memory_mb: ArrayLike, usd_per_gb_s: Float64, usd_per_vcpu_s: Float64) -> Float64:
    gb, vcpu = (_by_region(tables, size(tables, memory_mb)) for size in (billed_gb, vcpus))
    return gb * usd_per_gb_s + vcpu * usd_per_vcpu_s


def _by_region(tables: Tables, by_cloud: Float64) -> Float64:
    return by_cloud[..., tables.cloud_of_region]


def _fusd_per_us(usd_per_s: Float64) -> Int64:
    return np.rint(usd_per_s * FUSD_PER_US).astype(np.int64)
