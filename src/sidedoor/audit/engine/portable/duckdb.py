"""DuckDB as an engine: in process, with bounded memory, on SQL that Ibis wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.database import Database, DatabaseInputError, literal
from sidedoor.audit.engine.normalise import RawFile
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.local import listed, normalise_here, parts_of
from sidedoor.audit.engine.portable.tables import builtin, remembered, repeated_in, table
from sidedoor.errors import InputError
from sidedoor.evidence.interface import ReadOptions

_TYPES: Mapping[str, str] = {
    "string": "VARCHAR", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "uint64": "UBIGINT",
    "boolean": "BOOLEAN", "timestamp(6)": "TIMESTAMP",
}  # fmt: skip


class DuckDBEngine:
    """See `engine.Store`. Its storage are the folders that this machine sees."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def identify(self) -> Identify:
        """DuckDB's own hash, in which NULL is a value like others."""
        return _hash

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        with _readable():
            self._database.run(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql(expression)}")
        return table(name, expression.schema())

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        with _readable():
            self._database.run(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql(expression)}")
        return table(name, expression.schema())

    def repeated(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        return self.keep(name, repeated_in(expression))

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """See `engine.Engine`."""
        self._database.load(name, {column: _TYPES[kind] for column, kind in columns.items()}, rows)
        return table(name, columns)

    def rows(self, expression: ir.Table) -> Rows:
        """See `engine.Engine`."""
        with _readable():
            return self._database.rows(sql(expression))

    def read(self, place: str, kind: str, columns: Mapping[str, str]) -> ir.Table:
        """See `engine.Store`."""
        files = parts_of(place, kind)
        source = ", ".join(literal(path) for path in files)
        texts = (f"{column if files else 'NULL'}::{_TYPES[type_]} AS {column}" for column, type_ in columns.items())
        query = f"SELECT {', '.join(texts)}"
        query += f" FROM read_parquet([{source}], hive_partitioning = false)" if files else " WHERE false"
        with _readable():
            self._database.run(f"CREATE OR REPLACE TEMP VIEW {kind}_rows AS {query}")
        return table(f"{kind}_rows", columns)

    def normalise(self, files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
        """See `engine.Store`."""
        normalise_here(files, options, place)

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """See `engine.Store`."""
        return listed(folder)


@contextmanager
def _readable() -> Iterator[None]:
    """Raises InputError where Parquet cannot be read, with the name of the file as DuckDB says it."""
    try:
        yield
    except DatabaseInputError as error:
        named = re.search(r"'([^']+\.parquet)'", str(error))
        raise InputError(
            named[1] if named else "the records", f"what is no whole Parquet ({error})", "Parquet written to its end"
        ) from error


def _hash(*values: ir.Value) -> ir.Value:
    return builtin("hash", "uint64", *values)


@remembered
def sql(expression: ir.Table) -> str:
    """DuckDB's SQL of an expression."""
    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))
