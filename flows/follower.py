"""Runs a Python module that ends with its parent: `python -m flows.follower PID MODULE ARGUMENTS`. Not here: why (process.py)."""

from __future__ import annotations

import runpy
import sys

from tasks.core.lifeline import die_with_parent


def main(argv: list[str]) -> None:
    """Run the module as `python -m` does, with the process `argv[0]` as the parent that it must not outlive."""
    parent, module, *arguments = argv
    die_with_parent(int(parent))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
