"""Binning and windows of 20 M calls: ours against straightforward DuckDB, Polars and pandas. Run it: `python -m bench.features`.

Every side reads the same sorted Parquet of integers with two threads in its own process and writes the same table; the values are
compared (integers exactly, floats to 1e-9). Wall seconds include start, imports and (ours) the loading of compiled kernels; peak
memory is the process's resident maximum. Rounds are interleaved. Not here: the stage itself (tasks/features.py).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEP_US, APPS, DAYS = 15_000_000, 119, 14
WINDOWS = {"1min": 4, "5min": 20, "60min": 240}
SPAN = DAYS * 86_400_000_000 // STEP_US
ROLLED = ("calls", "busy_us", "concurrency_max")
SIDES = ("ours", "duckdb", "polars", "pandas")
PLAIN = ["app_id", "step", "calls", "functions", "busy_us", "concurrency_max", "duration_p50_us", "duration_p95_us"]


def columns() -> list[str]:
    """The columns of the table, in order."""
    rolled = [
        f"{c}_{kind}_{name}"
        for name in WINDOWS
        for c, kind in (("calls", "mean"), ("calls", "max"), ("busy_us", "mean"), ("concurrency_max", "max"))
    ]
    return PLAIN + rolled


def generate(rows: int, file: Path) -> None:
    """Write calls of 119 apps with the skew of the trace (Zipf), 8.65 % zero durations, log-normal others, sorted."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, APPS + 1) ** 1.3
    counts = np.maximum((share / share.sum() * rows).astype(np.int64), 1)
    counts[0] += rows - counts.sum()
    parts = []
    for app, n in enumerate(counts):
        arrival = np.sort(rng.integers(0, SPAN * STEP_US, n))
        duration = (rng.lognormal(13.0, 1.8, n).clip(1, 3.6e9) * (rng.random(n) > 0.0865)).astype(np.int64)
        parts.append(
            pl.DataFrame({"app_id": app, "function_index": app * 4 + rng.integers(0, 4, n), "arrival_us": arrival, "duration_us": duration})
        )
    pl.concat(parts).write_parquet(file, compression="zstd", row_group_size=122_880)


def ours(source: Path, target: Path) -> None:
    """The project's kernels."""
    import numpy as np
    import polars as pl

    from tasks.binning import bin_calls, rolling

    calls = pl.read_parquet(source)
    out = bin_calls(*(calls[c].to_numpy() for c in ("app_id", "function_index", "arrival_us", "duration_us")), STEP_US, SPAN)
    frame = {c: out[c] for c in PLAIN}
    for name, window in WINDOWS.items():
        exists = np.minimum(out["step"] + 1, window)
        total, frame[f"calls_max_{name}"] = rolling(out["app_id"], out["step"], out["calls"], window)
        frame[f"calls_mean_{name}"] = total / exists
        frame[f"busy_us_mean_{name}"] = rolling(out["app_id"], out["step"], out["busy_us"], window)[0] / exists
        frame[f"concurrency_max_max_{name}"] = rolling(out["app_id"], out["step"], out["concurrency_max"], window)[1]
    table = pl.DataFrame({c: frame[c] for c in columns()})
    table.with_columns(pl.col("duration_p50_us", "duration_p95_us").replace(-1, None)).write_parquet(target)


def duckdb(source: Path, target: Path) -> None:
    """One SQL statement."""
    import duckdb as engine

    rolled = ", ".join(
        f"sum(calls) over w{w} / least(step + 1, {w}) as calls_mean_{n}, max(calls) over w{w} as calls_max_{n}, "
        f"sum(busy_us) over w{w} / least(step + 1, {w}) as busy_us_mean_{n}, max(concurrency_max) over w{w} as concurrency_max_max_{n}"
        for n, w in WINDOWS.items()
    )
    windows = ", ".join(
        f"w{w} as (partition by app_id order by step range between {w - 1} preceding and current row)" for w in WINDOWS.values()
    )
    con = engine.connect(config={"threads": 2})
    con.execute(
        f"""copy (with calls as (select *, arrival_us // {STEP_US} as first,
          case when duration_us = 0 then arrival_us // {STEP_US} else (arrival_us + duration_us - 1) // {STEP_US} end as last
          from read_parquet('{source}')),
        touched as (select *, unnest(range(first, last + 1)) as step from calls),
        binned as (select app_id, step, count(*) filter (step = first) as calls,
            count(distinct function_index) filter (step = first) as functions,
            sum(greatest(least(arrival_us + duration_us, (step + 1) * {STEP_US}) - greatest(arrival_us, step * {STEP_US}), 0))::bigint
              as busy_us,
            count(*) filter (step > first) as carried,
            quantile_disc(duration_us, 0.5) filter (step = last) as duration_p50_us,
            quantile_disc(duration_us, 0.95) filter (step = last) as duration_p95_us
          from touched where step < {SPAN} group by app_id, step),
        events as (select app_id, arrival_us as t, 1 as d from calls where duration_us > 0
          union all select app_id, arrival_us + duration_us, -1 from calls where duration_us > 0),
        levels as (select app_id, t, sum(d) over (partition by app_id order by t, d rows unbounded preceding) as level from events),
        peaks as (select app_id, t // {STEP_US} as step, max(level) as peak from levels group by all),
        base as (select b.* exclude (carried), greatest(carried, coalesce(peak, 0))::bigint as concurrency_max
          from binned b left join peaks using (app_id, step))
        select {", ".join(PLAIN)}, {rolled} from base window {windows} order by app_id, step) to '{target}' (format parquet)"""
    )


