"""What the stages that train leave behind, untrained: for tests of what comes after them. Not here: training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.checkpoints import save_state
from models.networks import generators
from models.operational.boosting import Shape, fit_trees
from models.operational.events import COLUMNS
from models.strategic.dqn import QNetwork
from models.tactical.ppo import ActorCritic
from simulator.control.features import strategic, tactical
from simulator.scenario import load_scenario
from tasks.core.files import write_json
from tasks.core.paths import Paths
from tasks.learning.operational_known import learn_known, save_known
from tasks.world.scenario_outputs import scenario_folder
from tests.worlds.cards import write_plain_card
from tests.worlds.report_world import NAMES


def write_untrained(models: Path) -> None:
    """What train_tactical and train_strategic leave behind, two training seeds each."""
    parts = (("strategic", "dqn_specified", QNetwork, (20, 3), strategic), ("tactical", "ppo_specified", ActorCritic, (7, 24), tactical))
    for layer, arm, network, sizes, features in parts:
        for seed in (1, 2):
            tensors = network(*sizes, generators([seed]), torch.device("cpu")).tensors(0)
            save_state(models / layer / arm / f"seed-{seed}.pt", tensors)
            if seed == 1:
                save_state(models / layer / "best_model.pt", tensors)
        for folder in (models / layer, models / layer / arm):
            write_plain_card(folder, layer, features.VERSION, {"inputs": sizes[0], "actions": sizes[1]})


def write_floors(paths: Paths) -> None:
    """What tune_operational and train_operational leave behind of the layer that the orchestrator uses: the timers alone."""
    rng, models = np.random.default_rng(1), paths.root / "data" / "models"
    x, y = rng.random((200, len(COLUMNS)), dtype=np.float32), (rng.random(200) < 0.5).astype(np.float64)
    heads = fit_trees(x, y, np.ones(200), "log_loss", Shape(trees=1), seed=1)
    save_state(models / "operational" / "event_head" / "seed-1.pt", {"near": heads.state(), "far": heads.state()})
    chosen = {"near": 0.0, "far": 0.0, "memory": 0.0, "sd_factor": 0.0, "benefit_share": 1.0}
    write_json(models / "operational" / "chosen.json", {"arm": "timers", "file": "", "parameters": chosen, "why": "a test"})
    for name in NAMES:
        folder = scenario_folder(paths) / name
        known, _ = learn_known(load_scenario(folder, until="valid"), folder, 11)
        save_known(known, models / "tuned" / "operational" / name)
