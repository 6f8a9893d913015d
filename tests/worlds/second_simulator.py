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
- Order: outages, expiries, switches, orders (moves, sizes, floors), floors (falls, rises, launches), yielding, grants.
- What an outage or a fallen floor ends at a barrier frees capacity at once. What a switch or a new size leaves behind holds a place while
  it serves a call; a launch for a floor serves none. Uncoupled, an app sees the instances of its present pools only.
- A floor keeps the F instances of its pool that expire last (ties: free last), busy or not. Kept instances and busy or warming ones are
  held; what is neither is idle and yields when the instances at a place exceed its capacity of the slot that begins.
- A floor order holds until the next one, through moves, too. A switch or a new size is a fall by F in the old pool: the rest of the unit is
  charged there, but no instance is released early; in the new pool the floor rises from 0 at the same barrier.
- A fall releases idle instances, on clouds that drop them warming ones, too, first those that expire first. Falls come before the rises.
- A rise is granted, in order of app, then pool, as far as all floors at the place stay within a quarter of the capacity and the instances
  held with the capacity before it; the rest is asked for again at every barrier. Then what is missing in the pool is launched, while fewer
  instances are held than the capacity. What is granted is billed, launched or not.
- Where a unit is billed (floor_min_billed_min of the cloud, 0 = none), every place in a floor has units of its own from the barrier at
  which it was taken. The place whose unit ends first is given up first (ties: the one that is paid for shorter); a place taken again is the
  one that is paid for longest. Places of closed pools are not taken again.
- An order for the target that is already pending changes nothing. A pending move never switches at or after end_step.
- A floor order for a pool that does not exist at the app's place has no effect there.
- The index i of resampled lives starts at 0 in every pool; the index i of launches runs over all pools of the app. The hash of an app is
  the upper half of its id_base.
- Money of a floor: (instance steps * step * price + 500_000) // 1_000_000 with an integer price in fUSD per us, one rounding per pool and
  step, the rest of a unit included.
- A size order with the size in force changes the factor on durations only.

Ends
- The run takes calls with start_step * step <= arrival < end_step * step. After the last step every remaining idle period is booked to its
  expiry: outages that begin at or after end_step do not cut it, floors do not extend it. The rest of a unit belongs to the last step.
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


@dataclass(frozen=True)
class Served:
    """One call: when it reached its placement, began and ended to run, and what it took; nothing of these if it was rejected."""

    app: int
    index: int
    found_idle: bool = False
    reached: int = -1
    began: int = -1
    ended: int = -1
    memory_mb: int = 0
    milli_vcpu: int = 0


@dataclass
class Outcome:
    """What a run gave: (app, bucket) -> field name -> sum, and the (app, tactical interval) pairs in which capacity was binding.

    `calls` in the order in which they were handled; `instances`: (step, app) -> instances up and working at the end of the step.
    """

    fields: dict[tuple[int, int], dict[str, int]]
    binding: set[tuple[int, int]]
    calls: list[Served] = field(default_factory=list, compare=False)
    instances: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict, compare=False)

    def total(self, name: str) -> int:
        """The sum of one field over apps and buckets."""
        return sum(row[name] for row in self.fields.values())


@dataclass
class Instance:
    """One instance: busy (or warming, a floor launch) until free_at, idle from then to expiry."""

    free_at: int
    expiry: int
    is_warming: bool = False
    is_kept: bool = False  # by a floor, since the last barrier


@dataclass
class Place:
    """One place in a floor: the end of its billed unit, the step up to which it is paid, whether an instance is granted to it."""

    unit_end: int
    paid_until: int
    is_held: bool = True


@dataclass
class Pool:
    """Instances that serve the same calls, and the floor under them."""

    instances: list[Instance] = field(default_factory=list)
    floor: int = 0  # granted
    places: list[Place] = field(default_factory=list)


@dataclass
class App:
    """Where an app is, what it left behind, where it goes."""

    placement: int
    memory_mb: int
    duration_factor_permille: int
    pools: list[Pool] = field(default_factory=list)
    left: list[tuple[int, int]] = field(default_factory=list)  # (placement, free_at) of busy instances of closed pools
    pending: tuple[int, int] | None = None  # (target, switch step)
    wanted: dict[int, int] = field(default_factory=dict)  # floor orders by pool
    created_in_step: int = 0
    grant: int = 0


