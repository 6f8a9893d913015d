"""docs/contributing.md, followed to the letter in a copy of the tree: what it edits, and which stages DVC would then run again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.process import environment
from tests.contract.tree import commit, copy_tree, make, stale_stages

HOW = re.compile(
    r"^(?:New file `(?P<new>[^`]+)`|At the end of `(?P<end>[^`]+)`|"
    r"In `(?P<inside>[^`]+)`, above the line `(?P<line>[^`]+)`|(?P<then>Then)):\n"
    r"\n```\w+\n(?P<block>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
GENERATED = {"versions.yaml", "dvc.lock", "docs/parameters.md"}


@pytest.fixture(scope="module")
def up_to_date(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy of the tree in which no stage is out of date."""
    root = tmp_path_factory.mktemp("house") / "tree"
    copy_tree(repository, root)
    commit(root)
    assert stale_stages(root) == set()
    return root


@pytest.fixture
def tree(up_to_date: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(up_to_date, tmp_path / "tree", symlinks=True))


def follow(root: Path, recipe: str) -> None:
    """Do what a recipe says, block by block; a block that cannot be followed fails."""
    text = (root / "docs" / "contributing.md").read_text(encoding="utf-8")
    part = next(part for part in text.split("\n## ") if part.startswith(f"{recipe}\n"))
    steps = list(HOW.finditer(part))
    assert len(steps) == part.count("```") / 2, "every block of a recipe says where it goes"
    for step in steps:
        if step["then"]:
            for command in step["block"].splitlines():
                assert command.split()[0] == "make"
                done = make(root, *command.split()[1:])
                assert done.returncode == 0, done.stdout + done.stderr
            continue
        file, block = root / (step["new"] or step["end"] or step["inside"]), step["block"]
        if step["new"]:
            assert not file.exists()
            file.write_text(block, encoding="utf-8")
            continue
        old = file.read_text(encoding="utf-8")
        if step["line"]:
            assert old.count(f"\n{step['line']}\n") == 1, f"{file.name} has no line {step['line']}"
        new = old + block if step["end"] else old.replace(f"\n{step['line']}\n", f"\n{block}{step['line']}\n")
        file.write_text(new, encoding="utf-8")


def differences(root: Path, before: Path) -> tuple[set[str], set[str]]:
    """Files that were edited, and new ones, without what is generated or an output."""

    def content(folder: Path) -> dict[str, bytes]:
        files = (f for f in folder.rglob("*") if f.is_file() and not {".venv", ".dvc", "__pycache__"} & set(f.relative_to(folder).parts))
        return {str(f.relative_to(folder)): f.read_bytes() for f in files}

    old, new = content(before), content(root)
    return {name for name in old if new.get(name) != old[name]} - GENERATED, set(new) - set(old)


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    return subprocess.run([sys.executable, *command], cwd=root, env=environment(), capture_output=True, text=True, check=False)


