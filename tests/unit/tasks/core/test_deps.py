"""Writing blocks into dvc.yaml and pins into versions.yaml. Not here: whether those of the repository are fresh (tests/contract)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from core.errors import ParameterError, TrineError
from tasks.core.closure import Closure
from tasks.core.deps import changes, with_blocks
from tasks.core.versions import pins, versions_text

TEXT = """# by people
stages:
  one:
    foreach: [a, b]
    do:
      cmd: run ${item}  # why
      deps:
        - data/x
      params:
        - seed
      outs:
        - "out/${item}"
  two:
    cmd: run
    outs:
      - y
"""
FOUND = {"one": Closure(("core/a.py", "tasks/${item}.py"), ("numpy",)), "two": Closure(("core/b.py",), ())}


def test_only_blocks_are_written_and_twice_is_once() -> None:
    text = with_blocks(TEXT, FOUND)
    stages = yaml.safe_load(text)["stages"]
    assert stages["one"]["do"]["deps"] == ["data/x", "core/a.py", "tasks/${item}.py"]
    assert stages["one"]["do"]["params"] == ["seed", {"versions.yaml": ["numpy"]}]
    assert stages["two"]["deps"] == ["core/b.py"]
    assert "params" not in stages["two"]
    assert with_blocks(text, FOUND) == text
    kept = [line for line in text.splitlines() if line in TEXT.splitlines()]
    assert kept == TEXT.splitlines(), "lines of people are never touched"


def test_a_block_follows_its_closure_and_what_is_below_it_stays() -> None:
    text = with_blocks(TEXT, FOUND).replace("        # end\n      params", "        # end\n        - data/below\n      params")
    fresh = with_blocks(text, FOUND | {"one": Closure(("core/c.py",), ())})
    one = yaml.safe_load(fresh)["stages"]["one"]["do"]
    assert one["deps"] == ["data/x", "core/c.py", "data/below"]
    assert one["params"] == ["seed"]
    assert "one: + core/c.py" in changes(text, fresh)
    assert "one: - core/a.py" in changes(text, fresh)


def test_what_cannot_be_edited_is_refused() -> None:
    with pytest.raises(ParameterError, match="not a list with one entry per line"):
        with_blocks(TEXT.replace("deps:\n        - data/x", "deps: [data/x]"), FOUND)
    broken = "\n".join(line for line in with_blocks(TEXT, FOUND).splitlines() if line.strip() != "# end")
    with pytest.raises(ParameterError, match="has no end"):
        with_blocks(broken, FOUND)


def test_versions_are_those_of_the_constraints(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# frozen\nNumPy==2.4.6\nscikit_learn==1.9.1  # why\nother>=1\n", encoding="utf-8")
    assert pins(tmp_path) == {"numpy": "2.4.6", "scikit-learn": "1.9.1"}
    assert yaml.safe_load(versions_text(tmp_path, iter(["scikit-learn", "numpy"]))) == {"numpy": "2.4.6", "scikit-learn": "1.9.1"}
    with pytest.raises(TrineError, match=r"imports torch, which constraints\.txt does not pin"):
        versions_text(tmp_path, iter(["numpy", "torch"]))
    assert pins(tmp_path / "nowhere") == {}
