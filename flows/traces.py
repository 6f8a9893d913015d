"""`trine import` and `trine rejects`: one's own traces on the command line. Not here: the work (tasks/data/import_table.py, rejects.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import ParameterError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Bring traces in another dialect into the inbox.")


@app.callback()
def _group() -> None:
    """Bring traces in another dialect into the inbox."""


@app.command("table")
def table(
    files: Annotated[list[Path], typer.Argument(help="Tables of calls: .csv, .tsv, .txt, .jsonl (each also .gz) or .parquet.")],
    out: Annotated[Path, typer.Option(help="Folder for the files, e.g. data/inbox/azure2021.")],
    columns: Annotated[
        str,
        typer.Option(
            "--map", help="role=column[:unit], e.g. app=service,func=handler,start=ts:ms,duration=took:s; without it, one is proposed."
        ),
    ] = "",
    day_zero: Annotated[
        str, typer.Option(help="Date of day 0, e.g. 2026-01-04; by default that of earlier imports or the first Sunday.")
    ] = "",
) -> None:
    """Write a table of calls as files of the source azure2021: ids hashed, times rebased, columns renamed."""
    from tasks.data.dialects import command, parse, recognised
    from tasks.data.import_table import FROM_START, import_tables
    from tasks.data.tables import first_rows

    if not columns:
        found = recognised(*first_rows(files[0]))
        how = command(str(files[0]), found, str(out)) if found else "name the columns: --map app=...,start=...:ms,duration=...:s"
        raise ParameterError("--map is missing" + ("; these columns and units look right" if found else ""), where=str(files[0]), how=how)
    for one in import_tables(files, parse(columns), out, day_zero):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in one.reasons.items())
        rejected = f", {sum(one.reasons.values()):,} rejected ({reasons})" if reasons else ", 0 rejected"
        zero = "day 0 is the start of the trace" if one.day_zero == FROM_START else f"day 0 is {one.day_zero}"
        typer.echo(f"{one.table}: {one.rows:,} rows in, {one.written:,} written{rejected}; {len(one.files)} days, {zero}")
    typer.echo(f"written to {out}; next: trine run --profile own")


def rejects(source: Annotated[str, typer.Argument(help="Only this source.")] = "") -> None:
    """Show why rows were rejected: reason, count, first file and line."""
    from flows.process import find_root
    from tasks.core.paths import Paths
    from tasks.data.rejects import lines_of

    for line in lines_of(Paths(find_root()), source):
        typer.echo(line)
