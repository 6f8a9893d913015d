"""Power of an instance: watts per vCPU and per GB of memory, times the overhead of the building. Not here: energy of a call (the kernel).

The model and its coefficients are those of Cloud Carbon Footprint (data/reference/energy.csv); docs/methods/world.md has the equation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.units import MB_PER_GB, UW_PER_W
from simulator.places.rounding import vcpus

if TYPE_CHECKING:
    from simulator.places.tables import Tables

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


def busy_uw(tables: Tables, memory_mb: ArrayLike) -> Int64:
    """Return the power of a running instance at each cloud, int64 [..., C] microwatts, for configured memory int64 [...]."""
    return _power_uw(tables, memory_mb, tables.watts_min + tables.cpu_busy * (tables.watts_max - tables.watts_min))


def idle_uw(tables: Tables, memory_mb: ArrayLike) -> Int64:
    """Return the power of an idle instance at each cloud, int64 [..., C] microwatts, for configured memory int64 [...]."""
    return _power_uw(tables, memory_mb, tables.watts_min)


def _power_uw(tables: Tables, memory_mb: ArrayLike, watts_per_vcpu: Float64) -> Int64:
    """Power at a load that draws `watts_per_vcpu` (float64 [C]); memory draws the same at every load."""
    memory_w = np.asarray(memory_mb)[..., None] / MB_PER_GB * tables.memory_w_per_gb
    return np.rint(tables.pue * (vcpus(tables, memory_mb) * watts_per_vcpu + memory_w) * UW_PER_W).astype(np.int64)
