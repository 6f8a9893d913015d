"""The Python examples of the documentation run as written, on a small scenario in place of data/scenario/calm-1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator.control.baseline import record_home
from simulator.scenario import save
from simulator.twin.fleets import twin_scenario

WRITTEN = "data/scenario/calm-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scenario = twin_scenario(days=3, apps=12, rate=0.2, split_steps=(12_000, 14_000, 16_000))
    saved = save(scenario, tmp_path_factory.mktemp("scenario"))
    record_home(scenario, saved)
    return saved


@pytest.mark.parametrize(("page", "blocks"), [("environments.md", 3), ("architecture.md", 1)])
def test_examples_run(repository: Path, folder: Path, page: str, blocks: int) -> None:
    found = re.findall(r"```python\n(.*?)```", (repository / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == blocks
    names: dict[str, Any] = {"simulator": simulator}
    for block in found:
        assert WRITTEN in block
        exec(compile(block.replace(WRITTEN, str(folder)), page, "exec"), names)  # noqa: S102 (text of this repository)
    if page == "environments.md":
        assert names["rewards"].shape == (12,)
    else:
        assert names["rows"]["arm"][0] == "stay"