def test_a_stage_an_arm_and_a_section_rerun_themselves_and_nothing_before_them(tree: Path, up_to_date: Path) -> None:
    """Together they are what a learner needs; what follows them runs only where their outputs differ."""
    old = yaml.safe_load((tree / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    follow(tree, "A stage")
    assert stale_stages(tree) == {"sizes"}
    assert differences(tree, up_to_date) == ({"params.yaml", "dvc.yaml", "tasks/core/stages.py"}, {"tasks/world/sizes.py"})
    follow(tree, "An arm")
    assert stale_stages(tree) == {"sizes", "evaluate_baselines"}
    edited, _ = differences(tree, up_to_date)
    assert edited == {"params.yaml", "dvc.yaml", "tasks/core/stages.py", "tasks/evaluation/arms/baselines.py"}
    follow(tree, "A section of the report")
    assert stale_stages(tree) == {"sizes", "evaluate_baselines", "report"}
    assert differences(tree, up_to_date) == (edited, {"tasks/world/sizes.py", "tasks/report/sections/seeds.py"})
    new = yaml.safe_load((tree / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(new["report"].pop("deps")) - set(old["report"].pop("deps")) == {"tasks/report/sections/seeds.py"}
    del new["sizes"]
    assert new == old, "beside the new stage, the recipes change a generated block of `report` alone"
    _they_work(tree)


def _they_work(tree: Path) -> None:
    """The new stage runs, the new arm has its place, and nothing is left for `make deps`."""
    scenarios = {"scenarios": [{"id": name, "calls": len(name)} for name in ("a", "bbb", "cc", "dddd")]}
    (tree / "data" / "scenario" / "scenarios.json").write_text(json.dumps(scenarios), encoding="utf-8")
    done = run(tree, "-m", "tasks", "sizes")
    assert done.returncode == 0, done.stderr
    assert json.loads((tree / "reports" / "world" / "sizes.json").read_text())["largest"][0] == {"id": "dddd", "calls": 4}
    arms = run(tree, "-c", "from tasks.evaluation.arms.baselines import ARMS; print([arm.name for arm in ARMS][:3])")
    assert arms.returncode == 0, arms.stderr
    assert arms.stdout.strip() == "['random', 'home', 'first_allowed']"
    check = run(tree, "-m", "tasks.core.deps", "--check")
    assert (check.returncode, check.stdout) == (0, "")


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_an_edit_in_one_section_reruns_the_report_alone(tree: Path) -> None:
    section = next(file for file in sorted((tree / "tasks" / "report" / "sections").glob("*.py")) if file.name != "__init__.py")
    append(section, "# another word\n")
    assert stale_stages(tree) == {"report"}


@pytest.mark.slow
def test_a_changed_pin_reruns_what_imports_the_package(tree: Path) -> None:
    constraints = tree / "constraints.txt"
    constraints.write_text(re.sub(r"(?m)^numba==.*$", "numba==9.9.9", constraints.read_text(encoding="utf-8")), encoding="utf-8")
    assert stale_stages(tree) == set()  # nothing is known of it yet, and `make check` says so:
    check = run(tree, "-m", "tasks.core.deps", "--check")
    assert check.returncode == 1
    assert "numba: + 9.9.9" in check.stdout
    assert make(tree, "deps").returncode == 0
    stages = yaml.safe_load((tree / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    pinned = {
        name
        for name, body in stages.items()
        for entry in body.get("do", body)["params"]
        if isinstance(entry, dict) and "numba" in entry["versions.yaml"]
    }
    assert {"scenario", "evaluate_baselines", "evaluate_bound"} <= pinned
    assert "ingest" not in pinned
    assert stale_stages(tree) == pinned


@pytest.mark.parametrize("what", ["an import", "a lost line", "another stage", "a stage that is in no table"])
def test_a_stale_block_fails_the_check(tree: Path, what: str) -> None:
    dvc_yaml = tree / "dvc.yaml"
    if what == "an import":
        append(tree / "tasks" / "data" / "split.py", "from models import statistics\n")
        words = "features: + models/statistics.py"
    elif what == "a lost line":
        dvc_yaml.write_text(dvc_yaml.read_text(encoding="utf-8").replace("        - tasks/data/scan.py\n", ""), encoding="utf-8")
        words = "scan: + tasks/data/scan.py"
    elif what == "another stage":
        append(tree / "tasks" / "data" / "features.py", "from tasks.data import ingest\n")
        words = "stage 'features' imports stage 'ingest'"
    else:
        append(dvc_yaml, "  lonely:\n    cmd: echo\n")
        words = "stage 'lonely' is missing"
    before = dvc_yaml.read_bytes()
    done = run(tree, "-m", "tasks.core.deps", "--check")
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert dvc_yaml.read_bytes() == before, "a check writes nothing"


def test_an_undeclared_parameter_stops_the_stage(tree: Path) -> None:
    text = (tree / "dvc.yaml").read_text(encoding="utf-8")
    assert text.count("      - tune_baselines\n") == 1
    (tree / "dvc.yaml").write_text(text.replace("      - tune_baselines\n", ""), encoding="utf-8")
    done = run(tree, "-m", "tasks", "tune_baselines")
    assert done.returncode == 1
    assert "reads 'tune_baselines' but does not declare it" in done.stderr
