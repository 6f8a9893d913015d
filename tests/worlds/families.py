"""The scenario families of params.yaml, for tests that build worlds of them. Not here: the rest of the parameters."""

from __future__ import annotations

from pathlib import Path

import yaml

from simulator.parameters import Family

_RAW = yaml.safe_load((Path(__file__).resolve().parents[2] / "params.yaml").read_text(encoding="utf-8"))
FAMILIES: dict[str, Family] = {name: Family.model_validate(changes) for name, changes in _RAW["scenario"]["families"].items()}
