"""A toy DVC project and one Prefect server for the whole session."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.process import dvc, environment

# Before the first import of prefect in this process: no analytics, state outside the user's home.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

TOY = """
stages:
  look:
    foreach: [left, right]
    do:
      cmd: echo looked at ${item} && mkdir -p data && echo ${item} > "data/${item}"
      outs: ["data/${item}"]
      always_changed: true
  copy:
    foreach: [left, right]
    do:
      cmd: test ! -e "broken-${item}" && cp "data/${item}" "data/copy-${item}"
      deps: ["data/${item}"]
      params: [epoch]
      outs: ["data/copy-${item}"]
  join:
    cmd: cat data/copy-left data/copy-right > data/joined
    deps: [data/copy-left, data/copy-right]
    outs: [data/joined]
"""
PARAMS = """# two profiles
profile: quick     # keep me
epoch: 0
profiles: [quick, sample]
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project of five trivial stages; the current folder is its root."""
    (tmp_path / "dvc.yaml").write_text(TOY, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    subprocess.run(dvc("init", "--no-scm", "-q"), cwd=tmp_path, env=environment(), check=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n analytics = false\n check_update = false\n no_scm = true\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One local server, and no heartbeat (each flow would wait a second for it at its end)."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
