"""Trainings that survive: a state on disk from which a killed stage goes on to the same bytes. Not here: what a state holds (models/).

States lie in `.trine/checkpoints/<stage>/<fingerprint>/<training>.pt`. The fingerprint is of everything that decides the result (settings,
data, code), so a state is never resumed by another training. States are written every TRINE_CHECKPOINT_S seconds and at the end of each
training; a stage that ends removes them.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
import simulator
from models.checkpoints import load_state, save_state
from tasks.core.environment import Environment
from tasks.core.files import read_json
from tasks.learning.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from models.training import Training
    from tasks.core.paths import Paths


class Checkpoints:
    """Runs the trainings of one stage, one after another, and remembers how far each is.

    with Checkpoints(paths, "train_tactical", fingerprint) as checkpoints:
        checkpoints.run("ppo_specified", training)

    Args:
        paths: of the working tree.
        stage: its name.
        fingerprint: see `fingerprint`.
    """

    def __init__(self, paths: Paths, stage: str, fingerprint: str) -> None:
        self._stage_folder = paths.root / ".trine" / "checkpoints" / stage
        self.folder, self._reporter = self._stage_folder / fingerprint, Reporter(paths, stage)
        self._every_s = Environment().checkpoint_s

    def __enter__(self) -> Checkpoints:
        """Forget the states of other fingerprints: nobody will resume them."""
        for other in self._stage_folder.glob("*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the states of a stage that ended well; keep those of one that did not."""
        self._reporter.close()
        if kind is None:
            shutil.rmtree(self._stage_folder, ignore_errors=True)

    def run(self, name: str, training: Training) -> None:
        """Run a training to its end, from its last state if there is one.

        Args:
            name: of the training inside the stage: an arm, or a round of a search.
            training: as it was made by the same settings and data.

        Raises:
            CheckpointError: the state on disk is damaged.
            TrainingError: the training exploded; its last good state stays on disk.
        """
        file, saved_s = self.folder / f"{name}.pt", time.monotonic()
        if file.is_file():
            training.restore(load_state(file))
        for progress in training.run():
            self._reporter.show(name, progress)
            if time.monotonic() - saved_s >= self._every_s:
                save_state(file, training.state())
                saved_s = time.monotonic()
        save_state(file, training.state())


def fingerprint(settings: dict[str, Any], data: str) -> str:
    """Return the digest of what decides a training: its settings, its data and all code that learns or is the world, 16 hex digits.

    Args:
        settings: of the stage, JSON.
        data: see `data_fingerprint`.
    """
    digest = hashlib.sha256(json.dumps([settings, data], sort_keys=True).encode())
    for package in (models, simulator):
        for root in package.__path__:
            for file in sorted(Path(root).rglob("*.py")):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def data_fingerprint(folders: Iterable[Path]) -> str:
    """Return the digest of scenarios by their folders: their descriptions hold the digests of all their arrays."""
    digest = hashlib.sha256()
    for folder in folders:
        digest.update(json.dumps(read_json(folder / "scenario.json"), sort_keys=True).encode())
    return digest.hexdigest()


def peak_memory() -> str:
    """The most memory this process has held so far, for the summary line of its stage."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:,.0f} MB"
