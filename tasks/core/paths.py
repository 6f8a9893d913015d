"""Where every file of the pipeline lives. Belongs here: paths only. Does not: reading or writing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOURCES = ("azure2021", "azure2019", "google2019", "google2011")


@dataclass(frozen=True)
class Paths:
    """All paths of one working tree.

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

    def inbox(self, source: str) -> Path:
        """Where new traces of a source arrive (`from: inbox`)."""
        return self.root / "data" / "inbox" / source

    def raw(self, source: str) -> Path:
        """Manifest of a source and, for the twin, its files (in `files/`)."""
        return self.root / "data" / "raw" / source

    def manifest(self, source: str) -> Path:
        """What `scan` found: name, kind, bytes, sha256, lines, first and last day of each raw file."""
        return self.raw(source) / "manifest.json"

    def staged(self, source: str) -> Path:
        """Canonical tables of a source: `day=NN/<table>.parquet`, id tables, `rejects.parquet`, `ingest.json`."""
        return self.root / "data" / "staged" / source

    def ingest_report(self, source: str) -> Path:
        """Counts of the last ingest: rows in, staged, rejected, and the totals of the source."""
        return self.staged(source) / "ingest.json"

    def verdict(self, source: str) -> Path:
        """Validation verdict that gates every consumer."""
        return self.root / "reports" / "validation" / f"{source}.json"

    @property
    def twin_fit(self) -> Path:
        """Goodness of fit of the twin: rows of target, twin, real, tolerance, pass."""
        return self.root / "reports" / "validation" / "twin_fit.json"

    @property
    def features(self) -> Path:
        """train/valid/test.parquet, apps.parquet, regions.parquet, scaler.json, features.json."""
        return self.root / "data" / "features"

    @property
    def eda(self) -> Path:
        """One JSON per question of the exploratory analysis."""
        return self.root / "reports" / "eda"

    @property
    def scenario(self) -> Path:
        """`<family>-<seed>/` and `workload-<seed>/`: arrays that the simulator replays; scenarios.json lists them."""
        return self.root / "data" / "scenario"

    @property
    def baselines(self) -> Path:
        """chosen.json (parameters and placements of the rules) and one folder of knowledge per scenario."""
        return self.root / "data" / "models" / "baselines"

    @property
    def evaluation(self) -> Path:
        """`<group>.parquet`: rows by (arm, seed, scenario, app, hour); bound.json."""
        return self.root / "data" / "evaluation"

    @property
    def world(self) -> Path:
        """Landscape, calibration and sensitivity of the world, as CSV and JSON."""
        return self.root / "reports" / "world"

    @property
    def calibration(self) -> Path:
        """The world against theory and measurement, bill of a call, limits, sensitivity; the checks also as .csv."""
        return self.world / "calibration.json"

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.root / "reports" / "index.html"

    @property
    def report_tables(self) -> Path:
        """CSV and LaTeX of every figure and table of the page."""
        return self.root / "reports" / "tables"

    @property
    def page_numbers(self) -> Path:
        """Every headline number of the page."""
        return self.root / "reports" / "page_numbers.json"
