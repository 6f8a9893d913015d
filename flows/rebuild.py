"""The flow that rebuilds what changed: one Prefect task per DVC stage. Not here: edges and cache (DVC has both), the work (tasks/)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner

from flows import graph as graphs
from flows.process import Runner, dvc, find_root
from flows.profile import set_profile

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
    if profile is not None and set_profile(root / "params.yaml", profile):
        logger.info("params.yaml: profile is now %s", profile)
    graph = graphs.read(root)
    if targets:
        graph = graph.select(targets)
    seconds: dict[str, float] = {}
    runner = Runner(root)
    try:
        states = _run(runner, graph, force, seconds)
    finally:
        runner.stop()
    _publish(states, seconds)
    failed = sorted(name for name, state in states.items() if state.is_failed() or state.is_crashed())
    if failed:
        waiting = sum(not state.is_final() for state in states.values())
        return Failed(message=f"failed: {', '.join(failed)}; {waiting} stages behind them did not run")
    return {name: str(state.name) for name, state in states.items()}


def _run(runner: Runner, graph: graphs.Graph, force: bool, seconds: dict[str, float]) -> dict[str, State[Any]]:
    """Submit one task per stage in running order, each waiting for its upstream ones, and return their last states."""

    # No retries: no stage calls a network. No Prefect cache: DVC's is the only one.
    @task(retries=0, cache_policy=NO_CACHE, persist_result=False)
    def run_stage(stage: str) -> State[Any]:
        """Bring one stage up to date through DVC."""
        started = time.perf_counter()
        logger = get_run_logger()
        ran = False

        def on_line(line: str) -> None:
            nonlocal ran
            ran = ran or line == f"Running stage '{stage}':"
            if line:
                logger.info("%s", line)

        options = ["--force"] if force else []
        status, tail = runner.run(dvc("--wait-for-lock", "repro", "--single-item", *options, stage), on_line)
        seconds[stage] = time.perf_counter() - started
        if status != 0:
            last = "\n".join(tail)
            return Failed(message=f"{stage}: dvc ended with status {status}\n{last}")
        return Completed(message="ran") if ran else Completed(name="Cached", message="nothing changed")

    futures: dict[str, PrefectFuture[Any]] = {}
    for stage, needs in graph.upstream.items():
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


def main(root: Path, profile: str | None, targets: list[str] | None, force: bool) -> bool:
    """Run the flow once and print the state of every stage; returns whether it succeeded."""
    state = cast("State[Any]", rebuild(profile, targets, force, return_state=True))
    print(state.message or state.name)
    if state.is_completed():
        for name, outcome in state.result().items():
            print(f"  {name}: {outcome}")
    return bool(state.is_completed())
