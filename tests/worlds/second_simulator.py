"""The second simulator of the whole world, slow and readable, which checks the fast kernel: plain integers, lists and dicts.

One file, though long: it is read beside the specification from top to bottom, and the kernel is judged by it alone.

Not here: speed, observations, rewards, the choice of placements. It reads the data of a Scenario and shares no code with `simulator/`.

Points that the specification leaves open, as settled here:

Calls
- An outage of a placement is a maximal run of five-minute slots with capacity 0. A run that reaches the last slot never ends, because
  later slots are clipped to the last one.
- An instance is idle at t if free_at <= t < expiry, whatever calls were handled before: where a later call (in client order) has an earlier
  t, an instance that had ended for the call before may serve it.
- A call that waits for the end of an outage finds the pool as the outage left it: what was idle in it is dead from its begin on, a floor
  or not. An instance that ended by itself before the call arrived has ended then.
- A call handled in step k may find an instance whose free_at lies ahead because an earlier call (in client order) starts later: it is busy.
- The wait for a warming floor instance is preferred to an allowed cold start only within the timeout and if it does not end in an outage.
- Only the instance with the smallest (free_at, expiry) is considered by a call that must wait; if it fails a check, the call is rejected.
- WAITED counts served calls with a total wait above 0 (outage, busy or warming instance), WAIT_US sums it; a rejected call adds to neither.
  `binding` holds the (app, tactical interval of the arrival) of rejected calls and of those that waited for the end of an outage, or for an
  instance because no other could be created.
- A warm call (provisioned duration price) is any served call without a cold start, waited or not. Busy instances are those with
  free_at > t that are not warming, counted before the call takes one. Where the provisioned duration price per GB-s is not nan it is the
  whole price of such a call, vCPU included.
- Prices take the memory rounded and capped as the cloud bills it, power and vCPU take the configured memory.
- duration_factor_permille does not touch the reject charge: that is the value of the call with the configured memory.
- A grant inside an outage is that of the first slot after it, because the calls that wait for its end start then.
- A floor holds an instance to the next barrier but one, since a call of this step may reach the pool after the next barrier.

Barriers
- What an outage or a fallen floor ends at a barrier frees capacity at once; closed pools hold theirs to their expiries. Uncoupled, an app
  sees the instances of its present pools only.
- A floor order holds until the next one, through moves, too. A switch is a fall by F at the old place: the rest of the minimum billed time
  is charged there, but no instance is released early; at the new place the floor rises from 0 at the same barrier.
- An order for the target that is already pending changes nothing. A pending move never switches at or after end_step.
- Floors are settled in order of app, then pool. A floor order for a pool that does not exist at the app's place has no effect there.
- The index i of resampled lives starts at 0 in every pool; the index i of launches runs over all pools of the app. The hash of an app is
  the upper half of its id_base.
- Money of a floor: (instance steps * step * price + 500_000) // 1_000_000 with an integer price in fUSD per us, one rounding per pool and
  step, the rest of a minimum billed time included. That minimum is floor_min_billed_min of the cloud, 0 = none.

Ends
- The run takes calls with start_step * step <= arrival < end_step * step. After the last step every remaining idle period is booked to its
  expiry: outages that begin at or after end_step do not cut it, floors neither extend it nor bill a rest.
- A row of the outcome exists when something was booked there; a missing row is all zeros.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.units import HOUR_US, SLOT_US
from simulator.scenario import Scenario

FIELD_NAMES = (
    *("CALLS", "SERVED", "REJECTED", "COLD_STARTS", "MISSES", "WAITED", "WAIT_US", "LATENCY_US", "EXCESS_US", "COST_NANOUSD"),
    *("EGRESS_NANOUSD", "CARBON_NG", "IDLE_CARBON_NG", "FLOOR_NANOUSD", "MOVE_NANOUSD", "MOVES", "REJECT_NANOUSD", "BUSY_US"),
    *("BILLED_US", "ENERGY_UJ"),
)
COLD_START, KEEP_ALIVE, FLOOR_LAUNCH = 1, 2, 3
FOREVER = 1 << 62


@dataclass
class Outcome:
    """What a run gave: (app, bucket) -> field name -> sum, and the (app, tactical interval) pairs in which capacity was binding."""

    fields: dict[tuple[int, int], dict[str, int]]
    binding: set[tuple[int, int]]

    def total(self, name: str) -> int:
        """The sum of one field over apps and buckets."""
        return sum(row[name] for row in self.fields.values())


@dataclass
class Instance:
    """One instance: busy (or warming, a floor launch) until free_at, idle from then to expiry."""

    free_at: int
    expiry: int
    is_warming: bool = False


@dataclass
class Pool:
    """Instances that serve the same calls, and the floor under them."""

    instances: list[Instance] = field(default_factory=list)
    floor: int = 0
    rise_step: int = 0


@dataclass
class App:
    """Where an app is, what it left behind, where it goes."""

    placement: int
    pools: list[Pool]
    left: list[tuple[int, int]] = field(default_factory=list)  # (placement, expiry) of instances of closed pools
    pending: tuple[int, int] | None = None  # (target, switch step)
    wanted: dict[int, int] = field(default_factory=dict)  # floor orders by pool
    created_in_step: int = 0
    grant: int = 0


@dataclass(frozen=True)
class Site:
    """Constants of one app at one placement. Prices in fUSD per us, power in uW."""

    placement: int
    region: int
    cloud: int
    cloud_name: str
    price: int
    warm_price: int | None
    floor_price: int
    busy_uw: int
    idle_uw: int
    pools: int
    is_pool_per_function: bool


def hash_word(seed: int, ident: int, stream: int) -> int:
    """h(seed, id, stream), WORLD 1.2."""
    mask = (1 << 64) - 1
    x = (seed * 0x9E3779B97F4A7C15 + ident * 0xBF58476D1CE4E5B9 + stream * 0x94D049BB133111EB) & mask
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & mask
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & mask
    return x ^ x >> 31


def draw(quantiles: Sequence[int], word: int) -> int:
    """A value of a distribution from its 257 quantiles, us."""
    cell, fraction = word >> 56, word >> 40 & 0xFFFF
    return quantiles[cell] + ((quantiles[cell + 1] - quantiles[cell]) * fraction >> 16)


def outages_of(capacity: Sequence[int]) -> list[tuple[int, int]]:
    """(begin, end) of each run of slots without capacity, us."""
    found: list[tuple[int, int]] = []
    begin = None
    for slot, instances in enumerate(capacity):
        if instances == 0 and begin is None:
            begin = slot * SLOT_US
        if instances > 0 and begin is not None:
            found.append((begin, slot * SLOT_US))
            begin = None
    return found if begin is None else [*found, (begin, FOREVER)]


class Run:
    """One run. `barrier` and `call` follow the paragraphs of the specification."""

    def __init__(
        self, scenario: Scenario, luck_seed: int, first_placement: Sequence[int], duration_factor_permille: Sequence[int], bucket_us: int
    ):
        self.world, self.tables, self.slo, self.objective = scenario.world, scenario.tables, scenario.slo, scenario.objective
        self.apps, self.calls = scenario.apps, scenario.calls
        self.luck_seed, self.duration_factor_permille, self.bucket_us = luck_seed, duration_factor_permille, bucket_us
        self.step_us, self.timeout_us = self.world.step_us, self.world.timeout_us
        self.buckets = -(-scenario.steps * self.step_us // bucket_us)
        conditions = scenario.conditions
        self.capacity: list[list[int]] = conditions.capacity.tolist()
        self.slowdown: list[list[int]] = conditions.slowdown_permille.tolist()
        self.carbon: list[list[int]] = conditions.carbon_mg_per_kwh.tolist()
        self.outages = [outages_of(slots) for slots in self.capacity]
        self.rtt, self.data_rtt = self.tables.rtt_us.tolist(), self.tables.data_rtt_us.tolist()
        self.us_per_kib, self.egress = self.tables.us_per_kib.tolist(), self.tables.egress_nanousd_per_mb.tolist()
        self.cold_start, self.keep_alive = self.tables.cold_start_us.tolist(), self.tables.keep_alive_us.tolist()
        self.sites: dict[tuple[int, int], Site] = {}
        self.rows: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIELD_NAMES, 0))
        self.binding: set[tuple[int, int]] = set()
        self.state = [App(p, [Pool() for _ in range(self.site(a, p).pools)]) for a, p in enumerate(first_placement)]

    # Look-ups

    def slot(self, time: int) -> int:
        return min(time // SLOT_US, len(self.capacity[0]) - 1)

    def hour(self, time: int) -> int:
        return min(time // HOUR_US, len(self.carbon[0]) - 1)

    def row(self, app: int, time: int) -> dict[str, int]:
        return self.rows[app, min(time // self.bucket_us, self.buckets - 1)]

    def site(self, app: int, placement: int) -> Site:
        if (app, placement) not in self.sites:
            self.sites[app, placement] = self._site(app, placement)
        return self.sites[app, placement]

    def _site(self, app: int, placement: int) -> Site:
        tables = self.tables
        region = int(tables.region_of_placement[placement])
        cloud = int(tables.cloud_of_region[region])
        name = tables.clouds[cloud]
        memory_mb = int(self.apps.memory_mb[app])
        memory_step, memory_cap = int(tables.memory_step_mb[cloud]), int(tables.memory_cap_mb[cloud])
        billed_mb = -(-memory_mb // memory_step) * memory_step if memory_step else memory_mb
        gb = (min(billed_mb, memory_cap) if memory_cap else billed_mb) / 1024
        sizes, counts = tables.vcpu_memory_mb[cloud], tables.vcpu_count[cloud]
        vcpu = float(memory_mb * counts[0] / sizes[0] if len(sizes) == 1 else np.interp(memory_mb, sizes, counts))

        def price(usd_per_gb_s: float, usd_per_vcpu_s: float) -> int:
            return round((gb * usd_per_gb_s + vcpu * usd_per_vcpu_s) * 1e9)

        per_vcpu, warm_per_gb = float(tables.usd_per_vcpu_s[region]), float(tables.provisioned_duration_usd_per_gb_s[region])
        watts_min, watts_max, pue = float(tables.watts_min[cloud]), float(tables.watts_max[cloud]), float(tables.pue[cloud])
        memory_watts = memory_mb / 1024 * tables.memory_w_per_gb
        is_pool_per_function = bool(tables.is_pool_per_function[cloud])
        functions = int(self.apps.first_function[app + 1]) - int(self.apps.first_function[app])
        return Site(
            placement=placement,
            region=region,
            cloud=cloud,
            cloud_name=name,
            price=price(float(tables.usd_per_gb_s[region]), per_vcpu),
            warm_price=None if math.isnan(warm_per_gb) else price(warm_per_gb, 0.0),
            floor_price=price(float(tables.provisioned_usd_per_gb_s[region]), float(tables.provisioned_usd_per_vcpu_s[region])),
            busy_uw=round(pue * (vcpu * (watts_min + tables.cpu_busy * (watts_max - watts_min)) + memory_watts) * 1e6),
            idle_uw=round(pue * (vcpu * watts_min + memory_watts) * 1e6),
            pools=functions if is_pool_per_function else 1,
            is_pool_per_function=is_pool_per_function,
        )

    def cold_quantiles(self, app: int, site: Site) -> list[int]:
        return self.cold_start[site.cloud][int(self.apps.package[app])]

    # Barrier

    def barrier(self, k: int, moves: Sequence[tuple[int, int]], floors: dict[tuple[int, int], int], active: set[int], is_coupled: bool):
        """Settle barrier k: moves = (app, placement) ordered, floors = (app, pool) -> F ordered, active = apps with a call in step k."""
        now = k * self.step_us
        self.begin_outages(now)
        held = self.count_alive(now)
        for a, app in enumerate(self.state):
            if app.pending and app.pending[1] == k:
                if not is_coupled:
                    held[a, app.placement] = 0
                self.switch(k, a, app.pending[0])
                if not is_coupled:
                    app.left = []
        for a, target in moves:
            self.order(k, a, target)

        def free(a: int, capacity: int) -> int:
            p = self.state[a].placement
            alive = sum(count for (owner, q), count in held.items() if q == p and (is_coupled or owner == a))
            return max(0, capacity - alive)

        def opening(p: int) -> int:
            return next((c for c in self.capacity[p][self.slot(now) :] if c > 0), 0)

        for a, app in enumerate(self.state):
            launched = 0
            app.wanted.update({pool: wanted for (owner, pool), wanted in floors.items() if owner == a})
            for number, pool in enumerate(app.pools):
                headroom = free(a, self.capacity[app.placement][self.slot(now)])
                before = len([i for i in pool.instances if i.expiry > now])
                more = self.settle_floor(k, a, pool, app.wanted.get(number, 0), headroom, launched)
                held[a, app.placement] += len(pool.instances) - before
                launched += more
        for a, app in enumerate(self.state):
            app.created_in_step = app.grant = 0
            if a in active:
                rivals = [b for b in sorted(active) if self.state[b].placement == app.placement] if is_coupled else [a]
                share, rest = divmod(free(a, opening(app.placement)), len(rivals))
                app.grant = share + (1 if (rivals.index(a) + k) % len(rivals) < rest else 0)

    def count_alive(self, now: int) -> Counter[tuple[int, int]]:
        """(1) Instances on the books by (app, placement); those that expired leave."""
        held: Counter[tuple[int, int]] = Counter()
        for a, app in enumerate(self.state):
            app.left = [(p, expiry) for p, expiry in app.left if expiry > now]
            held.update((a, p) for p, _ in app.left)
            for pool in app.pools:
                self.leave(a, pool, now)
                held[a, app.placement] += len(pool.instances)
        return held

    def leave(self, a: int, pool: Pool, time: int) -> None:
        """Drop and book the instances of a pool that have expired at a time."""
        for instance in pool.instances:
            if instance.expiry <= time:
                self.book_idle(a, self.state[a].placement, instance.free_at, instance.expiry)
        pool.instances = [instance for instance in pool.instances if instance.expiry > time]

    def begin_outages(self, now: int) -> None:
        """(2) An outage that begins now ends the idle periods, those of running calls as soon as they begin."""
        for app in self.state:
            for begin, end in self.outages[app.placement]:
                if begin == now:
                    for instance in (i for pool in app.pools for i in pool.instances if i.free_at < end):
                        instance.expiry = min(instance.expiry, max(instance.free_at, now))

    def switch(self, k: int, a: int, target: int) -> None:
        """(3) Close the pools of the old place, open empty ones at the new place."""
        app, site = self.state[a], self.site(a, self.state[a].placement)
        for pool in app.pools:
            self.bill_floor(k, a, site, self.rest_steps(k, site, pool, fall=pool.floor))
            for instance in pool.instances:
                self.book_idle(a, app.placement, instance.free_at, instance.expiry)
                app.left.append((app.placement, instance.expiry))
        app.placement, app.pending = target, None
        app.pools = [Pool() for _ in range(self.site(a, target).pools)]

    def order(self, k: int, a: int, target: int) -> None:
        """(4) Pay the copy of the state and note when the traffic switches."""
        app, now = self.state[a], k * self.step_us
        if target == app.placement:
            app.pending = None
            return
        if app.pending and app.pending[0] == target:
            return
        old, new = self.site(a, app.placement), self.site(a, target)
        state_bytes = int(self.apps.state_bytes[a])
        price = self.egress[old.region][new.region]
        if old.region == new.region:
            price = int(self.tables.inter_zone_nanousd_per_mb[old.cloud])
        hour = self.hour(now)
        row = self.row(a, now)
        row["MOVES"] += 1
        row["MOVE_NANOUSD"] += state_bytes * price // 10**6
        row["CARBON_NG"] += state_bytes * ((self.carbon[old.region][hour] + self.carbon[new.region][hour]) // 2) // 10**6
        copy_us = self.data_rtt[old.region][new.region] + state_bytes * self.us_per_kib[old.region][new.region] // 1024
        app.pending = (target, max(k + 1, -(-(now + copy_us) // self.step_us)))

    def settle_floor(self, k: int, a: int, pool: Pool, floor: int, free: int, launched: int) -> int:
        """(5) Release, launch, hold and bill one pool's floor; return the number of launches."""
        now, site = k * self.step_us, self.site(a, self.state[a].placement)
        seed = self.luck_seed ^ int(self.apps.id_base[a]) >> 32
        keep_alive = self.keep_alive[site.cloud]
        self.leave(a, pool, now)
        fall = max(0, pool.floor - floor)
        rest = self.rest_steps(k, site, pool, fall)
        if floor > pool.floor:
            pool.rise_step = k
        pool.floor = floor
        idle = sorted((i for i in pool.instances if i.free_at <= now), key=lambda i: (i.expiry, i.free_at))
        surplus = min(fall, len(idle), max(0, len(pool.instances) - floor))
        for index, instance in enumerate(idle[:surplus]):
            is_dropped = bool(self.tables.is_floor_dropped[site.cloud])
            instance.expiry = now if is_dropped else now + draw(keep_alive, hash_word(seed, k * 65536 + index, KEEP_ALIVE))
        self.leave(a, pool, now)
        launches = min(max(0, floor - len(pool.instances)), free)
        for ident in range(k * 65536 + launched, k * 65536 + launched + launches):
            cold = draw(self.cold_quantiles(a, site), hash_word(seed, ident, FLOOR_LAUNCH))
            ready = now + max(cold, self.world.provisioned.lead_steps * self.step_us)
            life = draw(keep_alive, hash_word(seed, ident, KEEP_ALIVE))
            pool.instances.append(Instance(ready, ready + life, is_warming=True))
        for instance in sorted(pool.instances, key=lambda i: (i.expiry, i.free_at), reverse=True)[:floor]:
            instance.expiry = max(instance.expiry, now + 2 * self.step_us)
        self.bill_floor(k, a, site, floor + rest)
        return launches

    def rest_steps(self, k: int, site: Site, pool: Pool, fall: int) -> int:
        """Instance steps still to pay when a floor falls inside the minimum billed time."""
        unit = int(self.tables.floor_min_billed_min[site.cloud]) * 60 // self.world.step_s
        return fall * (-(k - pool.rise_step) % unit) if unit else 0

    def bill_floor(self, k: int, a: int, site: Site, instance_steps: int) -> None:
        if instance_steps:
            self.row(a, k * self.step_us)["FLOOR_NANOUSD"] += (instance_steps * self.step_us * site.floor_price + 500_000) // 10**6

    def book_idle(self, a: int, placement: int, begin: int, end: int) -> None:
        """Energy and carbon of one idle period, in the bucket and hour of its begin."""
        if end <= begin:
            return
        site, row = self.site(a, placement), self.row(a, begin)
        energy_uj = site.idle_uw * (end - begin) // 10**6
        carbon_ng = energy_uj * self.carbon[site.region][self.hour(begin)] // 3_600_000
        row["ENERGY_UJ"] += energy_uj
        row["CARBON_NG"] += carbon_ng
        row["IDLE_CARBON_NG"] += carbon_ng

    # Calls

    def call(self, a: int, index: int) -> None:
        """Handle the call with this position in the arrays."""
        app, calls = self.state[a], self.calls
        site = self.site(a, app.placement)
        arrival, origin = int(calls.arrival_us[index]), int(calls.origin[index])
        ident = int(self.apps.id_base[a]) | (index - int(calls.first_call[a]))
        self.row(a, arrival)["CALLS"] += 1
        reaches = arrival + self.rtt[origin][site.region] // 2
        t = self.end_of_outage(site.placement, reaches)
        if t is None or t - reaches > self.timeout_us:
            self.reject(a, index)
            return
        pool = app.pools[int(calls.function[index]) if site.is_pool_per_function else 0]
        self.leave(a, pool, arrival)
        if t > reaches:
            self.drop_dead(a, site, pool, t)
        busy = [i for i in pool.instances if i.free_at > t and not i.is_warming]
        is_provisioned = len(busy) < pool.floor
        cold = draw(self.cold_quantiles(a, site), hash_word(self.luck_seed, ident, COLD_START))
        how, instance = self.choose(app, pool, t, t - reaches, cold)
        if t > reaches or how == "reject" or (how == "wait" and app.created_in_step >= app.grant):
            self.binding.add((a, arrival // self.world.tactical_us))
        if instance is None:
            self.reject(a, index)
            return
        starts, price = t, site.price
        if how == "cold":
            app.created_in_step += 1
            pool.instances.append(instance)
        else:
            cold, starts = 0, max(t, instance.free_at)
            self.book_idle(a, site.placement, instance.free_at, starts)
            price = site.warm_price if is_provisioned and site.warm_price is not None else site.price
        self.serve(a, index, ident, instance, starts=starts, cold=cold, price=price)
        self.row(a, arrival)["COLD_STARTS"] += how == "cold"

    def end_of_outage(self, placement: int, time: int) -> int | None:
        """The time itself, or the end of the outage it falls into; None if that outage never ends."""
        for begin, end in self.outages[placement]:
            if begin <= time < end:
                return None if end == FOREVER else end
        return time

    def drop_dead(self, a: int, site: Site, pool: Pool, t: int) -> None:
        """The last outage that began at or before t ended the life of every instance that was free before its end."""
        begun = [(begin, end) for begin, end in self.outages[site.placement] if begin <= t]
        if begun:
            begin, end = begun[-1]
            for instance in pool.instances:
                if instance.free_at < end:
                    instance.expiry = min(instance.expiry, max(instance.free_at, begin))

    def choose(self, app: App, pool: Pool, t: int, waited: int, cold: int) -> tuple[str, Instance | None]:
        """How a call that reaches the pool at t is served, and by which instance (a new one if cold, none if rejected)."""

        def soonest(instances: list[Instance]) -> Instance | None:
            return min(instances, key=lambda i: (i.free_at, i.expiry), default=None)

        idle = [i for i in pool.instances if i.free_at <= t < i.expiry]
        if idle:
            return "warm", max(idle, key=lambda i: (i.free_at, i.expiry))
        if app.created_in_step < app.grant:
            warming = soonest([i for i in pool.instances if i.is_warming and i.free_at > t])
            is_sooner = warming and warming.free_at - t < cold and waited + warming.free_at - t <= self.timeout_us
            if warming and is_sooner and self.capacity[app.placement][self.slot(warming.free_at)] > 0:
                return "wait", warming
            return "cold", Instance(t, t)
        next_free = soonest([i for i in pool.instances if i.free_at > t])
        if next_free is None or waited + next_free.free_at - t > self.timeout_us:
            return "reject", None
        has_capacity = self.capacity[app.placement][self.slot(next_free.free_at)] > 0
        return ("wait", next_free) if has_capacity else ("reject", None)

    def fetch_us(self, a: int, site: Site, bytes_in: int) -> int:
        data = int(self.apps.data_region[a])
        return self.data_rtt[data][site.region] + bytes_in * self.us_per_kib[data][site.region] // 1024

    def bill(self, site: Site, used_us: int, price: int) -> tuple[int, int]:
        """Billed time, us, and its nano-USD."""
        granularity, minimum = int(self.tables.billing_granularity_us[site.cloud]), int(self.tables.billing_minimum_us[site.cloud])
        billed = max(minimum, -(-used_us // granularity) * granularity)
        return billed, (billed * price + 500_000) // 10**6

    def serve(self, a: int, index: int, ident: int, instance: Instance, *, starts: int, cold: int, price: int) -> None:
        calls, site = self.calls, self.site(a, self.state[a].placement)
        arrival, duration, origin = int(calls.arrival_us[index]), int(calls.duration_us[index]), int(calls.origin[index])
        bytes_in, bytes_out = int(calls.bytes_in[index]), int(calls.bytes_out[index])
        rtt, data = self.rtt[origin][site.region], int(self.apps.data_region[a])
        wait = starts - (arrival + rtt // 2)
        execution = duration * self.slowdown[site.placement][self.slot(starts)] * self.duration_factor_permille[a] // 10**6
        fetch = self.fetch_us(a, site, bytes_in)
        busy = cold + fetch + execution
        instance.free_at = starts + busy
        instance.expiry = instance.free_at + draw(self.keep_alive[site.cloud], hash_word(self.luck_seed, ident, KEEP_ALIVE))
        instance.is_warming = False
        latency = rtt + wait + busy
        billed, nanousd = self.bill(site, fetch + execution + (cold if self.tables.is_cold_start_billed[site.cloud] else 0), price)
        hour = self.hour(starts)
        carbon_here, carbon_data = self.carbon[site.region][hour], self.carbon[data][hour]
        energy_uj = site.busy_uw * busy // 10**6
        network_ng = (bytes_in * ((carbon_here + carbon_data) // 2) + bytes_out * carbon_here) // 10**6
        row = self.row(a, arrival)
        row["SERVED"] += 1
        row["MISSES"] += latency > self.slo.floor_us + duration * self.slo.factor_permille // 1000
        row["WAITED"] += wait > 0
        row["WAIT_US"] += wait
        row["LATENCY_US"] += latency
        row["EXCESS_US"] += max(0, latency - duration)
        row["COST_NANOUSD"] += int(self.tables.request_nanousd[site.region]) + nanousd
        outbound = bytes_out * int(self.tables.internet_nanousd_per_mb[site.region])
        row["EGRESS_NANOUSD"] += (bytes_in * self.egress[data][site.region] + outbound) // 10**6
        row["CARBON_NG"] += energy_uj * carbon_here // 3_600_000 + network_ng
        row["BUSY_US"] += busy
        row["BILLED_US"] += billed
        row["ENERGY_UJ"] += energy_uj

    def reject(self, a: int, index: int) -> None:
        """Charge twice the execution that the call would have had warm at home without contention, and a fixed extra."""
        arrival, duration = int(self.calls.arrival_us[index]), int(self.calls.duration_us[index])
        home = self.site(a, int(self.apps.home[a]))
        _, nanousd = self.bill(home, self.fetch_us(a, home, int(self.calls.bytes_in[index])) + duration, home.price)
        row = self.row(a, arrival)
        row["REJECTED"] += 1
        row["MISSES"] += 1
        row["EXCESS_US"] += self.timeout_us
        row["REJECT_NANOUSD"] += round(self.objective.reject_extra_usd * 1e9) + 2 * nanousd
        self.binding.add((a, arrival // self.world.tactical_us))


def simulate(
    scenario: Scenario,
    *,
    luck_seed: int,
    first_placement: Sequence[int],
    bucket_us: int,
    moves: Sequence[tuple[int, int, int]] = (),
    floors: Sequence[tuple[int, int, int, int]] = (),
    duration_factor_permille: Sequence[int] | None = None,
    start_step: int = 0,
    end_step: int | None = None,
    is_coupled: bool = True,
) -> Outcome:
    """Run a scenario from empty pools.

    Args:
        scenario: the world, its apps and calls.
        luck_seed: seed of cold starts, keep-alive lives and floor launches.
        first_placement: placement of each app at start_step, free of charge.
        bucket_us: width of a row of the outcome; times after the trace belong to the last row.
        moves: (step, app, placement) orders, those of one step in the order given.
        floors: (step, app, index of the pool in the app, instances); a floor holds until the next order or a switch.
        duration_factor_permille: factor on the duration of each app, 1000 where its memory is the configured one.
        start_step: first barrier; calls before it are skipped.
        end_step: no calls and no barrier from this step on; None is the scenario's last.
        is_coupled: whether apps share the capacity of a placement, or each sees all of it.
    """
    run = Run(scenario, luck_seed, first_placement, duration_factor_permille or [1000] * len(first_placement), bucket_us)
    end_step = scenario.steps if end_step is None else end_step
    calls_of_step: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for a in range(len(first_placement)):
        for index in range(int(scenario.calls.first_call[a]), int(scenario.calls.first_call[a + 1])):
            calls_of_step[int(scenario.calls.arrival_us[index]) // run.step_us][a].append(index)
    for k in range(start_step, end_step):
        ordered = [(a, p) for step, a, p in moves if step == k]
        wanted = {(a, pool): instances for step, a, pool, instances in floors if step == k}
        calls_of_app = calls_of_step[k]
        run.barrier(k, ordered, wanted, set(calls_of_app), is_coupled)
        for a in sorted(calls_of_app):
            for index in calls_of_app[a]:
                run.call(a, index)
    for a, app in enumerate(run.state):
        for pool in app.pools:
            run.leave(a, pool, FOREVER)
    return Outcome(dict(run.rows), run.binding)
