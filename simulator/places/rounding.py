"""How a cloud rounds a size: the memory it bills and the vCPUs it gives. Not here: prices (prices.py), time, which the kernel rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.units import MB_PER_GB

if TYPE_CHECKING:
    from simulator.places.tables import Tables

Float64 = NDArray[np.float64]


def billed_gb(tables: Tables, memory_mb: ArrayLike) -> Float64:
    """Return the memory that each cloud bills, GB of 1024 MB: rounded up to the cloud's step, at most its cap.

    Args:
        tables: clouds and their rules.
        memory_mb: configured memory, int64 [...].

    Returns:
        float64 [..., C].
    """
    memory = np.asarray(memory_mb, dtype=np.int64)[..., None]
    step, cap = tables.memory_step_mb, tables.memory_cap_mb
    unit = np.maximum(step, 1)  # a cloud without a step bills memory as it is
    billed = -(-memory // unit) * unit
    return np.asarray(np.where(cap > 0, np.minimum(billed, cap), billed) / MB_PER_GB)


def vcpus(tables: Tables, memory_mb: ArrayLike) -> Float64:
    """Return the vCPUs that each cloud gives to a memory size.

    They are in proportion to memory where the table has one point of a cloud, else linear between its points and flat outside.

    Args:
        tables: clouds and their points of vCPU over memory.
        memory_mb: configured memory, of any shape [...].

    Returns:
        float64 [..., C].
    """
    size = np.asarray(memory_mb, dtype=np.float64)
    found = [
        size * count[0] / memory[0] if len(memory) == 1 else np.interp(size, memory, count)
        for memory, count in zip(tables.vcpu_memory_mb, tables.vcpu_count, strict=True)
    ]
    return np.stack(found, axis=-1)
