"""What `calibrate` writes to reports/world/calibration.json. Not here: the checks, the bill, the sensitivities."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tasks.core.records import Number, Record


class Check(Record):
    """One figure of the world beside the expected one; `is_within` is None where it is shown and not judged."""

    what: str
    kind: str
    expected: Number | None
    found: Number
    low: Number
    high: Number
    unit: str
    standard_error: Number | None
    source: str
    is_within: bool | None


class BilledCall(Record):
    """The call whose bill is worked out."""

    app_id: str
    origin: str
    zone: str
    data_region: str
    memory_mb: Number
    duration_ms: Number
    bytes_in: int
    bytes_out: int


class BillStep(Record):
    """One step of the bill, with the constants it uses and how well they are known."""

    step: str
    formula: str
    value: Number
    unit: str
    constant: str
    basis: str


class Bill(Record):
    """What one cold call costs, step by step."""

    call: BilledCall
    steps: tuple[BillStep, ...]


class Limits(Record):
    """What limits any gain in this world; shares are of 1."""

    carbon_correlation_same_metro: Number
    carbon_correlation_other_metro: Number
    cleanest_region_share_of_hours: Number
    carbon_share_at_0_19: Number
    carbon_share_at_1: Number
    busy_instances: Number
    room_of_a_zone: Number
    congestion_after_25_min: Number
    congestion_after_4_h_10: Number
    assumed_prices_share_of_home: Number


class Sensitivity(Record):
    """The bill at home and under best static after one change of an assumption."""

    change: str
    how: str
    home_usd: Number
    home_change: Number
    static_usd: Number
    static_of_home: Number
    home_assumed: Number
    static_assumed: Number


class Place(Record):
    """One region: where it is, its grid and prices, and its share of the calls at home and under best static."""

    region: str
    cloud: str
    metro: str
    metro_name: str
    lat: Number
    lon: Number
    g_per_kwh: Number
    nanousd_per_s_of_256_mb: Number
    internet_usd_per_gb: Number
    price_basis: str
    home_share: Number
    static_share: Number


class Shift(Record):
    """Calls that best static moves from one cloud and metro to another; money is best static less home."""

    from_cloud: str
    from_metro: str
    to_cloud: str
    to_metro: str
    apps: int
    share: Number
    execution_usd: Number
    egress_usd: Number
    latency_usd: Number
    sla_usd: Number
    carbon_usd: Number


class Assumed(Record):
    """One value that no source states."""

    table: str
    row_of_table: str = Field(alias="row")
    column: str
    value: str
    unit: str
    why: str


class Calibration(Record):
    """The world against theory and measurement, on one scenario; `test_days` are the ends of the test span, in days."""

    written_by: ClassVar[str] = "calibrate"

    scenario: str
    origin: str = Field(alias="from")
    family: str
    seed: int
    luck_seed: int
    test_days: tuple[Number, Number]
    apps: int
    calls: int
    checks: tuple[Check, ...]
    bill: Bill
    limits: Limits
    sensitivity: tuple[Sensitivity, ...]
    places: tuple[Place, ...]
    shifts: tuple[Shift, ...]
    assumed: tuple[Assumed, ...]
