"""The comparison of two checkouts finds every planted difference, and nothing that the map explains. Not here: real outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from tests.worlds.compare_outputs import compare_fields, main, renamed

DVC = """
stages:
  scan: {foreach: [a, b], do: {outs: [{"data/${item}.json": {persist: true}}]}}
  world: {outs: [data/world], metrics: [reports/metrics.json]}
  report: {outs: [reports/index.html, reports/tables]}
"""
PAGE = (
    '<h1>{title}</h1><script type="application/json" id="hours-figure">'
    '{{"wide": {{"data": [{{"x": [1, {x}], "name": "{title}"}}]}}}}</script>'
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def tree(root: Path) -> Path:
    """A checkout whose outputs are one file of every kind."""
    write(root / "dvc.yaml", DVC)
    for item in "ab":
        write(root / f"data/{item}.json", json.dumps({"from": "twin", "rows": [{"n": 1}, {"n": 2}], "none": [], "share": float("nan")}))
    write(root / "reports/metrics.json", '{"apps": 119, "share_0.5": 0.25}')
    write(root / "reports/index.html", PAGE.format(title="Old words", x=2))
    write(root / "reports/tables/t.csv", 'arm,cost\nhome,1.0\n"best, static",0.5\n')
    write(root / "reports/tables/t.tex", "\\begin{tabular}{lr}\narm & cost \\\\ \\hline\nhome & 1.0 \\\\\n\\end{tabular}\n")
    (root / "data/world").mkdir()
    np.save(root / "data/world/capacity.npy", np.array([[1.0, np.nan], [0.0, 4.0]]))
    pl.DataFrame({"arm": ["home", None], "usd": [1.0, float("nan")]}).write_parquet(root / "data/world/rows.parquet")
    return root


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tree(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tree(tmp_path / "new")


def replace(path: str, before: str, after: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert before in text
        write(root / path, text.replace(before, after))

    return change


def negative_zero(root: Path) -> None:
    np.save(root / "data/world/capacity.npy", np.array([[1.0, np.nan], [-0.0, 4.0]]))


def other_shape(root: Path) -> None:
    np.save(root / "data/world/capacity.npy", np.array([1.0, np.nan, 0.0, 4.0]))


def one_cell(root: Path) -> None:
    pl.DataFrame({"arm": ["home", "static"], "usd": [1.0, float("nan")]}).write_parquet(root / "data/world/rows.parquet")


def other_type(root: Path) -> None:
    pl.DataFrame({"arm": ["home", None], "usd": [1.0, float("nan")]}, schema_overrides={"usd": pl.Float32}).write_parquet(
        root / "data/world/rows.parquet"
    )


PLANTED = {
    "leaf": (replace("data/b.json", '"n": 2', '"n": 3'), "data/b.json", "rows.1.n: 2 is now 3"),
    "type of a leaf": (replace("data/a.json", '"n": 2', '"n": 2.0'), "data/a.json", "rows.1.n: int is now float"),
    "leaf added": (replace("data/a.json", '"n": 2', '"n": 2, "m": 0'), "data/a.json", "rows.1.m: added"),
    "leaf removed": (replace("reports/metrics.json", '"apps": 119, ', ""), "reports/metrics.json", "apps: removed"),
    "plotted number": (replace("reports/index.html", "[1, 2]", "[1, 7]"), "reports/index.html", "hours.wide.data.0.x.1: 2 is now 7"),
    "cell of a CSV": (replace("reports/tables/t.csv", "0.5", "0.50"), "reports/tables/t.csv", "cost: 1 of 2 values, the first in place 1"),
    "row of a CSV": (replace("reports/tables/t.csv", "home,1.0\n", ""), "reports/tables/t.csv", "shape (2,) is now (1,)"),
    "column of a CSV": (replace("reports/tables/t.csv", "cost", "usd"), "reports/tables/t.csv", "usd: added"),
    "cell of a table in LaTeX": (replace("reports/tables/t.tex", "1.0", "1.1"), "reports/tables/t.tex", "1.1: '1.0"),
    "bit of an array": (negative_zero, "data/world/capacity.npy", "array: 1 of 4 values, the first in place 2"),
    "shape of an array": (other_shape, "data/world/capacity.npy", "shape (2, 2) is now (4,)"),
    "cell of a column": (one_cell, "data/world/rows.parquet", "arm: 1 of 2 values, the first in place 1: None is now 'static'"),
    "type of a column": (other_type, "data/world/rows.parquet", "usd: Float64 is now Float32"),
    "file removed": (lambda root: (root / "data/world/capacity.npy").unlink(), "data/world/capacity.npy: removed", ""),
    "file added": (lambda root: write(root / "data/world/more.json", "{}"), "data/world/more.json: added", ""),
    "output not built": (lambda root: (root / "data/b.json").unlink(), "data/b.json: not built", ""),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_difference_is_reported_by_file_and_path(old: Path, new: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, file, says = PLANTED[what]
    change(new)
    assert main([str(old), str(new)]) == 1
    printed = capsys.readouterr().out
    assert file in printed
    assert says in printed


def test_equal_values_in_other_bytes_and_other_words_on_the_page_are_no_difference(
    old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace("reports/index.html", "Old words", "New words")(new)
    replace("data/a.json", ", ", " ,\n")(new)
    replace("reports/tables/t.tex", "arm & cost", "arm & USD")(new)
    pl.read_parquet(new / "data/world/rows.parquet").write_parquet(new / "data/world/rows.parquet", compression="uncompressed")
    assert main([str(old), str(new)]) == 0
    assert capsys.readouterr().out == "8 files, 4 equal byte by byte, 13 fields compared; 0 files or outputs differ\n"


def test_the_map_explains_names_and_nothing_else(old: Path, new: Path, tmp_path: Path) -> None:
    (new / "data/world/rows.parquet").rename(new / "data/world/arms.parquet")
    for path, before, after in (
        ("data/a.json", '"n"', '"count"'),
        ("data/b.json", '"n"', '"count"'),
        ("reports/tables/t.csv", "best, static", "static"),
        ("reports/metrics.json", '"apps": 119', '"seed": 1'),
    ):
        replace(path, before, after)(new)
    names = {
        "files": {"renamed": {"data/world/rows.*": "data/world/arms.*"}},
        "fields": [
            {"files": "data/*.json", "renamed": {"rows.*.n": "rows.*.count"}},
            {"files": "reports/tables", "values": {"arm": {"best, static": "static"}}},
            {"files": "reports/metrics.json", "added": {"seed": "asked for"}, "removed": {"apps": "said twice"}},
        ],
    }
    said = tmp_path / "map.yaml"
    write(said, yaml.safe_dump(names))
    assert main([str(old), str(new)]) == 1
    assert main([str(old), str(new), "--map", str(said)]) == 0
    replace("data/a.json", '"count": 2', '"count": 3')(new)  # a renamed field keeps its value
    assert main([str(old), str(new), "--map", str(said)]) == 1


def test_a_pattern_means_one_part_and_everything_below() -> None:
    names = {"world.*.bound": "world.*.is_binding"}
    assert renamed(names, "world.calm.bound", ".") == "world.calm.is_binding"
    assert renamed(names, "world.calm.bound.3", ".") == "world.calm.is_binding.3"
    assert renamed(names, "world.calm.bounds", ".") == "world.calm.bounds"
    assert renamed(names, "world.a.b.bound", ".") == "world.a.b.bound"


def test_a_column_with_no_rows_equals_itself() -> None:
    assert list(compare_fields({"arm": []}, {"arm": []}, [])) == []
