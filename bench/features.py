"""Features of 20 M calls: our stage against straightforward DuckDB, Polars and pandas. Run it: `python -m bench.features`.

Every side reads the same staged calls (one sorted Parquet file per day) with two threads in its own process and writes a table of steps,
concurrency, p50 and p95 of the duration, rolling means and maxima. Ours is the stage's `write_tables` as the pipeline runs it: it also
computes gaps, lags and the clock, counts classes and splits by time, which the peers are spared. Common columns are compared (integers
exactly, floats to 1e-9). Figures include the start of the process. Not here: regions and the scaler, the stage's other outputs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import harness
from core.units import DAY_US

ROOT = Path(__file__).resolve().parent.parent
STEP_US, APPS, DAYS = 15_000_000, 119, 14
END_STEP = 80_000  # where the test part ends: the stage writes no row after it
WINDOWS = {"1min": 4, "5min": 20, "60min": 240}
PEERS = ("duckdb", "polars", "pandas")
PANDAS_BYTES_PER_CALL = 600  # of resident memory: 20 M calls took 10.9 GB
PLAIN = ["app_id", "step", "calls", "functions", "busy_us", "concurrency_max", "duration_p50_us", "duration_p95_us"]


def columns() -> list[str]:
    """The columns that are compared, in order."""
    return PLAIN + [f"{c}_{kind}_{name}" for name in WINDOWS for c in ("calls", "concurrency") for kind in ("mean", "max")]


def staged(tree: Path) -> list[str]:
    """The files of the calls, in order of the day."""
    return [str(tree / "data" / "staged" / "azure2021" / f"day={day:02d}" / "invocations.parquet") for day in range(DAYS)]


def generate(rows: int, tree: Path) -> None:
    """Stage calls of 119 apps with the skew of the trace (Zipf), 8.65 % zero durations, log-normal others, as ingest would."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, APPS + 1) ** 1.3
    counts = np.maximum((share / share.sum() * rows).astype(np.int64), 1)
    counts[0] += rows - counts.sum()
    parts = []
    for app, n in enumerate(counts):
        arrival = np.sort(rng.integers(0, DAYS * DAY_US, n))
        duration = (rng.lognormal(13.0, 1.8, n).clip(1, 3.6e9) * (rng.random(n) > 0.0865)).astype(np.int64)
        parts.append(
            pl.DataFrame({"app_id": app, "function_id": app * 4 + rng.integers(0, 4, n), "arrival_us": arrival, "duration_us": duration})
        )
    calls = pl.concat(parts)
    for day, file in enumerate(staged(tree)):
        Path(file).parent.mkdir(parents=True)
        of_day = calls.filter(pl.col("arrival_us") // DAY_US == day)
        of_day.write_parquet(file, compression="zstd", row_group_size=122_880)
    shutil.copy(ROOT / "params.yaml", tree)


def ours(tree: Path, target: Path) -> None:
    """The stage's tables: train, valid, test and apps.parquet in the folder `target`."""
    from tasks.core import params as params_module
    from tasks.core.paths import Paths
    from tasks.data import features

    paths = Paths(tree)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    facts = features.write_tables(params_module.load(paths.params_file), paths, target)
    assert facts["split_steps"][-1] == END_STEP, facts["split_steps"]


def duckdb(tree: Path, target: Path) -> None:
    """DuckDB: one SQL statement."""
    import duckdb as engine

    rolled = ", ".join(
        f"sum(calls) over w{w} / least(step + 1, {w}) as calls_mean_{n}, max(calls) over w{w} as calls_max_{n}, "
        f"sum(busy_us) over w{w} / (least(step + 1, {w}) * {STEP_US}) as concurrency_mean_{n}, "
        f"max(concurrency_max) over w{w} as concurrency_max_{n}"
        for n, w in WINDOWS.items()
    )
    windows = ", ".join(
        f"w{w} as (partition by app_id order by step range between {w - 1} preceding and current row)" for w in WINDOWS.values()
    )
    con = engine.connect(config={"threads": int(harness.THREADS)})
    con.execute(
        f"""copy (with calls as (select *, arrival_us // {STEP_US} as first,
          case when duration_us = 0 then arrival_us // {STEP_US} else (arrival_us + duration_us - 1) // {STEP_US} end as last
          from read_parquet({staged(tree)}, hive_partitioning = false)),
        touched as (select *, unnest(range(first, last + 1)) as step from calls),
        binned as (select app_id, step, count(*) filter (step = first) as calls,
            count(distinct function_id) filter (step = first) as functions,
            sum(greatest(least(arrival_us + duration_us, (step + 1) * {STEP_US}) - greatest(arrival_us, step * {STEP_US}), 0))::bigint
              as busy_us,
            count(*) filter (step > first) as carried,
            quantile_disc(duration_us, [0.5, 0.95]) filter (step = last) as durations
          from touched where step < {END_STEP} group by app_id, step),
        events as (select app_id, arrival_us as t, 1 as d from calls where duration_us > 0
          union all select app_id, arrival_us + duration_us, -1 from calls where duration_us > 0),
        levels as (select app_id, t, sum(d) over (partition by app_id order by t, d rows unbounded preceding) as level from events),
        peaks as (select app_id, t // {STEP_US} as step, max(level) as peak from levels group by all),
        base as (select b.* exclude (carried, durations), durations[1] as duration_p50_us, durations[2] as duration_p95_us,
            greatest(carried, coalesce(peak, 0))::bigint as concurrency_max
          from binned b left join peaks using (app_id, step))
        select {", ".join(PLAIN)}, {rolled} from base window {windows} order by app_id, step) to '{target}' (format parquet)"""
    )


def polars(tree: Path, target: Path) -> None:
    """Polars: lazy expressions."""
    import polars as pl

    a, d, step = pl.col("arrival_us"), pl.col("duration_us"), pl.col("step")
    calls = pl.scan_parquet(staged(tree), hive_partitioning=False).with_columns(
        first=a // STEP_US, last=pl.when(d == 0).then(a // STEP_US).otherwise((a + d - 1) // STEP_US)
    )
    touched = calls.with_columns(step=pl.int_ranges("first", pl.col("last") + 1)).explode("step").filter(step < END_STEP)
    ended = d.filter(step == pl.col("last")).sort()
    many = (step == pl.col("last")).sum().cast(pl.Int64)
    binned = touched.group_by("app_id", "step").agg(
        (step == pl.col("first")).sum().cast(pl.Int64).alias("calls"),
        pl.col("function_id").filter(step == pl.col("first")).n_unique().cast(pl.Int64).alias("functions"),
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
            (pl.col("busy_us").rolling_sum_by("step", size).over("app_id") / (exists * STEP_US)).alias(f"concurrency_mean_{name}"),
            pl.col("concurrency_max").rolling_max_by("step", size).over("app_id").alias(f"concurrency_max_{name}"),
        ]
    frame.with_columns(rolled).select(columns()).collect().write_parquet(target)


def pandas(tree: Path, target: Path) -> None:
    """pandas: data frames and group-by."""
    import numpy as np
    import pandas as pd

    calls = pd.read_parquet(staged(tree), partitioning=None)
    a, d = calls["arrival_us"].to_numpy(), calls["duration_us"].to_numpy()
    calls["first"] = a // STEP_US
    calls["last"] = np.where(d == 0, a // STEP_US, (a + d - 1) // STEP_US)
    length = (calls["last"] - calls["first"] + 1).to_numpy()
    touched = calls.loc[calls.index.repeat(length)].reset_index(drop=True)
    touched["step"] = touched["first"] + np.arange(len(touched)) - np.repeat(np.cumsum(length) - length, length)
    touched = touched[touched["step"] < END_STEP]
    low = touched["step"] * STEP_US
    touched["busy_us"] = (
        np.minimum(touched["arrival_us"] + touched["duration_us"], low + STEP_US) - np.maximum(touched["arrival_us"], low)
    ).clip(lower=0)
    touched["calls"] = (touched["step"] == touched["first"]).astype("int64")
    touched["carried"] = 1 - touched["calls"]
    keys = ["app_id", "step"]
    base = touched.groupby(keys)[["calls", "busy_us", "carried"]].sum()
    arrived = touched.loc[touched["calls"] == 1, [*keys, "function_id"]].drop_duplicates()
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
        base[f"calls_mean_{name}"] = total["calls"].to_numpy() / exists
        base[f"concurrency_mean_{name}"] = total["busy_us"].to_numpy() / (exists * STEP_US)
        base[f"calls_max_{name}"] = highest["calls"].to_numpy().astype("int64")
        base[f"concurrency_max_{name}"] = highest["concurrency_max"].to_numpy().astype("int64")
    base[columns()].to_parquet(target)


def same(folder: Path, peers: list[str]) -> None:
    """Assert equal tables: integers and nulls exactly, floats within 1e-9 relative."""
    import numpy as np
    import polars as pl

    parts = pl.scan_parquet([folder / "ours" / f"{name}.parquet" for name in ("train", "valid", "test")])
    wanted = parts.select(columns()).sort("app_id", "step").collect()
    for peer in peers:
        for name in columns():
            a, b = wanted[name], pl.read_parquet(folder / peer, columns=[name])[name]
            assert len(a) == len(b) > 0, f"{name}: {len(a)} rows and {len(b)} in {peer}"
            if "_mean_" in name:
                np.testing.assert_allclose(a.to_numpy(), b.to_numpy(), rtol=1e-9, err_msg=f"{name} in {peer}")
            else:
                assert a.cast(pl.Int64).equals(b.cast(pl.Int64)), f"{name} differs in {peer}"
    print(f"equal values: {wanted.height:,} rows of {wanted.width} columns", file=sys.stderr, flush=True)


def affordable(rows: int) -> list[str]:
    """The peers that fit into the memory that is free now; says so when pandas does not."""
    with Path("/proc/meminfo").open(encoding="ascii") as handle:
        free = next(int(line.split()[1]) * 1024 for line in handle if line.startswith("MemAvailable:"))
    needed = rows * PANDAS_BYTES_PER_CALL
    if needed < free:
        return list(PEERS)
    print(f"pandas is left out: it needs about {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free", file=sys.stderr, flush=True)
    return [p for p in PEERS if p != "pandas"]


def main() -> None:
    """Run one side (`--side`), or all in turn; the verdict is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", help=f"ours and peers, from {','.join(PEERS)} (default: all that fit into free memory)")
    for hidden in ("--side", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        folder = Path(options.folder)
        if options.side == "generate":
            generate(options.rows, folder / "tree")
        else:
            globals()[options.side](folder / "tree", folder / options.side)
        return
    peers = [s for s in options.sides.split(",") if s != "ours"] if options.sides else affordable(options.rows)
    assert peers, "no peer to compare with"
    assert set(peers) <= set(PEERS), f"peers are {PEERS}"
    with tempfile.TemporaryDirectory(prefix="trine-bench-") as folder:
        command = [sys.executable, "-m", "bench.features", "--folder", folder, "--rows", str(options.rows), "--side"]
        subprocess.run([*command, "generate"], check=True)  # in a process of its own: a child's peak starts from that of its parent
        harness.compare(
            "features",
            [*command, "ours"],
            {peer: [*command, peer] for peer in peers},
            options.rounds,
            "s",
            check=lambda _: same(Path(folder), peers),
        )


if __name__ == "__main__":
    main()
