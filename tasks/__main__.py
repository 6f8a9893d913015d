"""Runs one stage: `python -m tasks STAGE [ITEM]`. This is what dvc.yaml calls; it needs no Prefect.

A stage works under the lock of the working tree, its own or that of the run which started it, and only on inputs that agree.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

# Before any numerical library: one thread per process for BLAS, so that float sums do not depend on the machine.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

if TYPE_CHECKING:
    from tasks.core.paths import Paths
    from tasks.core.stages import Stage

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(argv: list[str]) -> int:
    """Run the stage named on the command line with the parameters that it declares, and print its one-line summary.

    Returns:
        0 on success, 1 on an error that the user can fix (printed without a traceback), 2 on wrong usage.
    """
    from tasks.core.paths import Paths
    from tasks.core.run_lock import held_by_stage
    from tasks.core.stages import STAGES

    stage = STAGES.get(argv[0]) if argv else None
    if stage is None or len(argv) != 1 + bool(stage.items) or (stage.items and argv[1] not in stage.items):
        known = (f"{name} {{{'|'.join(found.items)}}}" if found.items else name for name, found in STAGES.items())
        print("usage: python -m tasks STAGE [ITEM], with one of:\n  " + "\n  ".join(known), file=sys.stderr)
        return 2
    paths = Paths(Path.cwd())
    try:
        with held_by_stage(paths.root, "@".join(argv), lambda line: print(line, file=sys.stderr, flush=True)):
            started = time.perf_counter()
            summary = _run(stage, argv, paths)
    except BaseException as error:
        from tasks.core.faults import explained
        from tasks.core.stages import writer_of

        fault = explained(error, paths.root, f"dvc repro {'@'.join(argv)}", writer_of)
        if fault is None or "TRINE_TRACEBACK" in os.environ:
            raise
        print(f"{'@'.join(argv)} failed: {fault}", file=sys.stderr)
        return 1
    print(f"{'@'.join(argv)}: {summary}, {time.perf_counter() - started:.1f} s ({processor_s():.1f} s of processor)")
    return 0


def processor_s() -> float:
    """Seconds of processor of this process and those that it started and that have ended; on a busy machine they say more than a clock."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _run(stage: Stage, argv: list[str], paths: Paths) -> str:
    """Check that the inputs of a stage agree, run it, and write into its JSON files what they were made from."""
    from tasks.core import params as params_module
    from tasks.core.lineage import made_from, stamp_outputs
    from tasks.core.stages import data_edges, declared_parameters

    declared = declared_parameters(paths.root, *argv)
    params = params_module.load(paths.params_file, declared)
    dependencies, outputs = data_edges(paths.root, *argv)
    profile = params.profile if "profile" in declared else None
    made = made_from(paths.root, dependencies, profile, params.until_day if "as_of_day" in declared else None)
    summary: str = importlib.import_module(stage.module).run(params, paths, *argv[1:])
    stamp_outputs(paths.root, outputs, made)
    return summary


def _end(number: int, _frame: object) -> None:
    """SIGTERM as an exception, so that drafts are removed and processes ended on the way out."""
    sys.exit(128 + number)


def _main() -> int:
    if "DVC_STAGE" in os.environ:  # a stage in the background of a shell may outlive the shell; one of DVC's ends with DVC
        from tasks.core.lifeline import die_with_starter

        die_with_starter()
    signal.signal(signal.SIGTERM, _end)
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


if __name__ == "__main__":
    code = _main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written: skipping the interpreter's teardown saves time and DuckDB's list of leaked bindings on the terminal.
    os._exit(code)
