"""One `dvc repro` under the lock of the working tree, as `trine run` and `trine report` do it. Not here: the flow, other commands."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import TrineError
from flows.lines import Lines
from flows.look import always_run, look, lookers
from flows.process import Runner, dvc, is_busy
from flows.profile import set_profile
from flows.warm_up import compiling
from tasks.core.progress import BY_LINES, VARIABLE
from tasks.core.run_lock import Held, held

LIMIT_S = 24 * 3600.0


def rebuild(root: Path, command: str, show: Callable[[str], None], *, profile: str | None, targets: Sequence[str], force: bool) -> None:
    """Wait for the lock, set the profile and rebuild what changed, showing what happens.

    Args:
        root: of the working tree.
        command: as those see it who wait for this run.
        show: prints one line.
        profile: set in params.yaml first; none: it stays as it is.
        targets: stages, with all that they need; none: all.
        force: run the stages even if nothing changed.

    Raises:
        TrineError: the profile or a target is unknown, or a stage failed (its lines were shown).
    """
    for ended in (signal.SIGTERM, signal.SIGHUP):  # DVC has a group of its own, which nobody else would end
        signal.signal(ended, lambda number, _frame: sys.exit(128 + number))
    with held(root, command, show) as lock:
        started = time.monotonic()
        is_switched = change_profile(root, profile, show)
        is_terminal = sys.stderr.isatty()
        lines = Lines(always_run(root), show, is_terminal, lock.begins, lock.has_ended)
        if not (is_switched or force) and _is_up_to_date(root, lock, lines, targets):
            show(lines.summary(time.monotonic() - started))
            return
        runner = Runner(root, LIMIT_S, {**lock.environment(), **({VARIABLE: BY_LINES} if is_terminal else {})})
        with compiling(root):
            while not _repro(runner, lines, [*(["--force"] if force else []), *targets]):
                show("a stage that was started by hand has its turn first")
                lock.lend()
                change_profile(root, profile, show)
        show(lines.summary(time.monotonic() - started))


def change_profile(root: Path, profile: str | None, show: Callable[[str], None]) -> bool:
    """Set the profile, if one is given, and say what that edits; returns whether it was another one."""
    if profile is None or not set_profile(root / "params.yaml", profile):
        return False
    show(f"params.yaml: profile is now {profile} (edits two files that git tracks, params.yaml and dvc.lock)")
    return True


def _is_up_to_date(root: Path, lock: Held, lines: Lines, targets: Sequence[str]) -> bool:
    """Look at the inputs and ask DVC; if nothing is left to do, show the lines of the stages that looked."""
    if not (commands := lookers(root, lines.always)):
        return False  # `dvc repro` finds out by itself, and nothing makes that slow
    try:
        found = look(root, lock, commands)
        graph = found.graph.select(targets) if targets else found.graph
    except TrineError:
        return False  # `dvc repro` says what is wrong
    if not found.stale.keys().isdisjoint(graph.upstream):
        return False
    for stage in graph.upstream:
        lines.looked(stage, found.lines.get(stage, []), is_always=stage in graph.always)
    return True


def _repro(runner: Runner, lines: Lines, arguments: Sequence[str]) -> bool:
    """Run `dvc repro`; returns whether it came to its end, False where files are kept busy by another DVC."""
    held_back: list[str] = []  # what may be the message of a busy file is shown only if it is none

    def take(line: str) -> None:
        if held_back or line.startswith("ERROR: "):
            held_back.append(line)
        else:
            lines.take(line)

    status, _ = runner.run(dvc("--wait-for-lock", "repro", *arguments), take)
    lines.end()
    if status != 0 and is_busy(held_back):
        return False
    for line in held_back:
        lines.take(line)
    if status != 0:
        raise TrineError("the rebuild stopped", where="the stage named above", how="follow the `fix:` line above, then run it again")
    return True
