"""The objective, one sum of money, and its components. Not here: what happened (simulator/fleet.py), the reasons for the weights.

The weights are preferences (params.yaml, section `objective`), not market prices: docs/methods/world.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.fleet import Field

if TYPE_CHECKING:
    from simulator.parameters import Objective

Float64 = NDArray[np.float64]
COMPONENTS = ("execution", "egress", "carbon", "sla", "latency", "moves")


def components_usd(fields: NDArray[np.int64], objective: Objective) -> dict[str, Float64]:
    """Return the components of the objective, USD, each of the shape of `fields` without its last axis.

    Args:
        fields: int64 [..., len(Field)], sums of any grain.
        objective: the weights.

    `sla` is misses and the charge of rejects; `latency` values the excess over the call's own duration; `moves` holds floors, too.
    """

    def usd(*columns: Field) -> Float64:
        return sum((fields[..., c] for c in columns), np.zeros((), dtype=np.int64)) / 1e9

    return {
        "execution": usd(Field.COST_NANOUSD),
        "egress": usd(Field.EGRESS_NANOUSD),
        "carbon": fields[..., Field.CARBON_NG] / 1e12 * objective.carbon_usd_per_kg,
        "sla": fields[..., Field.MISSES] * objective.miss_usd + usd(Field.REJECT_NANOUSD),
        "latency": fields[..., Field.EXCESS_US] / 1e6 * objective.latency_usd_per_s,
        "moves": usd(Field.MOVE_NANOUSD, Field.FLOOR_NANOUSD),
    }


def objective_usd(fields: NDArray[np.int64], objective: Objective) -> Float64:
    """Return the objective J, USD, of the shape of `fields` without its last axis."""
    parts = components_usd(fields, objective)
    return np.sum([parts[name] for name in COMPONENTS], axis=0)
