"""Looks at the machine for `trine doctor`. Belongs here: what is there and what its absence costs. Does not: installing anything."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from tasks.core.versions import normalised, pins

NEEDED_DISK_GB = 5.0  # environment 2 GB, twin, staged tables and DVC's copies of them under 2 GB
NEEDED_MEMORY_GB = 2.0  # DuckDB 1 GB, Great Expectations and Polars on top
PYTHONS = ((3, 11), (3, 12))  # requires-python of pyproject.toml


@dataclass(frozen=True)
class Finding:
    """One line of the examination: `ok`, `note` (something optional is absent) or `MISSING` (nothing works without it)."""

    mark: Literal["ok", "note", "MISSING"]
    what: str
    found: str
    cost: str = ""


def examine(root: Path) -> list[Finding]:
    """Return one finding per thing that Trine uses."""
    return [_python(), _packages(root), _disk(root), _memory(), _cores(), _browser(), _gpu(), _unrar(), _samples(root)]


def _python() -> Finding:
    if sys.version_info[:2] in PYTHONS:
        return Finding("ok", "python", platform.python_version())
    return Finding("MISSING", "python", platform.python_version(), "needs 3.11 or 3.12: make run PYTHON=python3.11")


def requirements(root: Path) -> list[str]:
    """Return the names of the packages that pyproject.toml needs at run time."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0] for line in project["dependencies"]]


def _packages(root: Path) -> Finding:
    """Compare what is installed with what pyproject.toml needs and constraints.txt pins."""
    pinned_versions = pins(root)
    missing, other = [], []
    for name in requirements(root):
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        pinned = pinned_versions.get(normalised(name))
        if pinned is not None and installed.split("+")[0] != pinned.split("+")[0]:
            other.append(f"{name} {installed} (tested: {pinned})")
    if missing:
        return Finding("MISSING", "packages", ", ".join(missing), "rm .venv/.installed && make run")
    if other:
        return Finding("note", "packages", ", ".join(other), "results may differ from the tested versions")
    return Finding("ok", "packages", "all there, in the tested versions")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 1e9
    enough = free >= NEEDED_DISK_GB
    return Finding(
        "ok" if enough else "note", "disk", f"{free:.0f} GB free", "" if enough else f"the default run wants {NEEDED_DISK_GB:.0f} GB"
    )


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    enough = total >= NEEDED_MEMORY_GB
    return Finding(
        "ok" if enough else "note", "memory", f"{total:.0f} GB", "" if enough else "lower TRINE_MEMORY_LIMIT; stages will spill to disk"
    )


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("ok", "cores", str(cores)) if cores > 1 else Finding("note", "cores", "1", "a run takes about twice as long as on two")


def _browser() -> Finding:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))), None)
    if found:
        return Finding("ok", "browser", found)
    return Finding("note", "browser", "no Chromium", "the report is built all the same; its browser tests are skipped")


def _gpu() -> Finding:
    """Look for the driver only: importing torch takes seconds."""
    if shutil.which("nvidia-smi"):
        return Finding("ok", "gpu", "an NVIDIA driver is there (optional)")
    return Finding("ok", "gpu", "none (optional; nothing here needs one)")


def _unrar() -> Finding:
    found = next((path for name in ("unrar", "bsdtar") if (path := shutil.which(name))), None)
    return (
        Finding("ok", "unrar", found)
        if found
        else Finding("note", "unrar", "none", "the published Azure 2021 archive (RAR5) cannot be unpacked")
    )


def _samples(root: Path) -> Finding:
    folder = Path(os.environ.get("TRINE_SAMPLE_DIR", root.parent / "shared" / "data"))
    if (folder / "azure" / "2021").is_dir():
        return Finding("ok", "real slices", str(folder))
    return Finding("note", "real slices", f"not in {folder}", "profile sample needs them: set TRINE_SAMPLE_DIR")