@dataclass(frozen=True)
class Orders:
    """What is ordered at a barrier: (app, placement), (app, memory_mb, factor on durations), (app, pool, instances)."""

    moves: list[tuple[int, int]]
    sizes: list[tuple[int, int, int]]
    floors: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Site:
    """Constants of one app at one placement. Prices in fUSD per us, power in uW."""

    placement: int
    region: int
    cloud: int
    milli_vcpu: int
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
        self.luck_seed, self.bucket_us = luck_seed, bucket_us
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
        self.sites: dict[tuple[int, int, int], Site] = {}
        self.rows: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIELD_NAMES, 0))
        self.binding: set[tuple[int, int]] = set()
        self.served: list[Served] = []
        sizes = self.apps.memory_mb.tolist()
        self.state = [App(*values) for values in zip(first_placement, sizes, duration_factor_permille, strict=True)]
        for a in range(len(self.state)):
            self.open_pools(a)

    # Look-ups

    def slot(self, time: int) -> int:
        return min(time // SLOT_US, len(self.capacity[0]) - 1)

    def hour(self, time: int) -> int:
        return min(time // HOUR_US, len(self.carbon[0]) - 1)

    def row(self, app: int, time: int) -> dict[str, int]:
        return self.rows[app, min(time // self.bucket_us, self.buckets - 1)]

    def site(self, app: int, placement: int, memory_mb: int | None = None) -> Site:
        key = app, placement, self.state[app].memory_mb if memory_mb is None else memory_mb
        if key not in self.sites:
            self.sites[key] = self._site(*key)
        return self.sites[key]

    def _site(self, app: int, placement: int, memory_mb: int) -> Site:
        tables = self.tables
        region = int(tables.region_of_placement[placement])
        cloud = int(tables.cloud_of_region[region])
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
            milli_vcpu=round(1000 * vcpu),
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

    def instances(self, k: int) -> dict[int, tuple[int, int]]:
        """Instances up and working of each app as barrier k is reached: what has expired is gone, what switches is left behind."""
        now, found = k * self.step_us, {}
        for a, app in enumerate(self.state):
            is_gone = app.pending and app.pending[1] == k
            up = [i for pool in app.pools for i in pool.instances if i.expiry > now and not is_gone]
            found[a] = len(up), len([i for i in up if i.free_at > now])
        return found

    # Barrier

    def barrier(self, k: int, orders: Orders, active: dict[int, Counter[int]], is_coupled: bool) -> None:
        """Settle barrier k: what is ordered there, and how many calls step k has by active app and function."""
        now = k * self.step_us
        self.begin_outages(now)
        for a, app in enumerate(self.state):
            app.left = [(p, free_at) for p, free_at in app.left if free_at > now]
            for pool in app.pools:
                self.leave(a, pool, now)
            if app.pending and app.pending[1] == k:
                self.close_pools(k, a)
                app.placement, app.pending = app.pending[0], None
                self.open_pools(a)
        for a, target in orders.moves:
            self.order(k, a, target)
        for a, memory_mb, factor in orders.sizes:
            self.resize(k, a, memory_mb, factor)
        for a, number, wanted in orders.floors:
            self.state[a].wanted[number] = wanted
        self.settle_floors(k, is_coupled)
        for account in range(len(self.capacity)) if is_coupled else range(len(self.state)):
            self.yield_idle(account, now, is_coupled)
        for a in active:
            self.grant(k, a, active, is_coupled)

    def sharers(self, a: int, is_coupled: bool) -> list[int]:
        """The apps at the place of app a that share its capacity."""
        return [b for b, app in enumerate(self.state) if app.placement == self.state[a].placement] if is_coupled else [a]

    def held(self, a: int, now: int, is_coupled: bool) -> int:
        """Instances that count at the place of app a and do not yield: kept, warming, busy, and busy ones that were left behind."""
        here = self.state[a].placement
        mine = [i for b in self.sharers(a, is_coupled) for pool in self.state[b].pools for i in pool.instances]
        left = [p for app in self.state for p, _ in app.left if p == here] if is_coupled else []
        return len([i for i in mine if i.is_kept or i.free_at > now]) + len(left)

    def yield_idle(self, account: int, now: int, is_coupled: bool) -> None:
        """(6) Of the instances at a place beyond its capacity, the idle ones that no floor keeps end, the longest idle first."""
        apps = [a for a, app in enumerate(self.state) if account == (app.placement if is_coupled else a)]
        if not apps:
            return
        idle = [
            (instance.free_at, instance.expiry, a, number, instance)
            for a in apps
            for number, pool in enumerate(self.state[a].pools)
            for instance in pool.instances
            if instance.free_at <= now and not instance.is_kept
        ]
        capacity = self.capacity[self.state[apps[0]].placement][self.slot(now)]
        beyond = max(0, self.held(apps[0], now, is_coupled) + len(idle) - capacity)
        for *_, a, number, instance in sorted(idle, key=lambda row: row[:4])[:beyond]:
            instance.expiry = now
            self.leave(a, self.state[a].pools[number], now)

    def grant(self, k: int, a: int, active: dict[int, Counter[int]], is_coupled: bool) -> None:
        """(7) How many instances app a may create in this step."""
        app, now = self.state[a], k * self.step_us
        rivals = [b for b in self.sharers(a, is_coupled) if b in active]
        awake = 0
        for b in rivals:
            is_one_pool = not self.site(b, app.placement).is_pool_per_function
            for number, pool in enumerate(self.state[b].pools):
                idle = [i for i in pool.instances if i.free_at <= now and not i.is_kept]
                awake += min(len(idle), active[b].total() if is_one_pool else active[b][number])
        opening = next((c for c in self.capacity[app.placement][self.slot(now) :] if c > 0), 0)
        share, rest = divmod(max(0, opening - self.held(a, now, is_coupled) - awake), len(rivals))
        app.created_in_step, app.grant = 0, share + (1 if (rivals.index(a) + k) % len(rivals) < rest else 0)

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

    def open_pools(self, a: int) -> None:
        app = self.state[a]
        app.pools = [Pool() for _ in range(self.site(a, app.placement).pools)]

    def close_pools(self, k: int, a: int) -> None:
        """(3) Nothing in the pools of an app is used again; what serves a call goes on to hold its place."""
        app = self.state[a]
        site = self.site(a, app.placement)
        for pool in app.pools:
            self.bill_floor(k, a, site, sum(self.rest_steps(k, place) for place in pool.places if place.is_held))
            for instance in pool.instances:
                self.book_idle(a, app.placement, instance.free_at, instance.expiry)
                if instance.free_at > k * self.step_us and not instance.is_warming:
                    app.left.append((app.placement, instance.free_at))

    def resize(self, k: int, a: int, memory_mb: int, duration_factor_permille: int) -> None:
        """(4) A new memory size is a new pool."""
        app = self.state[a]
        if memory_mb != app.memory_mb:
            self.close_pools(k, a)
            app.memory_mb = memory_mb
            self.open_pools(a)
        app.duration_factor_permille = duration_factor_permille

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

    def settle_floors(self, k: int, is_coupled: bool) -> None:
        """(5) Falls, then rises and launches."""
        now = k * self.step_us
        wanted = {(a, n): app.wanted.get(n, 0) for a, app in enumerate(self.state) for n in range(len(app.pools))}
        before = {(a, n): self.state[a].pools[n].floor for a, n in wanted}
        for (a, n), floor in wanted.items():
            self.lower_floor(k, a, self.state[a].pools[n], floor)
        launched: Counter[int] = Counter()
        for (a, n), floor in wanted.items():
            app = self.state[a]
            pool, capacity = app.pools[n], self.capacity[app.placement][self.slot(now)]
            if floor > before[a, n]:
                standing = sum(other.floor for b in self.sharers(a, is_coupled) for other in self.state[b].pools)
                headroom = min(capacity // 4 - standing, capacity - self.held(a, now, is_coupled))
                pool.floor += max(0, min(floor - before[a, n], headroom))
                self.hold_floor(k, pool)
            while len(pool.instances) < pool.floor and self.held(a, now, is_coupled) < capacity:
                self.launch(k, a, pool, k * 65536 + launched[a])
                launched[a] += 1
            site = self.site(a, app.placement)
            self.bill_floor(k, a, site, self.instance_steps(k, site, pool))

    def lower_floor(self, k: int, a: int, pool: Pool, floor: int) -> None:
        """A floor that stands keeps its instances; where it falls, the surplus is released."""
        now, site, before = k * self.step_us, self.site(a, self.state[a].placement), pool.floor
        pool.floor = min(before, floor)
        is_dropped = bool(self.tables.is_floor_dropped[site.cloud])
        free = [i for i in pool.instances if i.free_at <= now or (is_dropped and i.is_warming)]
        surplus = min(before, len(pool.instances)) - pool.floor
        for index, instance in enumerate(sorted(free, key=lambda i: (i.expiry, i.free_at))[: max(0, surplus)]):
            word = hash_word(self.seed_of(a), k * 65536 + index, KEEP_ALIVE)
            instance.expiry = now if is_dropped else now + draw(self.keep_alive[site.cloud], word)
        self.leave(a, pool, now)
        self.hold_floor(k, pool)

    def hold_floor(self, k: int, pool: Pool) -> None:
        """Those that expire last are kept to the next barrier but one."""
        for instance in pool.instances:
            instance.is_kept = False
        for instance in sorted(pool.instances, key=lambda i: (i.expiry, i.free_at), reverse=True)[: pool.floor]:
            instance.expiry = max(instance.expiry, (k + 2) * self.step_us)
            instance.is_kept = True

    def instance_steps(self, k: int, site: Site, pool: Pool) -> int:
        """What a floor pays at barrier k: places given up, taken, and held."""
        unit = int(self.tables.floor_min_billed_min[site.cloud]) * 60 // self.world.step_s
        if unit == 0:
            return pool.floor
        steps = 0
        held = sorted((p for p in pool.places if p.is_held), key=lambda p: (p.unit_end, p.paid_until))
        for place in held[: max(0, len(held) - pool.floor)]:
            steps += self.rest_steps(k, place)
            place.is_held, place.paid_until = False, place.unit_end
        pool.places = [p for p in pool.places if p.is_held or p.unit_end > k]
        again = sorted((p for p in pool.places if not p.is_held), key=lambda p: p.unit_end, reverse=True)
        more = max(0, pool.floor - len(held))
        for place in again[:more]:
            place.is_held = True
        pool.places += [Place(k, k) for _ in range(more - len(again))]
        for place in (p for p in pool.places if p.is_held):
            if place.unit_end == k:
                place.unit_end += unit
            if place.paid_until == k:
                place.paid_until += 1
                steps += 1
        return steps

    def rest_steps(self, k: int, place: Place) -> int:
        """Steps of a place's unit from barrier k on that are not paid yet."""
        return place.unit_end - max(k, place.paid_until)

    def launch(self, k: int, a: int, pool: Pool, ident: int) -> None:
        now, site, seed = k * self.step_us, self.site(a, self.state[a].placement), self.seed_of(a)
        cold = draw(self.cold_quantiles(a, site), hash_word(seed, ident, FLOOR_LAUNCH))
        ready = now + max(cold, self.world.provisioned.lead_steps * self.step_us)
        ends = ready + draw(self.keep_alive[site.cloud], hash_word(seed, ident, KEEP_ALIVE))
        pool.instances.append(Instance(ready, max(ends, now + 2 * self.step_us), is_warming=True, is_kept=True))

    def seed_of(self, a: int) -> int:
        return self.luck_seed ^ int(self.apps.id_base[a]) >> 32

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
        size = {"memory_mb": app.memory_mb, "milli_vcpu": site.milli_vcpu}
        self.served.append(Served(a, index, how == "warm", reaches, starts, instance.free_at, **size))
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
        execution = duration * self.slowdown[site.placement][self.slot(starts)] * self.state[a].duration_factor_permille // 10**6
        fetch = self.fetch_us(a, site, bytes_in)
        busy = cold + fetch + execution
        instance.free_at = starts + busy
        instance.expiry = instance.free_at + draw(self.keep_alive[site.cloud], hash_word(self.luck_seed, ident, KEEP_ALIVE))
        instance.is_warming = instance.is_kept = False
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
        home = self.site(a, int(self.apps.home[a]), int(self.apps.memory_mb[a]))
        _, nanousd = self.bill(home, self.fetch_us(a, home, int(self.calls.bytes_in[index])) + duration, home.price)
        row = self.row(a, arrival)
        self.served.append(Served(a, index))
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
    sizes: Sequence[tuple[int, int, int, int]] = (),
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
        floors: (step, app, index of the pool in the app, instances); a floor holds until the next order.
        sizes: (step, app, memory_mb, duration_factor_permille), held until the next order.
        duration_factor_permille: factor on the duration of each app from the start, 1000 where its memory is the configured one.
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
    instances = {}
    for k in range(start_step, end_step):
        instances |= {(k - 1, a): counts for a, counts in run.instances(k).items() if k > start_step}
        orders = Orders(*([order[1:] for order in kind if order[0] == k] for kind in (moves, sizes, floors)))
        calls_of_app = calls_of_step[k]
        active = {a: Counter(int(scenario.calls.function[i]) for i in calls_of_app[a]) for a in sorted(calls_of_app)}
        run.barrier(k, orders, active, is_coupled)
        for a in active:
            for index in calls_of_app[a]:
                run.call(a, index)
    for a, app in enumerate(run.state):
        app.pending = None  # no barrier is passed any more
        instances[end_step - 1, a] = run.instances(end_step)[a]
        for pool in app.pools:
            rest = sum(run.rest_steps(end_step, place) for place in pool.places if place.is_held)
            run.bill_floor(end_step - 1, a, run.site(a, app.placement), rest)
            run.leave(a, pool, FOREVER)
    return Outcome(dict(run.rows), run.binding, run.served, instances)
