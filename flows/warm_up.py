"""Compiles the world's kernel during the first stages of a first build: `python -m flows.warm_up`. Not here: the kernel, its cache (numba).

The compiler takes 40 s of one core, once in every clone. Otherwise each process of the stage `scenario` would do that for itself, while
one of two cores is idle in the stages before it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flows.process import Runner, follower

LESS_URGENT = 10  # niceness: the stages come first


@contextmanager
def compiling(root: Path) -> Iterator[None]:
    """Compile the kernel beside the block if nothing is built yet; what is not compiled by its end, a stage compiles."""
    if not is_first_build(root):
        yield
        return
    runner = Runner(root)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(runner.run, follower("flows.warm_up"), lambda line: None)
        try:
            yield
        finally:
            runner.stop()


def is_first_build(root: Path) -> bool:
    """Whether this is a clone with neither staged data nor a compiled kernel."""
    kernel = root / "simulator" / "kernel.py"
    return kernel.is_file() and not (root / "data" / "staged").exists() and not list(kernel.parent.glob("__pycache__/kernel.advance*.nbi"))


def compile_kernel() -> None:
    """Run the smallest twin at home, as the stage `scenario` runs its fleets."""
    from simulator.control.baseline import record_home
    from simulator.scenario import save
    from simulator.twin.fleets import twin_scenario

    twin = twin_scenario(days=1, apps=2, rate=0.01)
    with tempfile.TemporaryDirectory() as folder:
        record_home(twin, save(twin, Path(folder)))


if __name__ == "__main__":
    os.nice(LESS_URGENT)
    compile_kernel()
