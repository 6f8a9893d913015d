"""The arms of the group `bound`: they know the future. Not here: finding their schedules (tasks/evaluation/evaluate_bound.py)."""

from __future__ import annotations

from tasks.evaluation.arms.table import Arm, ordered

HINDSIGHT, OPTIMISTIC = "hindsight", "optimistic_bound"
ARMS = ordered(
    Arm(name=HINDSIGHT, label="Hindsight (coupled)", ink="hindsight", order=10, is_causal=False),
    Arm(name=OPTIMISTIC, label="Optimistic bound (alone)", ink="bound", order=20, is_causal=False),
)
