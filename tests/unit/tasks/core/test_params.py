"""Reading params.yaml: overrides of the profile, the view of what is declared, messages. Not here: sections of the stages."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from pydantic import Field

from core.errors import ParameterError
from simulator.parameters import Section
from tasks.core.params import load, merge
from tasks.core.stages import declared_parameters

TEXT = """
profile: sample
profiles: [quick, sample]
seed: 3
epoch: 0
mix:
  size: 10
  inner: {low: 1, high: 2}
  by_profile:
    sample: {size: 5, inner: {high: 7}}
traces:
  one: {size: 1, by_profile: {sample: {size: 2}}}
  two: {size: 1}
"""


class Inner(Section):
    low: int
    high: int


class Mix(Section):
    size: int = Field(ge=1)
    inner: Inner


class Size(Section):
    size: int


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "params.yaml"


def changed(file: Path, old: str, new: str) -> Path:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def test_the_profile_overrides_the_section_in_which_its_values_lie(file: Path) -> None:
    found = load(file)
    assert found.section("mix", Mix) == Mix(size=5, inner=Inner(low=1, high=7))
    assert [found.section(f"traces.{name}", Size).size for name in ("one", "two")] == [2, 1]
    quick = load(changed(file, "profile: sample", "profile: quick"))
    assert quick.section("mix", Mix) == Mix(size=10, inner=Inner(low=1, high=2))
    assert quick.section("traces.one", Size).size == 1


def test_what_is_not_declared_cannot_be_read(file: Path) -> None:
    found = load(file, ["profile", "seed", "traces.one"])
    assert (found.seed, found.profile, found.section("traces.one", Size).size) == (3, "sample", 2)
    for read in (
        lambda: found.section("mix", Mix),
        lambda: found.section("traces.two", Size),
        lambda: found.section("traces", Size),
        lambda: found.epoch,
        lambda: found.changed({"seed": 4}).window_days,
    ):
        with pytest.raises(ParameterError, match="does not declare it"):
            read()
    assert load(file, ["profile", "traces"]).section("traces.two", Size).size == 1


def test_overrides_need_the_profile_as_a_parameter(file: Path) -> None:
    for declared in (["mix"], ["traces"], ["traces.one"]):
        with pytest.raises(ParameterError, match="does not declare `profile`"):
            load(file, declared)
    assert load(file, ["traces.two"]).section("traces.two", Size).size == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("profile: sample", "profile: sampel", "unknown profile 'sampel'"),
        ("sample: {size: 5", "smaple: {size: 5", "unknown profile 'smaple'"),
        ("{size: 5, inner", "{sise: 5, inner", "unknown parameter 'mix.sise'.*did you mean 'size'"),
        ("profiles: [quick, sample]", "", "needs the keys"),
        ("seed: 3", "seed: [3", "not valid YAML"),
    ],
)
def test_faults_of_the_file(file: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        load(changed(file, old, new))
    assert re.search(words, str(caught.value), re.DOTALL)


def test_faults_of_a_section_name_all_values_and_the_nearest_key(file: Path) -> None:
    found = load(changed(changed(file, "  size: 10", "  sise: 10\n  size: 10"), "sample: {size: 5", "sample: {size: 0"))
    with pytest.raises(ParameterError) as caught:
        found.section("mix", Mix)
    assert "mix.size is 0 (allowed: whole number, 1 to 1e+12)" in str(caught.value)
    assert "mix.sise: unknown key (did you mean 'size'?)" in str(caught.value)
    with pytest.raises(ParameterError, match="has no 'mixx'"):
        found.section("mixx", Mix)
    with pytest.raises(ParameterError, match="seed is -1"):
        found.changed({"seed": -1}).seed.bit_length()


def test_a_changed_copy_leaves_the_original_and_refuses_unknown_keys(file: Path) -> None:
    found = load(file)
    assert found.changed({"seed": 9, "mix.inner.low": 0}).section("mix", Mix).inner == Inner(low=0, high=7)
    assert (found.seed, found.section("mix", Mix).inner.low) == (3, 1)
    with pytest.raises(ParameterError, match=r"has no 'mix\.inner\.lo'(.|\n)*did you mean 'low'"):
        found.changed({"mix.inner.lo": 0})
    assert pickle.loads(pickle.dumps(found)).seed == 3  # noqa: S301 (our own bytes: it goes to other processes)
    with pytest.raises(ParameterError, match="known keys: a"):
        merge({"a": 1}, {"zzz": 1}, "")


def test_declared_parameters_fill_in_the_item_and_leave_pins_out(tmp_path: Path) -> None:
    text = 'stages:\n  s:\n    foreach: [x]\n    do:\n      params: [seed, "traces.${item}", {versions.yaml: [numpy]}]\n  t: {cmd: a}\n'
    (tmp_path / "dvc.yaml").write_text(text, encoding="utf-8")
    assert declared_parameters(tmp_path, "s", "x") == ("seed", "traces.x")
    assert declared_parameters(tmp_path, "t") == ()
    with pytest.raises(ParameterError, match="no stage 'u'"):
        declared_parameters(tmp_path, "u")