def polars(source: Path, target: Path) -> None:
    """Lazy expressions."""
    import polars as pl

    a, d, step = pl.col("arrival_us"), pl.col("duration_us"), pl.col("step")
    calls = pl.scan_parquet(source).with_columns(
        first=a // STEP_US, last=pl.when(d == 0).then(a // STEP_US).otherwise((a + d - 1) // STEP_US)
    )
    touched = calls.with_columns(step=pl.int_ranges("first", pl.col("last") + 1)).explode("step").filter(step < SPAN)
    ended = d.filter(step == pl.col("last")).sort()
    many = (step == pl.col("last")).sum().cast(pl.Int64)
    binned = touched.group_by("app_id", "step").agg(
        (step == pl.col("first")).sum().cast(pl.Int64).alias("calls"),
        pl.col("function_index").filter(step == pl.col("first")).n_unique().cast(pl.Int64).alias("functions"),
        (pl.min_horizontal(a + d, (step + 1) * STEP_US) - pl.max_horizontal(a, step * STEP_US)).clip(0).sum().alias("busy_us"),
        (step > pl.col("first")).sum().cast(pl.Int64).alias("carried"),
        ended.get((many + 1) // 2 - 1, null_on_oob=True).alias("duration_p50_us"),
        ended.get((95 * many + 99) // 100 - 1, null_on_oob=True).alias("duration_p95_us"),
    )
    running = calls.filter(d > 0)
    events = pl.concat([running.select("app_id", t=a, d=pl.lit(1, pl.Int64)), running.select("app_id", t=a + d, d=pl.lit(-1, pl.Int64))])
    levels = events.sort("app_id", "t", "d").with_columns(level=pl.col("d").cum_sum().over("app_id"))
    peaks = levels.group_by("app_id", step=pl.col("t") // STEP_US).agg(peak=pl.col("level").max())
    base = binned.join(peaks, on=["app_id", "step"], how="left").with_columns(
        concurrency_max=pl.max_horizontal("carried", pl.col("peak").fill_null(0))
    )
    frame = base.sort("app_id", "step")
    rolled = []
    for name, window in WINDOWS.items():
        exists = pl.min_horizontal(step + 1, window)
        size = f"{window}i"
        rolled += [
            (pl.col("calls").rolling_sum_by("step", size).over("app_id") / exists).alias(f"calls_mean_{name}"),
            pl.col("calls").rolling_max_by("step", size).over("app_id").alias(f"calls_max_{name}"),
            (pl.col("busy_us").rolling_sum_by("step", size).over("app_id") / exists).alias(f"busy_us_mean_{name}"),
            pl.col("concurrency_max").rolling_max_by("step", size).over("app_id").alias(f"concurrency_max_max_{name}"),
        ]
    frame.with_columns(rolled).select(columns()).collect().write_parquet(target)


def pandas(source: Path, target: Path) -> None:
    """Data frames and group-by."""
    import numpy as np
    import pandas as pd

    calls = pd.read_parquet(source)
    a, d = calls["arrival_us"].to_numpy(), calls["duration_us"].to_numpy()
    calls["first"] = a // STEP_US
    calls["last"] = np.where(d == 0, a // STEP_US, (a + d - 1) // STEP_US)
    length = (calls["last"] - calls["first"] + 1).to_numpy()
    touched = calls.loc[calls.index.repeat(length)].reset_index(drop=True)
    touched["step"] = touched["first"] + np.arange(len(touched)) - np.repeat(np.cumsum(length) - length, length)
    touched = touched[touched["step"] < SPAN]
    low = touched["step"] * STEP_US
    touched["busy_us"] = (
        np.minimum(touched["arrival_us"] + touched["duration_us"], low + STEP_US) - np.maximum(touched["arrival_us"], low)
    ).clip(lower=0)
    touched["calls"] = (touched["step"] == touched["first"]).astype("int64")
    touched["carried"] = 1 - touched["calls"]
    keys = ["app_id", "step"]
    base = touched.groupby(keys)[["calls", "busy_us", "carried"]].sum()
    arrived = touched.loc[touched["calls"] == 1, [*keys, "function_index"]].drop_duplicates()
    base["functions"] = arrived.groupby(keys).size()
    base["functions"] = base["functions"].fillna(0).astype("int64")
    ended = touched.loc[touched["step"] == touched["last"], [*keys, "duration_us"]].sort_values([*keys, "duration_us"])
    group = ended.groupby(keys)["duration_us"]
    place, size = group.cumcount(), group.transform("size")
    base["duration_p50_us"] = ended[place == (size + 1) // 2 - 1].set_index(keys)["duration_us"]
    base["duration_p95_us"] = ended[place == (95 * size + 99) // 100 - 1].set_index(keys)["duration_us"]
    running = calls[calls["duration_us"] > 0]
    begin = pd.DataFrame({"app_id": running["app_id"], "t": running["arrival_us"], "d": 1})
    end = pd.DataFrame({"app_id": running["app_id"], "t": running["arrival_us"] + running["duration_us"], "d": -1})
    events = pd.concat([begin, end]).sort_values(["app_id", "t", "d"])
    events["level"] = events.groupby("app_id")["d"].cumsum()
    events["step"] = events["t"] // STEP_US
    peak = events.groupby(keys)["level"].max().reindex(base.index).fillna(0)
    base["concurrency_max"] = np.maximum(base.pop("carried"), peak).astype("int64")
    base = base.sort_index().reset_index()
    base["time"] = pd.to_datetime(base["step"], unit="s")
    for name, window in WINDOWS.items():
        exists = np.minimum(base["step"] + 1, window)
        roll = base.groupby("app_id").rolling(f"{window}s", on="time")
        total, highest = roll[["calls", "busy_us"]].sum(), roll[["calls", "concurrency_max"]].max()
        base[f"calls_mean_{name}"], base[f"busy_us_mean_{name}"] = total["calls"].to_numpy() / exists, total["busy_us"].to_numpy() / exists
        base[f"calls_max_{name}"] = highest["calls"].to_numpy().astype("int64")
        base[f"concurrency_max_max_{name}"] = highest["concurrency_max"].to_numpy().astype("int64")
    base[columns()].to_parquet(target)


def measure(side: str, source: Path, target: Path) -> tuple[float, float]:
    """Run one side in its own process; return wall seconds and peak resident MiB."""
    env = os.environ | dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.features", "--side", side, "--source", str(source), "--target", str(target)], env=env
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{side} failed with {child.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def compare(one: Path, other: Path) -> None:
    """Assert equal tables: integers and nulls exactly, floats within 1e-9 relative."""
    import numpy as np
    import polars as pl

    for name in columns():
        a, b = (pl.read_parquet(f, columns=[name])[name] for f in (one, other))
        assert len(a) == len(b), f"{name}: {len(a)} rows and {len(b)} in {other.name}"
        if "_mean_" in name:
            np.testing.assert_allclose(a.to_numpy(), b.to_numpy(), rtol=1e-9, err_msg=f"{name} in {other.name}")
        else:
            assert a.cast(pl.Int64).equals(b.cast(pl.Int64)), f"{name} differs in {other.name}"


def main() -> None:
    """Measure all sides and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", default=",".join(SIDES), help="pandas needs about 15 GiB at 20 M rows: leave it out on a small machine")
    for hidden in ("--side", "--source", "--target"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        globals()[options.side](Path(options.source), Path(options.target))
        return
    sides = options.sides.split(",")
    assert sides[0] == "ours", "the first side is ours: the others are compared with it"
    assert set(sides[1:]) <= set(SIDES[1:]), f"sides are {SIDES}"
    seen: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "calls.parquet"
        generate(options.rows, source)
        for number in range(options.rounds):
            for side in sides:
                target = Path(folder) / f"{side}.parquet"
                seen[side].append(measure(side, source, target))
                print(f"round {number + 1} {side}: {seen[side][-1][0]:.1f} s, {seen[side][-1][1]:.0f} MiB", flush=True)
                if number == 0 and side != "ours":
                    compare(Path(folder) / "ours.parquet", target)
    wall = {s: statistics.median(w for w, _ in seen[s]) for s in sides}
    peak = {s: statistics.median(m for _, m in seen[s]) for s in sides}
    best = min(sides[1:], key=lambda s: wall[s])
    leanest = min(sides[1:], key=lambda s: peak[s])
    result = {
        "name": "features", "rows": options.rows, "ours": round(wall["ours"], 2), "peer": round(wall[best], 2), "peer_name": best,
        "ratio": round(wall[best] / wall["ours"], 2), "unit": "s", "rounds": options.rounds,
        "peak_mib": {s: round(m) for s, m in peak.items()}, "wall_s": {s: round(w, 2) for s, w in wall.items()},
        "memory_share_of_best": round(peak["ours"] / peak[best], 3), "memory_share_of_leanest": round(peak["ours"] / peak[leanest], 3),
        "leanest": leanest,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
