"""The world: random numbers, the trace twin, scenarios, the event kernel, the judge and the learners' environments.

`simulator.evaluate` and `simulator.load_scenario` are here for convenience; they are imported on first use, because numba is heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.control.judge import evaluate as evaluate
    from simulator.scenario import load_scenario as load_scenario

_MODULES = {"evaluate": "simulator.control.judge", "load_scenario": "simulator.scenario"}


def __getattr__(name: str) -> Any:
    """Import `evaluate` and `load_scenario` on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'simulator' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)
