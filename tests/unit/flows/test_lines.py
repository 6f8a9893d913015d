"""What a user sees of DVC."""

from __future__ import annotations

import pytest

from flows.graph import why
from flows.lines import Lines
from tasks.core.progress import CLEAR

REBUILT = """Running stage 'scan@a':
> python -m tasks scan a
scan@a: 14 files, 2.4 s
Updating lock file 'dvc.lock'

Stage 'ingest@a' didn't change, skipping
Stage 'eda' is cached - skipping run, checking out outputs
Running stage 'scenario':
> python -m tasks scenario
progress: worlds: 1 of 8, about 9 s left
scenario: 8 scenarios, 9.0 s
Updating lock file 'dvc.lock'

To track the changes with git, run:

\tgit add dvc.lock

To enable auto staging, run:

\tdvc config core.autostage true
Use `dvc push` to send your updates to remote storage."""


def taken(text: str, *, is_terminal: bool = False) -> tuple[Lines, list[str], list[str]]:
    shown: list[str] = []
    told: list[str] = []
    lines = Lines(frozenset({"scan"}), shown.append, is_terminal, told.append, lambda stage: told.append(f"{stage} ended"))
    for line in text.splitlines():
        lines.take(line)
    lines.end()
    return lines, shown, told


def test_stages_speak_and_dvc_does_not() -> None:
    lines, shown, told = taken(REBUILT)
    assert shown == ["scan@a: 14 files, 2.4 s", "scenario: 8 scenarios, 9.0 s"]
    assert told == ["scan@a", "scan@a ended", "scenario", "scenario ended"]
    assert lines.summary(449.0) == "rebuilt 1 stage, restored 1 stage from the cache in 7 min 29 s; 2 stages unchanged"


def test_nothing_changed_is_one_line() -> None:
    skipped = "\n".join(f"Stage 'stage{i}' didn't change, skipping" for i in range(18))
    lines, shown, _ = taken("Running stage 'scan@a':\n> python -m tasks scan a\nscan@a: off\n" + skipped)
    assert shown == ["scan@a: off"]
    assert lines.summary(3.0) == "nothing changed: every result is up to date (only looked at the inputs: scan@a)"
    assert taken("Data and pipelines are up to date.")[0].summary(1.0) == "nothing changed: every result is up to date"


def test_faults_are_shown_as_they_come() -> None:
    fault = "Running stage 'eda':\n> python -m tasks eda\neda failed: x\n  where: y\n  fix: z\nERROR: failed to reproduce 'eda'"
    assert taken(fault)[1] == ["eda failed: x", "  where: y", "  fix: z", "ERROR: failed to reproduce 'eda'"]


def test_a_terminal_shows_the_running_stage_in_a_line_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    taken(REBUILT, is_terminal=True)
    written = capsys.readouterr().err
    assert f"{CLEAR}scenario · worlds: 1 of 8, about 9 s left" in written
    assert written.endswith(CLEAR)


def test_reasons_in_words() -> None:
    reasons = [
        {"changed deps": {"params.yaml": {"seed": "modified", "epoch": "new"}, "data/a": "deleted"}},
        {"changed outs": {"data/b": "modified"}},
        "changed command",
        "always changed",
    ]
    assert why(reasons) == ["params.yaml: seed modified, epoch new", "data/a missing", "data/b modified (an output)", "the command changed"]
