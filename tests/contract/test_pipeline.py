"""dvc.yaml, params.yaml, tasks/core/paths.py and the stage modules say the same thing."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.__main__ import GROUPS, PER_SOURCE, ROOMS, STAGES
from tasks.core.paths import SOURCES, Paths
from tests.contract.pipeline import ROOT, Stage, covers, file_of, modules_of, sql_of, stages

RAW = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def by_name(stage: Stage) -> str:
    return stage.name


def test_the_stages_are_those_of_the_command() -> None:
    assert {s.group for s in stages()} == set(STAGES)
    for group in STAGES:
        items = set(SOURCES) if group in PER_SOURCE else set(GROUPS) if group == "evaluate" else {None}
        assert {s.item for s in stages() if s.group == group} == items


def test_every_stage_has_a_section_of_parameters() -> None:
    sections = {"traces" if group == "scan" else group for group in STAGES}
    assert sections <= set(RAW)


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_a_stage_runs_its_module(stage: Stage) -> None:
    assert stage.cmd == f"python -m tasks {stage.group}" + (f" {stage.item}" if stage.item else "")
    text = (ROOT / "tasks" / ROOMS[stage.group] / f"{stage.group}.py").read_text(encoding="utf-8")
    assert re.search(r"^def run\(", text, re.MULTILINE)


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_a_stage_lists_the_parameters_it_uses(stage: Stage) -> None:
    own = f"traces.{stage.item}" if stage.group == "scan" else stage.group
    assert {own, "epoch"} <= set(stage.params)
    for name in stage.params:
        head, *rest = name.split(".")
        assert head in RAW
        assert not rest or rest[0] in RAW[head]
    files = [file for module in modules_of(stage) if (file := file_of(module)) and file.startswith("tasks/")]
    text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files if file != "tasks/core/params.py")
    for word, field in (("seed", "seed"), ("as_of_day", "as_of_day"), ("window_days", "window_days"), ("profile", "profile")):
        if re.search(rf"\bparams\.{field}\b", text):
            assert word in stage.params, f"{stage.name} reads params.{field} but does not list it"
    overridden = {section for profile in RAW["profiles"].values() for section in (profile or {})}
    if overridden & {name.split(".")[0] for name in stage.params}:
        assert {"profile", "profiles"} <= set(stage.params)


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_paths_in_dvc_yaml_are_first_party_files_or_those_of_paths(stage: Stage) -> None:
    paths = Paths(Path())
    known = {
        str(p) for p in (paths.twin_fit, paths.features, paths.eda, paths.scenario, paths.report, paths.report_tables, paths.page_numbers)
    }
    known |= {str(paths.baselines), *(str(paths.evaluation / f"{group}.{kind}") for group in GROUPS for kind in ("parquet", "json"))}
    world = ("landscape.csv", "classes.csv", "without_five.csv", "landscape.json", "calibration.csv", "calibration.json")
    known |= {str(paths.world / name) for name in world}
    for source in SOURCES:
        known |= {str(p) for p in (paths.manifest(source), paths.staged(source), paths.verdict(source))}
    assert set(stage.outs) <= known
    for dep in stage.deps:
        is_output = covers(tuple(known), dep)  # of a stage: it exists only after a run
        assert is_output or (ROOT / dep).exists(), f"{stage.name}: {dep} does not exist"


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_deps_cover_every_module_imported(stage: Stage) -> None:
    needed = {file for module in modules_of(stage) if (file := file_of(module))}
    assert sorted(file for file in needed if not covers(stage.deps, file)) == []


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_deps_name_no_module_that_is_not_used(stage: Stage) -> None:
    family = [s for s in stages() if s.group == stage.group]  # one list of deps serves all sources of a foreach
    used = {file for s in family for module in modules_of(s) if (file := file_of(module))}
    assert sorted(dep for dep in stage.deps if dep.endswith(".py") and dep not in used) == []


def sql_needed(stage: Stage) -> set[str]:
    """SQL files a stage names; a computed folder is the stage's source."""
    existing = [str(p.relative_to(ROOT)) for p in (ROOT / "sql").rglob("*.sql")]
    named = {sql for module in modules_of(stage) if (file := file_of(module)) for sql in sql_of(file)}
    exact = {sql for sql in named if "*" not in sql}
    for pattern in named - exact:
        exact |= set(fnmatch.filter(existing, pattern.replace("sql/*/", f"sql/{stage.item}/", 1) if stage.item else pattern))
    return exact


@pytest.mark.parametrize("stage", stages(), ids=by_name)
def test_deps_cover_every_query(stage: Stage) -> None:
    needed = sql_needed(stage)
    assert sorted(sql for sql in needed if not (ROOT / sql).is_file()) == []
    assert sorted(sql for sql in needed if not covers(stage.deps, sql)) == []


def test_no_query_is_unused() -> None:
    existing = {str(p.relative_to(ROOT)) for p in (ROOT / "sql").rglob("*.sql")}
    assert sorted(existing - {sql for stage in stages() for sql in sql_needed(stage)}) == []


def test_every_reference_file_and_suite_is_a_dep_of_a_stage() -> None:
    deps = tuple(dep for stage in stages() for dep in stage.deps)
    files = [p for folder in ("data/reference", "expectations") for p in (ROOT / folder).rglob("*") if p.suffix in (".csv", ".json")]
    assert sorted(str(p.relative_to(ROOT)) for p in files if not covers(deps, str(p.relative_to(ROOT)))) == []


def test_entrypoints_of_flows_load() -> None:
    """By Prefect's own loader: the flow of this command, and those that prefect.yaml deploys, if there is one."""
    file = ROOT / "prefect.yaml"
    deployments = yaml.safe_load(file.read_text(encoding="utf-8")).get("deployments", []) if file.is_file() else []
    entrypoints = ["flows/rebuild.py:rebuild", *(deployment["entrypoint"] for deployment in deployments)]
    # In a process of its own: Prefect's threads would keep DuckDB's types alive, and their library complains below the summary.
    code = "import sys; from prefect.flows import load_flow_from_entrypoint as load; print([load(e).name for e in sys.argv[1:]])"
    run = subprocess.run([sys.executable, "-c", code, *entrypoints], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "rebuild" in run.stdout
