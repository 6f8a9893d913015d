"""The one loop in which decisions meet the world: it alone drives a fleet. Not here: rows of results (judge.py), rewards, environments.

`run` asks a policy at every decision. An environment is the same loop turned inside out: it takes the turns of one part itself.

loop = Loop(scenario, policy, seed=1, begin=0, end=12_000)
while (turn := loop.turn()) is not None:
    loop.answer(turn.policy.decide(turn.view))
fleet = loop.finish()
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError
from core.units import HOUR_US, SLOT_US
from simulator.control.counterfactual import REPLAY_SEED, ReplaySource, ReplayTable
from simulator.control.decision import Decision, Policy, Record, Role, merged, parts_of
from simulator.control.history import Past, read_only
from simulator.control.meters import Arrivals, Part, arrivals_before, pools_of
from simulator.control.orders import Orders
from simulator.control.recorder import Recorder
from simulator.control.spans import Span, span_steps
from simulator.control.view import UP, Facts, View
from simulator.fleet import Fleet

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Turn:
    """A decision that is due: which part decides, and what it sees."""

    role: Role
    policy: Policy
    view: View


class Loop:
    """One policy in one scenario, from an empty start to the end.

    Args:
        scenario: the world.
        policy: good for this run.
        seed: of the luck; runs that are compared share it.
        begin, end: steps; decisions and calls lie inside, what is in flight at the end still counts.
        bucket_us, is_coupled, has_histogram, has_rows: see `Fleet`.
        has_record: keep a `Record` of every decision about placements, in `records`.
        replays: computed before, for a policy that needs them; without, they are computed beside the run.
        replay_seed: luck of replays that are computed.

    Attributes:
        fleet: driven by this loop alone.
        records: see `has_record`.

    Raises:
        TrineError: a period is below one step.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        seed: int,
        *,
        begin: int,
        end: int,
        bucket_us: int = HOUR_US,
        is_coupled: bool = True,
        has_histogram: bool = False,
        has_rows: bool = False,
        has_record: bool = False,
        replays: ReplayTable | None = None,
        replay_seed: int = REPLAY_SEED,
    ) -> None:
        self.name, self.begin, self.end = policy.name, begin, end
        apps = len(scenario.apps.app_ids)
        self._parts = [Part(role, part, apps) for role, part in parts_of(policy)]
        if (least := min(part.policy.period_steps for part in self._parts)) < 1:
            raise TrineError(f"period_steps is {least}", where=f"policy '{self.name}'", how="decide every 1 step or more")
        self.fleet = Fleet(
            scenario,
            scenario.apps.home,
            luck_seed=seed,
            start_step=begin,
            end_step=end,
            bucket_us=bucket_us,
            is_coupled=is_coupled,
            has_histogram=has_histogram,
            is_watched=True,
            has_steps=has_rows or any(part.policy.needs_steps for part in self._parts),
            has_rows=has_rows,
        )
        self._scenario, self.facts = scenario, Facts.of(scenario)
        self._orders = Orders(self.facts, self.fleet)
        is_needed = any(part.policy.needs_replays for part in self._parts)
        self._replays = ReplaySource(scenario, begin, replays, replay_seed) if is_needed else None
        conditions = scenario.conditions
        self._utilisation_ppm = read_only(conditions.utilisation_ppm.astype(np.int64))
        self._is_out, self._carbon = read_only(conditions.capacity == 0), read_only(conditions.carbon_mg_per_kwh)
        self._cloud = read_only(self.facts.cloud_of_placement[scenario.apps.home])
        self._arrivals = arrivals_before(scenario, self.fleet)
        self._recorder = Recorder() if has_record else None
        self.records: list[Record] | None = self._recorder.records if self._recorder else None
        self._due = self._due_now()
        self._answered = Decision()
        self._seen: View = self._look()

    def turn(self, until: int | None = None) -> Turn | None:
        """Return the decision that is due next, running the fleet to its barrier; None: the end (or step `until`) is reached."""
        stop = self.end if until is None else min(until, self.end)
        while not self._due:
            if self.fleet.step >= stop:
                return None
            self._run_on(stop)
            self._due = self._due_now() if self.fleet.step < self.end else []
            if self._due:
                self._seen = self._look()
        part = self._due[0]
        return Turn(part.role, part.policy, self._view_of(part))

    def answer(self, answer: Decision) -> None:
        """Take the decision of the part whose turn it is; when all parts of the barrier have answered, the orders are given.

        Raises:
            TrineError: the answer is no valid decision; arm, step and app are named.
        """
        part, now = self._due[0], self.fleet.step
        where, is_first = f"policy '{self.name}', step {now}", now == self.begin
        above = self._answered.placement
        checked = self._orders.checked(answer, where, is_first=is_first, first=above if is_first else None)
        try:
            both = merged(self._answered, checked, part.role)
        except TrineError as error:
            raise TrineError(error.what, where=where, how=error.how) from None
        if self._recorder is not None:
            self._recorder.note(self._view_of(part), part.policy, checked, is_first=is_first)
        self._answered = both
        part.has_decided(self.fleet.state.total, self._alive())
        self._due.pop(0)
        if not self._due:
            self._orders.give(self._answered, is_first=is_first)
            self._cloud = self._cloud if self._answered.cloud is None else read_only(self._answered.cloud)
            self._answered = Decision()

    def view(self, role: Role) -> View:
        """What a part would see at the barrier reached, whether or not it decides there."""
        self._seen = self._look()
        return self._view_of(next(part for part in self._parts if part.role == role))

    def finish(self) -> Fleet:
        """Book what is still idle, check conservation and return the fleet.

        Raises:
            ConservationError: a call was lost or counted twice.
        """
        self.fleet.finish()
        return self.fleet

    def _due_now(self) -> list[Part]:
        """Parts that decide at the barrier reached, in order; a strategic tick asks the tactical part, too."""
        since = self.fleet.step - self.begin
        due = [part for part in self._parts if since % part.policy.period_steps == 0]
        if any(part.role == "strategic" for part in due):
            due = [part for part in self._parts if part in due or part.role == "tactical"]
        return due

    def _run_on(self, end: int) -> None:
        """Run to the next barrier at which a part decides, or to `end`."""
        since = self.fleet.step - self.begin
        following = min(since - since % part.policy.period_steps + part.policy.period_steps for part in self._parts)
        stop = min(self.begin + following, end)
        while self.fleet.step < stop:
            to = stop
            if self._orders.floors.any():  # a floor follows its app at the barrier where the app switches
                to = min(to, max(int(self.fleet.state.next_switch[0]), self.fleet.step + 1))
            self._advance(to)
            if self.fleet.step < stop:
                self._orders.follow()

    def _advance(self, to: int) -> None:
        fleet, state = self.fleet, self.fleet.state
        where, group = (state.place.copy(), state.target.copy(), state.switch_step.copy()), fleet.group
        fleet.advance(to)
        self._arrivals = Arrivals(fleet.static, self._arrivals, (group, fleet.group), where)
        for part in self._parts:
            np.maximum(part.peak, state.peak, out=part.peak)
        state.peak[:] = 0
        if self._replays and (rows := self._replays.ended(to)) is not None:
            for part in self._parts:
                part.replayed = rows if part.replayed is None else part.replayed + rows

    def _pools(self) -> tuple[Int64, Int64]:
        """See `View.pools`, and the instances at each placement that would yield, int64 [P]."""
        found, yielding = pools_of(self.fleet)
        found[self._orders.beyond_the_first(self.fleet.placement)] = 0
        return found, yielding

    def _alive(self) -> Int64:
        """Instances up of each app, int64 [A]."""
        return np.bincount(self._orders.app_of_function, self._seen.pools[:, UP], minlength=len(self.facts.apps.home)).astype(np.int64)

    def _look(self) -> View:
        """The state at the barrier reached, the same for all parts; `_view_of` adds what each has seen since its last decision."""
        fleet, world, step = self.fleet, self._scenario.world, self.fleet.step
        now = step * world.step_us
        slots, hours = now // SLOT_US, now // HOUR_US + 1
        finished = min(slots, self._is_out.shape[1])
        pools, yielding = self._pools()
        held = fleet.state.alive - yielding if fleet.is_coupled else np.zeros_like(yielding)
        capacity = self._scenario.conditions.capacity[:, finished - 1].astype(np.int64) if finished else world.quota_per_placement
        return View(
            facts=self.facts,
            step=step,
            placement=read_only(fleet.placement.copy()),
            target=read_only(fleet.state.target.copy()),
            cloud=self._cloud,
            recent=fleet.state.total,
            peak=fleet.state.peak,
            pools=read_only(pools),
            memory_class=read_only(self._orders.memory_class),
            arrivals=self._arrivals,
            utilisation_ppm=self._utilisation_ppm[:, :finished],
            is_out=self._is_out[:, :finished],
            free=read_only(np.maximum(0, capacity - held)),
            carbon_mg_per_kwh=self._carbon[:, : min(hours, self._carbon.shape[1])],
            past=Past(self._scenario, step, self._arrivals.until),
            steps=read_only(fleet.steps),
        )

    def _view_of(self, part: Part) -> View:
        is_needed = part.policy.needs_replays
        replayed = part.replayed
        if is_needed and replayed is None:
            replayed = np.zeros((len(self.facts.tables.zones), len(self.facts.apps.home), 3), dtype=np.int64)
        # At the start the free first placement is in force at once; otherwise a layer sees what the one above has just ordered as a target.
        seen = self._seen.below(self._answered)
        if self.fleet.step == self.begin and self._answered.placement is not None:
            seen = replace(seen, placement=self._answered.placement, target=self._seen.target)
        return replace(
            seen,
            recent=read_only(self.fleet.state.total - part.known),
            peak=read_only(part.peak.copy()),
            replayed=replayed if is_needed else None,
            steps=self._seen.steps if part.policy.needs_steps else None,
        )


