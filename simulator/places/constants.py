"""What one call of an app costs in each region, as the integers that the kernel reads. Not here: the formulas (prices.py, power.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.units import MINUTE_S
from simulator import kernel
from simulator.places import power, prices
from simulator.places.rounding import vcpus

if TYPE_CHECKING:
    from simulator.control.view import Facts
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]


def app_constants(scenario: Scenario | Facts, memory_mb: Int64) -> Int64:
    """Return integer prices, powers, network figures and rules of each app in each region.

    Prices are femto-USD per us, powers uW; docs/methods/world.md has the equations.

    Args:
        scenario: tables, parameters, and where the data of the apps is.
        memory_mb: configured memory of each app, int64 [A].

    Returns:
        int64 [A, R, kernel.CONSTANTS].
    """
    t, world, data = scenario.tables, scenario.world, scenario.apps.data_region
    cloud = t.cloud_of_region
    columns: dict[int, ArrayLike] = {
        kernel.PRICE: prices.execution_fusd_per_us(t, memory_mb),
        kernel.PROVISIONED: prices.provisioned_fusd_per_us(t, memory_mb),
        kernel.REQUEST: t.request_nanousd,
        kernel.BUSY_UW: power.busy_uw(t, memory_mb)[:, cloud],
        kernel.IDLE_UW: power.idle_uw(t, memory_mb)[:, cloud],
        kernel.DATA_RTT: t.data_rtt_us[data],
        kernel.US_PER_KIB: t.us_per_kib[data],
        kernel.EGRESS_IN: t.egress_nanousd_per_mb[data],
        kernel.EGRESS_OUT: t.internet_nanousd_per_mb,
        kernel.GRANULARITY: t.billing_granularity_us[cloud],
        kernel.MINIMUM: t.billing_minimum_us[cloud],
        kernel.COLD_BILLED: t.is_cold_start_billed[cloud],
        kernel.CLOUD: cloud,
        kernel.BY_FUNCTION: t.is_pool_per_function[cloud],
        kernel.DURATION_FACTOR: 1000,
        kernel.FLOOR_PRICE: prices.floor_fusd_per_us(t, memory_mb),
        kernel.BILLED_STEPS: t.floor_min_billed_min[cloud] * MINUTE_S // world.step_s,
        kernel.IS_DROP: t.is_floor_dropped[cloud],
        kernel.LEAD_US: world.provisioned.lead_steps * world.step_us,
        kernel.MEMORY_MB: memory_mb[:, None],
        kernel.MILLI_VCPU: np.rint(1000 * vcpus(t, memory_mb))[:, cloud],
    }
    out = np.zeros((len(data), len(t.regions), kernel.CONSTANTS), dtype=np.int64)
    for column, values in columns.items():
        out[:, :, column] = values
    return out
