"""Stages that fit something cannot load the test span."""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest

from tasks.core.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
FITTING = sorted(name for name in STAGES if name.split("_")[0] in ("learn", "tune", "train"))


def loads(module: str) -> list[str | None]:
    """`until` of every call of `load_scenario` in a module; None where it says nothing."""
    file = ROOT.joinpath(*module.split("."))
    path = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    found: list[str | None] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) == "load_scenario":
            given = [keyword.value for keyword in node.keywords if keyword.arg == "until"]
            found.append(given[0].value if given and isinstance(given[0], ast.Constant) else None)
    return found


def test_there_are_stages_that_fit() -> None:
    assert "tune_baselines" in FITTING


@pytest.mark.parametrize("stage", FITTING)
def test_a_stage_that_fits_loads_no_scenario_beyond_valid(stage: str) -> None:
    graph = grimp.build_graph("tasks", "models", "simulator", "core", cache_dir=None, exclude_type_checking_imports=True)
    module_of_stage = STAGES[stage].module
    closure = {module_of_stage, *graph.find_upstream_modules(module_of_stage)}
    found = {module: until for module in closure if module.startswith(("tasks.", "models.")) and (until := loads(module))}
    assert found
    assert {until for untils in found.values() for until in untils} <= {"train", "valid"}, found
