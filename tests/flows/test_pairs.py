"""Two commands at once end with the bytes of one after the other, and nothing of them is left."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flows.process import dvc, is_busy
from tests.worlds import toy_project as toy

TRINE = [sys.executable, "-m", "flows.cli"]
STAGE = [sys.executable, "-m", "tests.worlds.toy_project"]
PROFILES = ("quick", "sample")


def command(name: str) -> list[str]:
    """`run quick`, `run`, `report`, `stage first`, `repro`."""
    verb, *rest = name.split()
    match verb:
        case "run":
            return [*TRINE, "run", *(["--profile", *rest] if rest else [])]
        case "report":
            return [*TRINE, "run", "--target", "page"]
        case "stage":
            return [*STAGE, *rest]
        case _:
            return dvc("repro")


def start(project: Path, name: str, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(name),
        cwd=project,
        env=toy.variables(seconds),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def play(project: Path, first: str, second: str, delay_s: float, seconds: float) -> list[str]:
    """Start two commands one after the other; returns what they said. Both must succeed and leave nothing behind.

    Only `dvc repro`, started by hand, may be refused, with an exit code that is not 0: by DVC's own lock while a run is at the same
    stage, or at a stage whose inputs were made before a run switched the profile.
    """
    one = start(project, first, seconds)
    time.sleep(delay_s)
    two = start(project, second, seconds)
    said = [process.communicate(timeout=300)[0] for process in (one, two)]
    for process, words in zip((one, two), said, strict=True):
        is_refused = "repro" in process.args and (is_busy(words.splitlines()) or "the inputs disagree" in words)
        assert process.returncode == 0 or is_refused, words
        assert "Traceback" not in words
    assert toy.left_after(project, 5) == []
    assert [f.name for f in project.rglob(".*.new")] + [f.name for f in project.rglob(".*.old")] == []
    return said


def expected(profile: str) -> dict[str, Any]:
    """Files of a whole run of one profile, without the stamps."""
    first, second = f"first {profile}\n", f"first {profile}\nsecond {profile}\n"
    return {**{f"first/{i}": first for i in range(toy.FILES)}, **{f"second/{i}": second for i in range(toy.FILES)}}


def of_one_profile(project: Path) -> str:
    """The profile whose bytes all files have."""
    found = {name: text for name, text in toy.contents(project).items() if not name.endswith(".json")}
    fitting = [profile for profile in PROFILES if found == expected(profile)]
    assert len(fitting) == 1, found
    page = toy.read_json(project / "data" / "page.json")
    assert page["profile"] == page["made_from"]["profile"] == fitting[0]
    assert page["first"] == f"first of {fitting[0]}"
    return fitting[0]


def test_two_profiles_end_with_the_second_one(tmp_path: Path) -> None:
    project = toy.write_project(tmp_path)
    one, two = play(project, "run sample", "run quick", 1.0, 0.6)
    assert of_one_profile(project) == "quick"
    assert "rebuilt 3 stages in" in one
    assert "waiting for the run of PID" in two
    again = start(project, "run quick", 0.0).communicate(timeout=120)[0]
    assert "nothing changed" in again


def test_a_stage_started_twice_by_hand_is_whole(tmp_path: Path) -> None:
    project = toy.write_project(tmp_path)
    _, two = play(project, "stage first", "stage first", 0.6, 1.0)
    assert "waiting for the run of PID" in two
    assert "(stage first, since " in two
    found = toy.contents(project)
    assert {found[f"first/{i}"] for i in range(toy.FILES)} == {"first quick\n"}


def test_a_repro_by_hand_and_a_run_of_another_profile_never_mix(tmp_path: Path) -> None:
    project = toy.write_project(tmp_path)
    play(project, "repro", "run sample", 1.6, 0.6)
    assert of_one_profile(project) == "sample"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_random_pairs(tmp_path: Path, proof: Any) -> None:
    choice = random.Random(20)
    names = ["run quick", "run sample", "run", "report", "repro", "stage first", "stage second"]
    for number in range(10):
        project = toy.write_project(tmp_path / str(number))
        subprocess.run(command("run quick"), cwd=project, env=toy.variables(0), check=True, capture_output=True)
        pair, delay = choice.sample(names, 2), choice.uniform(0, 20)
        toy_params = (project / "params.yaml").read_text(encoding="utf-8")
        (project / "params.yaml").write_text(toy_params.replace("epoch: 0", "epoch: 1"), encoding="utf-8")
        play(project, *pair, delay, 6.0)
        subprocess.run(command("run"), cwd=project, env=toy.variables(0), check=True, capture_output=True)
        of_one_profile(project)
    proof(figure=10, bound="pairs of commands started within 0-20 s of each other: bytes of one after the other")


@pytest.mark.parametrize(("victim", "shell"), [("run", "/bin/bash"), ("run", "/bin/sh"), ("stage", "/bin/sh")])
def test_worker_processes_end_with_what_was_killed(tmp_path: Path, victim: str, shell: str) -> None:
    if not Path(shell).exists():
        pytest.skip(f"this machine has no {shell}")
    project = toy.write_project(tmp_path)
    with (project / "dvc.yaml").open("a", encoding="utf-8") as file:
        file.write(toy.NAP.format(python=sys.executable))
    line = [*TRINE, "run", "--target", "nap"] if victim == "run" else [*STAGE, "nap"]
    process = subprocess.Popen(
        line, cwd=project, env={**toy.variables(), "SHELL": shell}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while sum("spawn_main" in words for words in toy.processes(project)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert toy.left_after(project, 5) == []


def test_a_stage_that_fails_leaves_no_draft_and_ends_its_processes(tmp_path: Path) -> None:
    project = toy.write_project(tmp_path)
    process = start(project, "stage first", 30.0)
    until = time.monotonic() + 30
    while not list(project.rglob(".first.*.new/*")) and time.monotonic() < until:
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 143
    assert [f.name for f in (project / "data").iterdir()] == []
