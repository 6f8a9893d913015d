"""A look before a rebuild: what always runs looks at its inputs, then DVC says what is out of date. Not here: rebuilding (repro, rebuild).

DVC rewrites dvc.lock after every stage that it runs, changed or not: 2.4 s for each, which is most of a run with nothing to do. Stages
that always run are therefore started here first, with the command that dvc.lock has of them. If their outputs are still those of
dvc.lock, and DVC finds nothing else out of date, nothing is left to do; otherwise DVC runs them again, which costs little.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import TrineError
from flows.graph import Graph, recorded_stages
from flows.lines import Lines
from flows.process import Runner, environment, follower
from tasks.core.run_lock import Held
from tasks.core.stages import read_pipeline

WORKERS = 2
STATUS_LIMIT_S = 300
ALWAYS = "always changed"  # DVC's reason for a stage that always runs


@dataclass(frozen=True)
class Look:
    """What is out of date.

    Args:
        graph: all stages.
        stale: stage -> DVC's reasons, of the stages that have something to do.
        lines: of the stages that looked at their inputs and found nothing new, or nothing that DVC did not name among `stale`.
    """

    graph: Graph
    stale: dict[str, list[Any]]
    lines: dict[str, list[str]]


def always_run(root: Path) -> frozenset[str]:
    """Names of the stages that dvc.yaml marks `always_changed`; of a foreach group, the name of the group."""
    stages = read_pipeline(root)
    return frozenset(name for name, body in stages.items() if body.get("do", body).get("always_changed"))


def lookers(root: Path, always: frozenset[str]) -> dict[str, str]:
    """Return the commands of the stages that always run; none if one of them has not run yet or its outputs are gone."""
    found: dict[str, str] = {}
    for name, stage in recorded_stages(root).items():
        if name.split("@")[0] in always:
            if not isinstance(stage.get("cmd"), str) or not all((root / out["path"]).exists() for out in stage.get("outs", ())):
                return {}
            found[name] = stage["cmd"]
    return found


def look(root: Path, lock: Held, commands: Mapping[str, str]) -> Look:
    """Run `commands`, by stage, and ask DVC what is out of date now.

    Raises:
        TrineError: DVC cannot read the pipeline.
    """
    runner = Runner(root, variables=lock.environment())

    def run(stage: str) -> tuple[str, list[str]] | None:
        said: list[str] = []
        lines = Lines(frozenset(), said.append, False, lock.begins, lock.has_ended)
        lock.begins(stage)
        # DVC's variable, so that the stage ends with this process.
        command = ["/usr/bin/env", f"DVC_STAGE={stage}", "/bin/sh", "-c", commands[stage]]
        status, _ = runner.run(command, lines.take)
        lock.has_ended(stage)
        return (stage, said) if status == 0 else None  # DVC runs it again, and says why

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            looked = dict(filter(None, pool.map(run, commands)))
        graph, status = ask(root)
    finally:
        runner.stop()
    stale = {name: why for name, why in status.items() if name not in looked or any(reason != ALWAYS for reason in why)}
    return Look(graph, stale, looked)


def ask(root: Path) -> tuple[Graph, dict[str, list[Any]]]:
    """Return the graph and the stages that are not up to date, with DVC's reasons, from one process of DVC.

    Raises:
        TrineError: DVC refuses; its last words are repeated.
    """
    command, limit = follower("flows.dvc_state", str(root)), STATUS_LIMIT_S
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode != 0:
        where, words = str(root / "dvc.yaml"), done.stderr.strip()[-2000:]
        raise TrineError(f"DVC cannot read the pipeline: {words}", where=where, how="fix what the message names")
    found = json.loads(done.stdout)
    return Graph.of(found["always"], [(stage, need) for stage, need in found["edges"]]), found["status"]
