"""DuckDB as an engine: in process, with bounded memory, on SQL that Ibis wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.database import Database, DatabaseInputError, literal
from sidedoor.audit.engine.normalise import RawFile, normalise
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.tables import builtin, remembered, table
from sidedoor.errors import InputError, OutputError, UsageError
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
        files = sorted((_local(place) / f"kind={kind}").glob("*.parquet"))
        source = ", ".join(literal(path) for path in files)
        texts = (f"{column if files else 'NULL'}::{_TYPES[type_]} AS {column}" for column, type_ in columns.items())
        query = f"SELECT {', '.join(texts)}"
        query += f" FROM read_parquet([{source}], hive_partitioning = false)" if files else " WHERE false"
        with _readable():
            self._database.run(f"CREATE OR REPLACE TEMP VIEW {kind}_rows AS {query}")
        return table(f"{kind}_rows", columns)

    def normalise(self, files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
        """See `engine.Store`. One file after the other, each with all threads."""
        folder = _new_folder(place)
        for file in files:
            _write_parts(file, options, folder)

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """See `engine.Store`."""
        place = _local(folder)
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        return [(str(path), path.stat().st_size) for path in found if path.is_file()]


def _write_parts(file: RawFile, options: ReadOptions, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for batch in normalise(file, options):
            kind = batch.column("kind")[0].as_py()
            if kind not in writers:
                path = folder / f"kind={kind}" / f"part-{file.number:08d}.parquet"
                path.parent.mkdir(exist_ok=True)
                writers[kind] = pq.ParquetWriter(path, batch.schema, compression="zstd", compression_level=1)
            writers[kind].write_table(pa.Table.from_batches([batch]))
    finally:
        for writer in writers.values():
            writer.close()


def _local(place: str) -> Path:
    scheme, found, path = place.partition("://")
    if not found:
        return Path(place)
    if scheme == "file":
        return Path(path)
    raise UsageError(f"{place}: DuckDB reads what this machine sees as files; --engine spark reads {scheme}")


def _new_folder(place: str) -> Path:
    folder = _local(place)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputError(f"{place}: there is something already") from error
    except OSError as error:
        raise OutputError(f"{place}: cannot be made ({error.strerror})") from error
    return folder


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