def run(
    scenario: Scenario,
    policy: Policy,
    seed: int,
    span: Span = "test",
    *,
    bucket_us: int = HOUR_US,
    is_coupled: bool = True,
    has_histogram: bool = False,
    replays: ReplayTable | None = None,
) -> Fleet:
    """Let a policy decide over a span and return the finished fleet.

    Args:
        scenario: the world.
        policy: decides at the start of the span (the first placement is free) and every `policy.period_steps` from there.
        seed: of the luck; arms that are compared share it.
        span: which part of the scenario.
        bucket_us: see `Loop`, as are the next three.
        is_coupled: whether apps share capacity.
        has_histogram: whether latencies are counted.
        replays: computed before.

    Raises:
        ConservationError: a call was lost or counted twice.
        TrineError: the policy's period is below one step, or it answered something else than a valid decision.
    """
    begin, end = span_steps(scenario, span)
    options = {"bucket_us": bucket_us, "is_coupled": is_coupled, "has_histogram": has_histogram}
    return finished(Loop(scenario, policy, seed, begin=begin, end=end, replays=replays, **options))  # type: ignore[arg-type]


def finished(loop: Loop) -> Fleet:
    """Let the loop's own policy take every turn and return the finished fleet."""
    while (turn := loop.turn()) is not None:
        loop.answer(turn.policy.decide(turn.view))
    return loop.finish()
