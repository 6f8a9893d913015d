"""The command `trine`. Belongs here: arguments, messages, exit codes. Does not: the work; every expensive import is inside its command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.errors import TrineError
from flows import traces

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
SHOWN_REASONS = 3  # of a stage that is out of date


class _Group(typer.core.TyperGroup):
    """Turns errors that a user can fix into a message and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command; an error that the user can fix ends with 1, Ctrl-C with 130, both without a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted; finished stages are kept, `trine run` goes on from there", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            from tasks.core.faults import explained
            from tasks.core.stages import writer_of

            known = explained(error, Path.cwd(), writer_of=writer_of)
            if known is None or "TRINE_TRACEBACK" in os.environ:
                raise
            typer.echo(f"error: {known}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Group, no_args_is_help=True, add_completion=False, help="From raw traces to a report.", pretty_exceptions_enable=False
)

PROFILES = "quick (the twin), sample (the real slices) or own (the inbox)"
Profile = Annotated[str | None, typer.Option(help=f"Set this profile in params.yaml first: {PROFILES}.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Only this stage and what it needs; may be repeated.")]
Force = Annotated[bool, typer.Option("--force", help="Run the stages even if nothing changed.")]


def _say_report(root: Path) -> None:
    """Where the page is, and of which profile."""
    from tasks.core.lineage import stamp_of
    from tasks.core.paths import Paths
    from tasks.report.report_outputs import page_file, page_numbers_file

    page, profile = page_file(Paths(root)), stamp_of(page_numbers_file(Paths(root))).get("profile")
    of_profile = f" (profile {profile})" if profile else ""
    typer.echo(f"report: {page}{of_profile}" if page.is_file() else "report: not built (run: trine report)")


@app.command()
def run(profile: Profile = None, target: Targets = None, force: Force = False) -> None:
    """Rebuild what changed."""
    from flows.process import find_root
    from flows.repro import rebuild

    root = find_root()
    rebuild(root, "trine run", typer.echo, profile=profile, targets=target or [], force=force)
    _say_report(root)


@app.command()
def flow(profile: Profile = None, target: Targets = None, force: Force = False) -> None:
    """Rebuild what changed as a Prefect flow (on the server of PREFECT_API_URL, else on a local one for this run)."""
    from flows.process import find_root

    root = find_root()
    defaults = {
        "PREFECT_HOME": str(root / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():  # before the first import of prefect, which reads them once
        os.environ.setdefault(name, value)
    from flows.rebuild import main

    os.chdir(root)
    if not main(root, profile, target, force):
        raise typer.Exit(1)
    _say_report(root)


@app.command()
def status() -> None:
    """Show what runs, which stages are out of date and why, what was ingested and what validation says."""
    from flows.graph import why
    from flows.look import ask
    from flows.process import find_root
    from tasks.core.paths import Paths
    from tasks.core.run_lock import holder
    from tasks.core.sources import SOURCES
    from tasks.data.ingest_outputs import ingest_report
    from tasks.data.verdict import verdict_file

    root = find_root()
    if (running := holder(root)) is not None:
        typer.echo(f"{'running':<24}{running}")
    stages, stale = ask(root)
    for name in stages.upstream:
        reasons = why(stale.get(name, []))
        more = [f"and {len(reasons) - SHOWN_REASONS} more"] if len(reasons) > SHOWN_REASONS else []
        because = f"changed: {'; '.join([*reasons[:SHOWN_REASONS], *more])}"
        typer.echo(f"{name:<24}{'always runs' if name in stages.always else because if reasons else 'up to date'}")
    paths = Paths(root)
    for source in SOURCES:
        counts, verdict = _read(ingest_report(paths, source)), _read(verdict_file(paths, source))
        rows = ", ".join(
            f"{key.removeprefix('rows_')} {counts[key]:,}" for key in ("rows_in", "rows_staged", "rows_rejected") if key in counts
        )
        word = ("passed" if verdict["success"] else "FAILED") if "success" in verdict else "none yet"
        typer.echo(f"{source:<24}rows: {rows or 'not ingested'}; validation: {word}")
    _say_report(root)


def _read(path: Path) -> dict[str, object]:
    """Return a JSON object, or an empty one where the stage has not run."""
    from tasks.core.files import read_json

    try:
        value: dict[str, object] = read_json(path)
    except FileNotFoundError:
        return {}
    return value


@app.command()
def report() -> None:
    """Build the report as far as needed and say where it is."""
    from flows.process import find_root
    from flows.repro import rebuild

    root = find_root()
    rebuild(root, "trine report", typer.echo, profile=None, targets=["report"], force=False)
    _say_report(root)


@app.command()
def twin(
    source: Annotated[str, typer.Argument(help="azure2021 or google2019.")],
    out: Annotated[Path, typer.Option(help="Folder to write the files into.")],
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 1,
    days: Annotated[int, typer.Option(min=1)] = 14,
    apps: Annotated[int, typer.Option(min=1)] = 119,
    rate: Annotated[float, typer.Option(help="Factor on the call rate.")] = 1.0,
    day: Annotated[int | None, typer.Option(min=0, help="Only this day of the span.")] = None,
) -> None:
    """Write the files of a synthetic trace."""
    if not rate > 0 or rate == float("inf"):
        raise TrineError(f"rate {rate} is not a positive number", where="--rate", how="use for example --rate 0.5")
    if day is not None and day >= days:
        raise TrineError(f"day {day} lies outside the {days} days", where="--day", how=f"use 0 to {days - 1}, or raise --days")
    from tasks.data.twin_files import write_twin

    write_twin(source, out, seed, days, apps, rate, day)
    typer.echo(f"{source}: written to {out}")


@app.command()
def simulate(
    trace: Annotated[Path, typer.Option(help="CSV: app,func,end_timestamp,duration (seconds).")],
    placements: Annotated[Path, typer.Option(help="CSV: app_id,provider,metro,zone; apps that it leaves out stay at their sampled home.")],
    out: Annotated[Path, typer.Option(help="Folder for summary.json.")],
    seed: Annotated[int, typer.Option(min=0, help="Of what the trace lacks, of the conditions and the luck.")] = 1,
) -> None:
    """Run a trace at given placements through the world."""
    from flows.process import find_root
    from tasks.world.simulate import simulate as play

    summary = play(find_root(), trace, placements, out, seed)
    typer.echo(f"{summary['calls']} calls, {summary['served']} served, written to {out / 'summary.json'}")


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and what that costs."""
    from flows.doctor import examine
    from flows.process import find_root

    findings = examine(find_root())
    for finding in findings:
        typer.echo(f"{finding.mark:<8}{finding.what:<14}{finding.found}" + (f"  -> {finding.cost}" if finding.cost else ""))
    if any(finding.mark == "MISSING" for finding in findings):
        raise typer.Exit(1)


app.add_typer(traces.app, name="import")
app.command()(traces.rejects)


if __name__ == "__main__":
    sys.exit(app())
