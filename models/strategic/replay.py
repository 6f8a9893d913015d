"""What DQN remembers: the newest transitions of every seed, and batches of them. Not here: what is learned from them (dqn.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

AT_ONCE = 64  # batches that are put together at once: they fit into the cache


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

    def batches(self, drawn: Tensor) -> Iterator[dict[str, Tensor]]:
        """The transitions drawn, int64 [S, n, B], as n batches of columns [S, B, ...]."""
        first = self.capacity * torch.arange(len(drawn), device=drawn.device)[:, None, None]
        for part in (drawn + first).transpose(0, 1).split(AT_ONCE):
            rows = part.flatten()
            found = {name: column.flatten(0, 1).index_select(0, rows).unflatten(0, part.shape) for name, column in self.columns.items()}
            for at in range(len(part)):
                yield {name: column[at] for name, column in found.items()}
