"""Runs one stage: `python -m tasks STAGE [SOURCE]`. This is what dvc.yaml calls; it needs no Prefect."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

# Before any numerical library: one thread per process for BLAS, so that float sums do not depend on the machine.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOMS = {
    **dict.fromkeys(("scan", "ingest", "validate", "twin_fit", "features"), "data"),
    **{"eda": "eda", "scenario": "world", "tune_baselines": "learning", "calibrate": "world"},
    **{"evaluate": "evaluation", "compare": "evaluation", "report": "report"},
}
STAGES = tuple(ROOMS)
PER_SOURCE = ("scan", "ingest", "validate")
GROUPS = ("baselines", "bound")  # of the stage `evaluate`


def main(argv: list[str]) -> int:
    """Run the stage named on the command line and print its one-line summary.

    Returns:
        0 on success, 1 on an error that the user can mend (printed without a traceback), 2 on wrong usage.
    """
    from core.errors import TrineError
    from tasks.core import params as params_module
    from tasks.core.paths import SOURCES, Paths

    items = dict.fromkeys(PER_SOURCE, SOURCES) | {"evaluate": GROUPS}
    allowed = items.get(argv[0], ()) if argv else ()
    if not argv or argv[0] not in STAGES or len(argv) != 1 + bool(allowed) or (allowed and argv[1] not in allowed):
        print(f"usage: python -m tasks {{{'|'.join(STAGES)}}} [{{{'|'.join((*SOURCES, *GROUPS))}}}]", file=sys.stderr)
        return 2
    started = time.perf_counter()
    paths = Paths(Path.cwd())
    try:
        params = params_module.load(paths.params_file)
        stage = importlib.import_module(f"tasks.{ROOMS[argv[0]]}.{argv[0]}")
        summary = stage.run(params, paths, *argv[1:])
    except TrineError as error:
        print(f"{'@'.join(argv)} failed: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        how = f"  where: {error.filename}\n  fix: what the stages before write is missing; run: dvc repro {'@'.join(argv)}"
        print(f"{'@'.join(argv)} failed: {error.strerror}\n{how}", file=sys.stderr)
        return 1
    print(f"{'@'.join(argv)}: {summary}, {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written: skipping the interpreter's teardown saves time and DuckDB's list of leaked bindings on the terminal.
    os._exit(code)
