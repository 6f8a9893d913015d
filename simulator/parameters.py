"""What can be set about the world, its families, the service-level objective and the objective. Not here: tables of data/reference, traces.

Fields and defaults' reasons: docs/methods/world.md. Times in the unit of the suffix, money in USD.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from core.units import SLOT_US, US_PER_S

LARGEST = 1e12  # of a number without a tighter bound: a product of two of them is still far from overflowing a float
SHARES_WITHIN = 1e-6  # that shares may differ from a sum of 1, for rounded ones


class Section(BaseModel):
    """A section of params.yaml: frozen; an unknown key, a truth value for a number, NaN, infinity and absurd numbers are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` where a number is wanted: it would count as 1."""
        kind = cls.model_fields[str(info.field_name)].annotation
        wants_truth = kind is bool or bool in get_args(kind)
        if not wants_truth and any(isinstance(item, bool) for item in (value if isinstance(value, list | tuple) else [value])):
            raise ValueError("true and false are no numbers")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def no_absurd_numbers(cls, value: Any) -> Any:
        """Refuse what no field can mean, e.g. 1e300."""
        items = value if isinstance(value, tuple) else [value]
        if any(isinstance(item, int | float) and abs(item) > LARGEST for item in items):
            raise ValueError(f"beyond {LARGEST:g}")
        return value


def _sum_to_one(value: tuple[float, ...]) -> tuple[float, ...]:
    if min(value) < 0 or abs(sum(value) - 1) > SHARES_WITHIN:
        raise ValueError(f"the shares must be 0 or more and sum to 1; they sum to {sum(value):g}")
    return value


def _none_empty(value: tuple[float, ...]) -> tuple[float, ...]:
    if min(value) <= 0:
        raise ValueError("no part may be empty: every share must be above 0")
    return value


Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[tuple[Share, Share, Share], AfterValidator(_sum_to_one)]
Parts = Annotated[Shares, AfterValidator(_none_empty)]  # shares of a whole that is cut into train, valid and test


class Slowdown(Section):
    """Contention: s(u) = 1 + k * (max(0, u - knee) / (1 - knee)) ** power."""

    knee: float = Field(default=0.6, ge=0, lt=1, description="utilisation from which calls slow down")
    k: float = Field(default=2.0, ge=0, le=100, description="slowdown at full utilisation, beyond 1")
    power: float = Field(default=2.0, gt=0, le=100, description="of the share of headroom that is gone")


class Utilisation(Section):
    """Level and movement of a zone's utilisation; the level is assumed, the movement is a Google cell's."""

    u_mean: float = Field(default=0.60, gt=0, lt=1, description="mean utilisation of a zone")
    zone_spread: float = Field(default=0.10, ge=0, le=1, description="standard deviation of the level between zones")
    amp: float = Field(default=1.0, ge=0, le=10, description="factor on the movement of the cell that a zone replays")
    zone_noise: float = Field(default=0.03, ge=0, le=1, description="standard deviation of a zone's own noise")
    noise_rho: float = Field(default=0.9, ge=0, lt=1, description="correlation of that noise from slot to slot")
    drift: float = Field(default=0.06, ge=0, le=1, description="standard deviation of the slow drift")
    drift_h: float = Field(default=24, gt=0, le=8784, description="time constant of the drift, hours")


class Episodes(Section):
    """Noisy neighbours."""

    per_zone_14d: float = Field(default=2.0, ge=0, le=4032, description="expected episodes of a zone in 14 days")
    delta_u: float = Field(default=0.25, ge=0, le=1, description="utilisation that an episode adds")
    median_min: float = Field(default=40, gt=0, le=20160, description="median length, minutes")
    sigma: float = Field(default=0.8, ge=0, le=10, description="spread of the log-normal length")


class Outages(Section):
    """A zone gives no capacity at all."""

    per_zone_year: float = Field(default=4.0, ge=0, le=105120, description="expected outages of a zone in a year")
    median_min: float = Field(default=60, gt=0, le=20160, description="median length, minutes")
    sigma: float = Field(default=0.8, ge=0, le=10, description="spread of the log-normal length")


class ColdStart(Section):
    """Which distribution of data/reference, and the shares of the package classes (small, medium, large)."""

    source: Literal["mikhail_2021"] = Field(default="mikhail_2021", description="distribution of data/reference")
    package_share: Shares = Field(default=(0.5, 0.3, 0.2), description="shares of small, medium and large packages")


class KeepAlive(Section):
    """Which distribution of data/reference."""

    source: Literal["eurosys26", "mikhail_2021"] = Field(default="eurosys26", description="distribution of data/reference")


class Network(Section):
    """Round trip inside a region, and how much of the measured throughput one function gets."""

    same_region_rtt_us: int = Field(default=1000, ge=0, le=10_000_000, description="round trip inside a region, us")
    streams_share: float = Field(default=0.125, gt=0, le=1, description="share of the measured throughput that one function gets")
    cap_gbps: float = Field(default=0.6, gt=0, le=10_000, description="most that one function gets, Gbit/s")


class Energy(Section):
    """Watts; the network's 0.001 kWh/GB is in the kernel."""

    cpu_busy: float = Field(default=0.5, ge=0, le=1, description="utilisation of a vCPU while a call runs, for its power")
    memory_w_per_gb: float = Field(default=0.392, ge=0, le=100, description="power of memory, W per GB")


class Carbon(Section):
    """Which grid intensity; the day aligns weekday and UTC hour with the first day of the Azure trace."""

    kind: Literal["lca"] = Field(default="lca", description="of the intensity: life cycle")
    start: date = Field(default=date(2023, 1, 29), description="a Sunday, which is day 0 of the trace")


class Move(Section):
    """State that a move copies, log-normal per app."""

    state_median_gb: float = Field(default=0.010, ge=0, le=1000, description="median state of an app, GB")
    state_sigma: float = Field(default=1.2, ge=0, le=10, description="spread of the log-normal state")
    state_cap_gb: float = Field(default=1.0, gt=0, le=1000, description="largest state, GB")


class Workload(Section):
    """Shares of the sampled attributes of apps."""

    data_elsewhere: float = Field(default=0.30, ge=0, le=1, description="share of apps whose data may be in another metro")
    data_other_cloud: float = Field(default=0.15, ge=0, le=1, description="share of apps whose data may be in another cloud")
    payload_share: Shares = Field(default=(0.7, 0.2, 0.1), description="shares of light, medium and heavy payloads")
    global_share: float = Field(default=0.4, ge=0, le=1, description="share of apps that are called from all metros")


class Provisioned(Section):
    """Warm floors: how long an instance takes to be ready; release and billing are rules of a cloud (clouds.csv)."""

    lead_steps: int = Field(default=1, ge=0, le=5760, description="steps until a warm instance is ready")


class World(Section):
    """The simulated world."""

    step_s: int = Field(default=15, ge=1, le=300, description="length of a step, s; it divides 300")
    tactical_steps: int = Field(default=100, ge=1, le=5760, description="steps between two tactical decisions")
    strategic_steps: int = Field(default=1000, ge=1, le=40_320, description="steps between two strategic decisions")
    quota_per_placement: int = Field(default=120, ge=1, le=1_000_000, description="instances per zone")
    timeout_s: float = Field(default=30, ge=0, le=86_400, description="a longer wait is a reject, s")
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

    quota_per_placement: int | None = Field(default=None, ge=1, le=1_000_000, description="instances per zone")
    outages_per_zone_year: float | None = Field(default=None, ge=0, le=105_120, description="expected outages of a zone in a year")
    is_fenced: bool = Field(default=False, description="apps stay on the continent of their home")

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

    floor_ms: int = Field(default=300, ge=0, le=86_400_000, description="latency that never misses, ms")
    factor: float = Field(default=1.5, ge=0, le=1000, description="times the call's own duration, on top")

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

    carbon_usd_per_kg: float = Field(default=1.0, ge=0, le=1e6, description="price of carbon, USD per kg")
    miss_usd: float = Field(default=1.0e-4, ge=0, le=1e6, description="price of a call that misses its objective, USD")
    reject_extra_usd: float = Field(
        default=2.0e-4, ge=0, le=1e6, description="price of a rejected call beyond twice its execution at home, USD"
    )
    latency_usd_per_s: float = Field(
        default=1.0e-5, ge=0, le=1e6, description="price of latency in excess of the call's own duration, USD per s"
    )
