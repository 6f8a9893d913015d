"""The command's arguments, messages and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import ParameterError
from flows import doctor
from flows.cli import app
from flows.process import environment, find_root
from flows.profile import set_profile
from tests.worlds.toy_project import write_dvc

PARAMS = "# first\nprofile: quick        # a comment\nseed: 1\nprofiles: [quick, sample]\n"
STAGES = "stages:\n  one:\n    cmd: mkdir -p data && echo 1 > data/one\n    params: [seed]\n    outs: [data/one]\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_dvc(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


@pytest.fixture(autouse=True)
def keep_signal_handlers() -> object:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_profile_line_changes_and_nothing_else(project: Path) -> None:
    file = project / "params.yaml"
    before = file.stat().st_mtime_ns
    assert set_profile(file, "quick") is False
    assert file.stat().st_mtime_ns == before
    assert set_profile(file, "sample") is True
    assert file.read_text(encoding="utf-8") == PARAMS.replace("profile: quick", "profile: sample")
    with pytest.raises(ParameterError, match="choose one of: quick, sample"):
        set_profile(file, "sampel")


def test_run_from_a_subfolder_then_nothing_changed(project: Path) -> None:
    first = CliRunner().invoke(app, ["run", "--profile", "sample"])
    assert first.exit_code == 0, first.output
    assert "profile is now sample" in first.output
    assert "nothing changed" not in first.output
    assert (project / "data" / "one").read_text(encoding="utf-8") == "1\n"
    second = CliRunner().invoke(app, ["run", "--profile", "sample"])
    assert "nothing changed: every result is up to date" in second.output
    assert "profile is now" not in second.output
    forced = CliRunner().invoke(app, ["run", "--force", "--target", "one"])
    assert "nothing changed" not in forced.output


def test_errors_have_no_traceback_and_exit_1(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, words in (
        (["run", "--profile", "fast"], "unknown profile 'fast'"),
        (["run", "--target", "two"], "the rebuild stopped"),
        (["twin", "azure2021", "--out", "x", "--days", "3", "--day", "3"], "day 3 lies outside the 3 days"),
        (["twin", "azure2021", "--out", "x", "--rate", "nan"], "is not a positive number"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1, arguments
        assert words in result.output
        assert "Traceback" not in result.output
    assert (project / "params.yaml").read_text(encoding="utf-8") == PARAMS
    monkeypatch.chdir("/")
    result = CliRunner().invoke(app, ["run"])
    assert (result.exit_code, "no dvc.yaml here" in result.output) == (1, True)


def test_root_is_found_upwards(project: Path) -> None:
    assert find_root(project / "below") == project


def test_status_says_what_is_out_of_date(project: Path) -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0, result.output
    assert "one                     changed" in result.output
    CliRunner().invoke(app, ["run"])
    assert "one                     up to date" in CliRunner().invoke(app, ["status"]).output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_leaves_no_child(project: Path, number: signal.Signals, code: int) -> None:
    (project / "dvc.yaml").write_text("stages:\n  slow:\n    cmd: echo pid $$ && exec sleep 60\n", encoding="utf-8")
    command = [sys.executable, "-m", "flows.cli", "run"]
    with subprocess.Popen(command, cwd=project, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        pid = next(int(line.split()[1]) for line in process.stdout if line.startswith("pid "))
        process.send_signal(number)
        assert process.wait(20) == code
    for _ in range(50):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the stage outlived trine")


def test_doctor_names_what_is_missing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {f.what: f for f in doctor.examine(repository)}
    assert findings["packages"].mark != "MISSING"
    monkeypatch.setattr(doctor, "requirements", lambda root: ["numpy", "no-such-package-here"])
    assert {f.what: (f.mark, f.found) for f in doctor.examine(repository)}["packages"] == ("MISSING", "no-such-package-here")
    monkeypatch.chdir(repository)
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1
