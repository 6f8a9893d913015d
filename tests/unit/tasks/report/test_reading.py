"""What the page read is what its fingerprint says: one door, nothing read beside it, CSV files included."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.report.page import FINGERPRINT, Page
from tasks.report.reading import Inputs
from tasks.report.report import found_sections
from tests.worlds.page_inputs import build, write_tree

OPENED: list[Path] | None = None
DOOR = "reading.py"
OPENING = {"open", "read_text", "read_bytes", "read_json", "read_record", "read_csv", "read_parquet", "scan_csv", "loads", "load"}


def _note(event: str, args: tuple[Any, ...]) -> None:
    if OPENED is not None and event == "open" and isinstance(args[0], str) and not (isinstance(args[1], str) and set(args[1]) & set("wax")):
        OPENED.append(Path(args[0]))


sys.addaudithook(_note)


@contextmanager
def watched() -> Iterator[list[Path]]:
    """The files that Python opens for reading meanwhile."""
    global OPENED
    OPENED = found = []
    try:
        yield found
    finally:
        OPENED = None


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, built_world: Paths) -> Path:
    """A working tree with every input that a page can have; to be copied or read only."""
    return write_tree(tmp_path_factory.mktemp("tree"), built_world)


@pytest.fixture(scope="module")
def original(tree: Path) -> tuple[Page, set[str]]:
    """The page of the tree, and the files of the tree that were opened for it."""
    with watched() as opened:
        page = composed(tree)
    return page, {file.relative_to(tree).as_posix() for file in opened if file.is_relative_to(tree)} - {"params.yaml"}


def composed(root: Path) -> Page:
    """A page with all its sections, not written."""
    paths = Paths(root)
    page = Page(params_module.load(paths.params_file), paths)
    for _, section in found_sections():
        section.add(page)
    return page


def fingerprint_of(text: str) -> str:
    found = set(re.findall(r"· data ([0-9a-f]+)", text))
    assert len(found) == 1
    return found.pop()


def test_every_file_that_the_sections_open_is_recorded(original: tuple[Page, set[str]]) -> None:
    page, inside = original
    assert inside == set(page.inputs.files)
    assert {"reports/world/landscape.csv", "reports/world/classes.csv", "data/reference/land.csv", "reports/eda/volumes.json"} <= inside


def test_a_file_read_beside_the_door_is_seen(tree: Path) -> None:
    with watched() as opened:
        (tree / "reports" / "world" / "calibration.csv").read_text(encoding="utf-8")
    assert opened == [tree / "reports" / "world" / "calibration.csv"]


def test_only_the_door_has_the_means_to_read(repository: Path) -> None:
    """No other module of the page calls anything that opens or parses a file, except for its own style sheet."""
    package = repository / "tasks" / "report"
    found = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                through_page = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in ("page", "self.inputs")
                if name in OPENING and not through_page:
                    found.append((file.relative_to(package).as_posix(), ast.unparse(node)))
    outside = [call for name, call in found if name != DOOR]
    allowed = {"(STYLE / name).read_text(encoding='utf-8')", "json.loads(figure.to_json())", "load(page)"}
    assert set(outside) == allowed
    assert any(name == DOOR for name, _ in found)


@pytest.mark.parametrize("name", ["reports/world/without_five.csv", "data/reference/land.csv", "reports/eda/gaps.json"])
def test_an_edited_file_changes_the_fingerprint(original: tuple[Page, set[str]], tree: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    file = tmp_path / name
    content = file.read_text(encoding="utf-8")
    file.write_text(content + "\n", encoding="utf-8")
    assert composed(tmp_path).inputs.fingerprint != original[0].inputs.fingerprint


def test_a_file_that_is_not_read_does_not_change_it(original: tuple[Page, set[str]], tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    (tmp_path / "reports" / "world" / "calibration.csv").write_text("other\n", encoding="utf-8")
    assert composed(tmp_path).inputs.fingerprint == original[0].inputs.fingerprint


def test_the_page_names_the_fingerprint_of_all_it_read(original: tuple[Page, set[str]], tree: Path, tmp_path: Path) -> None:
    """Also in the parts that were made before the last file was read."""
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    text = build(tmp_path).read_text(encoding="utf-8")
    assert FINGERPRINT not in text
    assert fingerprint_of(text) == original[0].inputs.fingerprint


def test_a_missing_file_is_no_input_until_it_is_there(tmp_path: Path) -> None:
    assert Inputs(tmp_path).rows("a.csv") == []
    empty = Inputs(tmp_path)
    empty.rows("a.csv")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    full = Inputs(tmp_path)
    assert full.rows("a.csv") == [{"x": "1", "y": "2"}]
    assert (empty.files, full.files) == ((), ("a.csv",))
    assert empty.fingerprint != full.fingerprint
