"""The typed form of params.yaml. Belongs here: fields, bounds, the profile's merge. Does not: environment settings (settings.py)."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from core.errors import ParameterError
from simulator.parameters import Family, Objective, Section, Slo, World
from tasks.core.app_classes import AppClasses


class Trace(Section):
    """Where the files of one trace source come from, and the size of its twin."""

    origin: str = Field(alias="from", description="twin | path:<dir> | inbox | off")
    days: int = Field(default=14, ge=1, le=366, description="days of the twin")
    apps: int = Field(default=119, ge=1, le=100_000, description="apps of the azure2021 twin")
    rate: float = Field(default=1.0, gt=0, le=1000, description="factor on the call rate of the azure2021 twin")

    @field_validator("origin")
    @classmethod
    def known_origin(cls, value: str) -> str:
        """Accept the four origins only."""
        if value in ("twin", "inbox", "off") or (value.startswith("path:") and len(value) > 5):
            return value
        raise ValueError(f"'{value}' is none of twin, path:<dir>, inbox, off")


class Ingest(Section):
    """Bounds of a plausible row, and what is drawn where a source is silent."""

    max_duration_s: int = Field(ge=1, description="a longer call is rejected")
    max_arrival_day: int = Field(ge=1, le=36_500, description="arrivals outside [0, this) days are rejected")
    memory_median_mb: float = Field(gt=0)
    memory_sigma: float = Field(ge=0)
    cell_level_median: float = Field(gt=0, lt=1)
    cell_level_spread: float = Field(ge=0, lt=1)


class Validate(Section):
    """How much of a failure is shown."""

    sample_rows: int = Field(ge=0, le=100)


class TwinFit(Section):
    """The tolerances are those of data/reference; nothing to set."""


class Features(Section):
    """Sources, bins, windows, lags, the split in time."""

    source: Literal["azure2021", "azure2019"] = Field(description="of the calls")
    cells: Literal["google2019"] = Field(description="source of the regions' utilisation")
    step_s: int = Field(ge=1, le=3600)
    rolling_min: tuple[int, ...]
    lags_s: tuple[int, ...]
    split: tuple[float, float, float]
    early_stopping_share: float = Field(ge=0, lt=1)
    vcpu_mb: float = Field(gt=0)
    carbon_month: int = Field(ge=1, le=12)


class Scenario(Section):
    """Which worlds are built: seeds x families, on what calls, how long, with which carbon."""

    calls: Literal["staged", "twin"] = Field(description="staged: the seed equal to `seed` replays the staged `source`; twin: none does")
    source: Literal["azure2021"] = Field(description="of the staged calls")
    cells: Literal["google2019"] = Field(description="source of the zones' utilisation")
    seeds: tuple[int, ...] = Field(min_length=1, description="of twins and of everything drawn")
    families: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Family] = Field(
        min_length=1, description="changes of the world by name"
    )
    days: int = Field(ge=1, le=366, description="length of a scenario")
    apps: int = Field(ge=1, le=100_000, description="apps of a generated twin")
    rate: float = Field(gt=0, le=1000, description="factor on the call rate of a generated twin")
    split_steps: tuple[int, int, int] = Field(description="where train, valid and test end; the rest is run-out")
    carbon_month: int = Field(ge=1, le=12, description="month of the carried carbon profile")
    carbon_hourly: tuple[str, ...] = Field(description="files of hourly carbon from world.carbon.start on; they replace the profile")
    steady_apps: int = Field(ge=0, description="the most called apps, which use the same memory and payload class in every seed")

    @field_validator("seeds")
    @classmethod
    def distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        """Every seed once, none negative."""
        if len(set(value)) != len(value) or min(value) < 0:
            raise ValueError("seeds must differ and be 0 or more")
        return value

    @field_validator("split_steps")
    @classmethod
    def rising(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        """Each part has at least one step."""
        if not 0 < value[0] < value[1] < value[2]:
            raise ValueError("the ends must rise from above 0")
        return value


class TuneBaselines(Section):
    """The budget that every rule gets."""

    luck_seed: int = Field(ge=0, description="of cold starts and keep-alives on the train and valid spans")
    budget_replays: int = Field(ge=1, description="coupled replays per rule and scenario")


class Evaluate(Section):
    """On what luck the arms are judged."""

    seeds: tuple[int, ...] = Field(min_length=1, description="of the luck; every arm meets the same")
    hindsight_replays: int = Field(ge=1, description="coupled replays that coordinate the static placements of hindsight")


class Compare(Section):
    """Nothing to set yet; the weights are those of `objective`."""


class Calibrate(Section):
    """How much is simulated for the comparison with theory, and on what luck."""

    runs: int = Field(ge=2, description="independent runs of each queue; their spread gives the standard error")
    calls: int = Field(ge=1000, description="calls of a run")
    draws: int = Field(ge=1000, description="draws from each law of cold starts and keep-alives")
    home_seeds: tuple[int, ...] = Field(min_length=1, description="twins over which the figures per call at home are averaged")
    luck_seed: int = Field(ge=0, description="of the home run, the bill of one call and the sensitivities")


class Eda(Section):
    """Windows of the first forecasting table."""

    moving_average_min: int = Field(ge=1)
    season_h: int = Field(ge=1)


class Report(Section):
    """Nothing to set yet."""


class Params(Section):
    """All of params.yaml with the active profile merged in."""

    profile: str
    seed: int = Field(ge=0)
    epoch: int = Field(ge=0)
    as_of_day: int = Field(ge=1)
    window_days: int = Field(ge=1)
    traces: dict[str, Trace]
    ingest: Ingest
    # "validate" is a method of pydantic models, so the attribute carries the stage's full meaning instead
    validation: Validate = Field(alias="validate")
    twin_fit: TwinFit
    app_classes: AppClasses
    features: Features
    eda: Eda
    tune_baselines: TuneBaselines
    evaluate: Evaluate
    calibrate: Calibrate
    compare: Compare
    report: Report
    scenario: Scenario
    world: World
    slo: Slo
    objective: Objective


def merge(base: dict[str, Any], over: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `base` with `over` merged into it, section by section.

    Raises:
        ParameterError: a key of `over` does not exist in `base`; the nearest existing one is named.
    """
    out = dict(base)
    for key, value in over.items():
        if key not in base:
            near = difflib.get_close_matches(str(key), [str(k) for k in base], n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(sorted(map(str, base)))}"
            raise ParameterError(f"unknown parameter '{where}{key}'", where="params.yaml", how=hint)
        both_maps = isinstance(value, dict) and isinstance(base[key], dict)
        out[key] = merge(base[key], value, f"{where}{key}.") if both_maps else value
    return out


def load(path: Path) -> Params:
    """Read params.yaml, merge the active profile, check every value.

    Raises:
        ParameterError: the file is missing, is not YAML, or a value is out of bounds (all faults are listed).
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError("params.yaml is missing", where=str(path), how="restore it: git checkout params.yaml") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"not valid YAML: {error}", where=str(path), how="mend the line that the message names") from None
    if not isinstance(raw, dict) or "profiles" not in raw or "profile" not in raw:
        raise ParameterError("needs the keys 'profile' and 'profiles'", where=str(path), how="restore it: git checkout params.yaml")
    profiles = raw.pop("profiles")
    if raw["profile"] not in profiles:
        known = ", ".join(sorted(profiles))
        raise ParameterError(f"unknown profile '{raw['profile']}'", where=f"{path}: profile", how=f"choose one of: {known}")
    try:
        return Params.model_validate(merge(raw, profiles[raw["profile"]] or {}, ""))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParameterError(faults, where=str(path), how="correct these values; docs/parameters.md lists what each accepts") from None
