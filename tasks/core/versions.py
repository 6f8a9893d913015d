"""The pins of constraints.txt, and versions.yaml: those that stages depend on, as parameters for DVC. Not here: what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from core.errors import TrineError

HEAD = "# Pins of constraints.txt that a stage depends on; dvc.yaml names them as parameters. Written by `make deps`.\n"


def normalised(name: str) -> str:
    """Return the name of a package as registries compare it, e.g. `great-expectations`."""
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def pins(root: Path) -> dict[str, str]:
    """Return package -> version of constraints.txt; empty where there is none."""
    file = root / "constraints.txt"
    if not file.is_file():
        return {}
    lines = (line.split("#")[0].partition("==") for line in file.read_text(encoding="utf-8").splitlines())
    return {normalised(name): version.strip() for name, equals, version in lines if equals}


def versions_text(root: Path, packages: Iterable[str]) -> str:
    """Return the text of versions.yaml for these packages.

    Raises:
        TrineError: a package is not pinned.
    """
    known, wanted = pins(root), sorted(set(packages))
    missing = [name for name in wanted if name not in known]
    if missing:
        what = f"a stage imports {', '.join(missing)}, which constraints.txt does not pin"
        raise TrineError(what, where=str(root / "constraints.txt"), how="add the line name==version for each")
    return HEAD + "".join(f'{name}: "{known[name]}"\n' for name in wanted)
