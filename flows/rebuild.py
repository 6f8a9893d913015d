"""The flow that rebuilds what changed: one Prefect task per DVC stage. Not here: edges and cache (DVC has both), the work (tasks/)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.futures import PrefectFuture, wait
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner

from core.errors import TrineError
from flows.graph import Graph, recorded_outputs
from flows.lines import Lines
from flows.look import Look, always_run, look, lookers
from flows.process import Runner, dvc, find_root, is_busy
from flows.repro import change_profile
from flows.warm_up import compiling
from tasks.core.progress import duration
from tasks.core.run_lock import Held, held

RECORD_LIMIT_S, RECORD_LOOK_S = 5.0, 0.1
WORKERS = 2  # stages at once; each may use up to TRINE_MEMORY_LIMIT
RUNNER: Any = ThreadPoolTaskRunner(max_workers=WORKERS)


@flow(name="rebuild", task_runner=RUNNER, retries=0, validate_parameters=True)
def rebuild(profile: str | None = None, targets: list[str] | None = None, force: bool = False) -> Any:
    """Rebuild the results of this working tree as far as they are out of date.

    Args:
        profile: set this profile in params.yaml first (`quick`, `sample`); none: leave it.
        targets: stages to bring up to date with all they need, e.g. `features`; none: all.
        force: run the stages even if nothing changed.

    Returns:
        stage -> name of its final state (`Completed`: it ran; `Cached`: nothing to do).
    """
    root, logger = find_root(), get_run_logger()
    try:
        with held(root, "trine flow", logger.info) as lock:
            is_switched = change_profile(root, profile, logger.info)
            found = look(root, lock, {} if force or is_switched else lookers(root, always_run(root)))
            graph = found.graph.select(targets) if targets else found.graph
            work = _Work(root, graph, lock, found, force=force)
            try:
                with compiling(root):
                    states = _run(work)
            finally:
                work.runner.stop()
    except TrineError as error:  # a fault that the user can fix: no traceback
        return Failed(message=str(error))
    _publish(states, work.seconds)
    failed = sorted(name for name, state in states.items() if state.is_failed() or state.is_crashed())
    if failed:
        waiting = sum(not state.is_final() for state in states.values())
        return Failed(message=f"failed: {', '.join(failed)}; {waiting} stages behind them did not run")
    return {name: str(state.name) for name, state in states.items()}


class _Work:
    """What the tasks of one run share: one look at what is out of date, and which stages have new outputs since.

    Args:
        root: of the working tree.
        graph: stages of this run.
        lock: of this run.
        found: what is out of date, and what the stages said that looked at their inputs.
        force: run every stage.
    """

    def __init__(self, root: Path, graph: Graph, lock: Held, found: Look, *, force: bool) -> None:
        self.root, self.graph, self.lock, self.force = root, graph, lock, force
        self.seconds: dict[str, float] = {}
        self.runner = Runner(root, variables=lock.environment())
        self._stale, self._lines = frozenset(graph.upstream if force else found.stale), found.lines
        self._renewed: set[str] = set()
        self._parameters = (root / "params.yaml").read_bytes()

    def is_unchanged(self, stage: str) -> bool:
        """Whether there is nothing to do: it was up to date at the start, and what it reads has not changed since."""
        return stage not in self._stale and self._renewed.isdisjoint(self.graph.upstream[stage])

    def unchanged(self, stage: str, show: Callable[[str], None]) -> State[Any]:
        """Return the state of a stage with nothing to do; one that always runs has looked at its inputs already."""
        for line in self._lines.get(stage, ()):
            show(line)
        looked: State[Any] = Completed(message="looked at its inputs, which are those of the last run")
        return looked if stage in self._lines else Completed(name="Cached", message="nothing changed")

    def reproduce(self, stage: str, show: Callable[[str], None]) -> State[Any]:
        """Bring one stage up to date through DVC."""
        options, before = ["--force"] if self.force else [], recorded_outputs(self.root, stage)
        lines = Lines(self.graph.always, show, False, self.lock.begins, self.lock.has_ended)
        command = dvc("--wait-for-lock", "repro", "--single-item", *options, stage)
        while True:
            status, tail = self.runner.run(command, lines.take)
            lines.end()
            if status == 0 or not is_busy(tail):
                break
            show("a stage that was started by hand has its turn first")
            self.lock.lend()
            if (self.root / "params.yaml").read_bytes() != self._parameters:
                return Failed(message=f"{stage}: params.yaml was changed by another run; start this one again")
        if status != 0:
            last = "\n".join(tail)
            return Failed(message=f"{stage}: dvc ended with status {status}\n{last}")
        after = recorded_outputs(self.root, stage)
        if after is None or after != before:
            self._renewed.add(stage)
        return Completed(message="ran") if lines.ran else Completed(name="Cached", message="restored from the cache")


def _run(work: _Work) -> dict[str, State[Any]]:
    """Submit one task per stage in running order, each waiting for its upstream ones, and return their last states."""

    # No retries: no stage calls a network. No Prefect cache: DVC's is the only one.
    @task(retries=0, cache_policy=NO_CACHE, persist_result=False)
    def run_stage(stage: str) -> State[Any]:
        """Bring one stage up to date."""
        if work.is_unchanged(stage):
            return work.unchanged(stage, get_run_logger().info)
        started = time.perf_counter()
        try:
            return work.reproduce(stage, get_run_logger().info)
        finally:
            work.seconds[stage] = time.perf_counter() - started

    futures: dict[str, PrefectFuture[Any]] = {}
    for stage, needs in work.graph.upstream.items():
        named = run_stage.with_options(name=stage, task_run_name=stage)
        futures[stage] = named.submit(stage, return_state=False, wait_for=[futures[need] for need in needs])
    wait(list(futures.values()))
    return {stage: future.state for stage, future in futures.items()}


def _publish(states: dict[str, State[Any]], seconds: dict[str, float]) -> None:
    """Show stage, state and seconds as a table in the UI."""
    rows = [f"| {name} | {state.name} | {seconds.get(name, 0.0):.1f} |" for name, state in states.items()]
    create_markdown_artifact(
        "\n".join(["| stage | state | seconds |", "|---|---|---|", *rows]), key="rebuild", description="Stages of this run"
    )


def _has_temporary_server() -> bool:
    return not PREFECT_API_URL.value()


def _wait_for_records(state: State[Any], stages: int) -> None:
    """Wait until the server has stored the last states, which reach it as events; a temporary one would be ended while it writes them."""
    ids = [identity] if (identity := state.state_details.flow_run_id) else None
    of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=ids))
    until = time.monotonic() + RECORD_LIMIT_S
    with get_client(sync_client=True) as client:
        while time.monotonic() < until:
            runs = client.read_task_runs(task_run_filter=of_run)
            if len(runs) >= stages and all(run.state and run.state.is_final() for run in runs):
                return
            time.sleep(RECORD_LOOK_S)


def main(root: Path, profile: str | None, targets: list[str] | None, force: bool) -> bool:
    """Run the flow once and print what became of the stages, the unchanged ones in one line; returns whether it succeeded."""
    started = time.perf_counter()
    # Nobody asks a temporary server for heartbeats, and a flow waits up to a second for the end of its own.
    is_temporary = _has_temporary_server()
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None} if is_temporary else {}):
        state = cast("State[Any]", rebuild(profile, targets, force, return_state=True))
    outcomes: dict[str, str] = state.result() if state.is_completed() else {}
    if is_temporary:
        _wait_for_records(state, len(outcomes))
    if not state.is_completed():
        print(state.message or state.name)
        return False
    ran = [name for name, outcome in outcomes.items() if outcome != "Cached"]
    print(f"ran {len(ran)} stages in {duration(time.perf_counter() - started)}: {', '.join(ran) or 'none'}")
    print(f"{len(outcomes) - len(ran)} stages unchanged")
    return True
