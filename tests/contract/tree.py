"""A copy of the working tree in which DVC takes every stage for up to date, without running one. Not here: any test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from flows.process import environment


def copy_tree(repository: Path, target: Path) -> None:
    """Copy what git knows of the tree, without dvc.lock, and lead `.venv` to this environment."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (repository / name).is_file() and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, target / name)
    (target / ".venv").symlink_to(sys.prefix)


def commit(root: Path) -> None:
    """Put a small file where every output belongs, and write dvc.lock as if the stages had just made them.

    `dvc commit` would take 14 s: it fills a cache and rewrites the file for every stage.
    """
    from dvc.repo import Repo
    from dvc.stage.serialize import to_single_stage_lockfile

    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n", encoding="utf-8")
    with contextlib.chdir(root), Repo(str(root)) as repo:
        inside = [Path(dep.fs_path) for stage in repo.index.stages for dep in stage.deps]
        for out in (Path(out.fs_path) for stage in repo.index.stages for out in stage.outs):
            parts = [dep for dep in inside if out in dep.parents]
            for file in parts or [out if out.suffix else out / "part"]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(file.name, encoding="utf-8")
        for stage in repo.index.stages:
            stage.save_deps()
            stage.save_outs()
        stages = {stage.name: to_single_stage_lockfile(stage) for stage in repo.index.stages}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": json.loads(json.dumps(stages))}), encoding="utf-8")


def stale_stages(root: Path) -> set[str]:
    """Return the stages that DVC would run because of a changed command or dependency, by name without the item."""
    from dvc.repo import Repo

    with contextlib.chdir(root), Repo(str(root)) as repo:
        found = repo.status()
    return {name.split("@")[0] for name, reasons in found.items() if any(_counts(reason) for reason in reasons)}


def _counts(reason: Any) -> bool:
    """Whether a reason is about what a stage depends on; that outputs are not in a cache says nothing here."""
    return "changed deps" in reason if isinstance(reason, dict) else reason == "changed command"


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make` in the copy with the environment as it is (`.installed` is taken for done)."""
    command = ["make", "-s", "-o", ".venv/.installed", *arguments]
    env = {key: value for key, value in environment().items() if key != "MAKEFLAGS"} | {"PYTHONPATH": ""}
    return subprocess.run(command, cwd=root, env=env | {"HOME": os.environ.get("HOME", "/")}, capture_output=True, text=True, check=False)
