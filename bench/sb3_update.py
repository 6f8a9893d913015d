"""One batch learned from by Stable-Baselines3's PPO and by ours: the parameters that both end with. Not here: what policies cost.

The peer collects 8 x 32 transitions; both sides begin with its parameters and make ten steps over the whole batch, so the order of its
rows does not matter.
"""

from __future__ import annotations

import numpy as np
import torch
from stable_baselines3 import PPO

from models.tactical.ppo import ActorCritic, Batch, PpoSettings, PpoTraining
from models.training import History
from models.worlds import FleetWorld

LAYERS = {
    "encoder": "features_extractor.layer.0",
    "actor1": "mlp_extractor.policy_net.0",
    "actor2": "mlp_extractor.policy_net.2",
    "actor3": "mlp_extractor.policy_net.4",
    "logits": "action_net",
    "critic1": "mlp_extractor.value_net.0",
    "critic2": "mlp_extractor.value_net.2",
    "value": "value_net",
}


def update_difference(model: PPO, world: FleetWorld) -> tuple[float, float]:
    """Largest difference between two parameters after one batch, and how far the peer's largest step went.

    Args:
        model: of `sb3_peer.peer_ppo`, new.
        world: of as many sub-environments, for the shapes of our training.
    """
    _, callback = model._setup_learn(model.n_steps * model.n_envs)
    model.batch_size = model.n_steps * model.n_envs
    callback.on_training_start({}, {})
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
    start, buffer = _tensors(model), model.rollout_buffer
    after = np.concatenate([buffer.observations[1:], model._last_obs[None]])
    steps = torch.zeros(1, model.n_steps, model.n_envs, dtype=torch.bool)
    batch = Batch(
        observed=torch.from_numpy(buffer.observations.copy())[None],
        mask=torch.ones(1, model.n_steps, model.n_envs, world.actions, dtype=torch.bool),
        actions=torch.from_numpy(buffer.actions[..., 0].astype(np.int64))[None],
        log_probs=torch.from_numpy(buffer.log_probs.copy())[None],
        reached=torch.from_numpy(after)[None],
        rewards=torch.from_numpy(buffer.rewards.copy())[None],
        is_over=steps,
        is_terminal=steps,
    )
    model.train()
    training = PpoTraining(
        [PpoSettings(minibatch=model.batch_size)],
        [world],
        [1],
        lambda random, device: ActorCritic(world.inputs, world.actions, random, device),
        History("tactical", "ppo_specified", [1]),
        transitions=10**9,
        stretch=world.intervals,
        score=None,
        device=torch.device("cpu"),
    )
    training.network.load(0, start)
    training.learn(batch)
    ours, theirs = training.network.tensors(0), _tensors(model)
    return max(float((ours[k] - theirs[k]).abs().max()) for k in start), max(float((start[k] - theirs[k]).abs().max()) for k in start)


def _tensors(model: PPO) -> dict[str, torch.Tensor]:
    """The peer's parameters by our names."""
    found = model.policy.state_dict()
    parts = [(f"{ours}.{part}", found[f"{theirs}.{part}"].clone()) for ours, theirs in LAYERS.items() for part in ("weight", "bias")]
    return {name: (own.T if name.endswith("weight") else own) for name, own in parts}
