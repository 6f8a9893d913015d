"""One world to decide in: tables, apps, calls, conditions and prices, and its folder on disk. Not here: what happens in it (the kernel).

A scenario is built once, from arrays, and replayed under every policy. Its folder holds `scenario.json` and one .npy file an array; the
workload, which the families of one seed share, stands once beside it. Equal scenarios are equal bytes, in any folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError, ScenarioError
from core.units import HOUR_US, SLOT_US
from simulator.conditions import CellSeries, Conditions, build_conditions
from simulator.parameters import Family, Objective, Slo, World
from simulator.places.tables import Tables
from simulator.workload import Apps, Calls

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Record = TypeVar("Record")

Until = Literal["train", "valid", "test"]
FORMAT = 2  # of the folder; raise it when an array changes its meaning. 2: the tables hold the rules of the clouds
DESCRIPTION = "scenario.json"
REBUILD = "build it again: dvc repro --force scenario"


@dataclass(frozen=True, eq=False)
class Scenario:
    """What a policy is judged on.

    Args:
        id: name of the folder, e.g. `calm-1`.
        family: its name in params.yaml, e.g. calm.
        seed: of the twin and of everything drawn.
        steps: length in steps of `world.step_s`.
        split_steps: where train, valid and test end; what follows is run-out.
        world, slo, objective: parameters, the family's changes included.
        tables: facts about clouds, regions and zones.
        apps, calls: what is called.
        conditions: utilisation, capacity, slowdown, carbon.
        is_allowed: bool [A, P], placements an app may use.
        until: the last span that it holds calls of, see `load_scenario`.
    """

    id: str
    family: str
    seed: int
    steps: int
    split_steps: tuple[int, int, int]
    world: World
    slo: Slo
    objective: Objective
    tables: Tables
    apps: Apps
    calls: Calls
    conditions: Conditions
    is_allowed: Bool
    until: Until = "test"


def build_scenario(
    family: str,
    seed: int,
    *,
    changes: Family,
    steps: int,
    split_steps: tuple[int, int, int],
    world: World,
    slo: Slo,
    objective: Objective,
    tables: Tables,
    apps: Apps,
    calls: Calls,
    cells: Mapping[str, CellSeries],
    carbon_mg_per_kwh: Int64,
    first_day: int = 0,
) -> Scenario:
    """Build the scenario `<family>-<seed>` on a workload (see simulator.workload.build).

    Args:
        family: its name.
        seed: of everything drawn in the conditions.
        changes: what the family changes in the world, and whether apps are fenced.
        steps: length of the scenario.
        split_steps: where train, valid and test end.
        world: parameters before the family's changes.
        slo: when a call misses.
        objective: prices of the outcome.
        tables: facts about clouds, regions and zones.
        apps: of the workload, built with the same seed, tables and world.
        calls: of the workload.
        cells: Google cells by name.
        carbon_mg_per_kwh: int64 [M, h or more], intensity from the first hour on.
        first_day: days from a Sunday to the start of the scenario.

    Raises:
        ParameterError: the splits do not rise within the steps, or a cell or hours of carbon are missing.
    """
    train, valid, test = split_steps
    if not 0 < train < valid < test <= steps:
        raise ParameterError(
            f"split_steps {list(split_steps)} do not rise within {steps} steps", where="params.yaml: scenario.split_steps", how="use less"
        )
    world = changes.applied_to(world)
    conditions = build_conditions(tables, world, seed, steps, cells, carbon_mg_per_kwh, first_day=first_day)
    is_allowed = allowed_placements(tables, apps.home, fenced=changes.is_fenced)
    return Scenario(
        f"{family}-{seed}", family, seed, steps, split_steps, world, slo, objective, tables, apps, calls, conditions, is_allowed
    )


def allowed_placements(tables: Tables, home: Int64, *, fenced: bool) -> Bool:
    """Return bool [A, P]: every placement, or (fenced) those on the continent of the app's home."""
    continents = np.array(tables.continent)[tables.metro_of_region[tables.region_of_placement]]
    return (continents[home][:, None] == continents[None, :]) | (not fenced)


def save(scenario: Scenario, folder: Path) -> Path:
    """Write a scenario below `folder` (data/scenario) and return its own folder.

    The workload goes to `workload-<seed>` and is written once: scenarios of one seed must share it.

    Raises:
        ScenarioError: another workload of that seed is already there.
    """
    workload = f"workload-{scenario.seed}"
    digest = _save_workload(scenario, folder / workload)
    draft = folder / f".{scenario.id}.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    description: dict[str, Any] = {
        "format": FORMAT,
        "id": scenario.id,
        "family": scenario.family,
        "seed": scenario.seed,
        "steps": scenario.steps,
        "split_steps": list(scenario.split_steps),
        "world": scenario.world.model_dump(mode="json"),
        "slo": scenario.slo.model_dump(mode="json"),
        "objective": scenario.objective.model_dump(mode="json"),
        "workload": workload,
        "workload_sha256": digest,
        "tables": _save_record(scenario.tables, draft, "tables."),
        "conditions": _save_record(scenario.conditions, draft, "conditions."),
        "is_allowed": _save_array(scenario.is_allowed, draft / "is_allowed.npy"),
    }
    _write_json(draft / DESCRIPTION, description)
    target = folder / scenario.id
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return target


