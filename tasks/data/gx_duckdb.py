"""Runs a Great Expectations suite inside DuckDB. Not here: which suite, what a failure means (tasks/data/validate.py).

Great Expectations 1.24.1 closes the connection before it fetches rows for every dialect but a few, and duckdb-engine then raises
`IndexError: list index out of range`. Naming duckdb among the dialects with a persisted connection cures it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any


class _Dialect(str):
    """A dialect name that looks like a member of Great Expectations' enumeration (compared as text, read by `.value`)."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


DIALECT = _Dialect("duckdb")


def keep_connection_open() -> None:
    """Add duckdb to the dialects whose connection Great Expectations keeps open."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    names = engine._PERSISTED_CONNECTION_DIALECTS
    if DIALECT not in names:
        engine._PERSISTED_CONNECTION_DIALECTS = (*names, DIALECT)


def run_suite(view_sql: str, suite: dict[str, Any], database: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Judge the rows of `view_sql` by a suite in Great Expectations' JSON form.

    Args:
        view_sql: a query over the staged Parquet files.
        suite: `name` and `expectations`, each with `type`, `kwargs` and `severity`.
        database: scratch file of DuckDB; removed by the caller.
        config: of every connection to it (memory limit, threads, spill folder).

    Returns:
        Great Expectations' results as dictionaries, in the order of the suite.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import duckdb

    with duckdb.connect(str(database), config=config) as con:
        con.execute(f"create or replace view rows_under_test as {view_sql}")
    import great_expectations as gx

    keep_connection_open()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        name="staged", connection_string=f"duckdb:///{database}", kwargs={"connect_args": {"config": config}}
    )
    asset = source.add_table_asset(name="rows", table_name="rows_under_test")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    built = gx.ExpectationSuite(**suite)
    return [r.to_json_dict() for r in batch.validate(built, result_format="SUMMARY").results]
