"""What a stage consists of: the first-party files and queries that it imports or loads by name, and the packages these import.

It reads the tree in which it is started and imports none of it. Not here: writing it into dvc.yaml (deps.py), the table of stages.
"""

from __future__ import annotations

import ast
import fnmatch
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.stages import Stage
from tasks.core.versions import normalised

if TYPE_CHECKING:
    import grimp

PACKAGES = ("flows", "tasks", "models", "simulator", "core")
HANDED = ("tasks.core.params", "tasks.core.paths")  # what `python -m tasks` builds the arguments of every stage with
QUERY = re.compile(r"(\w+|\*)/[\w/*-]+\.sql")


@dataclass(frozen=True)
class Closure:
    """Files (paths in the repository, sorted) and packages (names as constraints.txt has them, sorted) of a stage."""

    files: tuple[str, ...]
    packages: tuple[str, ...]


class Imports:
    """The import graph of a tree; imports for type checkers only are left out.

    Args:
        root: of the tree; it must come first on sys.path, as it does for `python -m` started there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, str | None] = {}
        self._queries: dict[str, frozenset[str]] = {}

    @cached_property
    def graph(self) -> grimp.ImportGraph:
        """Modules of the house and the top-level packages that they import."""
        import grimp  # of the development tools

        return grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True, include_external_packages=True)

    @cached_property
    def distributions(self) -> dict[str, list[str]]:
        """Importable name -> names of the packages that bring it."""
        return {name: sorted(map(normalised, found)) for name, found in metadata.packages_distributions().items()}

    @cached_property
    def existing_queries(self) -> tuple[str, ...]:
        """Every file below sql/."""
        return tuple(sorted(str(file.relative_to(self.root)) for file in (self.root / "sql").rglob("*.sql")))

    def modules(self, stage: Stage, item: str) -> set[str]:
        """Return the modules that one stage imports, directly or not, or loads by name; packages from outside are among them."""
        roots = {stage.module, *HANDED}
        for pattern in stage.loads:
            name = pattern.replace("${item}", item)
            roots |= self.graph.find_children(name[:-2]) if name.endswith(".*") else {name}
        return roots.union(*map(self.graph.find_upstream_modules, roots))

    def closure(self, stage: Stage) -> Closure:
        """Return what a stage consists of; what belongs to one item of several is named with `${item}`."""
        packages: set[str] = set()
        named: list[dict[str, str]] = []  # by item: file -> its name with `${item}`
        for item in stage.items or ("",):
            modules = self.modules(stage, item)
            own = {file for module in modules if self._is_ours(module) and (file := self.file_of(module))}
            queries = {query for file in own for query in self.queries_of(file, item)}
            named.append({file: _with_item(file, item) for file in own | queries})
            packages |= {self._package_of(name) for name in modules if not self._is_ours(name) and name not in sys.stdlib_module_names}
        of_every_item = set.intersection(*(set(one.values()) for one in named))
        files = {general if general in of_every_item else file for one in named for file, general in one.items()}
        return Closure(tuple(sorted(files)), tuple(sorted(packages)))

    def file_of(self, module: str) -> str | None:
        """Return the file of a module, or None for a package whose __init__ holds nothing but its docstring."""
        if module not in self._files:
            name = module.replace(".", "/")
            init = self.root / name / "__init__.py"
            empty = init.is_file() and all(_is_docstring(node) for node in ast.parse(init.read_text(encoding="utf-8")).body)
            self._files[module] = None if empty else f"{name}/__init__.py" if init.is_file() else f"{name}.py"
        return self._files[module]

    def queries_of(self, file: str, item: str) -> set[str]:
        """Return the queries that a module names; a computed folder is that of the item, another computed part means every match."""
        if file not in self._queries:
            tree = ast.parse((self.root / file).read_text(encoding="utf-8"))
            self._queries[file] = frozenset(text for node in ast.walk(tree) if (text := _text(node)) and QUERY.fullmatch(text))
        found: set[str] = set()
        for text in self._queries[file]:
            pattern = f"sql/{text.replace('*/', f'{item}/', 1) if item and text.startswith('*/') else text}"
            found |= set(fnmatch.filter(self.existing_queries, pattern)) if "*" in pattern else {pattern}
        return found

    def _is_ours(self, module: str) -> bool:
        return module.split(".")[0] in PACKAGES

    def _package_of(self, name: str) -> str:
        return self.distributions.get(name, [normalised(name)])[0]


def _with_item(file: str, item: str) -> str:
    """Name a file of an item with `${item}`; of its queries the whole folder, since each item has others."""
    if not item:
        return file
    parts = [f"${{item}}{Path(part).suffix}" if Path(part).stem == item else part for part in file.split("/")]
    return "sql/${item}" if parts[:2] == ["sql", "${item}"] else "/".join(parts)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _text(node: ast.AST) -> str:
    """The text of a string constant, with `*` for what an f-string computes; empty for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    parts: Iterable[ast.expr] = node.values if isinstance(node, ast.JoinedStr) else ()
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
