"""Azure-2021-like CSV to sorted Parquet at 20 M rows: our ingest against plain DuckDB. Run it: `python -m bench.ingest`.

Peer: `read_csv` with given types, then `COPY (... ORDER BY the same key) TO` one Parquet file, ids as the 64-digit texts they are, no
checks. Ours: the stage `ingest` as the pipeline runs it, with memory_limit 1 GB: checks of every row, integer ids, one sorted file a
day, id tables, totals and hashes of what was written. The manifest (stage `scan`) is made before and not timed. Two threads each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import harness
from tasks.data.ingest_outputs import ingest_report, staged_folder

ROOT = Path(__file__).resolve().parent.parent
TRACE_ROWS = 1_980_951  # calls of the trace, and of the twin at rate 1
NAME = "AzureFunctionsInvocationTraceForTwoWeeksJan2021.csv"
MEMORY_LIMIT, MEMORY_BOUND_MB = "1GB", 1500


def generate(rows: int, folder: Path) -> None:
    """Write the twin with about `rows` calls of 14 days as one CSV file into `folder`."""
    from tasks.data.twin_files import write_twin

    parts = write_twin("azure2021", folder / "parts", seed=1, days=14, apps=119, rate=rows / TRACE_ROWS)
    with (folder / NAME).open("wb") as out:
        for i, part in enumerate(parts):
            with part.open("rb") as handle:
                if i:
                    handle.readline()
                shutil.copyfileobj(handle, out, 1 << 20)
            part.unlink()
    (folder / "parts").rmdir()


def prepare(tree: Path, folder: Path) -> None:
    """Make a working tree whose one source is `folder`, and scan it."""
    from tasks.core import params as params_module
    from tasks.core.paths import Paths
    from tasks.data import scan

    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    old = "azure2021: {from: twin,"
    assert old in text, "params.yaml has no azure2021 twin any more"
    tree.mkdir()
    (tree / "params.yaml").write_text(text.replace(old, f'azure2021: {{from: "path:{folder}",', 1), encoding="utf-8")
    paths = Paths(tree)
    scan.run(params_module.load(paths.params_file), paths, "azure2021")


def ours(tree: Path) -> dict[str, int]:
    """Ingest from scratch; rows and summed duration."""
    from tasks.core import params as params_module
    from tasks.core.paths import Paths
    from tasks.data import ingest

    paths = Paths(tree)
    shutil.rmtree(staged_folder(paths, "azure2021"), ignore_errors=True)
    ingest.run(params_module.load(paths.params_file), paths, "azure2021")
    counts = json.loads(ingest_report(paths, "azure2021").read_text(encoding="utf-8"))
    return {"rows": counts["rows_staged"], "duration_us": counts["duration_us_sum"]}


def straight(file: Path, target: Path) -> dict[str, int]:
    """DuckDB, one statement; rows and summed duration."""
    import duckdb

    con = duckdb.connect(config={"threads": int(harness.THREADS), "temp_directory": str(target.parent / "spill")})
    columns = "{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}"
    con.execute(
        f"""copy (
            select app, func, cast(round(end_timestamp * 1e6) as bigint) - cast(round(duration * 1e6) as bigint) as arrival_us,
                cast(round(duration * 1e6) as bigint) as duration_us
            from read_csv('{file}', header = true, auto_detect = false, delim = ',', columns = {columns})
            order by app, arrival_us, func, duration_us
        ) to '{target}' (format parquet, compression zstd)"""
    )
    row = con.execute(f"select count(*), sum(duration_us) from '{target}'").fetchone()
    assert row is not None
    return {"rows": int(row[0]), "duration_us": int(row[1])}


def same(outputs: dict[str, str]) -> None:
    """Both sides staged the same number of calls and the same summed duration."""
    found = {side: json.loads(text.splitlines()[-1]) for side, text in outputs.items()}
    assert len({json.dumps(value, sort_keys=True) for value in found.values()}) == 1, f"the sides disagree: {found}"


def main() -> None:
    """Run one side (`--side`), or both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, help="a CSV of the same schema to use instead of a generated one")
    parser.add_argument("--scratch", type=Path, help="folder for the files; needs about 5 GB at 20 M rows (default: a temporary one)")
    parser.add_argument("--side", choices=["generate", "ours", "straight"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        scratch = options.scratch
        if options.side == "generate":
            generate(options.rows, scratch / "raw")
            return
        print(json.dumps(ours(scratch / "tree") if options.side == "ours" else straight(scratch / "raw" / NAME, scratch / "peer.parquet")))
        return
    scratch = Path(tempfile.mkdtemp(prefix="trine-bench-", dir=options.scratch))
    try:
        (scratch / "raw").mkdir()
        if options.file:
            os.link(options.file, scratch / "raw" / NAME)
        else:  # in a process of its own: a child's peak starts from that of its parent
            generation = ["--scratch", str(scratch), "--rows", str(options.rows), "--side", "generate"]
            subprocess.run([sys.executable, "-m", "bench.ingest", *generation], check=True)
        prepare(scratch / "tree", scratch / "raw")
        manifest = json.loads((scratch / "tree" / "data" / "raw" / "azure2021" / "manifest.json").read_text(encoding="utf-8"))
        rows = sum(file["rows"] for file in manifest["files"])
        command = [sys.executable, "-m", "bench.ingest", "--scratch", str(scratch), "--side"]
        verdict = harness.compare(
            "ingest",
            [*command, "ours"],
            {"duckdb_straight": [*command, "straight"]},
            options.rounds,
            "million rows/s",
            rate=lambda seconds: rows / seconds / 1e6,
            environment={"TRINE_MEMORY_LIMIT": MEMORY_LIMIT},
            check=same,
        )
        if verdict["peak_mb"]["ours"] > MEMORY_BOUND_MB:
            print(f"peak above {MEMORY_BOUND_MB} MB", file=sys.stderr)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
