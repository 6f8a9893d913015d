"""A learner on training fleets, all seeds as one batch, as every stage that trains an upper layer runs it. Not here: learners, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from models.training import History, Score, SeedTraining, Tensors, device_of
from models.worlds import FleetWorld
from simulator.control.baseline import HOME_SEED
from tasks.core.environment import Environment
from tasks.learning.fleets import fitting

if TYPE_CHECKING:
    from simulator.control.reward import Reward
    from simulator.envs.episodes import Episodes, Stage

Training = TypeVar("Training", bound=SeedTraining)


@dataclass(frozen=True)
class Learner(Generic[Training]):
    """What trains: the algorithm, its network, its episodes.

    Args:
        layer, arm: of the history.
        training: class of the training, `PpoTraining` or `DqnTraining`.
        network: class of the networks, made of (inputs, actions, random, device).
        episodes: class of the episodes.
        multiple: the number of apps in a world is a multiple of this.
        rollout: the decisions of an episode are a multiple of this.
    """

    layer: str
    arm: str
    training: Callable[..., Training]
    network: Callable[..., Any]
    episodes: type[Episodes]
    multiple: int = 1
    rollout: int = 1

    def on(
        self,
        stages: Sequence[Stage],
        reward: Reward,
        settings: Sequence[Any],
        seeds: Sequence[int],
        *,
        transitions: int,
        stretch: int,
        apps: int | None = None,
        score: Score | None = None,
        start: Tensors | None = None,
        **neighbours: Any,
    ) -> Training:
        """Return the training of all seeds as one batch.

        Args:
            stages: training fleets, shared by all seeds.
            reward: scale and clip.
            settings: of each seed.
            seeds: training seeds; one may be there several times with different settings.
            transitions: of each seed.
            stretch: decisions of an episode, if the train spans hold so many (`fitting`).
            apps: that are learned from; None: as many as all fleets have.
            score: see `SeedTraining`.
            start: parameters that all networks begin with; None: drawn.
            neighbours: the layers above or below in an episode, see its class.
        """
        stretch = fitting(stretch, stages, self.episodes, self.rollout)
        options: dict[str, Any] = {"span": "train", "intervals": stretch, "luck_seed": HOME_SEED, "reward": reward} | neighbours
        worlds = [FleetWorld(stages, self.episodes, multiple=self.multiple, most=apps, **options) for _ in seeds]

        def networks(random: Any, device: Any) -> Any:
            made = self.network(worlds[0].inputs, worlds[0].actions, random, device)
            for s in range(len(seeds) if start else 0):
                made.load(s, start)
            return made

        return self.training(
            settings,
            worlds,
            seeds,
            networks,
            History(self.layer, self.arm, seeds),
            transitions=transitions,
            stretch=stretch,
            score=score,
            device=device_of(Environment().device),
        )
