"""The house keeps its own rules: packages, imports, names, nothing of one machine in the repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tasks.core.closure import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LONGEST = 300  # lines of a file of code
CODE = ("*.py", "*.sql", "*.css", "*.js")
LONG = {"simulator/checks/warm_pool.py", "simulator/kernel.py", "tasks/eda/records.py", "tests/worlds/second_simulator.py"}
# Spelled in pieces, so that this file passes its own test.
FORBIDDEN = {
    "a registry's host": r"py" + r"pi\.org|files\.python" + r"hosted|download\.pytorch" + r"\.org|index-url[ =]+http",
    "a path of one machine": r"(?<![\w./])/" + r"(?:work|home/\w+|Users/\w+|root)/",
}


def tracked(*patterns: str) -> list[Path]:
    """The files that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()]


def test_import_rules_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_packages_are_these_and_never_published() -> None:
    import tasks

    assert tasks.__file__
    assert Path(tasks.__file__).resolve().parent == ROOT / "tasks"
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_tracked_files_name_no(what: str) -> None:
    found = []
    for file in tracked():
        data = file.read_bytes()
        if b"\0" not in data:
            text = data.decode("utf-8", errors="replace")
            found += [f"{file.relative_to(ROOT)}: {hit.group()}" for hit in re.finditer(FORBIDDEN[what], text)]
    assert found == []


def test_the_makefile_is_small_and_has_the_fixed_names() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))
    assert {"run", "test", "check", "verify", "bench", "report", "remote", "help"} <= targets
    assert len(targets) <= 12
    phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony.group(1).split()) == targets


def test_help_explains_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    said = dict(re.findall(r"^make (\S+) +(\S.*)$", done.stdout, re.MULTILINE))
    assert set(said) == set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))


def test_pre_commit_runs_make_check() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["entry"], hook["language"], hook["pass_filenames"]) == ("local", "make check", "system", False)


def test_files_are_short_and_the_long_ones_say_why() -> None:
    lines = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8").splitlines() for file in tracked(*CODE)}
    long = {name for name, text in lines.items() if len(text) > LONGEST}
    assert long <= LONG
    assert len(LONG) <= 6
    for name in long:
        head = re.match(r'"""(.*?)"""', "\n".join(lines[name]), re.DOTALL)
        assert head, name
        assert "one file" in head.group(1).lower(), f"{name} has over {LONGEST} lines: its docstring says why it is one file"


def test_the_command_starts_without_heavy_libraries() -> None:
    code = "import sys, flows.cli; print(sorted({'prefect','dvc','duckdb','polars','torch','plotly','pandas','numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
