"""DuckDB as an engine: in process, with bounded memory, on SQL that Ibis wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.database import Database
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.tables import builtin, remembered, table

_TYPES: Mapping[str, str] = {
    "string": "VARCHAR", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "uint64": "UBIGINT",
    "boolean": "BOOLEAN",
}  # fmt: skip


class DuckDBEngine:
    """See `engine.Engine`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def identify(self) -> Identify:
        """DuckDB's own hash, in which NULL is a value like others."""
        return _hash

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        self._database.run(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql(expression)}")
        return table(name, expression.schema())

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        self._database.run(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql(expression)}")
        return table(name, expression.schema())

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """See `engine.Engine`."""
        self._database.load(name, {column: _TYPES[kind] for column, kind in columns.items()}, rows)
        return table(name, columns)

    def rows(self, expression: ir.Table) -> Rows:
        """See `engine.Engine`."""
        return self._database.rows(sql(expression))


def _hash(*values: ir.Value) -> ir.Value:
    return builtin("hash", "uint64", *values)


@remembered
def sql(expression: ir.Table) -> str:
    """DuckDB's SQL of an expression."""
    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
