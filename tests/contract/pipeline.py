"""Reads the pipeline's own files for the contract tests. Not here: any test."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import yaml

from tasks.__main__ import ROOMS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flows", "tasks", "models", "simulator", "core")


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml with foreach resolved."""

    name: str
    group: str
    item: str | None
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]
    cmd: str


def _key(entry: Any) -> str:
    return next(iter(entry)) if isinstance(entry, dict) else str(entry)


@cache
def stages() -> tuple[Stage, ...]:
    raw = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    out = []
    for group, body in raw.items():
        for item in body.get("foreach", [None]):
            do = body.get("do", body)

            def fill(entry: Any, item: str | None = item) -> str:
                return _key(entry).replace("${item}", str(item))

            parts = {k: tuple(fill(e) for e in do.get(k, [])) for k in ("deps", "params")}
            outs = tuple(fill(e) for k in ("outs", "metrics", "plots") for e in do.get(k, []))
            out.append(Stage(f"{group}@{item}" if item else group, group, item, parts["deps"], outs, parts["params"], fill(do["cmd"])))
    return tuple(out)


@cache
def import_graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)


@cache
def file_of(module: str) -> str | None:
    """The module's path, or None for a package's empty __init__ (which no result depends on)."""
    base = ROOT.joinpath(*module.split("."))
    if (base / "__init__.py").is_file():
        tree = ast.parse((base / "__init__.py").read_text(encoding="utf-8"))
        only_docstring = all(isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in tree.body)
        return None if only_docstring else f"{module.replace('.', '/')}/__init__.py"
    return f"{module.replace('.', '/')}.py"


def modules_of(stage: Stage) -> set[str]:
    """Modules that a stage imports, directly or not, and those it loads by name."""
    graph = import_graph()
    roots = {
        f"tasks.{ROOMS[stage.group]}.{stage.group}",
        "tasks.core.params",
        "tasks.core.paths",
    }  # tasks/__main__ loads the last two for every stage
    if stage.group in ("scan", "ingest"):
        roots.add(f"tasks.data.sources.{stage.item}")
    if stage.group == "report":
        roots |= set(graph.find_children("tasks.report.sections"))
    found = set(roots)
    for root in roots:
        found |= graph.find_upstream_modules(root)
    return found


def literals(path: Path) -> set[str]:
    """String constants of a module, f-strings with `{...}` turned into `*`; docstrings are left out."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        if isinstance(node, ast.JoinedStr):
            found.add("".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in node.values))
    return found


def sql_of(module_file: str) -> set[str]:
    """SQL files that a module names, as paths in the repository (`*` where a part of the name is computed)."""
    return {f"sql/{text}" for text in literals(ROOT / module_file) if re.fullmatch(r"\w[\w/*-]*\.sql|\*/[\w/*-]+\.sql", text)}


def covers(deps: tuple[str, ...], path: str) -> bool:
    """Whether a dep is the path or a folder above it."""
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)
