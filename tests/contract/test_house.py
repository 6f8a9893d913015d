"""The house keeps its own rules: packages, imports, names, nothing of one machine in the repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tasks.core.closure import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Spelled in pieces, so that this file passes its own test.
FORBIDDEN = {
    "a registry's host": r"py" + r"pi\.org|files\.python" + r"hosted|download\.pytorch" + r"\.org|index-url[ =]+http",
    "a path of one machine": r"(?<![\w./])/" + r"(?:work|home/\w+|Users/\w+|root)/",
}


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
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in data:
            text = data.decode("utf-8", errors="replace")
            found += [f"{name}: {hit.group()}" for hit in re.finditer(FORBIDDEN[what], text)]
    assert found == []


def test_the_makefile_is_small_and_has_the_fixed_names() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))
    assert {"run", "test", "check", "verify", "bench", "report", "remote"} <= targets
    assert len(targets) <= 12
    phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony.group(1).split()) == targets


def test_the_command_starts_without_heavy_libraries() -> None:
    code = "import sys, flows.cli; print(sorted({'prefect','dvc','duckdb','polars','torch','plotly','pandas','numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
