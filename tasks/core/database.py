"""One way to open DuckDB and one way to find a query. Not here: queries (sql/) and what a stage does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TrineError

if TYPE_CHECKING:
    import duckdb

    from tasks.core.paths import Paths

SQL = Path(__file__).resolve().parents[2] / "sql"


def connection_config(paths: Paths) -> dict[str, Any]:
    """Return DuckDB's configuration: memory limit, threads, spill folder (made if missing); no extension is fetched."""
    from tasks.core.environment import Environment

    environment = Environment()
    spill = environment.temp_dir or paths.root / ".trine" / "tmp"
    spill.mkdir(parents=True, exist_ok=True)
    return {
        "memory_limit": environment.memory_limit,
        "threads": environment.threads,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
    }


def connect(paths: Paths) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that spills to disk within the memory limit of the environment.

    Inserts keep their order, so equal input gives equal bytes on any number of threads.

    Raises:
        TrineError: DuckDB refuses a setting.
    """
    import duckdb

    try:
        return duckdb.connect(":memory:", config=connection_config(paths))
    except (duckdb.Error, ValueError) as error:
        raise TrineError(
            f"DuckDB refuses the settings: {error}",
            where="environment: TRINE_MEMORY_LIMIT, TRINE_THREADS, TRINE_TEMP_DIR",
            how="use values like TRINE_MEMORY_LIMIT=2GB TRINE_THREADS=2",
        ) from error


def load_sql(name: str) -> str:
    """Return the text of `sql/<name>`, e.g. `load_sql("azure2021/write_day.sql")`."""
    return (SQL / name).read_text(encoding="utf-8")


def literal(path: Path | str) -> str:
    """Quote a path as an SQL string literal (COPY and read_* take no bound parameters)."""
    return "'" + str(path).replace("'", "''") + "'"
