"""What a run leaves behind and what is said during one, on the toy project."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.worlds import toy_project as toy

RUN = [sys.executable, "-m", "flows.cli", "run"]
STAGE = [sys.executable, "-m", "tests.worlds.toy_project"]


def done(project: Path, *command: str, code: int = 0) -> str:
    found = subprocess.run(command, cwd=project, env=toy.variables(0), capture_output=True, text=True, timeout=120, check=False)
    said = found.stdout + found.stderr
    assert found.returncode == code, said
    assert "Traceback" not in said
    return said


def test_a_page_of_two_profiles_is_refused_with_both_files(tmp_path: Path) -> None:
    project = toy.write_project(tmp_path)
    for stage in ("first", "second", "page"):
        assert re.search(r", \d+\.\d s \(\d+\.\d s of processor\)$", done(project, *STAGE, stage).strip())
    page = (project / "data" / "page.json").read_bytes()
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("profile: quick", "profile: sample"), encoding="utf-8")
    done(project, *STAGE, "first")
    said = done(project, *STAGE, "page", code=1)
    assert "the inputs disagree: data/second/made.json is of profile quick, params.yaml of profile sample" in said
    assert "fix: build them from the same inputs: trine run" in said
    assert (project / "data" / "page.json").read_bytes() == page


def test_a_second_run_leaves_git_clean(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True).stdout

    project = toy.write_project(tmp_path)
    (project / ".dvc" / "config").write_text(toy.CONFIG.replace(" no_scm = true\n", ""), encoding="utf-8")
    (project / ".gitignore").write_text("/data/*\n/.trine/\n.dvc/cache\n.dvc/tmp\n", encoding="utf-8")
    git("init", "-q")
    first = done(project, *RUN, "--profile", "quick")
    assert "rebuilt 3 stages in" in first
    assert "git add" not in first
    assert "dvc push" not in first
    git("add", "-A")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "built")
    done(project, *RUN, "--force")
    assert git("status", "--porcelain") == "", git("diff")
    assert "edits two files that git tracks, params.yaml and dvc.lock" in done(project, *RUN, "--profile", "sample")
    assert sorted(git("status", "--porcelain").split()) == ["M", "M", "dvc.lock", "params.yaml"]


def test_status_says_what_runs_why_a_stage_is_changed_and_of_which_profile_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = toy.write_project(tmp_path)
    (project / "reports").mkdir()
    (project / "reports" / "index.html").write_text("page", encoding="utf-8")
    (project / "reports" / "page_numbers.json").write_text('{"made_from": {"profile": "quick", "inputs": {}}}', encoding="utf-8")
    monkeypatch.chdir(project)
    command = [*STAGE, "first"]
    with subprocess.Popen(command, cwd=project, env=toy.variables(20), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until = time.monotonic() + 30
        while not list(project.rglob(".first.*.new/*")) and time.monotonic() < until:
            time.sleep(0.05)
        said = CliRunner().invoke(app, ["status"]).output
        process.terminate()
    assert f"running                 the run of PID {process.pid} (stage first, since " in said
    assert "first                   changed: params.yaml new; data/first missing (an output)" in said
    assert "index.html (profile quick)" in said
    assert "running" not in CliRunner().invoke(app, ["status"]).output
