"""Stage `report`: gated, deterministic, silent about what has no data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import GateError
from tests.worlds.page_inputs import build, eda_inputs, write_inputs


def everything(root: Path) -> dict[str, bytes]:
    """Content of all that the stage writes."""
    folder = root / "reports"
    files = [folder / "index.html", folder / "page_numbers.json", *(folder / "tables").iterdir()]
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_same_inputs_same_bytes_in_any_folder(tmp_path: Path) -> None:
    outputs = []
    for name in ("one", "another"):
        root = tmp_path / name
        root.mkdir()
        write_inputs(root)
        build(root)
        outputs.append(everything(root))
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 30
    assert str(tmp_path).encode() not in outputs[0]["index.html"]


def test_failed_verdict_stops_the_page(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    build(tmp_path)
    before = everything(tmp_path)
    file = tmp_path / "reports" / "validation" / "google2019.json"
    verdict = json.loads(file.read_text())
    verdict["success"] = False
    verdict["results"][0]["success"] = False
    file.write_text(json.dumps(verdict))
    with pytest.raises(GateError, match="google2019"):
        build(tmp_path)
    assert everything(tmp_path) == before


def lacking(root: Path, *missing: str) -> str:
    """The page without the answers named."""
    write_inputs(root, eda={k: v for k, v in eda_inputs().items() if k not in missing})
    text: str = build(root).read_text(encoding="utf-8")
    return text


def test_page_without_any_answer(tmp_path: Path) -> None:
    text = lacking(tmp_path, *eda_inputs())
    assert "<h1" in text
    assert '<div class="value">–' not in text


@pytest.mark.parametrize("missing", ["volumes", "forecasts"])
def test_question_without_an_answer_is_left_out(tmp_path: Path, missing: str) -> None:
    text = lacking(tmp_path, missing)
    assert "<h1" in text
    assert '<div class="value">–' not in text


@pytest.mark.slow
def test_any_one_answer_may_be_missing(tmp_path: Path) -> None:
    for missing in eda_inputs():
        root = tmp_path / missing
        root.mkdir()
        assert "<h1" in lacking(root, missing), missing
