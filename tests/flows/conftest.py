"""A toy DVC project and one Prefect server for the whole session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worlds.toy_project import write_dvc

# Before the first import of prefect in this process: no analytics, state outside the user's home.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

TOY = """
stages:
  look:
    foreach: [left, right]
    do:
      cmd: test ! -e "no-${item}" && echo looked at ${item} && mkdir -p data && (echo ${item}; cat "new-${item}" || true) > "data/${item}"
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
    write_dvc(tmp_path)
    (tmp_path / "dvc.yaml").write_text(TOY, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One local server, and no heartbeat (each flow would wait a second for it at its end)."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
