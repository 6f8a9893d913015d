"""One world to decide in: tables, apps, calls, conditions and prices, and its folder on disk. Not here: what happens in it (the kernel).

A scenario is built once, from arrays, and replayed under every policy. Its folder holds `scenario.json` and one .npy file an array; the
workload, which the families of one seed share, is stored once beside it. Equal scenarios are equal bytes, in any folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError, ScenarioError
from core.units import HOUR_US, SLOT_US
from simulator.arrays import REBUILD, damaged, load_array, load_record, read_json, save_array, save_record, sha256, write_json
from simulator.conditions import CellSeries, Conditions, build_conditions
from simulator.parameters import Family, Objective, Slo, World
from simulator.places.tables import Tables
from simulator.workload import Apps, Calls

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

Until = Literal["train", "valid", "test"]
UNTIL: tuple[Until, ...] = get_args(Until)
FORMAT = 4  # of the folder; raise it when its content changes its meaning. 4: the run at home by steps, under the rules of yielding
DESCRIPTION = "scenario.json"


@dataclass(frozen=True, eq=False)
class Scenario:
    """What a policy is judged on.

    Args:
        id: name of the folder, e.g. `calm-1`.
        family: its name in params.yaml, e.g. calm.
        seed: of the twin and of everything sampled.
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
        seed: of everything sampled in the conditions.
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
        "until": scenario.until,
        "world": scenario.world.model_dump(mode="json"),
        "slo": scenario.slo.model_dump(mode="json"),
        "objective": scenario.objective.model_dump(mode="json"),
        "workload": workload,
        "workload_sha256": digest,
        "tables": save_record(scenario.tables, draft, "tables."),
        "conditions": save_record(scenario.conditions, draft, "conditions."),
        "is_allowed": save_array(scenario.is_allowed, draft / "is_allowed.npy"),
    }
    write_json(draft / DESCRIPTION, description)
    target = folder / scenario.id
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return target


def load_scenario(path: Path | str, until: Until = "test") -> Scenario:
    """Read the scenario in the folder `path`; every array is checked against its digest.

    Args:
        path: the folder.
        until: the last span that may be seen, see `cut`. What is fitted loads 'train' or 'valid'. A training fleet on disk holds no more
            than its train span, whatever is asked for.

    Raises:
        ScenarioError: the folder or a file is missing, damaged, or of another format.
    """
    folder = Path(path)
    found = read_json(folder / DESCRIPTION)
    try:
        if found["format"] != FORMAT:
            what = f"the scenario has format {found['format']}, this version reads format {FORMAT}"
            raise ScenarioError(what, where=str(folder / DESCRIPTION), how=REBUILD)
        beside = folder.resolve().parent / found["workload"]
        if not (beside / DESCRIPTION).is_file() or sha256(beside / DESCRIPTION) != found["workload_sha256"]:
            raise damaged(beside / DESCRIPTION, "the scenario's workload is missing, or another one")
        workload = read_json(beside / DESCRIPTION)
        scenario = Scenario(
            id=found["id"],
            family=found["family"],
            seed=found["seed"],
            steps=found["steps"],
            split_steps=tuple(found["split_steps"]),
            world=World.model_validate(found["world"]),
            slo=Slo.model_validate(found["slo"]),
            objective=Objective.model_validate(found["objective"]),
            tables=load_record(Tables, found["tables"], folder, "tables."),
            apps=load_record(Apps, workload["apps"], beside, "apps."),
            calls=load_record(Calls, workload["calls"], beside, "calls."),
            conditions=load_record(Conditions, found["conditions"], folder, "conditions."),
            is_allowed=load_array(found["is_allowed"], folder / "is_allowed.npy"),
            until=found["until"],
        )
        return cut(scenario, until)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(folder / DESCRIPTION, f"{type(error).__name__}: {error}") from error


def cut(scenario: Scenario, until: Until) -> Scenario:
    """Return the scenario without the calls after the end of a span, and with conditions of as many steps of run-out as the whole one has.

    A scenario that holds no more than that comes back as it is.
    """
    if UNTIL.index(until) >= UNTIL.index(scenario.until):
        return scenario
    end = scenario.split_steps[UNTIL.index(until)]
    run_out = scenario.steps - scenario.split_steps[UNTIL.index(scenario.until)]
    steps = min(scenario.steps, end + run_out)
    calls, end_us = scenario.calls, steps * scenario.world.step_us
    kept = some(calls, calls.arrival_us < end * scenario.world.step_us, calls.group_step < end)
    slots, hours = -(-end_us // SLOT_US), -(-end_us // HOUR_US)
    seen = scenario.conditions
    conditions = replace(
        seen,
        **{name: np.ascontiguousarray(getattr(seen, name)[:, :slots]) for name in ("utilisation_ppm", "capacity", "slowdown_permille")},
        carbon_mg_per_kwh=np.ascontiguousarray(seen.carbon_mg_per_kwh[:, :hours]),
    )
    return replace(scenario, steps=steps, calls=kept, conditions=conditions, until=until)


def some(calls: Calls, is_kept: Bool, has_group: Bool) -> Calls:
    """Return some of the calls, bool [N], in their order; a group, bool [G], is kept or left out as a whole."""
    before = np.concatenate([[0], np.cumsum(is_kept)])
    per_call = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
    return Calls(
        first_call=before[calls.first_call],
        **{name: getattr(calls, name)[is_kept] for name in per_call},
        group_step=calls.group_step[has_group],
        group_app=calls.group_app[has_group],
        group_first=before[calls.group_first[has_group]],
        group_calls=calls.group_calls[has_group],
    )


def _save_workload(scenario: Scenario, target: Path) -> str:
    """Write the workload unless the same one is there; return the digest of its description, which holds those of its arrays."""
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    description = {
        "format": FORMAT,
        "apps": save_record(scenario.apps, draft, "apps."),
        "calls": save_record(scenario.calls, draft, "calls."),
    }
    write_json(draft / DESCRIPTION, description)
    digest = sha256(draft / DESCRIPTION)
    if not target.exists():
        draft.rename(target)
        return digest
    shutil.rmtree(draft)
    if not (target / DESCRIPTION).is_file() or sha256(target / DESCRIPTION) != digest:
        raise ScenarioError(
            f"another workload of seed {scenario.seed} is there", where=str(target), how="save into an empty folder, or remove the old one"
        )
    return digest
