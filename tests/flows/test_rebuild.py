"""The flow does what `dvc repro` does, shows what was cached, and stops behind a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import ParameterError
from flows.look import ask
from flows.process import dvc, environment
from tasks.core.run_lock import holder


def test_the_graph_is_dvcs(toy: Path) -> None:
    graph, stale = ask(toy)
    assert graph.upstream == {
        "look@left": (),
        "look@right": (),
        "copy@left": ("look@left",),
        "copy@right": ("look@right",),
        "join": ("copy@left", "copy@right"),
    }
    assert graph.always == {"look@left", "look@right"}
    assert list(graph.select(["copy@left"]).upstream) == ["look@left", "copy@left"]
    assert list(graph.select(["look"]).upstream) == ["look@left", "look@right"]
    with pytest.raises(ParameterError, match="did you mean 'join'"):
        graph.select(["jion"])
    assert set(stale) == set(graph.upstream)


@pytest.mark.usefixtures("prefect_server")
def test_second_run_is_cached_and_the_lock_is_that_of_repro(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import rebuild as module
    from flows.rebuild import rebuild

    first: Any = rebuild()
    assert set(first.values()) == {"Completed"}
    asked: list[str] = []
    monkeypatch.setattr(module, "dvc", lambda *arguments: asked.append(arguments[-1]) or dvc(*arguments))
    second: Any = rebuild()
    assert asked == [], "what is unchanged needs no process of DVC's own"
    assert {name for name, state in second.items() if state == "Cached"} == {"copy@left", "copy@right", "join"}
    assert second["look@left"] == second["look@right"] == "Completed"
    by_flow = yaml.safe_load((toy / "dvc.lock").read_text(encoding="utf-8"))
    (toy / "dvc.lock").unlink()
    shutil.rmtree(toy / "data")
    subprocess.run(dvc("repro", "--no-run-cache"), cwd=toy, env=environment(), check=True, capture_output=True)
    assert yaml.safe_load((toy / "dvc.lock").read_text(encoding="utf-8")) == by_flow


@pytest.mark.usefixtures("prefect_server")
def test_a_failure_stops_what_is_behind_it_and_nothing_else(toy: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId

    from flows.rebuild import rebuild

    (toy / "broken-left").touch()
    state: Any = rebuild(return_state=True)
    assert state.is_failed()
    assert "copy@left" in str(state.message)
    with get_client(sync_client=True) as client:
        of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[state.state_details.flow_run_id]))
        runs = {run.name: run for run in client.read_task_runs(task_run_filter=of_run)}
    assert {name: run.state.name for name, run in runs.items() if run.state} == {
        "look@left": "Completed",
        "look@right": "Completed",
        "copy@left": "Failed",
        "copy@right": "Completed",
        "join": "NotReady",
    }
    assert "failed to reproduce 'copy@left'" in str(runs["copy@left"].state and runs["copy@left"].state.message)
    assert (toy / "data" / "copy-right").is_file()
    assert not (toy / "data" / "joined").exists()
    assert runs["join"].task_inputs["wait_for"], "the page draws no edges without them"


@pytest.mark.usefixtures("prefect_server")
def test_profile_and_targets(toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
    from prefect.client.schemas.sorting import FlowRunSort

    from flows import rebuild as module
    from flows.rebuild import main, rebuild

    assert main(toy, None, ["jion"], False) is False
    assert main(toy, "sampel", None, False) is False
    said = capsys.readouterr()
    assert "unknown stage 'jion'" in said.out
    assert "did you mean 'join'?" in said.out
    assert "unknown profile 'sampel'" in said.out
    assert "Traceback" not in said.out + said.err
    assert holder(toy) is None
    assert rebuild(profile="sample", targets=["copy@right"]) == {"look@right": "Completed", "copy@right": "Completed"}
    assert "profile: sample     # keep me" in (toy / "params.yaml").read_text(encoding="utf-8")
    monkeypatch.setattr(module, "_has_temporary_server", lambda: True)
    assert main(toy, None, ["copy@right"], False) is True
    assert "1 stages unchanged" in capsys.readouterr().out
    with get_client(sync_client=True) as client:
        [last] = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
        runs = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[last.id])))
    stored = {run.name: run.state.name for run in runs if run.state}
    assert stored == {"look@right": "Completed", "copy@right": "Cached"}, "they are stored before the server ends"


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("profile", "targets"), [("quik", None), (None, ["jion"])])
def test_a_wrong_parameter_ends_the_flow_without_a_traceback(
    toy: Path, profile: str | None, targets: list[str] | None, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.rebuild import main

    assert main(toy, profile, targets, False) is False
    said, logged = capfd.readouterr()
    assert "did you mean" in said
    assert "fix:" in said
    assert "Traceback" not in said
    assert "core.errors.ParameterError" not in logged  # as the last line of a traceback would say
    assert "profile: quick " in (toy / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.timeout(2400)
def test_the_real_graph_on_the_real_slices(repository: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.rebuild import rebuild

    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    clone = tmp_path / "clone"
    for name in filter(None, listed.split("\0")):
        if (repository / name).is_file() and name != "dvc.lock":
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, clone / name)
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    monkeypatch.setenv("TRINE_SAMPLE_DIR", str(sample_dir))
    monkeypatch.setenv("PYTHONPATH", str(clone) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.chdir(clone)
    first: Any = rebuild(profile="sample")
    assert set(first.values()) == {"Completed"}
    second: Any = rebuild(profile="sample")
    assert {name for name, state in second.items() if state != "Cached"} == {name for name in second if name.startswith("scan@")}
    by_flow = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    subprocess.run(dvc("repro"), cwd=clone, env=environment(), check=True, capture_output=True)
    assert yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8")) == by_flow
