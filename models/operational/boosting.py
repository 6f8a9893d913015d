"""Gradient boosting whose trees are arrays: fitted by scikit-learn, saved as tensors, evaluated row by row in a run. Not here: features.

A fitted estimator would be a pickle, and one call of it costs more than a step of the world. The trees are read out once; a test holds
their answers to those of the estimator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Loss = Literal["log_loss", "squared_error", "quantile"]


@dataclass(frozen=True)
class Shape:
    """Of an ensemble.

    Args:
        trees: at most.
        leaves: of a tree, at most.
        lr: share of each tree.
        least_rows: of a leaf.
        l2: penalty of a leaf's value.
        bins: of a feature; the percentiles that part them cost more than the trees do.
    """

    trees: int = 80
    leaves: int = 16
    lr: float = 0.1
    least_rows: int = 50
    l2: float = 1.0
    bins: int = 64


@dataclass(frozen=True, eq=False)
class Trees:
    """An ensemble. n nodes of all trees, one after another.

    Args:
        first: int64 [trees + 1], the root of each tree.
        feature: int64 [n], -1: a leaf.
        threshold: float64 [n], values up to it go left.
        left, right: int64 [n].
        value: float64 [n], of a leaf.
        start: float64 [1], what the trees are added to.
    """

    first: Int64
    feature: Int64
    threshold: Float64
    left: Int64
    right: Int64
    value: Float64
    start: Float64

    def raw(self, x: Float32) -> Float64:
        """The sum of the trees for rows float32 [n, features], float64 [n]: log odds of an event, or a forecast."""
        return evaluate(x, self.first, self.feature, self.threshold, self.left, self.right, self.value, self.start[0])

    def probability(self, x: Float32) -> Float64:
        """Probability of the event, float64 [n]."""
        found: Float64 = 1.0 / (1.0 + np.exp(-self.raw(x)))
        return found

    def state(self) -> dict[str, torch.Tensor]:
        """Tensors by name, for a checkpoint."""
        return {field.name: torch.from_numpy(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of(cls, state: dict[str, torch.Tensor]) -> Trees:
        """The ensemble of a checkpoint."""
        return cls(**{field.name: state[field.name].numpy() for field in fields(cls)})


def fit_trees(x: Float32, y: Float64, weight: Float64, loss: Loss, shape: Shape, seed: int, level: float = 0.5) -> Trees:
    """Fit an ensemble.

    Args:
        x: float32 [n, features], finite.
        y: float64 [n]; 0 or 1 for `log_loss`.
        weight: float64 [n].
        loss: what is minimised.
        shape: of the ensemble.
        seed: of the bins' sample, which only many rows need.
        level: of the quantile.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options = {
        "max_iter": shape.trees,
        "max_leaf_nodes": shape.leaves,
        "learning_rate": shape.lr,
        "min_samples_leaf": shape.least_rows,
        "l2_regularization": shape.l2,
        "max_bins": shape.bins,
        "early_stopping": False,
        "random_state": seed,
    }
    if loss == "log_loss":
        found = HistGradientBoostingClassifier(**options)
    else:
        found = HistGradientBoostingRegressor(loss=loss, **({"quantile": level} if loss == "quantile" else {}), **options)
    found.fit(x, y, sample_weight=weight)
    return read_trees(found)


def read_trees(estimator: object) -> Trees:
    """Return the trees of a fitted estimator of scikit-learn with one output."""
    stages = estimator._predictors  # type: ignore[attr-defined]
    nodes = [stage[0].nodes for stage in stages]
    first = np.concatenate([[0], np.cumsum([len(own) for own in nodes])]).astype(np.int64)
    joined = np.concatenate(nodes)
    shift = np.repeat(first[:-1], np.diff(first))
    is_leaf = joined["is_leaf"].astype(np.bool_)
    return Trees(
        first=first,
        feature=np.where(is_leaf, -1, joined["feature_idx"]).astype(np.int64),
        threshold=joined["num_threshold"].astype(np.float64),
        left=(joined["left"].astype(np.int64) + shift),
        right=(joined["right"].astype(np.int64) + shift),
        value=joined["value"].astype(np.float64),
        start=np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1)[:1].copy(),  # type: ignore[attr-defined]
    )


@njit(cache=True)
def evaluate(x: Float32, first: Int64, feature: Int64, threshold: Float64, left: Int64, right: Int64, value: Float64,
             start: float) -> Float64:  # pragma: no cover  # fmt: skip
    """Sum of the trees for each row."""
    found = np.full(len(x), start)
    for i in range(len(x)):
        for t in range(len(first) - 1):
            node = first[t]
            while feature[node] >= 0:
                node = left[node] if x[i, feature[node]] <= threshold[node] else right[node]
            found[i] += value[node]
    return found


def log_loss(y: Float64, probability: Float64, weight: Float64) -> float:
    """Weighted mean of -log of the probability of what happened, in nats."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(-(weight * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum() / weight.sum())


def entropy(y: Float64, weight: Float64) -> float:
    """Log loss of the constant forecast, nats."""
    mean = float((weight * y).sum() / weight.sum())
    return -(mean * math.log(mean) + (1 - mean) * math.log(1 - mean)) if 0 < mean < 1 else 0.0
