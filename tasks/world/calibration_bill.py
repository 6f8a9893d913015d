"""One call alone in the world: the worked example of docs/methods/world.md, and the bill of a real call, step by step. Not here: the fleet.

The steps are computed here from the tables and compared with what the kernel booked: a bill that does not add up is an error.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import TrineError
from core.units import HOUR_US, SLOT_US
from simulator import kernel
from simulator.conditions import Conditions
from simulator.control.baseline import Stay
from simulator.control.loop import Loop, finished
from simulator.fleet import Field
from simulator.layout import COLD_STREAM, KEEP_ALIVE_STREAM
from simulator.parameters import Objective, Slo, World
from simulator.places.constants import app_constants
from simulator.places.tables import Tables
from simulator.rng import hash_u64
from simulator.scenario import Scenario
from simulator.workload import Apps, Calls
from tasks.world.calibration_assumed import Basis, weakest
from tasks.world.calibration_theory import Check, short

LUCK, CALL_ID, HOUR_STEPS = 11, 12_345, 240
MEDIUM = 1  # the package class whose distribution is ours
NOTABLE_US, NOTABLE_BYTES = (50_000, 2_000_000), 10_000
MG, UJ_PER_KWH = 1_000_000, 3_600_000  # a figure in mg/kWh and one in uJ give ng over this
WORKED = {  # hand-computed: field, figure, unit
    "LATENCY_US": ("latency", 588_879, "us"),
    "BUSY_US": ("cold start, fetch and execution", 512_146, "us"),
    "BILLED_US": ("billed time", 513_000, "us"),
    "COST_NANOUSD": ("request and execution", 2_338, "nano-USD"),
    "EGRESS_NANOUSD": ("egress", 3_800, "nano-USD"),
    "CARBON_NG": ("carbon", 8_150_196, "ng"),
    "MISSES": ("misses", 1, "calls"),
}


def worked_checks(tables: Tables) -> list[Check]:
    """The hand-computed lonely call: London to Virginia, data in Frankfurt, 256 MB, utilisation 0.72."""
    zone, london = tables.zones.index("aws:us-east-1b"), tables.metros.index("lhr")
    data = tables.regions.index("aws:eu-central-1")
    places, world = len(tables.zones), World()
    grid = {"iad": 411_000, "fra": 445_000}
    carbon = np.array([grid.get(metro, 1) for metro in tables.metros], dtype=np.int64)[tables.metro_of_region][:, None]
    conditions = Conditions(
        utilisation_ppm=np.full((places, 1), 720_000, dtype=np.int32),
        capacity=np.full((places, 1), world.quota_per_placement, dtype=np.int32),
        slowdown_permille=np.full((places, 1), 1_180, dtype=np.int32),
        carbon_mg_per_kwh=carbon,
    )
    one = {"memory_mb": 256, "package": 0, "payload": 0, "home": zone, "data_region": data, "state_bytes": 0, "vcpu_bound_permille": 500}
    apps = Apps(
        app_ids=("app",),
        function_ids=("function",),
        first_function=np.array([0, 1], dtype=np.int64),
        id_base=np.array([CALL_ID], dtype=np.uint64),
        is_global=np.array([False]),
        **{name: np.array([value], dtype=np.int64) for name, value in one.items()},
    )
    calls = _one_call(world, 100_000_000, 120_000, 0, 100_000, 20_000, london)
    allowed = np.ones((1, places), dtype=np.bool_)
    splits = (HOUR_STEPS, HOUR_STEPS, HOUR_STEPS)
    scenario = Scenario(
        *("worked", "calm", 0, HOUR_STEPS, splits, world, Slo(), Objective(), tables, apps, calls, conditions, allowed),
    )
    found = _booked(scenario, LUCK)
    return [
        Check(f"Worked call: {what}", float(expected), float(found[name]), None, unit, expected, expected, "by hand", "hand")
        for name, (what, expected, unit) in WORKED.items()
    ]


def bill(scenario: Scenario, luck_seed: int, reference: Path) -> dict[str, Any]:
    """The bill of one real call of a scenario, alone at its home.

    Args:
        scenario: the world.
        luck_seed: of the cold start and the keep-alive.
        reference: folder of the reference tables, which say what is assumed.

    Returns:
        `steps` (step, formula, value, unit, constant, basis) and `call` (app, cloud, region, zone, data region, origin, memory). The basis
        is the weakest of what the step adds: verified, replayed (as in the calls), computed, preference, drawn, assumed.

    Raises:
        TrineError: the steps differ from what the kernel booked.
    """
    a, i = notable_call(scenario)
    one = alone(scenario, a, i)
    booked = _booked(one, luck_seed)
    t, world, p = one.tables, one.world, int(one.apps.home[0])
    r = int(t.region_of_placement[p])
    cloud = int(t.cloud_of_region[r])
    c = app_constants(one, one.apps.memory_mb)[0, r]
    calls, data = one.calls, int(one.apps.data_region[0])
    arrival, duration, origin = int(calls.arrival_us[0]), int(calls.duration_us[0]), int(calls.origin[0])
    received, sent = int(calls.bytes_in[0]), int(calls.bytes_out[0])
    words = [hash_u64(luck_seed, one.apps.id_base, stream)[0] for stream in (COLD_STREAM, KEEP_ALIVE_STREAM)]
    rtt = int(t.rtt_us[origin, r])
    start = arrival + rtt // 2
    slot, hour = (min(start // width, last) for width, last in ((SLOT_US, _last(one.conditions.capacity)), (HOUR_US, _hours(one))))
    slowdown = int(one.conditions.slowdown_permille[p, slot])
    here, there = int(one.conditions.carbon_mg_per_kwh[r, hour]), int(one.conditions.carbon_mg_per_kwh[data, hour])
    cold = int(kernel.draw(t.cold_start_us[cloud, int(one.apps.package[0])], words[0]))
    life = int(kernel.draw(t.keep_alive_us[cloud], words[1]))
    fetch = int(c[kernel.DATA_RTT]) + received * int(c[kernel.US_PER_KIB]) // 1024
    execution = duration * slowdown // 1000
    busy = cold + fetch + execution
    latency = rtt + busy
    granule = int(c[kernel.GRANULARITY])
    billed = max(int(c[kernel.MINIMUM]), -(-(fetch + execution + (cold if c[kernel.COLD_BILLED] else 0)) // granule) * granule)
    paid = (billed * int(c[kernel.PRICE]) + 500_000) // 1_000_000
    transfer_in, transfer_out = received * int(c[kernel.EGRESS_IN]), sent * int(c[kernel.EGRESS_OUT])
    work_uj, idle_uj = int(c[kernel.BUSY_UW]) * busy // 1_000_000, int(c[kernel.IDLE_UW]) * life // 1_000_000
    work_ng = work_uj * here // UJ_PER_KWH
    idle_hour = min((start + busy) // HOUR_US, _hours(one))
    idle_ng = idle_uj * int(one.conditions.carbon_mg_per_kwh[r, idle_hour]) // UJ_PER_KWH
    wire_ng = (received * ((here + there) // 2) + sent * here) // MG
    limit = one.slo.floor_us + duration * one.slo.factor_permille // 1000
    is_miss, excess = latency > limit, max(0, latency - duration)
    _agree(booked, LATENCY_US=latency, BUSY_US=busy, BILLED_US=billed, COST_NANOUSD=int(c[kernel.REQUEST]) + paid)
    _agree(booked, EGRESS_NANOUSD=(transfer_in + transfer_out) // 1_000_000, IDLE_CARBON_NG=idle_ng)
    _agree(booked, CARBON_NG=work_ng + wire_ng + idle_ng, MISSES=int(is_miss), EXCESS_US=excess, COLD_STARTS=1)
    o = one.objective
    kept, weights = world.keep_alive.source, "params.yaml: objective"
    carbon_nanousd = (work_ng + wire_ng + idle_ng) / 1e3 * o.carbon_usd_per_kg
    late_nanousd = excess * 1e3 * o.latency_usd_per_s
    sizes, wire, net = "energy.csv, vcpu.csv; memory drawn", "network.csv; bytes drawn", "prices.csv; bytes drawn"
    of = _Words(one, Basis(reference), r, data, origin)
    steps: list[tuple[str, str, float, str, str, str]] = [
        ("Round trip", "client's metro to the region", rtt / 1e3, "ms", "network.csv", of.round_trip),
        ("Cold start", "quantile of the cloud's law at the call's own luck", cold / 1e3, "ms", "cold_start.csv; package drawn", of.cold),
        ("Fetch", "round trip to data + bytes in x time per KiB", fetch / 1e3, "ms", "network.csv; share in params.yaml", "assumed"),
        ("Slowdown", "1 + k x (utilisation above the knee)^2", slowdown / 1e3, "factor", "The Night Shift; level ours", "assumed"),
        ("Execution", "duration in the calls x slowdown", execution / 1e3, "ms", "calls", "replayed"),
        ("Latency", "round trip + cold start + fetch + execution", latency / 1e3, "ms", "sum", "computed"),
        ("Objective of the service", "floor + factor x duration", limit / 1e3, "ms", "params.yaml: slo", "preference"),
        ("Billed time", "fetch + execution (+ cold start where billed), rounded up", billed / 1e3, "ms", of.rounding, of.billed),
        ("Request", "price of one request", int(c[kernel.REQUEST]), "nano-USD", "prices.csv", of.request),
        ("Execution price", "billed time x (GB x price + vCPU x price)", paid, "nano-USD", "prices.csv; memory drawn", of.execution),
        ("Egress, in", "bytes in x price from data region to region", transfer_in // 1_000_000, "nano-USD", wire, of.egress_in),
        ("Egress, out", "bytes out x price to the internet", transfer_out // 1_000_000, "nano-USD", net, of.egress_out),
        ("Energy, busy", "PUE x (vCPU x watts + GB x watts) x busy time", work_uj / 1e6, "J", sizes, of.energy),
        ("Energy, idle", "the same at idle watts x keep-alive", idle_uj / 1e6, "J", f"the same; keep_alive.csv ({kept})", of.energy),
        ("Carbon, busy", "energy x grid intensity of the hour", work_ng / 1e6, "mg", "carbon profile or hourly file", "verified"),
        ("Carbon, idle", "the same for the idle energy", idle_ng / 1e6, "mg", "carbon profile or hourly file", "verified"),
        ("Carbon, network", "bytes x energy per GB x intensity at both ends", wire_ng / 1e6, "mg", "0.001 kWh/GB; bytes drawn", "drawn"),
        ("Carbon in money", "carbon x value", carbon_nanousd, "nano-USD", weights, "preference"),
        ("Miss", "charged if latency is above the objective", is_miss * o.miss_usd * 1e9, "nano-USD", weights, "preference"),
        ("Latency in money", "(latency - duration) x value", late_nanousd, "nano-USD", weights, "preference"),
    ]  # fmt: skip
    names = ("step", "formula", "value", "unit", "constant", "basis")
    facts = {
        "app_id": one.apps.app_ids[0][:12],
        "zone": t.zones[p],
        "data_region": t.regions[data],
        "origin": t.metros[origin],
        "memory_mb": int(one.apps.memory_mb[0]),
        "bytes_in": received,
        "bytes_out": sent,
        "duration_ms": duration / 1e3,
    }
    return {"call": facts, "steps": [dict(zip(names, step, strict=True)) | {"value": short(step[2])} for step in steps]}


class _Words:
    """What each step of the bill is based on, by the rows of the reference tables that it uses.

    Args:
        one: scenario of the one call.
        basis: of the tables.
        r, data, origin: its region, its data's region, its client's metro.
    """

    def __init__(self, one: Scenario, basis: Basis, r: int, data: int, origin: int) -> None:
        t = one.tables
        cloud = int(t.cloud_of_region[r])
        here, at_client = t.regions[r], t.regions[int(t.region_at[cloud, origin])]
        self.round_trip = basis.network(at_client, here, "rtt_us")
        self.cold = "assumed" if one.apps.package[0] == MEDIUM else "drawn"
        self.billed = weakest(basis.cloud("billing.csv", t.clouds[cloud]), basis.rule(t.clouds[cloud], "cold_start_billed"))
        self.rounding = "billing.csv, clouds.csv"
        self.request = basis.price(here, "requests")
        self.execution = weakest(basis.price(here, "execution"), "drawn")
        self.egress_in = weakest(basis.network(t.regions[data], here, "egress_usd_per_gb"), "drawn")
        self.egress_out = weakest(basis.price(here, "internet_egress"), "drawn")
        self.energy = weakest(basis.cloud("energy.csv", t.clouds[cloud]), basis.cloud("vcpu.csv", t.clouds[cloud]), "drawn")


def notable_call(scenario: Scenario) -> tuple[int, int]:
    """App and index of the first call of the test span that shows every step: data elsewhere, a payload, a duration of 50 ms to 2 s.

    Where there is none, the first call outside an outage.
    """
    t, apps, calls = scenario.tables, scenario.apps, scenario.calls
    app = np.repeat(np.arange(len(apps.app_ids)), np.diff(calls.first_call))
    region = t.region_of_placement[apps.home]
    slot = np.minimum(calls.arrival_us // SLOT_US, _last(scenario.conditions.capacity))
    is_open = scenario.conditions.capacity[apps.home[app], slot] > 0
    is_late = calls.arrival_us >= scenario.split_steps[1] * scenario.world.step_us
    is_plain = (calls.duration_us >= NOTABLE_US[0]) & (calls.duration_us <= NOTABLE_US[1]) & (calls.bytes_in >= NOTABLE_BYTES)
    is_far = (apps.data_region != region)[app]
    for wanted in (is_open & is_late & is_plain & is_far, is_open):
        if wanted.any():
            i = int(np.flatnonzero(wanted)[calls.arrival_us[wanted].argmin()])
            return int(app[i]), i
    raise TrineError("no call meets an open placement", where=f"scenario {scenario.id}", how="use a scenario with calls outside outages")


def alone(scenario: Scenario, app: int, call: int) -> Scenario:
    """The scenario with one app and one of its calls, which keeps its luck."""
    apps, calls = scenario.apps, scenario.calls
    first, end = int(apps.first_function[app]), int(apps.first_function[app + 1])
    rank = np.uint64(call - int(calls.first_call[app]))
    arrays = ("memory_mb", "package", "payload", "home", "data_region", "state_bytes", "vcpu_bound_permille", "is_global")
    one = replace(
        apps,
        app_ids=(apps.app_ids[app],),
        function_ids=apps.function_ids[first:end],
        first_function=np.array([0, end - first], dtype=np.int64),
        id_base=apps.id_base[app : app + 1] | rank,
        **{name: getattr(apps, name)[app : app + 1] for name in arrays},
    )
    fields = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
    only = _one_call(scenario.world, *(int(getattr(calls, name)[call]) for name in fields))
    return replace(scenario, apps=one, calls=only, is_allowed=scenario.is_allowed[app : app + 1])


def _one_call(world: World, arrival_us: int, duration_us: int, function: int, bytes_in: int, bytes_out: int, origin: int) -> Calls:
    return Calls(
        first_call=np.array([0, 1], dtype=np.int64),
        arrival_us=np.array([arrival_us], dtype=np.int64),
        duration_us=np.array([duration_us], dtype=np.int64),
        function=np.array([function], dtype=np.int32),
        bytes_in=np.array([bytes_in], dtype=np.int32),
        bytes_out=np.array([bytes_out], dtype=np.int32),
        origin=np.array([origin], dtype=np.int8),
        group_step=np.array([arrival_us // world.step_us], dtype=np.int32),
        group_app=np.zeros(1, dtype=np.int32),
        group_first=np.zeros(1, dtype=np.int64),
        group_calls=np.ones(1, dtype=np.int32),
    )


def _booked(scenario: Scenario, luck_seed: int) -> dict[str, int]:
    """Sums of all fields of a run at home."""
    fleet = finished(Loop(scenario, Stay(), luck_seed, begin=0, end=scenario.steps))
    return {field.name: int(fleet.out[:, :, field].sum()) for field in Field}


def _agree(booked: dict[str, int], **steps: int) -> None:
    for name, value in steps.items():
        if booked[name] != value:
            raise TrineError(
                f"the steps give {name} {value}, the kernel booked {booked[name]}",
                where="tasks/world/calibration_bill.py",
                how="one of the two departs from docs/methods/world.md",
            )


def _last(table: Any) -> int:
    return int(table.shape[1]) - 1


def _hours(scenario: Scenario) -> int:
    return _last(scenario.conditions.carbon_mg_per_kwh)
