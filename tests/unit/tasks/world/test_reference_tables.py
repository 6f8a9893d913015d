"""The tables of data/reference are what their sources give, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.core.paths import Paths
from tasks.world.reference_tables import build, main

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def sources(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue("sample_dir") / "reference"
    if not (folder / "metros.csv").is_file():
        pytest.skip(f"published figures not found in {folder}")
    return folder


def test_the_rebuild_equals_the_tables_in_git(sources: Path) -> None:
    found = build(sources)
    assert len(found) == 12
    reference = Paths(ROOT).reference
    assert [name for name, data in found.items() if (reference / name).read_bytes() != data] == []


def test_a_difference_is_named_and_fixed(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Paths(tmp_path).reference
    shutil.copytree(Paths(ROOT).reference, target)
    monkeypatch.chdir(tmp_path)
    energy = (target / "energy.csv").read_bytes()
    (target / "energy.csv").write_bytes(energy.replace(b"1.135", b"1.2"))
    (target / "vcpu.csv").unlink()
    assert main(["--from", str(sources), "--check"]) == 1
    assert "energy.csv: differs" in (said := capsys.readouterr().out)
    assert "vcpu.csv: differs" in said
    assert "zones.csv" not in said
    assert main(["--from", str(sources)]) == 0
    assert (target / "energy.csv").read_bytes() == energy
    assert main(["--from", str(sources), "--check"]) == 0


def test_a_folder_without_figures_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--from", str(tmp_path)]) == 1
    assert "metros.csv is missing" in capsys.readouterr().err
