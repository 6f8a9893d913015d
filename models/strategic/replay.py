"""What DQN remembers: returns of n steps, the newest transitions of every seed, batches of them. Not here: what is learned (dqn.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

AT_ONCE = 64  # batches that are put together at once: they fit into the cache


def n_step(rewards: Tensor, is_over: Tensor, is_terminal: Tensor, gamma: float, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what n steps from each step on earn, and where they lead; shorter where an episode or the stretch ends.

    Args:
        rewards: [..., T, N], of each step.
        is_over: [..., T, N], an episode ended with the step.
        is_terminal: [..., T, N], nothing can be earned after the step.
        gamma: discount.
        n: most steps.

    Returns:
        [..., T, N] each: discounted sum of the rewards, the last step of it, and the factor on the value of the state that step reached.
    """
    steps = rewards.shape[-2]
    start = torch.arange(steps)[:, None].expand(rewards.shape)
    total, last, is_on = torch.zeros_like(rewards), start.clone(), torch.ones_like(is_over)
    for k in range(n):
        at = torch.clamp(start + k, max=steps - 1)
        is_on = is_on & (start + k < steps)
        total = total + gamma**k * torch.where(is_on, rewards.gather(-2, at), 0.0)
        last = torch.where(is_on, at, last)
        is_on = is_on & ~is_over.gather(-2, at)
    factor = torch.where(is_terminal.gather(-2, last), 0.0, gamma ** (last - start + 1))
    return total, last, factor.to(rewards.dtype)


class Replay:
    """The newest transitions of every seed: columns [S, capacity, ...], filled round and round."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.at, self.held = capacity, 0, 0
        self.columns: dict[str, Tensor] = {}

    def add(self, columns: Mapping[str, Tensor]) -> None:
        """Remember transitions, [S, n, ...] each."""
        seeds, count = next(iter(columns.values())).shape[:2]
        place = (self.at + torch.arange(count)) % self.capacity
        for name, found in columns.items():
            if name not in self.columns:
                self.columns[name] = torch.zeros(seeds, self.capacity, *found.shape[2:], dtype=found.dtype, device=found.device)
            self.columns[name][:, place[-self.capacity :]] = found[:, -self.capacity :]
        self.at, self.held = (self.at + count) % self.capacity, min(self.held + count, self.capacity)

    def batches(self, drawn: Tensor, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
        """The transitions drawn, int64 [S, n, B], as n batches of the columns named, [S, B, ...]."""
        first = self.capacity * torch.arange(len(drawn), device=drawn.device)[:, None, None]
        for part in (drawn + first).transpose(0, 1).split(AT_ONCE):
            rows = part.flatten()
            found = {name: self.columns[name].flatten(0, 1).index_select(0, rows).unflatten(0, part.shape) for name in names}
            for at in range(len(part)):
                yield {name: column[at] for name, column in found.items()}
