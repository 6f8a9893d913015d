"""Writes the twin's files in the original schemas. Not here: how the twin is generated (simulator/twin)."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ParameterError, SpaceError
from core.units import DAY_US
from tasks.core.drafts import draft_of, replace_folder, sweep

if TYPE_CHECKING:
    import polars as pl

AZURE_NAME = "AzureFunctionsInvocationTraceForTwoWeeksJan2021.twin.day{day:02d}.csv"
NCU_US = 3e8  # the published columns are units in use times the slot's length in us
GOOGLE_EPOCH_US = 1_556_669_400_000_000  # `time` of slot 0 in the published series


def write_twin(source: str, folder: Path, seed: int, days: int, apps: int, rate: float, only_day: int | None = None) -> list[Path]:
    """Write the files of one twin into `folder` (made if missing).

    A whole twin replaces the files of an earlier one there; a single day joins the days that are there, so that an inbox can grow.
    Files are written beside the folder first: a killed run leaves no half file in it.

    Args:
        source: azure2021 (one CSV per day of the start time) or google2019 (one CSV per cell).
        folder: where the files go.
        seed: of everything random.
        days: length of the twin.
        apps: number of apps (azure2021).
        rate: factor on the number of calls (azure2021).
        only_day: write only this day of azure2021 (from 0), or only this day's slots of google2019.

    Returns:
        The files written, sorted.

    Raises:
        ParameterError: the source has no twin, a value is out of range, or the folder holds something else.
        SpaceError: the disk is full or refuses the files; what was there before is untouched.
    """
    if source not in ("azure2021", "google2019"):
        raise ParameterError(f"{source} has no twin", where=f"params.yaml: traces.{source}.from", how="use path:<dir>, inbox or off")
    if seed < 0:
        raise ParameterError(f"the seed {seed} is negative", where="seed", how="use 0 or more")
    if only_day is not None and not 0 <= only_day < days:
        raise ParameterError(f"day {only_day} is outside the twin", where="--day", how=f"use 0 to {days - 1}")
    _require_usable(folder, whole=only_day is None)
    tables = _azure2021(seed, days, apps, rate, only_day) if source == "azure2021" else _google2019(seed, days, only_day)
    sweep(folder)
    draft = draft_of(folder)
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, table in tables:
            table.write_csv(draft / name)
        if only_day is None:
            replace_folder(draft, folder)
        else:
            folder.mkdir(exist_ok=True)
            for name, _ in tables:
                (draft / name).replace(folder / name)
    except OSError as error:
        raise SpaceError(
            f"the twin could not be written: {error.strerror or error}",
            where=str(folder),
            how="free disk space, or choose a folder you may write to",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(folder / name for name, _ in tables)


def _require_usable(folder: Path, *, whole: bool) -> None:
    """Refuse a target that is not a folder, or (for a whole twin, which replaces it) one that holds other files."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError("the target is not a folder", where=str(folder), how="choose another name for --out")
    if whole and folder.exists() and any(folder.iterdir()) and not _is_twin_folder(folder):
        raise ParameterError("the folder holds files that are not a twin's", where=str(folder), how="choose an empty folder for --out")


def _is_twin_folder(folder: Path) -> bool:
    return all(f.is_file() and (".twin.day" in f.name or f.name.startswith("cell_2019_")) for f in folder.iterdir())


def _azure2021(seed: int, days: int, apps: int, rate: float, only_day: int | None) -> list[tuple[str, pl.DataFrame]]:
    import numpy as np
    import polars as pl

    from simulator.twin.azure2021 import generate_azure2021

    calls = generate_azure2021(seed, days, apps, rate)
    app = pl.Series(calls.app_ids).gather(calls.app)
    function = pl.Series(calls.function_ids).gather(calls.function)
    table = pl.DataFrame(
        {
            "app": app,
            "func": function,
            "end_timestamp": (calls.arrival_us + calls.duration_us) / 1e6,
            "duration": calls.duration_us / 1e6,
        }
    )
    edges = np.searchsorted(calls.arrival_us, np.arange(days + 1) * DAY_US)
    wanted = range(days) if only_day is None else [only_day]
    return [(AZURE_NAME.format(day=d), table.slice(int(edges[d]), int(edges[d + 1] - edges[d]))) for d in wanted]


def _google2019(seed: int, days: int, only_day: int | None) -> list[tuple[str, pl.DataFrame]]:
    import numpy as np
    import polars as pl

    from simulator.twin.google2019 import CELLS, SLOTS_PER_DAY, generate_google2019

    cells = generate_google2019(seed, days)
    slot = np.arange(days * SLOTS_PER_DAY)
    keep = slot if only_day is None else slot[slot // SLOTS_PER_DAY == only_day]
    times = [GOOGLE_EPOCH_US + 300_000_000 * int(s) for s in keep]
    stamps = [dt.datetime.fromtimestamp(t / 1e6, tz=dt.UTC) for t in times]
    return [
        (
            f"cell_2019_{name}.csv",
            pl.DataFrame(
                {
                    "": keep,
                    "avgcpu": cells.cpu_ncu[i, keep] * NCU_US,
                    "avgmem": cells.memory_nmu[i, keep] * NCU_US,
                    "time": times,
                    "timestamp": [s.strftime("%Y-%m-%d %H:%M:%S") for s in stamps],
                    "day_of_week": [s.weekday() for s in stamps],
                    "hour_of_day": [s.hour for s in stamps],
                }
            ),
        )
        for i, name in enumerate(CELLS)
    ]
