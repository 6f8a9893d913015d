"""The sections of params.yaml that say how the tactical and strategic layers are searched and trained. Not here: the stages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.strategic.dqn import DqnSettings
from models.tactical.ppo import PpoSettings
from simulator.parameters import Section, Seed

Rate = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1)]
Period = Annotated[int, Field(ge=1, le=1_000_000)]


class Round(Section):
    """One round of a search by successive halving: every point that is left trains from the start, the best of them go on."""

    transitions: int = Field(ge=1, le=1_000_000_000, description="of each seed of each point")
    seeds: tuple[Seed, ...] = Field(min_length=1, description="training seeds of each point; their spread decides what counts as better")
    keep: int = Field(ge=1, le=1000, description="points that go on; the specified one always does")


class Search(Section):
    """What the searches of both layers have in common."""

    luck_seed: Seed = Field(description="luck of cold starts and keep-alives on the valid spans")
    families: tuple[str, ...] = Field(description="families whose valid spans are scored; empty: all")
    scenarios: int = Field(ge=1, le=1000, description="valid spans of a family that are scored")
    apps: int = Field(ge=1, le=100_000, description="apps of a training fleet that a point learns from")
    stretch: int = Field(ge=1, le=100_000, description="decisions of an episode")
    lr: tuple[Rate, ...] = Field(min_length=1, description="learning rates of the grid")
    rounds: tuple[Round, ...] = Field(min_length=1, description="of successive halving")


class TuneTactical(Search):
    """The section `tune_tactical`: a grid of lr x clip x entropy."""

    clip: tuple[Rate, ...] = Field(min_length=1, description="clips of the grid")
    entropy: tuple[Weight, ...] = Field(min_length=1, description="weights of the entropy of the grid")


class TuneStrategic(Search):
    """The section `tune_strategic`: a grid of lr x gamma x target period."""

    gamma: tuple[Weight, ...] = Field(min_length=1, description="discounts of the grid")
    target_every: tuple[Period, ...] = Field(min_length=1, description="target periods of the grid, updates")


class Train(Section):
    """What the trainings of both layers have in common."""

    luck_seed: Seed = Field(description="luck of cold starts and keep-alives on the valid spans")
    seeds: tuple[Seed, ...] = Field(min_length=1, description="training seeds, one batch")
    transitions: int = Field(ge=1, le=1_000_000_000, description="of each seed")
    stretch: int = Field(ge=1, le=100_000, description="decisions of an episode; it begins at a random decision of a training fleet")


class TrainTactical(Train):
    """The section `train_tactical`."""

    ppo: PpoSettings = Field(description="constants of PPO; lr, clip and entropy give way to what `tune_tactical` chose")


class TrainStrategic(Train):
    """The section `train_strategic`."""

    dqn: DqnSettings = Field(description="constants of DQN; lr, gamma and target_every give way to what `tune_strategic` chose")
