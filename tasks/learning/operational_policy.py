"""Reads what was trained and chosen of the operational layer, as policies. Not here: training, judging.

policy = chosen_policy(models, "calm-1")  # the operational part of a Composite, good for one run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.checkpoints import load_state
from models.operational.allocator import AllocationRules, Allocator, Forecasted, Knowledge, Predictor
from models.operational.boosting import Trees
from models.operational.events import FAR, NEAR, EventFloors, EventRules, Head
from models.operational.forecasters import BoostedPredictor
from models.operational.lstm import LSTMPredictor
from models.operational.onnx_export import OnnxPredictor, exported
from models.operational.scaling import StaticMemory
from models.operational.timers import TimerRules
from models.operational.trunk_head import TrunkHead, TrunkSeen
from models.operational.windows import TARGETS
from models.orchestrator import Chosen
from tasks.learning.operational_known import load_known
from tasks.learning.operational_outputs import LAYER

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.control.decision import Policy


def boosted_heads(models: Path) -> tuple[Head, Head]:
    """The boosted event heads, near and far; `models`: the folder data/models/operational."""
    found = load_state(models / "event_head" / "seed-1.pt")
    return Trees.of(found["near"]).probability, Trees.of(found["far"]).probability


def boosted_predictor(models: Path) -> BoostedPredictor:
    """The boosted forecast."""
    found = load_state(models / "boosting" / "seed-1.pt")
    return BoostedPredictor(tuple(Trees.of(found[f"target_{i}"]) for i in range(len(TARGETS))))


def trunk_heads(models: Path, known: Knowledge) -> tuple[tuple[Head, Head], TrunkSeen]:
    """The event heads on the trunk of the specified network, and what makes their rows in a run."""
    network = TrunkHead()
    network.load_state_dict(load_state(models / "event_head_lstm" / "seed-1.pt"))
    network.eval()
    trunk = OnnxPredictor(exported(LSTMPredictor.load(models / "best_model.pt"), is_trunk=True))
    return (network.head(NEAR), network.head(FAR)), TrunkSeen(trunk, known)


def forecasted(name: str, predictor: Predictor, known: Knowledge) -> Policy:
    """Floors by Little's law on a forecast, whether or not they pay: with the guard of the price, hardly any is left."""
    return Forecasted(Allocator(predictor, known, AllocationRules(is_priced=False)), name)


def event_rules(chosen: Chosen) -> EventRules:
    """What was chosen of the event head and the timers below it."""
    p = chosen.parameters
    return EventRules(p["near"], p["far"], TimerRules(p["sd_factor"], p["benefit_share"]))


def chosen_policy(models: Path, scenario: str) -> Policy:
    """The operational part that the orchestrator uses in a scenario: event head above timers, and one memory size per app if it paid.

    Args:
        models: the folder `data/models`.
        scenario: its name.

    Raises:
        CheckpointError: nothing was chosen, or the weights are missing.
    """
    return chosen_floors(models, load_known(models / "tuned" / LAYER / scenario))


def chosen_floors(models: Path, known: Knowledge) -> Policy:
    """See `chosen_policy`; with what is known of the apps at hand."""
    chosen = Chosen.read(models / LAYER)
    floors = EventFloors(boosted_heads(models / LAYER), known.benefit_usd, event_rules(chosen), "operational")
    return StaticMemory(known.memory_class, floors, "operational") if chosen.parameters["memory"] else floors
