"""The arms of the group `operational`: who keeps what warm while every app stays at home. Not here: placements, training, judging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.operational.events import EventFloors, EventRules
from models.operational.forecasters import MeanMargin
from models.operational.hindsight import greedy_floors
from models.operational.onnx_export import OnnxPredictor, exported
from models.operational.scaling import StaticMemory
from models.orchestrator import Chosen
from simulator.control.baseline import Stay
from simulator.control.decision import Policy
from tasks.evaluation.arms.floors import RULES, FloorRule, timers
from tasks.evaluation.arms.table import Arm, ordered
from tasks.evaluation.operational_world import Judged
from tasks.learning.operational_policy import boosted_heads, boosted_predictor, chosen_floors, event_rules, forecasted, trunk_heads

REACTIVE, HINDSIGHT = "reactive", "greedy_hindsight"
BLIND = ("static_2x", "moving_average", "seasonal_naive", "hybrid_histogram")  # rules that know no prices


@dataclass(frozen=True, kw_only=True)
class Operational(Arm):
    """One row.

    Args:
        build: makes the policy that is judged.
        weighs_money: whether its floors depend on what a miss costs; the others are run once and priced anew.
    """

    ink: str = "learned"
    weighs_money: bool = True
    build: Callable[[Judged], Policy]


def _rule(row: FloorRule) -> Operational:
    def build(world: Judged) -> Policy:
        return row.build(world.known, world.parameters[row.name])

    weighs = row.name not in BLIND
    return Operational(name=row.name, label=row.label, ink=row.ink, order=row.order, build=build, weighs_money=weighs)


def served(world: Judged, arm: str) -> OnnxPredictor:
    """The network of an arm as it is served: in a run of the world it answers in half of the time, and the same to 1e-5."""
    return OnnxPredictor(exported(world.network(arm)))


def _network(arm: str) -> Callable[[Judged], Policy]:
    return lambda world: forecasted(arm, served(world, arm), world.known)


def _margin(world: Judged) -> Policy:
    return forecasted("lstm_margin", MeanMargin(served(world, "lstm_symmetric"), world.margin), world.known)


def _event_head(world: Judged) -> Policy:
    """The boosted head above the timers, with the horizons that were chosen; with both where the timers were chosen alone."""
    chosen = event_rules(Chosen.read(world.layer))
    rules = chosen if chosen.benefit_share + chosen.far_share > 0 else replace(chosen, benefit_share=1.0, far_share=1.0)
    return EventFloors(boosted_heads(world.layer), world.known.benefit_usd, rules, "event_head")


def _event_head_lstm(world: Judged) -> Policy:
    below = event_rules(Chosen.read(world.layer)).timers
    heads, seen = trunk_heads(world.layer, world.known)
    return EventFloors(heads, world.known.benefit_usd, EventRules(1.0, 1.0, below), "event_head_lstm", seen)


def _static_memory(world: Judged) -> Policy:
    return StaticMemory(world.known.memory_class)


def _timers_memory(world: Judged) -> Policy:
    return StaticMemory(world.known.memory_class, timers(world.known, world.parameters["timers"]), "timers_memory")  # type: ignore[arg-type]


ARMS = ordered(
    Operational(name=REACTIVE, label="Reactive", ink="home", order=10, build=lambda w: Stay(), weighs_money=False),
    *map(_rule, RULES),
    Operational(name="static_memory", label="One memory size", ink="home", order=90, build=_static_memory),
    Operational(name="timers_memory", label="Timers, one memory size", ink="home", order=100, build=_timers_memory),
    Operational(name="lstm_specified", label="LSTM, as specified", order=110, build=_network("lstm_specified"), weighs_money=False),
    Operational(name="lstm_symmetric", label="LSTM, symmetric loss", order=120, build=_network("lstm_symmetric"), weighs_money=False),
    Operational(name="lstm_quantile", label="LSTM, 5/6 quantile", order=130, build=_network("lstm_quantile"), weighs_money=False),
    Operational(name="lstm_margin", label="LSTM, symmetric and margin", order=140, build=_margin, weighs_money=False),
    Operational(
        name="boosting",
        label="Boosted forecast",
        order=150,
        build=lambda w: forecasted("boosting", boosted_predictor(w.layer), w.known),
        weighs_money=False,
    ),
    Operational(name="event_head_lstm", label="Event head on the LSTM", order=160, build=_event_head_lstm),
    Operational(name="event_head", label="Event head above timers", order=170, build=_event_head),
    Operational(name="operational", label="What the layer uses", order=180, build=lambda w: chosen_floors(w.models, w.known)),
    Operational(
        name=HINDSIGHT,
        label="Hindsight, floor by floor",
        ink="hindsight",
        order=190,
        is_causal=False,
        build=lambda w: greedy_floors(w.scenario, w.nothing_idle, w.seed),
    ),
)
