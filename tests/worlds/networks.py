"""Random networks for each layer, as policies and as answers to an environment. Not here: training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.networks import generators
from models.tactical.candidates import CandidatesAgent, CandidatesNetwork
from simulator.control.acting import Acting
from simulator.control.decision import Composite, Policy
from simulator.control.features import candidates, operational, strategic, tactical
from simulator.control.view import Facts
from simulator.envs.tactical import GivenClouds
from simulator.scenario import Scenario

LAYERS: dict[str, Any] = {"Strategic": strategic, "Tactical": tactical, "TacticalCandidates": candidates, "Autoscale": operational}


@dataclass(frozen=True)
class Network:
    """A random two-layer network over an app's observation, or over each candidate's; equal seeds are equal networks.

    Args:
        kind: environment that it answers.
        seed: of its weights.
    """

    kind: str
    seed: int

    def __call__(self, observed: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
        """Actions [A, ...] for observations [A, ...]; what is masked is chosen where it looks best, too, for some seeds."""
        rng = np.random.default_rng(self.seed)
        rows = observed if self.kind == "TacticalCandidates" else observed.reshape(len(observed), -1)
        hidden = np.tanh(rows @ rng.normal(0, 2, (rows.shape[-1], 16)) + rng.normal(0, 1, 16))
        if self.kind == "TacticalCandidates":
            score = hidden @ rng.normal(0, 1, 16)
        elif self.kind == "Autoscale":
            return self._floors(hidden, rng)
        else:
            score = hidden @ rng.normal(0, 1, (16, 24 if self.kind == "Tactical" else 3))
        if mask is not None and self.seed % 2:
            score = np.where(mask, score, -np.inf)
        return np.asarray(score.argmax(axis=1))

    def _floors(self, hidden: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
        """Few floors, and a memory class that seldom changes: int64 [A, functions + 1]."""
        drive = hidden @ rng.normal(0, 1, (16, self.functions + 1))
        found = np.clip(np.floor(drive - 1.5), 0, 3).astype(np.int64)
        found[:, -1] = np.clip(found[:, -1], 0, 2)
        return found

    @property
    def functions(self) -> int:
        """Most functions of an app that fit into the action space."""
        return FUNCTIONS


FUNCTIONS = 64


def some_candidates(seed: int) -> CandidatesAgent:
    """An agent of the candidates arm whose factors differ from 1; untrained ones do not."""
    cpu = torch.device("cpu")
    network = CandidatesNetwork(8, 4, generators([seed]), cpu)
    noise = torch.randn(network.flat.shape, generator=torch.Generator().manual_seed(seed))
    network.put(network.flat.detach() + 0.3 * noise)
    return CandidatesAgent(network.tensors(0))


def as_policy(network: Network, scenario: Scenario, cloud: NDArray[np.int64] | None = None) -> Policy:
    """The network as the judge runs it; `cloud`: int64 [A], the strategic part of a tactical network."""
    facts, layer = Facts.of(scenario), LAYERS[network.kind]
    period = {"Strategic": scenario.world.strategic_steps, "Autoscale": 1}.get(network.kind, scenario.world.tactical_steps)
    known = operational.start(facts, FUNCTIONS) if network.kind == "Autoscale" else layer.start(facts)
    acting = Acting(f"{network.kind}-{network.seed}", layer, known, network, period_steps=period)
    if network.kind == "Strategic":
        return Composite(acting.name, strategic=acting)
    if network.kind == "Autoscale":
        return Composite(acting.name, operational=acting)
    assert cloud is not None
    return Composite(acting.name, strategic=GivenClouds(cloud), tactical=acting)
