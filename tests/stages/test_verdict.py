"""A verdict that fails names value, limit, file and line; `trine rejects` says why rows were left out. Not here: the gate (tests/unit)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import GateError, ParameterError
from flows.cli import app
from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.data import validate
from tasks.data.offenders import limit_of
from tasks.data.rejects import lines_of
from tasks.data.verdict import require_success, verdict_file
from tests.worlds.azure2021_files import GOOD, A, F, go, params_for, put

BAD = ["x,y,1.0,0.5", f"{A},{F},1.0,-0.5", f"{A},{F},1.0,-0.5"]


@pytest.fixture
def staged(tmp_path: Path, repository: Path) -> Paths:
    """Five good and three bad rows, staged."""
    paths = Paths(tmp_path)
    shutil.copytree(repository / "expectations", paths.expectations)
    put(paths, "csv", [*GOOD[:2], *BAD, *GOOD[2:]])
    assert go(paths)["rows_rejected"] == 3
    return paths


def test_too_many_rejects_are_named_with_reason_file_and_line(staged: Paths) -> None:
    assert "FAILED" in validate.run(params_for(), staged, "azure2021")
    with pytest.raises(GateError) as caught:
        require_success(staged, "azure2021")
    file = "first in AzureFunctionsInvocationTrace.csv line"
    for words in ("rejected_share) observed 0.375, allowed 0 to 0.01", f"negative_duration 2 rows, {file} 5", f"bad_id 1 rows, {file} 4"):
        assert words in caught.value.what


def test_a_value_out_of_bounds_is_named_with_limit_and_place(staged: Paths) -> None:
    validate.run(params_for(max_duration_s=1), staged, "azure2021")
    [row] = [r for r in read_json(verdict_file(staged, "azure2021"))["results"] if r["column"] == "duration_us" and not r["success"]]
    assert row["limit"] == "0 to 1000000"
    assert row["examples"] == ["1250000", "3000000"]
    assert row["found_at"] == "first in data/staged/azure2021/day=01/invocations.parquet row 1 (of AzureFunctionsInvocationTrace.csv)"


def test_limits_in_words() -> None:
    assert limit_of({"min_value": 0}) == "at least 0"
    assert limit_of({"max_value": 3}) == "at most 3"
    assert limit_of({"value_set": ["a", "b"]}) == "one of a, b"
    assert limit_of({"value": 7}) == "7"
    assert limit_of({"unexpected_rows_query": "select 1"}) == ""


def test_rejects_are_listed_by_reason_with_the_first_of_each(staged: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    (staged.root / "dvc.yaml").touch()
    monkeypatch.chdir(staged.root)
    found = list(lines_of(staged, "azure2021"))
    assert found[0] == "azure2021: 3 of 8 rows rejected"
    assert found[1].split(maxsplit=3)[:3] == ["negative_duration", "2", "first:"]
    assert "AzureFunctionsInvocationTrace.csv line 5:" in found[1]
    assert "bad_id" in found[2]
    assert [line for line in lines_of(staged) if "google2019" in line] == ["google2019: not ingested (run: trine run)"]
    rows = [{"file": "t.csv", "line": n, "reason": "bad_number", "row": "x"} for n in (7, 9)]
    (staged.inbox("azure2021") / "import.0123abcd.rejects.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    found = list(lines_of(staged, "azure2021"))
    assert found[3] == "azure2021: 2 rows rejected before, by trine import"
    assert found[4].split(maxsplit=3)[3] == "t.csv line 7: x"
    assert CliRunner().invoke(app, ["rejects", "azure2021"]).output.splitlines() == found
    with pytest.raises(ParameterError, match="did you mean 'azure2021'"):
        list(lines_of(staged, "azure2012"))
