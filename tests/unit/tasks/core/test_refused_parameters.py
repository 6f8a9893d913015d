"""Every value that a stage cannot use is refused with key, value and bounds. Not here: profiles, what is declared (test_params)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import ParameterError
from simulator.parameters import Section, World
from tasks.core import parameter_docs
from tasks.core.app_classes import AppClasses
from tasks.core.params import Params, load
from tasks.data.features_settings import FeaturesSettings
from tasks.data.traces import Trace
from tasks.evaluation.evaluate_settings import EvaluateSettings
from tasks.world.scenario_settings import ScenarioSettings

NAN, INFINITY = float("nan"), float("inf")
REFUSED: list[tuple[str, Any, type[Section], str]] = [
    ("features.rolling_min", [-1], FeaturesSettings, r"features.rolling_min\[0\] is -1 \(allowed: .*each 1 to 527040"),
    ("features.rolling_min", [1, 0], FeaturesSettings, r"features.rolling_min\[1\] is 0"),
    ("features.rolling_min", [5, 5], FeaturesSettings, "one length is listed twice"),
    ("features.step_s", 7, FeaturesSettings, "rolling_min has 1, which is no whole number of steps"),
    ("features.step_s", True, FeaturesSettings, "features.step_s is True .*true and false are no numbers.*1 to 3600"),
    ("features.lags_s", [15, 20], FeaturesSettings, "lags_s has 20, which is no whole number of steps"),
    ("features.lags_s", [-15], FeaturesSettings, r"features.lags_s\[0\] is -15"),
    ("features.lags_s", [True], FeaturesSettings, "true and false are no numbers"),
    ("features.split", [0.7, 0.2, 0.2], FeaturesSettings, "features.split is .*sum to 1.1"),
    ("features.split", [0.7, 0.3, 0.0], FeaturesSettings, "no part may be empty"),
    ("features.split", [1.2, -0.1, -0.1], FeaturesSettings, r"features.split\[0\] is 1.2"),
    ("features.split", [0.7, 0.3], FeaturesSettings, "features.split"),
    ("features.vcpu_mb", INFINITY, FeaturesSettings, "features.vcpu_mb is inf .*above 0, at most 1000000"),
    ("features.vcpu_mb", "1e300", FeaturesSettings, "features.vcpu_mb is '1e300'"),
    ("features.early_stopping_share", NAN, FeaturesSettings, "features.early_stopping_share is nan .*at least 0, below 1"),
    ("features.source", "azure2020", FeaturesSettings, "features.source is 'azure2020' .*azure2021 | azure2019"),
    ("app_classes.low_below", 100, AppClasses, "the limits do not rise: rare_below 100, low_below 100"),
    ("app_classes.mid_below", 1e300, AppClasses, "app_classes.mid_below is 1e"),
    ("scenario.families", {"calm": {"quta_per_placement": 3}}, ScenarioSettings, "scenario.families.calm.quta_per_placement: .*'quota_per"),
    ("scenario.families", {"calm": {"quota_per_placement": 0}}, ScenarioSettings, "calm.quota_per_placement is 0 .*1 to 1000000 or null"),
    ("scenario.families", {"Calm": {}}, ScenarioSettings, "scenario.families.Calm"),
    ("scenario.seeds", [1, 1], ScenarioSettings, "seeds must differ"),
    ("scenario.split_steps", [5, 5, 6], ScenarioSettings, "must rise"),
    ("evaluate.seeds", [-1], EvaluateSettings, r"evaluate.seeds\[0\] is -1"),
    ("traces.azure2021.rate", INFINITY, Trace, "traces.azure2021.rate is inf"),
    ("traces.azure2021.from", "inbax", Trace, "'inbax' is none of"),
    ("world.slowdown.kne", 1, World, "world.slowdown has no|has no 'world.slowdown.kne'"),
    ("world.slowdown.knee", INFINITY, World, "world.slowdown.knee is inf .*below 1"),
    ("world.objective", 1, World, "has no 'world.objective'"),
    ("world.timeout_s", 1e300, World, "world.timeout_s is 1e.*0 to 86400"),
    ("world.step_s", 7, World, "world: step_s 7 does not divide 300"),
    ("world.cold_start.package_share", [0.5, 0.2, 0.1], World, "sum to 0.8"),
    ("world.workload.payload_share", [1.5, -0.5, 0], World, r"payload_share\[0\] is 1.5"),
    ("world", 3, World, "world: "),
]


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load(repository / "params.yaml")


@pytest.mark.parametrize(("key", "value", "kind", "words"), REFUSED, ids=[f"{key}={value}" for key, value, _, _ in REFUSED])
def test_a_value_is_refused_with_its_key_and_bounds(params: Params, key: str, value: Any, kind: type[Section], words: str) -> None:
    section = ".".join(key.split(".")[: 2 if key.startswith("traces") else 1])
    with pytest.raises(ParameterError, match=words) as caught:
        params.changed({key: value}).section(section, kind)
    assert "\n" not in caught.value.what
    assert "params.yaml" in caught.value.where


@pytest.mark.parametrize("name", ["seed", "epoch", "as_of_day", "window_days"])
@pytest.mark.parametrize("value", [True, -1, 1e300, NAN, INFINITY, "3", [3], None])
def test_a_whole_number_outside_of_sections_is_one(params: Params, name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name} is .*whole number"):
        getattr(params.changed({name: value}), name)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"profile: quick", b"profile: [x]", r"the profile is \['x'\], not a name"),
        (b"profile: quick", b"profile: 3", "the profile is 3"),
        (b"profile: quick", b"profile: quik", "unknown profile 'quik'; did you mean 'quick'"),
        (b"profile: quick", b"profile: qu\xffck", "not UTF-8"),
        (b"profiles: [quick", b"profiles: [[1], quick", "needs the keys"),
        (b"seed: 1\n", b"seed: 1\nseed: 2\n", "the key 'seed' is listed twice"),
        (b"seed: 1\n", b"seed: \x00\n", "not valid YAML"),
        (b"by_profile: {sample: {from", b"by_profile: {sampel: {from", "unknown profile 'sampel'"),
        (b'{sample: {from: "path:$TRINE_SAMPLE_DIR/azure/2021"}, own: {from: inbox}}', b"[sample]", "not a map of profiles"),
        (b'{sample: {from: "path:$TRINE_SAMPLE_DIR/azure/2021"}, own: {from: inbox}}', b"{quick: 3}", "quick is 3, not a map of values"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(repository: Path, tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    data = (repository / "params.yaml").read_bytes()
    data = data.replace(data[data.index(b"profile: ") : data.index(b"\n", data.index(b"profile: "))], b"profile: quick", 1)
    assert old in data
    (tmp_path / "params.yaml").write_bytes(data.replace(old, new, 1))
    with pytest.raises(ParameterError, match=words):
        load(tmp_path / "params.yaml")


def test_a_single_value_follows_the_profile(repository: Path, tmp_path: Path) -> None:
    text = "profile: own\nprofiles: [own, quick]\nseed: {default: 1, by_profile: {own: 7}}\n"
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert load(tmp_path / "params.yaml").seed == 7
    (tmp_path / "params.yaml").write_text(text.replace("profile: own", "profile: quick"), encoding="utf-8")
    assert load(tmp_path / "params.yaml").seed == 1


def test_every_section_is_documented_and_the_table_is_fresh(repository: Path) -> None:
    assert parameter_docs.fresh(repository) == (repository / "docs" / "parameters.md").read_text(encoding="utf-8"), "run: make deps"
    table = parameter_docs.table(repository)
    assert "| `features.split` | list of 3 numbers, each 0 to 1 |" in table
    assert "| `scenario.families.<name>.is_fenced` | true or false |" in table
    assert "| `traces.<source>.from` |" in table


def test_the_table_is_written_between_its_marks(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copy(repository / "params.yaml", tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "parameters.md").write_text(
        f"before\n{parameter_docs.BEGIN}\nold\n{parameter_docs.END}\nafter\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert parameter_docs.main(["--check"]) == 1
    assert parameter_docs.main([]) == 0
    assert parameter_docs.main(["--check"]) == 0
    text = (tmp_path / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert text.startswith(f"before\n{parameter_docs.BEGIN}\n| key | allowed | meaning |\n")
    assert text.endswith(f"{parameter_docs.END}\nafter\n")
    (tmp_path / "docs" / "parameters.md").write_text("no marks\n", encoding="utf-8")
    assert parameter_docs.main([]) == 1
