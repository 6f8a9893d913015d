"""JSON files of stages with their least content, for stages that read them. Not here: the inputs of the page (page_inputs.py)."""

from __future__ import annotations

from typing import Any


def ingest_counts(origin: str, staged: int = 0, rejected: int = 0) -> dict[str, Any]:
    """What `ingest` says of a source with this `from`: rows staged and rejected, no file."""
    counts = {"rows_in": staged + rejected, "rows_staged": staged, "rows_rejected": rejected}
    return {"from": origin, "rejects_by_reason": {"negative_duration": rejected} if rejected else {}, "files": []} | counts


def scenario_list(**families: str) -> dict[str, Any]:
    """What `scenario` says of scenarios given by id and family, on the calls of a twin."""
    sizes = {"seed": 1, "steps": 10, "split_steps": [4, 6, 8], "apps": 1, "functions": 1, "calls": 1, "calls_after_end": 0, "placements": 1}
    means = {"allowed_share": 1.0, "utilisation_mean": 0.6, "slowdown_mean": 1.0, "zone_hours_out": 0.0}
    rows = [{"id": name, "family": family, "from": "twin"} | sizes | means for name, family in families.items()]
    return {"days": 1, "carbon_month": 2, "scenarios": rows}


def chosen_baselines(placements: dict[str, dict[str, dict[str, str]]]) -> dict[str, Any]:
    """What `tune_baselines` says of placements by scenario, arm and app, without rules."""
    return {"luck_seed": 1, "budget_replays": 1, "replays": {}, "rules": {}, "planner": {}, "placements": placements}
