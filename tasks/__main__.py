"""Runs one stage: `python -m tasks STAGE [ITEM]`. This is what dvc.yaml calls; it needs no Prefect."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

# Before any numerical library: one thread per process for BLAS, so that float sums do not depend on the machine.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def main(argv: list[str]) -> int:
    """Run the stage named on the command line with the parameters that it declares, and print its one-line summary.

    Returns:
        0 on success, 1 on an error that the user can fix (printed without a traceback), 2 on wrong usage.
    """
    from core.errors import TrineError
    from tasks.core import params as params_module
    from tasks.core.paths import Paths
    from tasks.core.stages import STAGES, declared_parameters

    stage = STAGES.get(argv[0]) if argv else None
    if stage is None or len(argv) != 1 + bool(stage.items) or (stage.items and argv[1] not in stage.items):
        known = (f"{name} {{{'|'.join(found.items)}}}" if found.items else name for name, found in STAGES.items())
        print("usage: python -m tasks STAGE [ITEM], with one of:\n  " + "\n  ".join(known), file=sys.stderr)
        return 2
    started = time.perf_counter()
    paths = Paths(Path.cwd())
    try:
        params = params_module.load(paths.params_file, declared_parameters(paths.root, *argv))
        summary = importlib.import_module(stage.module).run(params, paths, *argv[1:])
    except TrineError as error:
        print(f"{'@'.join(argv)} failed: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        how = f"  where: {error.filename}\n  fix: an output of an earlier stage is missing; run: dvc repro {'@'.join(argv)}"
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
