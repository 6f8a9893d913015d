"""A small DVC project whose stages go through `python -m tasks`'s own main: the lock, drafts, processes and stamps are the real ones.

`python -m tests.worlds.toy_project STAGE` is what its dvc.yaml calls. Not here: what is checked on it (tests/flows).
"""

from __future__ import annotations

import os
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tasks import __main__ as command
from tasks.core import stages
from tasks.core.drafts import folder_draft
from tasks.core.files import read_json, write_json
from tasks.core.parallel import map_in_processes

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

ROOT = Path(__file__).resolve().parents[2]
FILES = 6
NAP = "  nap:\n    cmd: {python} -m tests.worlds.toy_project nap\n"  # a stage whose two processes only sleep
CONFIG = "[core]\n analytics = false\n check_update = false\n no_scm = true\n"
PARAMS = "profile: quick     # keep me\nseed: 1\nepoch: 0\nprofiles: [quick, sample]\n"
PIPELINE = """
stages:
  first:
    cmd: {python} -m tests.worlds.toy_project first
    params: [profile, seed, epoch]
    outs: [data/first]
  second:
    cmd: {python} -m tests.worlds.toy_project second
    deps: [data/first]
    params: [profile, epoch]
    outs: [data/second]
  page:
    cmd: {python} -m tests.worlds.toy_project page
    deps: [data/first/made.json, data/second/made.json]
    params: [profile]
    outs: [data/page.json]
"""


def write_dvc(folder: Path) -> None:
    """What `dvc init --no-scm` makes, without a process."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(CONFIG, encoding="utf-8")


def write_project(folder: Path) -> Path:
    """Write the project; nothing of it is built."""
    write_dvc(folder)
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable), encoding="utf-8")
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return folder


def variables(seconds: float = 0.5) -> dict[str, str]:
    """Environment of the project's commands; every stage takes at least `seconds`."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "TOY_SECONDS": str(seconds), "TRINE_THREADS": "2", "DVC_NO_ANALYTICS": "1"}


def run(params: Params, paths: Paths, stage: str) -> str:
    """Write a folder file by file, each with the profile that was read at the beginning."""
    profile = params.profile
    if stage == "page":
        read = {name: read_json(paths.root / "data" / name / "made.json")["by"] for name in ("first", "second")}
        write_json(paths.root / "data" / "page.json", {"profile": profile, **read})
        return "page written"
    before = "" if stage == "first" else (paths.root / "data" / "first" / "0").read_text(encoding="utf-8")
    with folder_draft(paths.root / "data" / stage) as draft:
        for i in range(FILES):
            (draft / str(i)).write_text(f"{before}{stage} {profile}\n", encoding="utf-8")
            time.sleep(float(os.environ["TOY_SECONDS"]) / FILES)
        write_json(draft / "made.json", {"by": f"{stage} of {profile}", "files": FILES})
    return f"{FILES} files"


def nap(seconds: float) -> float:
    """Work of a process that only takes time."""
    time.sleep(seconds)
    return seconds


def nap_in_processes(params: Params, paths: Paths) -> str:
    """Let two processes sleep, and say so once they run."""
    return str(map_in_processes(nap, [60.0, 60.0]))


def contents(folder: Path) -> dict[str, str]:
    """Every file below data/, with its text."""
    data = folder / "data"
    return {f.relative_to(data).as_posix(): f.read_text(encoding="utf-8") for f in sorted(data.rglob("*")) if f.is_file()}


def processes(folder: Path) -> list[str]:
    """Command lines of the processes that run in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def left_after(folder: Path, seconds: float) -> list[str]:
    """Processes that still run in a folder after so many seconds; returns as soon as there is none."""
    until = time.monotonic() + seconds
    while (left := processes(folder)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def register() -> None:
    """Put the stages into the table, each as a module of its own that `python -m tasks` loads by name."""
    works = {name: (lambda params, paths, stage=name: run(params, paths, stage)) for name in ("first", "second", "page")}
    works["nap"] = nap_in_processes
    for name, work in works.items():
        sys.modules[f"toy_{name}"] = types.ModuleType(f"toy_{name}")
        sys.modules[f"toy_{name}"].run = work  # type: ignore[attr-defined]
    stages.STAGES = {name: stages.Stage(f"toy_{name}") for name in works}


if __name__ == "__main__":
    register()
    code = command._main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
