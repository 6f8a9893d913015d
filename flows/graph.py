"""What DVC knows about the stages: order, edges, state. Belongs here: reading it. Does not: an edge of our own; dvc.yaml is the only DAG.

The edges come from `dvc.repo.Repo(...).index.graph` (0.3 s, objects) and not from `dvc dag --dot` (0.5 s, text that would need a
parser). The state comes from `dvc status --json`, which is both stable and made for programs.
"""

from __future__ import annotations

import difflib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import ParameterError, TrineError
from flows.process import dvc, environment

STATUS_LIMIT_S = 300
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one where it was built: 20 times as fast


@dataclass(frozen=True)
class Graph:
    """Stages in an order in which they can run, widest first, and what each waits for.

    Args:
        upstream: stage -> the stages it reads from, in name order; the keys are in running order.
        always: stages that DVC runs every time (`always_changed`).
    """

    upstream: dict[str, tuple[str, ...]]
    always: frozenset[str]

    def select(self, targets: Sequence[str]) -> Graph:
        """Return the part that the targets need: themselves and all their ancestors. A foreach group's name means all its stages.

        Raises:
            ParameterError: a target is no stage; the nearest one is named.
        """
        wanted: list[str] = []
        for target in targets:
            found = [name for name in self.upstream if name == target or name.split("@")[0] == target]
            if not found:
                near = difflib.get_close_matches(target, self.upstream, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"stages: {', '.join(self.upstream)}"
                raise ParameterError(f"unknown stage '{target}'", where="dvc.yaml", how=hint)
            wanted += found
        keep: set[str] = set()
        while wanted:
            name = wanted.pop()
            if name not in keep:
                keep.add(name)
                wanted += self.upstream[name]
        return Graph({name: ups for name, ups in self.upstream.items() if name in keep}, self.always & keep)


def read(root: Path) -> Graph:
    """Read the graph of the DVC project in `root`.

    Raises:
        TrineError: DVC cannot read dvc.yaml.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            # Names, not `addressing`: that one is relative to the current folder. Files under `dvc add` have none and need no run.
            stages = {str(stage.name): bool(stage.always_changed) for stage in repo.index.graph.nodes if getattr(stage, "name", None)}
            named = [(getattr(stage, "name", None), getattr(need, "name", None)) for stage, need in repo.index.graph.edges]
            edges = [(stage, need) for stage, need in named if stage and need]  # DVC's edges run from a stage to what it needs
    except DvcException as error:
        raise TrineError(
            f"DVC cannot read the pipeline: {error}", where=str(root / "dvc.yaml"), how="fix what the message names"
        ) from error
    needs = {name: tuple(sorted(need for stage, need in edges if stage == name)) for name in stages}
    return Graph(_by_level(needs), frozenset(name for name, always in stages.items() if always))


def _by_level(needs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Order stages by depth, then name: a waiting task never holds a worker that a ready one of a lower level could use."""
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(need) for need in needs[name]), default=-1)
        return depth[name]

    return {name: needs[name] for name in sorted(needs, key=lambda n: (depth_of(n), n))}


def status(root: Path) -> dict[str, list[Any]]:
    """Return the stages that are not up to date, with DVC's reasons (`dvc status --json`).

    Raises:
        TrineError: DVC refuses; its last words are repeated.
    """
    command = dvc("--wait-for-lock", "status", "--json")
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, timeout=STATUS_LIMIT_S, check=False)
    if done.returncode != 0:
        raise TrineError(
            f"dvc status failed: {done.stderr.strip()[-2000:]}", where=str(root / "dvc.yaml"), how="fix what the message names"
        )
    parsed: dict[str, list[Any]] = json.loads(done.stdout)
    return parsed


def why(reasons: Sequence[Any]) -> list[str]:
    """Return DVC's reasons in words, e.g. `params.yaml: seed modified`; that a stage always runs is none."""
    said = []
    for reason in reasons:
        if isinstance(reason, dict):
            for kind, found in reason.items():
                said += [_words(kind, name, what) for name, what in found.items()]
        elif reason != "always changed":
            said.append("the command changed" if reason == "changed command" else str(reason))
    return said


def _words(kind: str, name: str, what: Any) -> str:
    if isinstance(what, dict):  # parameters, by their state
        return f"{name}: " + ", ".join(f"{key} {state}" for key, state in what.items())
    return f"{name} {'missing' if what == 'deleted' else what}" + (" (an output)" if kind == "changed outs" else "")


def recorded_outputs(root: Path, stage: str) -> Any:
    """Return what dvc.lock says of a stage's outputs; None: nothing, or another DVC is writing there just now."""
    try:
        with (root / "dvc.lock").open(encoding="utf-8") as file:
            return yaml.load(file, _LOADER)["stages"][stage].get("outs")  # noqa: S506 (both loaders are safe ones)
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
