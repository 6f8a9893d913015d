"""What the operational layer observes: a window of twelve steps, floors and a memory class chosen.

Not here: learners, scaling. The environment documents the columns: `simulator.envs.autoscale.AutoscaleEnv`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.decision import Decision
from simulator.control.orders import MEMORY_CLASSES
from simulator.control.view import STEP_CALLS, STEP_REJECTED, STEP_UP, STEP_WAITED, STEP_WORKING, WINDOW_STEPS

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
VERSION = 1
NEEDS_STEPS = True
SERIES = 5
RATE, MEMORY, CPU, QUEUE, TIME = range(SERIES)
MOST_FLOOR = 3


class Known:
    """What the features of one run are made of beside the view.

    Args:
        facts: of the scenario.
        functions: most functions of an app, which the action space is made for; None: of these apps.
    """

    def __init__(self, facts: Facts, functions: int | None = None) -> None:
        first = facts.apps.first_function
        self.apps = np.arange(len(facts.apps.app_ids))
        self.functions = int(np.diff(first).max()) if functions is None else functions
        self.app_of_function = np.repeat(self.apps, np.diff(first))
        self.number = np.arange(first[-1]) - first[self.app_of_function]  # of a function inside its app
        self.first_step: int | None = None  # of the run: rows before it are empty


def start(facts: Facts, functions: int | None = None) -> Known:
    """Return what a run remembers; `functions`: see `Known`."""
    return Known(facts, functions)


def space(facts: Facts) -> spaces.Box:
    """The space of one app's observation."""
    return spaces.Box(0.0, 1.0, (WINDOW_STEPS, SERIES), np.float32)


def actions(facts: Facts, functions: int | None = None) -> spaces.MultiDiscrete:
    """The space of one app's action; `functions`: see `Known`."""
    return spaces.MultiDiscrete([MOST_FLOOR + 1] * Known(facts, functions).functions + [MEMORY_CLASSES])


def observe(view: View, known: Known) -> Float32:
    """Return the window, float32 [A, 12, 5]; the first call fixes where the run began.

    Raises:
        ValueError: the view has no steps.
    """
    if view.steps is None:
        raise ValueError("operational features need view.steps: the policy must say needs_steps")
    known.first_step = view.step if known.first_step is None else known.first_step
    steps = view.steps.transpose(1, 0, 2)
    quota = view.facts.world.quota_per_placement
    waited = steps[:, :, STEP_WAITED] + steps[:, :, STEP_REJECTED]
    window = np.zeros((len(known.apps), WINDOW_STEPS, SERIES), dtype=np.float32)
    window[:, :, RATE] = np.log1p(steps[:, :, STEP_CALLS]) / np.log1p(quota)
    window[:, :, MEMORY] = steps[:, :, STEP_UP] / quota
    window[:, :, CPU] = steps[:, :, STEP_WORKING] / np.maximum(steps[:, :, STEP_UP], 1)
    window[:, :, QUEUE] = np.log1p(waited) / np.log1p(quota)
    np.clip(window, 0, 1, out=window)
    ends = view.step - np.arange(WINDOW_STEPS - 1, -1, -1)  # a row ends at this barrier
    phase = (ends * view.facts.world.step_us / DAY_US) % 1
    window[:, :, TIME] = np.where(ends >= known.first_step, phase, 0)
    return window


def mask(view: View, known: Known) -> None:
    """Nothing is masked: what an action cannot do is left out."""


def decision(view: View, known: Known, chosen: NDArray[np.integer]) -> Decision:
    """Return the order for floors of the functions by number and a memory class, int64 [A, Q + 1].

    Numbers beyond an app's functions do nothing, and where a cloud keeps one pool per app only the first counts.
    """
    floors = np.asarray(chosen[:, :-1], dtype=np.int64)[known.app_of_function, known.number]
    is_without_pool = view.facts.keeps_one_pool[view.placement][known.app_of_function] & (known.number > 0)
    return Decision(floors=np.where(is_without_pool, 0, floors), memory_class=np.asarray(chosen[:, -1], dtype=np.int64))
