"""Small staged twins, as `ingest` and `validate` would leave them, for tests of the stage `scenario`. Not here: the tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from core.units import DAY_US
from simulator.parameters import Family
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.google2019 import CELLS, generate_google2019
from tasks.core.files import write_json
from tasks.core.params import Params
from tasks.core.paths import Paths
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.sources.sampled import memory_mb
from tasks.data.verdict import write_verdict
from tests.worlds.families import FAMILIES
from tests.worlds.stage_files import ingest_counts

DAYS, APPS, RATE = 3, 12, 0.2
SPLITS = (12_000, 14_000, 16_000)


def small(params: Params, **changes: Any) -> Params:
    settings = {
        "days": DAYS,
        "apps": APPS,
        "rate": RATE,
        "split_steps": SPLITS,
        "seeds": (1, 2),
        "families": {"calm": Family(), "fenced": FAMILIES["fenced"]},
        "training": {"seeds": (), "families": ()},
    } | changes
    sections = {f"scenario.{name}": value for name, value in settings.items()}
    return params.changed({"as_of_day": DAYS, "traces.azure2021.apps": APPS} | sections)


def stage(root: Path, repository: Path, params: Params, google: bool = True) -> Paths:
    """Write the twins as ingest would, with successful verdicts; a day after the scenario's is there, too."""
    shutil.copytree(repository / "data" / "reference", root / "data" / "reference")
    shutil.copy(repository / "params.yaml", root)
    paths = Paths(root)
    twin = generate_azure2021(1, DAYS, APPS, RATE)
    app, function = np.array(twin.app_ids), np.array(twin.function_ids)
    ids = pl.DataFrame({"app": app[twin.app], "function": function[twin.function]})
    code = {c: pl.Series([int(text[:15], 16) for text in ids[c]], dtype=pl.Int64) for c in ("app", "function")}
    memory = dict(zip(twin.app_ids, memory_mb([int(text[:15], 16) for text in twin.app_ids], params), strict=True))
    calls = ids.with_columns(
        app_id=code["app"],
        function_id=code["function"],
        arrival_us=twin.arrival_us,
        duration_us=twin.duration_us,
        memory_mb=pl.Series([memory[text] for text in ids["app"]], dtype=pl.Int32),
    )
    later = calls.with_columns(arrival_us=pl.col("arrival_us") + DAYS * DAY_US)
    for day in range(DAYS + 1):
        folder = staged_folder(paths, "azure2021") / f"day={day:02d}"
        folder.mkdir(parents=True)
        part = pl.concat([calls, later]).filter(pl.col("arrival_us") // DAY_US == day).drop("app", "function")
        part.sort("app_id", "arrival_us", "function_id", "duration_us").write_parquet(folder / "invocations.parquet")
    calls.select("app_id", "app", "memory_mb").unique().sort("app_id").write_parquet(staged_folder(paths, "azure2021") / "apps.parquet")
    functions = calls.select("app_id", "function_id", "function").unique().sort("app_id", "function_id")
    functions.write_parquet(staged_folder(paths, "azure2021") / "functions.parquet")
    write_json(ingest_report(paths, "azure2021"), ingest_counts("twin"))
    write_json(ingest_report(paths, "google2019"), ingest_counts("twin" if google else "off"))
    cells = generate_google2019(1)
    for day in range(29 if google else 0):
        folder = staged_folder(paths, "google2019") / f"day={day:02d}"
        folder.mkdir(parents=True)
        slots = np.arange(day * 288, day * 288 + 288, dtype=np.int32)
        rows = [pl.DataFrame({"cell": c, "slot": slots, "cpu_fraction": cells.cpu_ncu[i, slots] / 1e4}) for i, c in enumerate(CELLS)]
        pl.concat(rows).write_parquet(folder / "utilisation.parquet")
    for source in ("azure2021", "google2019"):
        write_verdict(paths, source, "twin", [])
    return paths
