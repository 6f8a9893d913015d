"""Networks of several training seeds as one: linear layers with a leading seed dimension, their random numbers, their optimiser.

The networks of this project are so small that Python, not arithmetic, is what training them one by one would spend its time on.
Not here: what the networks are of (ppo.py, dqn.py), losses, the training loop (training.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.adam import adam

State = dict[str, Any]  # tensors, numbers, texts, and lists and dicts of them: what `torch.load(weights_only=True)` reads
GAIN_RELU = 2.0**0.5
BETAS = 0.9, 0.999  # of Adam
NARROW = 8  # outputs; fewer are multiplied much faster where the weights of an output lie together


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One source of random numbers per training seed, on the CPU whatever the device, so that all devices see the same luck."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class Networks:
    """S networks of one shape, one per training seed, which are evaluated as one: linear layers with a leading seed dimension.

    All parameters of a seed are one row of one matrix, so keeping, restoring and saving a seed is copying a row.

    Args:
        layers: (inputs, outputs, gain of the orthogonal start) by name; biases start at 0.
        random: of each seed.
        device: where the networks are.

    Attributes:
        is_by_feature: `linear` takes and returns [S, features, B], and the weights of an output lie together. Where the last layer is
            narrow, gradients are found faster so; where features are joined by rows, [S, B, features] is simpler.
        flat: float32 [S, parameters of one network].
        size: parameters of one network.
    """

    is_by_feature: ClassVar[bool] = False

    def __init__(self, layers: Mapping[str, tuple[int, int, float]], random: Sequence[torch.Generator], device: torch.device) -> None:
        self.layers = dict(layers)
        self.size = sum(inputs * outputs + outputs for inputs, outputs, _ in self.layers.values())
        self.flat = torch.zeros(len(random), self.size, device=device)
        self.weight: dict[str, Tensor] = {}
        self.bias: dict[str, Tensor] = {}
        at = 0
        for name, (inputs, outputs, gain) in self.layers.items():
            shape = (outputs, inputs) if self.is_by_feature else (inputs, outputs)
            weight = self.flat[:, at : at + inputs * outputs].view(-1, *shape)
            at += inputs * outputs
            for s, own in enumerate(random):
                start = torch.nn.init.orthogonal_(torch.empty(outputs, inputs), gain, generator=own)
                weight[s] = (start if self.is_by_feature else start.T).to(device)
            self.weight[name] = weight.requires_grad_()
            bias = self.flat[:, at : at + outputs]
            self.bias[name] = (bias[..., None] if self.is_by_feature else bias[:, None]).requires_grad_()
            at += outputs

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Layer `name` of every network: [S, B, inputs] -> [S, B, outputs], or by feature [S, inputs, B] -> [S, outputs, B]."""
        if self.is_by_feature:
            return torch.baddbmm(self.bias[name], self.weight[name], x)
        if self.weight[name].shape[2] == 1:
            # A single output of a single seed would be multiplied by another routine, which rounds differently: a seed would depend on
            # how many others share its batch.
            return (x * self.weight[name].transpose(1, 2)).sum(dim=2, keepdim=True) + self.bias[name]
        is_narrow = self.weight[name].shape[2] < NARROW
        return torch.baddbmm(self.bias[name], x, self.weight[name].mT.contiguous().mT if is_narrow else self.weight[name])

    def parameters(self) -> list[Tensor]:
        """The tensors that gradients are taken of, in the order of a row of `flat`."""
        return [tensor for name in self.layers for tensor in (self.weight[name], self.bias[name])]

    def row(self, seed: int) -> Tensor:
        """A copy of the parameters of one network, float32 [parameters], on the CPU."""
        return self.flat[seed].detach().cpu().clone()

    def tensors(self, seed: int) -> dict[str, Tensor]:
        """Copies of weights [inputs, outputs] and biases [outputs] of one network by the names of its layers: what a checkpoint holds."""
        named = {}
        for name in self.layers:
            named[f"{name}.weight"] = self._by_input(name)[seed].detach().cpu().contiguous().clone()
            named[f"{name}.bias"] = self.bias[name][seed].detach().flatten().cpu().clone()
        return named

    def load(self, seed: int, tensors: Mapping[str, Tensor]) -> None:
        """Take what `tensors` returned as one of the networks."""
        with torch.no_grad():
            for name in self.layers:
                self._by_input(name)[seed] = tensors[f"{name}.weight"]
                self.bias[name][seed].view(-1).copy_(tensors[f"{name}.bias"])

    def _by_input(self, name: str) -> Tensor:
        """Weights of a layer, [S, inputs, outputs]."""
        return self.weight[name].mT if self.is_by_feature else self.weight[name]

    def put(self, rows: Tensor) -> None:
        """Replace the parameters of all networks, float32 [S, parameters]."""
        self.flat.detach().copy_(rows)


class Adam:
    """Adam for `Networks`, with a clipped gradient and a learning rate of its own for each seed.

    Neighbours in the batch with equal rates move in one call: their rows are one piece of memory.

    Args:
        networks: whose parameters move.
        eps: added to the root of the second moment.
        max_norm: the gradient of a seed is scaled down to this norm; None: never.
    """

    def __init__(self, networks: Networks, eps: float = 1e-8, max_norm: float | None = None) -> None:
        self.eps, self.max_norm = eps, max_norm
        self._parameters, self._flat = networks.parameters(), networks.flat.detach()
        self._gradient, self._mean, self._square = (torch.zeros_like(self._flat) for _ in range(3))
        self._steps = torch.zeros((), device=self._flat.device)

    def step(self, losses: Tensor, lr: Tensor | Sequence[float]) -> Tensor:
        """Move every network down the gradient of its own loss.

        Args:
            losses: float32 [S], with the graph behind them.
            lr: learning rate of each seed.

        Returns:
            norm of the gradient of each seed before clipping, float32 [S].
        """
        found = torch.autograd.grad(losses, self._parameters, torch.ones_like(losses))
        torch.cat([part.flatten(1) for part in found], dim=1, out=self._gradient)
        norms = torch.linalg.vector_norm(self._gradient, dim=1)
        if self.max_norm is not None and bool((norms > self.max_norm).any()):
            self._gradient.mul_((self.max_norm / (norms + 1e-6)).clamp(max=1)[:, None])
        self._move([float(rate) for rate in lr])
        return norms

    def _move(self, rates: Sequence[float]) -> None:
        edges = [0, *(s for s in range(1, len(rates)) if rates[s] != rates[s - 1]), len(rates)]
        for begin, end in pairwise(edges):
            flat, gradient, mean, square = ([part[begin:end]] for part in (self._flat, self._gradient, self._mean, self._square))
            adam(
                flat,
                gradient,
                mean,
                square,
                [],
                [self._steps.clone()],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rates[begin],
                weight_decay=0.0,
                eps=self.eps,
                maximize=False,
            )
        self._steps += 1

    def state(self) -> State:
        """Both moments of every parameter and the number of steps of every seed."""
        if not self._steps:
            return {}
        steps = self._steps.cpu().repeat(len(self._flat))
        return {"step": steps, "exp_avg": self._mean.cpu().clone(), "exp_avg_sq": self._square.cpu().clone()}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        found = state or {"step": torch.zeros(1), "exp_avg": torch.zeros(()), "exp_avg_sq": torch.zeros(())}
        self._steps.copy_(found["step"][0])
        self._mean.copy_(found["exp_avg"])
        self._square.copy_(found["exp_avg_sq"])
