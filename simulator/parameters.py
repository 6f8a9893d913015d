"""What can be set about the world, its families, the service-level objective and the objective. Not here: tables of data/reference, traces.

Fields and defaults' reasons: docs/methods/world.md. Times in the unit of the suffix, money in USD.
"""

from __future__ import annotations

import difflib
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.units import SLOT_US, US_PER_S


class Section(BaseModel):
    """A section of params.yaml: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Slowdown(Section):
    """Contention: s(u) = 1 + k * (max(0, u - knee) / (1 - knee)) ** power."""

    knee: float = Field(default=0.6, ge=0, lt=1)
    k: float = Field(default=2.0, ge=0)
    power: float = Field(default=2.0, gt=0)


class Utilisation(Section):
    """Level and movement of a zone's utilisation; the level is assumed, the movement is a Google cell's."""

    u_mean: float = Field(default=0.60, gt=0, lt=1)
    zone_spread: float = Field(default=0.10, ge=0)
    amp: float = Field(default=1.0, ge=0)
    zone_noise: float = Field(default=0.03, ge=0)
    noise_rho: float = Field(default=0.9, ge=0, lt=1)
    drift: float = Field(default=0.06, ge=0)
    drift_h: float = Field(default=24, gt=0)


class Episodes(Section):
    """Noisy neighbours."""

    per_zone_14d: float = Field(default=2.0, ge=0)
    delta_u: float = Field(default=0.25, ge=0)
    median_min: float = Field(default=40, gt=0)
    sigma: float = Field(default=0.8, ge=0)


class Outages(Section):
    """A zone gives no capacity at all."""

    per_zone_year: float = Field(default=4.0, ge=0)
    median_min: float = Field(default=60, gt=0)
    sigma: float = Field(default=0.8, ge=0)


class ColdStart(Section):
    """Which distribution of data/reference, and the shares of the package classes (small, medium, large)."""

    source: Literal["mikhail_2021"] = "mikhail_2021"
    package_share: tuple[float, float, float] = (0.5, 0.3, 0.2)


class KeepAlive(Section):
    """Which distribution of data/reference."""

    source: Literal["eurosys26", "mikhail_2021"] = "eurosys26"


class Network(Section):
    """Round trip inside a region, and how much of the measured throughput one function gets."""

    same_region_rtt_us: int = Field(default=1000, ge=0)
    streams_share: float = Field(default=0.125, gt=0, le=1)
    cap_gbps: float = Field(default=0.6, gt=0)


class Energy(Section):
    """Watts; the network's 0.001 kWh/GB is in the kernel."""

    cpu_busy: float = Field(default=0.5, ge=0, le=1)
    memory_w_per_gb: float = Field(default=0.392, ge=0)


class Carbon(Section):
    """Which grid intensity; the day aligns weekday and UTC hour with the first day of the Azure trace."""

    kind: Literal["lca"] = "lca"
    start: date = date(2023, 1, 29)


class Move(Section):
    """State that a move copies, log-normal per app."""

    state_median_gb: float = Field(default=0.010, ge=0)
    state_sigma: float = Field(default=1.2, ge=0)
    state_cap_gb: float = Field(default=1.0, gt=0)


class Workload(Section):
    """Shares of the sampled attributes of apps."""

    data_elsewhere: float = Field(default=0.30, ge=0, le=1)
    data_other_cloud: float = Field(default=0.15, ge=0, le=1)
    payload_share: tuple[float, float, float] = (0.7, 0.2, 0.1)
    global_share: float = Field(default=0.4, ge=0, le=1)


class Provisioned(Section):
    """Warm floors: how long an instance takes to be ready; release and billing are rules of a cloud (clouds.csv)."""

    lead_steps: int = Field(default=1, ge=0)


class World(Section):
    """The simulated world."""

    step_s: int = Field(default=15, ge=1)
    tactical_steps: int = Field(default=100, ge=1)
    strategic_steps: int = Field(default=1000, ge=1)
    quota_per_placement: int = Field(default=120, ge=1)
    timeout_s: float = Field(default=30, ge=0)
    slowdown: Slowdown = Slowdown()
    utilisation: Utilisation = Utilisation()
    episodes: Episodes = Episodes()
    outages: Outages = Outages()
    cold_start: ColdStart = ColdStart()
    keep_alive: KeepAlive = KeepAlive()
    network: Network = Network()
    energy: Energy = Energy()
    carbon: Carbon = Carbon()
    move: Move = Move()
    workload: Workload = Workload()
    provisioned: Provisioned = Provisioned()

    @property
    def step_us(self) -> int:
        """Length of a step, us."""
        return self.step_s * US_PER_S

    @property
    def timeout_us(self) -> int:
        """Longest wait of a call before it is rejected, us."""
        return round(self.timeout_s * US_PER_S)

    @property
    def tactical_us(self) -> int:
        """Length of a tactical interval, us."""
        return self.tactical_steps * self.step_us

    @model_validator(mode="after")
    def whole_steps(self) -> World:
        """A slot of five minutes is a whole number of steps, so that outages begin and end at barriers."""
        if SLOT_US % self.step_us:
            raise ValueError(f"step_s {self.step_s} does not divide 300")
        return self


class Family(Section):
    """How the worlds of a scenario family differ from the section `world`, and whether its apps are fenced."""

    quota_per_placement: int | None = Field(default=None, ge=1, description="instances per zone")
    outages_per_zone_year: float | None = Field(default=None, ge=0, description="expected outages of a zone in a year")
    is_fenced: bool = Field(default=False, description="apps stay on the continent of their home")

    @model_validator(mode="before")
    @classmethod
    def known_keys(cls, values: Any) -> Any:
        """Name the nearest key for one that does not exist."""
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(cls.model_fields)}"
                raise ValueError(f"unknown key '{key}' of a family; {hint}")
        return values

    def applied_to(self, world: World) -> World:
        """Return the world of the family: `world` with the family's figures in it."""
        if self.quota_per_placement is not None:
            world = world.model_copy(update={"quota_per_placement": self.quota_per_placement})
        if self.outages_per_zone_year is not None:
            outages = world.outages.model_copy(update={"per_zone_year": self.outages_per_zone_year})
            world = world.model_copy(update={"outages": outages})
        return world


class Slo(Section):
    """A call misses when its latency exceeds floor + factor x its own duration."""

    floor_ms: int = Field(default=300, ge=0)
    factor: float = Field(default=1.5, ge=0)

    @property
    def floor_us(self) -> int:
        """The floor, us."""
        return self.floor_ms * 1000

    @property
    def factor_permille(self) -> int:
        """The factor in thousandths."""
        return round(self.factor * 1000)


class Objective(Section):
    """Prices that turn an outcome into one sum of money. They are preferences, not market prices."""

    carbon_usd_per_kg: float = Field(default=1.0, ge=0)
    miss_usd: float = Field(default=1.0e-4, ge=0)
    reject_extra_usd: float = Field(default=2.0e-4, ge=0)
    latency_usd_per_s: float = Field(default=1.0e-5, ge=0)