def load_scenario(path: Path | str, until: Until = "test") -> Scenario:
    """Read the scenario in the folder `path`; every array is checked against its digest.

    Args:
        path: the folder.
        until: the last span that may be seen. What is fitted loads 'train' or 'valid': no call after the end of that span is returned, and
            conditions only for the run-out, in which the last of its calls end.

    Raises:
        ScenarioError: the folder or a file is missing, damaged, or of another format.
    """
    folder = Path(path)
    found = _read_json(folder / DESCRIPTION)
    try:
        if found["format"] != FORMAT:
            what = f"the scenario has format {found['format']}, this version reads format {FORMAT}"
            raise ScenarioError(what, where=str(folder / DESCRIPTION), how=REBUILD)
        beside = folder.resolve().parent / found["workload"]
        if not (beside / DESCRIPTION).is_file() or _sha256(beside / DESCRIPTION) != found["workload_sha256"]:
            raise _damaged(beside / DESCRIPTION, "the scenario's workload is missing, or another one")
        workload = _read_json(beside / DESCRIPTION)
        scenario = Scenario(
            id=found["id"],
            family=found["family"],
            seed=found["seed"],
            steps=found["steps"],
            split_steps=tuple(found["split_steps"]),
            world=World.model_validate(found["world"]),
            slo=Slo.model_validate(found["slo"]),
            objective=Objective.model_validate(found["objective"]),
            tables=_load_record(Tables, found["tables"], folder, "tables."),
            apps=_load_record(Apps, workload["apps"], beside, "apps."),
            calls=_load_record(Calls, workload["calls"], beside, "calls."),
            conditions=_load_record(Conditions, found["conditions"], folder, "conditions."),
            is_allowed=_load_array(found["is_allowed"], folder / "is_allowed.npy"),
        )
        return scenario if until == "test" else _cut(scenario, until)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(folder / DESCRIPTION, f"{type(error).__name__}: {error}") from error


def _cut(scenario: Scenario, until: Until) -> Scenario:
    """The scenario without what comes after the end of a span, but for conditions of as many steps of run-out as the whole one has."""
    end = scenario.split_steps[("train", "valid", "test").index(until)]
    steps = min(scenario.steps, end + scenario.steps - scenario.split_steps[2])
    calls, end_us = scenario.calls, steps * scenario.world.step_us
    is_kept, groups = calls.arrival_us < end * scenario.world.step_us, calls.group_step < end
    before = np.concatenate([[0], np.cumsum(is_kept)])
    per_call = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
    kept = replace(
        calls,
        first_call=before[calls.first_call],
        **{name: getattr(calls, name)[is_kept] for name in per_call},
        group_step=calls.group_step[groups],
        group_app=calls.group_app[groups],
        group_first=before[calls.group_first[groups]],
        group_calls=calls.group_calls[groups],
    )
    slots, hours = -(-end_us // SLOT_US), -(-end_us // HOUR_US)
    seen = scenario.conditions
    conditions = replace(
        seen,
        **{name: np.ascontiguousarray(getattr(seen, name)[:, :slots]) for name in ("utilisation_ppm", "capacity", "slowdown_permille")},
        carbon_mg_per_kwh=np.ascontiguousarray(seen.carbon_mg_per_kwh[:, :hours]),
    )
    return replace(scenario, steps=steps, calls=kept, conditions=conditions, until=until)


def _save_workload(scenario: Scenario, target: Path) -> str:
    """Write the workload unless the same one is there; return the digest of its description, which holds those of its arrays."""
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    description = {
        "format": FORMAT,
        "apps": _save_record(scenario.apps, draft, "apps."),
        "calls": _save_record(scenario.calls, draft, "calls."),
    }
    _write_json(draft / DESCRIPTION, description)
    digest = _sha256(draft / DESCRIPTION)
    if not target.exists():
        draft.rename(target)
        return digest
    shutil.rmtree(draft)
    if not (target / DESCRIPTION).is_file() or _sha256(target / DESCRIPTION) != digest:
        raise ScenarioError(
            f"another workload of seed {scenario.seed} is there", where=str(target), how="save into an empty folder, or remove the old one"
        )
    return digest


def _save_record(record: Any, folder: Path, prefix: str) -> dict[str, Any]:
    """Write the arrays of a dataclass and return its description: texts and numbers as they are, arrays as shape, type and digest."""
    return {field.name: _save_value(getattr(record, field.name), folder / f"{prefix}{field.name}") for field in fields(record)}


def _save_value(value: Any, stem: Path) -> Any:
    if isinstance(value, np.ndarray):
        return _save_array(value, stem.with_name(f"{stem.name}.npy"))
    if isinstance(value, tuple):
        return [_save_value(item, stem.with_name(f"{stem.name}.{i}")) for i, item in enumerate(value)]
    return value


def _save_array(array: NDArray[Any], file: Path) -> dict[str, Any]:
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    np.save(file, plain, allow_pickle=False)
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "sha256": _sha256(file)}


def _load_record(kind: type[Record], described: dict[str, Any], folder: Path, prefix: str) -> Record:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _load_value(described[name], folder / f"{prefix}{name}") for name in names})


def _load_value(entry: Any, stem: Path) -> Any:
    if isinstance(entry, dict):
        return _load_array(entry, stem.with_name(f"{stem.name}.npy"))
    if isinstance(entry, list):
        return tuple(_load_value(item, stem.with_name(f"{stem.name}.{i}")) for i, item in enumerate(entry))
    return entry


def _load_array(entry: dict[str, Any], file: Path) -> NDArray[Any]:
    try:
        if _sha256(file) != entry["sha256"]:
            raise _damaged(file, "its digest is not the one in the description")
        return np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise _damaged(file, "the file is missing") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="\n")


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ScenarioError("there is no scenario", where=str(file.parent), how="run: dvc repro scenario") from None
    except (OSError, ValueError) as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: Path, what: str) -> ScenarioError:
    return ScenarioError(f"the scenario is damaged: {what}", where=str(file), how=REBUILD)
