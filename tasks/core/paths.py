"""Where the parts of a working tree lie that no stage writes. Not here: outputs of a stage (beside its code), reading or writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The roots of one working tree.

    Args:
        root: the folder that holds dvc.yaml.
    """

    root: Path

    @property
    def params_file(self) -> Path:
        """Parameters that change results."""
        return self.root / "params.yaml"

    @property
    def reference(self) -> Path:
        """Facts and figures with their sources, in git."""
        return self.root / "data" / "reference"

    @property
    def expectations(self) -> Path:
        """Great Expectations suites, one JSON per source."""
        return self.root / "expectations"

    @property
    def reports(self) -> Path:
        """The folder below which stages publish."""
        return self.root / "reports"

    def inbox(self, source: str) -> Path:
        """Where new traces of a source arrive (`from: inbox`)."""
        return self.root / "data" / "inbox" / source
