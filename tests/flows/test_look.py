"""The look before a rebuild: what it finds is what `dvc repro` finds, and where nothing is left to do no DVC runs a stage."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from core.errors import TrineError
from flows import dvc_state, repro
from flows.cli import app
from flows.look import always_run, ask, look, lookers
from flows.process import dvc, environment
from tasks.core.run_lock import held

LOOKED = "nothing changed: every result is up to date (only looked at the inputs: look@left, look@right)"


@pytest.fixture
def asked(toy: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `trine run` asks DVC to do; the toy is built."""
    subprocess.run(dvc("repro"), cwd=toy, env=environment(), check=True, capture_output=True)
    found: list[str] = []
    monkeypatch.setattr(repro, "dvc", lambda *arguments: found.append(arguments[1]) or dvc(*arguments))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return found


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["run", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_with_nothing_to_do_dvc_runs_no_stage_and_the_lock_file_stays(toy: Path, asked: list[str]) -> None:
    before = (toy / "dvc.lock").stat().st_mtime_ns
    said = run()
    assert asked == []
    assert [line for line in said.splitlines() if line.startswith("looked")] == ["looked at left", "looked at right"]
    assert LOOKED in said
    assert (toy / "dvc.lock").stat().st_mtime_ns == before
    assert "(only looked at the inputs: look@right)" in run("--target", "copy@right")


def test_a_new_input_is_seen_and_the_run_ends_as_that_of_repro(toy: Path, asked: list[str]) -> None:
    (toy / "new-left").write_text("more\n", encoding="utf-8")
    assert "nothing changed" in run("--target", "copy@right"), "what the target does not need is not rebuilt"
    assert asked == []
    said = run()
    assert asked == ["repro"]
    assert "rebuilt 2 stages in" in said
    assert (toy / "data" / "joined").read_text(encoding="utf-8") == "left\nmore\nright\n"
    by_run = yaml.safe_load((toy / "dvc.lock").read_text(encoding="utf-8"))
    (toy / "dvc.lock").unlink()
    shutil.rmtree(toy / "data")
    subprocess.run(dvc("repro", "--no-run-cache"), cwd=toy, env=environment(), check=True, capture_output=True)
    assert yaml.safe_load((toy / "dvc.lock").read_text(encoding="utf-8")) == by_run


def test_a_stage_that_cannot_look_is_left_to_dvc(toy: Path, asked: list[str]) -> None:
    (toy / "no-left").touch()
    said = run(code=1)
    assert asked == ["repro"]
    assert "failed to reproduce 'look@left'" in said


def test_it_needs_a_run_before_and_its_outputs(toy: Path, asked: list[str]) -> None:
    always = always_run(toy)
    assert always == {"look"}
    assert set(lookers(toy, always)) == {"look@left", "look@right"}
    (toy / "data" / "right").unlink()
    assert lookers(toy, always) == {}
    (toy / "dvc.lock").write_text("not: [yaml", encoding="utf-8")
    assert lookers(toy, always) == {}
    assert asked == []


def test_what_changed_beside_is_stale_with_dvcs_reasons(toy: Path, asked: list[str]) -> None:
    (toy / "data" / "copy-left").write_text("by hand\n", encoding="utf-8")
    with held(toy, "trine run", asked.append) as lock:
        found = look(toy, lock, lookers(toy, frozenset({"look"})))
    assert set(found.lines) == {"look@left", "look@right"}
    assert set(found.stale) == {"copy@left", "join"}
    assert asked == []


def test_a_pipeline_that_dvc_cannot_read_is_an_error_in_its_words(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(dvc_state.read(str(toy))["always"]) == {"look@left", "look@right", "copy@left", "copy@right", "join"}
    (toy / "dvc.yaml").write_text("stages:\n  one: {cmd: echo, outs: [made]}\n  two: {cmd: echo, outs: [made]}\n", encoding="utf-8")
    assert dvc_state.main([str(toy)]) == 1
    assert "output 'made' is specified in" in capsys.readouterr().err
    with pytest.raises(TrineError, match="DVC cannot read the pipeline"):
        ask(toy)
