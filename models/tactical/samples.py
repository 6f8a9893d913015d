"""What the candidates arm learns from: barriers of a past, and what every placement then turned out to cost. Not here: the network.

A replay of the past at all placements gives each interval as many outcomes as there are placements. The planner, whose error is learned,
knew only what came before the fold that it is asked about, as it does on a test span.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.baselines.planner import MIN_CALLS
from models.baselines.planning.learned import learn
from models.tactical.scoring import HORIZON, Observer, Seen, centred
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import Loop, finished
from simulator.control.view import Facts

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from models.baselines.planning.rows import ReplayRows
    from simulator.control.view import View
    from simulator.scenario import Scenario

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
LUCK_SEED = 101  # of the run at home that is observed
FOLDS = (0.5, 0.75, 1.0)  # of the span: the planner learns up to one and is asked up to the next
QUIET_EVERY = 4  # of the intervals without calls one in so many is kept, with as much weight


@dataclass(frozen=True, eq=False)
class Samples:
    """N rows (an app at a barrier), P placements.

    Args:
        own: float32 [N, OWN], see `Seen`.
        places: float32 [N, P, PLACES].
        target: float32 [N, P, 2], what near and far cost, in units of the app, centred and clipped.
        prior: float32 [N, P, 2], what the planner expected of both, not centred; response: likewise, the part that is the app's response.
        usd: float32 [N, P], what the coming interval cost.
        scale_usd: float32 [N], the unit.
        is_allowed: bool [N, P].
        weight: float32 [N].
    """

    own: Float32
    places: Float32
    target: Float32
    prior: Float32
    response: Float32
    usd: Float32
    scale_usd: Float32
    is_allowed: Bool
    weight: Float32

    def __len__(self) -> int:
        """Rows."""
        return len(self.weight)

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        """The rows of several fleets."""
        names = ("own", "places", "target", "prior", "response", "usd", "scale_usd", "is_allowed", "weight")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


class _Observed(PolicyBase):
    """Stays at home and remembers what the arm would have seen."""

    name = "observed"

    def __init__(self, facts: Facts, learned: Learned) -> None:
        self.observer, self.seen = Observer(facts, learned), []  # type: ignore[var-annotated]
        self.period_steps = facts.world.tactical_steps

    def decide(self, view: View) -> Decision:
        """Look, and order nothing."""
        self.seen.append(self.observer.observe(view))
        return Decision()


def samples_of(scenario: Scenario, rows: ReplayRows, end_step: int, clip: float) -> Samples:
    """Return the rows of a scenario before a step.

    Args:
        scenario: the world; nothing after `end_step` is read.
        rows: replays at all placements.
        end_step: a tactical barrier.
        clip: of the targets, in units of the app.
    """
    world, facts = scenario.world, Facts.of(scenario)
    intervals = end_step // world.tactical_steps
    cost = _dense(rows, intervals, facts)
    edges = [int(share * intervals) for share in FOLDS]
    parts = []
    for begin, end in pairwise(edges):
        learned = learn(scenario, rows, begin * world.tactical_steps)
        policy = _Observed(facts, learned)
        begin_step, last_step = begin * world.tactical_steps, end * world.tactical_steps
        finished(Loop(scenario, policy, LUCK_SEED, begin=begin_step, end=last_step, bucket_us=world.tactical_us))
        is_known = learned.known_calls >= MIN_CALLS
        for k, seen in enumerate(policy.seen[: end - begin - HORIZON]):
            parts.append(_rows_of(seen, cost[begin + k : begin + k + HORIZON], is_known, facts.is_allowed, clip, k))
    return Samples.joined(parts)


def _dense(rows: ReplayRows, intervals: int, facts: Facts) -> Float32:
    """What every interval cost at every placement, carbon included, float32 [K, A, P]; 0 without calls."""
    past = rows.before(intervals)
    cost = np.zeros((intervals, *facts.is_allowed.shape), dtype=np.float32)
    cost[past.interval, past.app] = past.usd + past.carbon_usd
    return cost


def _rows_of(seen: Seen, cost: Float32, is_known: Bool, allowed: Bool, clip: float, turn: int) -> Samples:
    """Rows of one barrier; `cost`: float32 [HORIZON, A, P] of the intervals that followed."""
    has_calls = cost[0].any(axis=1)
    apps = np.arange(len(is_known))
    is_kept = is_known & (has_calls | ((apps + turn) % QUIET_EVERY == 0))
    a = np.flatnonzero(is_kept)
    scale = seen.scale_usd[:, None, None]
    target = np.stack([centred(usd, allowed) for usd in _near_and_far(cost.astype(np.float64))], axis=2) / scale
    prior, response = (np.stack(_near_and_far(usd), axis=2) / scale for usd in (seen.prior_usd, seen.response_usd))
    return Samples(
        own=seen.own[a],
        places=seen.places[a],
        target=np.clip(target[a], -clip, clip).astype(np.float32),
        prior=prior[a].astype(np.float32),
        response=response[a].astype(np.float32),
        usd=cost[0][a],
        scale_usd=seen.scale_usd[a].astype(np.float32),
        is_allowed=allowed[a],
        weight=np.where(has_calls[a], 1.0, QUIET_EVERY).astype(np.float32),
    )


def _near_and_far(usd: Float64) -> tuple[Float64, Float64]:
    """The coming interval and the mean of those that follow, of float64 [HORIZON, A, P]."""
    return usd[0], usd[1:].mean(axis=0)
