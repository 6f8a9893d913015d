"""Errors that a user can fix arrive whole: from other processes, from damaged or missing files. Not here: what each stage refuses."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest

from core.errors import DamagedFileError, ParameterError, ScenarioError, TrineError
from tasks.__main__ import main
from tasks.core.files import read_json
from tasks.core.parallel import map_in_processes


def refuse(item: int) -> int:
    if item == 2:
        raise ScenarioError("it is damaged", where=f"item {item}", how="restore it")
    return item


def die(item: int) -> int:
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.parametrize("kind", [TrineError, ParameterError, DamagedFileError])
def test_errors_survive_pickling(kind: type[TrineError]) -> None:
    error = kind("what", where="where", how="how")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert type(again) is kind
    assert (again.what, again.where, again.how, str(again)) == ("what", "where", "how", str(error))


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_error_of_a_piece_of_work_is_raised_as_it_is(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", threads)
    with pytest.raises(ScenarioError, match="it is damaged\n  where: item 2\n  fix: restore it"):
        map_in_processes(refuse, [1, 2, 3])
    assert map_in_processes(refuse, [1, 3]) == [1, 3]


def test_a_killed_process_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "2")
    with pytest.raises(TrineError, match="killed, probably out of memory"):
        map_in_processes(die, [1, 2, 3])


def test_a_damaged_json_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "chosen.json"
    file.write_bytes(b'{"a": 1')
    with pytest.raises(DamagedFileError, match=f"not JSON(.|\n)*{file}"):
        read_json(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedFileError, match="not JSON"):
        read_json(file)


def test_a_stage_without_its_input_says_which(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate_baselines"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("evaluate_baselines failed: what the stage scenario writes is missing")
    assert "data/scenario/scenarios.json" in said
    assert "dvc repro scenario" in said
