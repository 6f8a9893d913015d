"""An invented calibration.json and its parts, for sections of the page that show them. Not here: a real calibration (report_world.py)."""

from __future__ import annotations

from typing import Any

from tasks.report.sections.places import CHEAPER
from tasks.world.calibration_record import Check, Shift

CLOUDS, METROS = ("aws", "azure", "gcp"), {"lhr": "London", "fra": "Frankfurt", "bom": "Mumbai / Pune", "iad": "Northern Virginia"}


def check(
    what: str, expected: float | None, found: float, low: float, high: float, kind: str = "theory", judged: bool = True
) -> dict[str, Any]:
    return {
        "what": what, "expected": expected, "found": found, "low": low, "high": high, "kind": kind, "unit": "s", "source": "a book",
        "standard_error": None, "is_within": low <= found <= high if judged else None,
    }  # fmt: skip


HELD = [
    check("M/M/1: mean wait", 4.0, 4.1, 3.8, 4.2), check("Day", None, 0.1, 0.0, 0.15, "measured"),
    check("Call", 12.0, 12.0, 12.0, 12.0, "hand"), check("Cold", 0.07, 0.04, 0.05, 0.1, "prototype", judged=False),
]  # fmt: skip
OUTSIDE = [*HELD, check("Keep-alive", 0.9, 0.5, 0.88, 0.92, "measured")]
LIMITS = {
    "carbon_correlation_same_metro": 1.0, "carbon_correlation_other_metro": 0.1, "cleanest_region_share_of_hours": 1.0,
    "carbon_share_at_0_19": 0.0055, "carbon_share_at_1": 0.028, "busy_instances": 5.5, "room_of_a_zone": 48.0,
    "congestion_after_25_min": 0.77, "congestion_after_4_h_10": 0.24, "assumed_prices_share_of_home": 0.25,
}  # fmt: skip


def region(cloud: str, metro: str, home: float, static: float) -> dict[str, Any]:
    return {
        "region": f"{cloud}:{metro}", "cloud": cloud, "metro": metro, "metro_name": METROS[metro], "lat": 50.0, "lon": 10.0,
        "g_per_kwh": 200.123, "nanousd_per_s_of_256_mb": 4167, "internet_usd_per_gb": 0.09,
        "price_basis": "assumed" if cloud == "azure" else "verified",
        "home_share": home, "static_share": static,
    }  # fmt: skip


def shift(old: str, new: str, share: float, **usd: float) -> dict[str, Any]:
    ends = {"from_cloud": "aws", "to_cloud": "gcp", "from_metro": old, "to_metro": new}
    return ends | {"apps": 1, "share": share} | {f"{name}_usd": usd.get(name, 0.0) for name in CHEAPER}


def shifts(*rows: dict[str, Any]) -> list[Shift]:
    return [Shift.model_validate(row) for row in rows]


def checks(*rows: dict[str, Any]) -> list[Check]:
    return [Check.model_validate(row) for row in rows]


def calibration(**changes: Any) -> dict[str, Any]:
    """An invented calibration.json."""
    charges = {"Request": 200.0, "Execution price": 500.0, "Egress, in": 0.0, "Egress, out": 300.0, "Miss": 9000.0}
    steps = [
        {"step": step, "formula": "a x b", "value": value, "unit": "nano-USD", "constant": "prices.csv", "basis": basis}
        for (step, value), basis in zip(charges.items(), ("verified", "assumed", "drawn", "drawn", "preference"), strict=True)
    ]
    change = {"how": "replayed", "static_usd": 7.0, "static_of_home": 0.8, "home_assumed": 0.25, "static_assumed": 0.2}
    assumed = [
        {
            "table": "prices.csv",
            "row": "azure:lhr execution",
            "column": "usd",
            "value": "1.6e-05",
            "unit": "USD per GB-s",
            "why": "East US",
        },
        {"table": "network.csv", "row": "aws:lhr to gcp:fra", "column": "gbps", "value": "4.9", "unit": "Gbit/s", "why": "stand-in: other"},
        {"table": "network.csv", "row": "aws:lhr to gcp:fra", "column": "rtt_us", "value": "900", "unit": "us", "why": "not measured"},
        {"table": "params.yaml", "row": "world.timeout_s", "column": "timeout_s", "value": "30", "unit": "s", "why": "usual"},
    ]
    call = {
        "app_id": "a", "origin": "lhr", "zone": "aws:lhr", "data_region": "aws:lhr", "memory_mb": 128, "duration_ms": 9.0, "bytes_in": 1,
        "bytes_out": 1,
    }  # fmt: skip
    return {
        "scenario": "calm-1", "from": "twin", "family": "calm", "seed": 1, "luck_seed": 1, "test_days": [2.0, 3.0], "apps": 2, "calls": 12,
        "checks": HELD, "bill": {"call": call, "steps": steps}, "limits": LIMITS,
        "assumed": assumed,
        "sensitivity": [
            change | {"change": "defaults", "home_usd": 8.0, "home_change": 0.0},
            change | {"change": "quota 30 per zone", "home_usd": 12.0, "home_change": 0.5},
        ],
        "places": [region(c, m, 1 / 12, 1 / 12) for c in CLOUDS for m in METROS],
        "shifts": [shift("fra", "lhr", 0.2, carbon=-0.5, latency=0.1)],
    } | changes  # fmt: skip
