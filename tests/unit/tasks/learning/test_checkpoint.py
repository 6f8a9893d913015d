"""A training that is killed goes on from its state; progress is written. Not here: real learners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.training import Progress, State
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.progress import Reporter, StageProgress, progress_file


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_CHECKPOINT_S", "0")


class Counting:
    """Counts to ten; stops with an error at `fails_at`."""

    def __init__(self, fails_at: int = 99) -> None:
        self.at, self.fails_at, self.seen = 0, fails_at, 0

    def run(self) -> Iterator[Progress]:
        while self.at < 10:
            if self.at == self.fails_at:
                raise KeyboardInterrupt
            self.at, self.seen = self.at + 1, self.seen + 1
            yield Progress(self.at, 10, {"charts/at": float(self.at), "charts/none": float("inf")})

    def state(self) -> State:
        return {"at": self.at}

    def restore(self, state: State) -> None:
        self.at = state["at"]


def stop_in_second(paths: Paths) -> None:
    """A stage that is stopped in the fifth step of its second training."""
    try:
        with Checkpoints(paths, "train_toy", "abc") as checkpoints:
            checkpoints.run("first", Counting())
            checkpoints.run("second", Counting(fails_at=4))
    except KeyboardInterrupt:
        assert (checkpoints.folder / "second.pt").is_file()


def test_a_stage_that_was_stopped_goes_on(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    stop_in_second(paths)
    assert not progress_file(paths, "train_toy").exists()
    first, second = Counting(), Counting()
    with Checkpoints(paths, "train_toy", "abc") as checkpoints:
        checkpoints.run("first", first)
        checkpoints.run("second", second)
    assert (first.seen, second.at, second.seen) == (0, 10, 6)
    assert not checkpoints.folder.exists()


def test_states_of_another_fingerprint_are_not_resumed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    stop_in_second(paths)
    training = Counting()
    with Checkpoints(paths, "train_toy", "another") as others:
        assert not (others.folder.parent / "abc").exists()
        others.run("first", training)
    assert training.seen == 10


def test_the_fingerprint_is_of_settings_and_data(tmp_path: Path) -> None:
    for name, text in (("one", '{"a": 1}'), ("same", '{"a":  1}'), ("other", '{"a": 2}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scenario.json").write_text(text, encoding="utf-8")
    one, same, other = (data_fingerprint([tmp_path / name]) for name in ("one", "same", "other"))
    assert one == same != other
    assert fingerprint({"lr": 1}, one) == fingerprint({"lr": 1}, same)
    assert len({fingerprint({"lr": 1}, one), fingerprint({"lr": 2}, one), fingerprint({"lr": 1}, other)}) == 3
    assert peak_memory().endswith("MB")


def test_progress_is_written_and_drawn_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(Paths(tmp_path), "train_toy")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    reporter.show("toy", Progress(1, 4, {"charts/at": 1.0, "charts/none": float("inf")}))
    reporter.show("toy", Progress(2, 4, {}))  # within a second: not written
    found = read_record(progress_file(Paths(tmp_path), "train_toy"), StageProgress)
    assert (found.stage, found.what, found.done, found.total, found.metrics) == ("train_toy", "toy", 1, 4, {"charts/at": 1.0})
    assert "train_toy toy [########" in capsys.readouterr().err
    reporter.close()
    assert not progress_file(Paths(tmp_path), "train_toy").exists()
