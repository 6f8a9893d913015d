"""dvc.yaml, params.yaml, the table of stages and the code say the same thing; the generated blocks are fresh. Not here: what reruns."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core import deps
from tasks.core.closure import Closure, Imports
from tasks.core.paths import Paths
from tasks.core.stages import STAGES, declared_parameters, read_pipeline

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = read_pipeline(ROOT)
RAW = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
ALWAYS_ALLOWED = {"epoch", "profile"}  # read by nobody: raised by hand; decides what overrides apply
OUTPUT = re.compile(r"^def (\w+)\(paths: Paths(, \w+: str)?\) -> Path:", re.MULTILINE)
READS = re.compile(r'\.section\("([\w.]+)"|\bparams\.(profile|seed|epoch|as_of_day|window_days)\b')
IMPORTS = Imports(ROOT)


@dataclass(frozen=True)
class One:
    """One stage of dvc.yaml with its item filled in."""

    name: str
    item: str | None
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]
    cmd: str


def _filled(entries: Any, item: str | None) -> tuple[str, ...]:
    names = (next(iter(entry)) if isinstance(entry, dict) else str(entry) for entry in entries or ())
    return tuple(name.replace("${item}", str(item)) for name in names)


def _ones() -> list[One]:
    found = []
    for name, whole in PIPELINE.items():
        body = whole.get("do", whole)
        for item in whole.get("foreach", [None]):
            declared = declared_parameters(ROOT, name, item)
            found.append(One(name, item, _filled(body["deps"], item), _filled(body["outs"], item), declared, *_filled([body["cmd"]], item)))
    return found


ONES = _ones()


@pytest.fixture(scope="module")
def closures() -> dict[str, Closure]:
    return deps.closures(ROOT)


def by_name(one: One) -> str:
    return f"{one.name}@{one.item}" if one.item else one.name


def covers(listed: tuple[str, ...], path: str) -> bool:
    """Whether an entry is the path or a folder above it."""
    return any(path == entry or path.startswith(f"{entry}/") for entry in listed)


def test_the_generated_blocks_are_fresh() -> None:
    assert [file.name for file, _ in deps.stale(ROOT)] == [], "run: make deps"


def test_the_table_has_the_stages_of_dvc_yaml() -> None:
    assert list(PIPELINE) == list(STAGES)
    assert {name: tuple(body.get("foreach", ())) for name, body in PIPELINE.items()} == {name: s.items for name, s in STAGES.items()}


@pytest.mark.parametrize("one", ONES, ids=by_name)
def test_a_stage_runs_its_module(one: One) -> None:
    assert one.cmd == f"python -m tasks {one.name}" + (f" {one.item}" if one.item else "")
    file = IMPORTS.file_of(STAGES[one.name].module)
    assert file
    assert re.search(r"^def run\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("one", ONES, ids=by_name)
def test_a_stage_declares_what_it_reads_and_nothing_else(one: One) -> None:
    """By the text of its modules; whether a helper's read is reached is decided by the view at run time."""
    files = [file for module in IMPORTS.modules(STAGES[one.name], one.item or "") if (file := _file(module))]
    text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files if file not in ("tasks/core/params.py",))
    if "trace_of(" in text or "all_traces(" in text:
        text += ' .section("traces"'
    read = {section or value for section, value in READS.findall(text.replace("until_day", "as_of_day"))} | ALWAYS_ALLOWED
    unread = {name for name in one.params if name.split(".")[0] not in read}
    assert unread == set()
    assert "epoch" in one.params
    own = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files if file == IMPORTS.file_of(STAGES[one.name].module))
    undeclared = {section or value for section, value in READS.findall(own.replace("until_day", "as_of_day"))} - set(one.params)
    assert undeclared == set()


def _file(module: str) -> str | None:
    return IMPORTS.file_of(module) if module.startswith("tasks.") else None


@pytest.mark.parametrize("one", ONES, ids=by_name)
def test_declared_parameters_exist(one: One) -> None:
    for name in one.params:
        found = RAW
        for key in name.split("."):
            assert key in found, f"{one.name}: params.yaml has no {name}"
            found = found[key]
        overridden = "by_profile" in yaml.safe_dump(found)
        assert not overridden or "profile" in one.params, f"{one.name}: {name} changes with the profile"


def test_every_section_is_declared_by_a_stage() -> None:
    declared = {name.split(".")[0] for one in ONES for name in one.params}
    assert set(RAW) - declared == {"profiles"}


@pytest.mark.parametrize("one", ONES, ids=by_name)
def test_deps_exist_or_are_outputs_of_another_stage(one: One) -> None:
    outs = tuple(out for other in ONES if other is not one for out in other.outs)
    missing = [dep for dep in one.deps if not covers(outs, dep) and not (ROOT / dep).exists()]
    assert missing == []


@pytest.mark.parametrize("one", ONES, ids=by_name)
def test_outs_are_the_paths_that_the_code_names(one: One) -> None:
    named = set()
    for module in IMPORTS.modules(STAGES[one.name], one.item or ""):
        text = (ROOT / file).read_text(encoding="utf-8") if (file := _file(module)) else ""
        for function, more in OUTPUT.findall(text):
            extra = [one.item or one.name.removeprefix("evaluate_")] if more else []
            named.add(str(getattr(importlib.import_module(module), function)(Paths(Path()), *extra)))
    assert [out for out in one.outs if not covers(tuple(named), out) and str(Path(out).with_suffix(".json")) not in named] == []


def test_no_query_is_unused(closures: dict[str, Closure]) -> None:
    used = {
        query
        for stage in STAGES.values()
        for item in stage.items or ("",)
        for module in IMPORTS.modules(stage, item)
        if (file := _file(module))
        for query in IMPORTS.queries_of(file, item)
    }
    assert set(IMPORTS.existing_queries) == used


def test_every_reference_file_and_suite_is_a_dep_of_a_stage() -> None:
    listed = tuple(dep for one in ONES for dep in one.deps)
    files = [p for folder in ("data/reference", "expectations") for p in (ROOT / folder).rglob("*") if p.suffix in (".csv", ".json")]
    assert sorted(str(p.relative_to(ROOT)) for p in files if not covers(listed, str(p.relative_to(ROOT)))) == []


def test_command_and_table_are_in_no_closure(closures: dict[str, Closure]) -> None:
    shared = {"tasks/__main__.py", "tasks/core/stages.py", "tasks/core/deps.py", "tasks/core/closure.py", "tasks/core/versions.py"}
    for name, closure in closures.items():
        assert not shared & set(closure.files), name
        assert not any(file.startswith("flows/") for file in closure.files), name
        sections = {file for file in closure.files if file.startswith("tasks/report/")}
        assert name == "report" or not sections, name


def test_a_stage_imports_the_arms_of_its_own_group_only(closures: dict[str, Closure]) -> None:
    tables = {name: {Path(f).stem for f in closure.files if f.startswith("tasks/evaluation/arms/")} for name, closure in closures.items()}
    assert {name: found for name, found in tables.items() if found} == {
        "tune_baselines": {"table", "tuned"},
        "tune_operational": {"table", "floors"},
        "train_operational": {"table", "floors"},
        "drill_operational": {"table", "floors"},
        "evaluate_operational": {"table", "floors", "operational"},
        "evaluate_baselines": {"table", "tuned", "baselines"},
        "evaluate_bound": {"table", "bound"},
        "evaluate_learned": {"table", "tuned", "world", "learned"},
        "evaluate_ablation": {"table", "tuned", "world", "ablation"},
        "evaluate_newcomers": {"table", "tuned", "world"},
    }


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
