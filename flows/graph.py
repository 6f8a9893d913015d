"""The stages in their order, and DVC's words about them. Not here: asking DVC (look.py), an edge of our own; dvc.yaml is the only DAG."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import ParameterError

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

    @classmethod
    def of(cls, always: Mapping[str, bool], edges: Iterable[tuple[str, str]]) -> Graph:
        """Return the graph of stages, by whether they always run, and of pairs of a stage and one that it needs."""
        needs: dict[str, list[str]] = {name: [] for name in always}
        for stage, need in edges:
            needs[stage].append(need)
        ordered = _by_level({name: tuple(sorted(found)) for name, found in needs.items()})
        return cls(ordered, frozenset(name for name, is_always in always.items() if is_always))

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


def _by_level(needs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Order stages by depth, then name: a waiting task never holds a worker that a ready one of a lower level could use."""
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(need) for need in needs[name]), default=-1)
        return depth[name]

    return {name: needs[name] for name in sorted(needs, key=lambda n: (depth_of(n), n))}


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


def recorded_stages(root: Path) -> dict[str, Any]:
    """Return what dvc.lock says, by stage; nothing where there is none, or another DVC is writing there just now."""
    try:
        with (root / "dvc.lock").open(encoding="utf-8") as file:
            found: dict[str, Any] = yaml.load(file, _LOADER)["stages"]  # noqa: S506 (both loaders are safe ones)
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return found


def recorded_outputs(root: Path, stage: str) -> Any:
    """Return what dvc.lock says of a stage's outputs; None: nothing."""
    return recorded_stages(root).get(stage, {}).get("outs")
