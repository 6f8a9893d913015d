"""Stage `report`: gated, deterministic, silent about what has no data."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from core.errors import GateError


@pytest.fixture(scope="module")
def inputs() -> ModuleType:
    """The invented inputs of the browser tests (tests/e2e/conftest.py)."""
    file = Path(__file__).resolve().parents[1] / "e2e" / "conftest.py"
    found = importlib.util.spec_from_file_location("report_inputs", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def everything(root: Path) -> dict[str, bytes]:
    """Content of all that the stage writes."""
    folder = root / "reports"
    files = [folder / "index.html", folder / "metrics.json", *(folder / "tables").iterdir()]
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_same_inputs_same_bytes_in_any_folder(inputs: ModuleType, tmp_path: Path) -> None:
    outputs = []
    for name in ("one", "another"):
        root = tmp_path / name
        root.mkdir()
        inputs.write_inputs(root)
        inputs.build(root)
        outputs.append(everything(root))
    assert outputs[0] == outputs[1]
    assert str(tmp_path).encode() not in outputs[0]["index.html"]


def test_failed_verdict_stops_the_page(inputs: ModuleType, tmp_path: Path) -> None:
    inputs.write_inputs(tmp_path)
    inputs.build(tmp_path)
    before = everything(tmp_path)
    file = tmp_path / "reports" / "validation" / "google2019.json"
    verdict = json.loads(file.read_text())
    verdict["success"] = False
    verdict["results"][0]["success"] = False
    file.write_text(json.dumps(verdict))
    with pytest.raises(GateError, match="google2019"):
        inputs.build(tmp_path)
    assert everything(tmp_path) == before


def lacking(inputs: ModuleType, root: Path, *missing: str) -> str:
    """The page without the answers named."""
    inputs.write_inputs(root, eda={k: v for k, v in inputs.eda_inputs().items() if k not in missing})
    text: str = inputs.build(root).read_text(encoding="utf-8")
    return text


def test_page_without_any_answer(inputs: ModuleType, tmp_path: Path) -> None:
    text = lacking(inputs, tmp_path, *inputs.eda_inputs())
    assert "<h1" in text
    assert '<div class="value">–' not in text


@pytest.mark.parametrize("missing", ["volumes", "forecasts"])
def test_question_without_an_answer_is_left_out(inputs: ModuleType, tmp_path: Path, missing: str) -> None:
    text = lacking(inputs, tmp_path, missing)
    assert "<h1" in text
    assert '<div class="value">–' not in text


@pytest.mark.slow
def test_any_one_answer_may_be_missing(inputs: ModuleType, tmp_path: Path) -> None:
    for missing in inputs.eda_inputs():
        root = tmp_path / missing
        root.mkdir()
        assert "<h1" in lacking(inputs, root, missing), missing
