"""The one place that opens DuckDB: an embedded engine with bounded memory that spills to its own folder."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import duckdb

from sidedoor.errors import SidedoorError

if TYPE_CHECKING:
    from _csv import Writer as CsvWriter

    import pyarrow as pa

DUCKDB_VERSION: str = duckdb.__version__  # its hash of a value may differ from the next one's
# Peak of the whole process stays under 2 GiB at 10 million rows (benchmarks/audit_scale.py): DuckDB gets what
# remains after Python, and spills the rest to `folder`.
MEMORY_LIMIT_MB = 1100
_LEAST_MB = 256


@dataclass(slots=True)
class _Share:
    """What one process may take of the machine."""

    memory: int = MEMORY_LIMIT_MB
    threads: int = max(1, min(8, os.cpu_count() or 1))


_share = _Share()


def share_with(processes: int) -> None:
    """From now on this process is one of so many that do the same: together they take what two would alone."""
    _share.memory = max(_LEAST_MB, min(MEMORY_LIMIT_MB, 2 * MEMORY_LIMIT_MB // processes))
    _share.threads = max(1, _share.threads // processes)


class Database:
    """A DuckDB connection with a scratch folder that vanishes with it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self.folder = folder

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Execute a statement whose rows nobody needs. Raises SidedoorError when the disk or memory is full."""
        self._execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; only for results that are small by construction."""
        return self._execute(sql, parameters).fetchall()

    def batches(self, sql: str, size: int = 10_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a query, `size` at a time."""
        cursor = self._execute(sql, ())
        while batch := cursor.fetchmany(size):
            yield batch

    def arrow(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """Rows of a query as Arrow, at most `size` at a time."""
        with _refused():
            yield from self._connection.sql(sql).to_arrow_reader(size)

    def scalar(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row."""
        row = self._execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def load(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
        """Create the temporary `table` with `columns` (name -> SQL type) out of Python rows, however many.

        None becomes NULL. Rows go through a CSV file: DuckDB reads that far faster than it binds parameters.
        """
        path = self.folder / f"{table}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            own_csv_writer(file).writerows([NULL_MARK if cell is None else cell for cell in row] for row in rows)
        self.run(f"CREATE TEMP TABLE {table} AS SELECT * FROM {read_own_csv(path, columns)}")
        path.unlink()

    def _execute(self, sql: str, parameters: Sequence[object]) -> duckdb.DuckDBPyConnection:
        with _refused():
            return self._connection.execute(sql, list(parameters))


# Stands for NULL in CSV files we write for DuckDB: a private-use character, so that "" stays "" (known absent).
NULL_MARK = "\ue000"


def own_csv_writer(file: TextIO) -> CsvWriter:
    """What writes the rows that `read_own_csv` reads. DuckDB would take a line end within a cell for that of rows."""
    return csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")


def read_own_csv(path: Path, columns: Mapping[str, str]) -> str:
    """A table expression over a CSV file that we wrote: no sniffing, no header, NULL_MARK for NULL."""
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    return (
        f"read_csv({literal(path)}, header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"new_line = '\\n', nullstr = {literal(NULL_MARK)}, max_line_size = 16777216, allow_quoted_nulls = true, "
        f"columns = {{{types}}})"
    )


class DatabaseInputError(Exception):
    """DuckDB refuses the input as such; the caller falls back to the row reader, which says why."""


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise SidedoorError(f"the audit ran out of disk or memory: {_first_line(error)}") from error
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise DatabaseInputError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def literal(text: str | Path) -> str:
    """A SQL string literal, for the places where DuckDB takes no parameter (file names in COPY and read_csv)."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def open_database(scratch: Path, threads: int | None = None) -> Iterator[Database]:
    """A database in memory whose spill files live in a fresh folder under `scratch`."""
    with tempfile.TemporaryDirectory(prefix=".sidedoor-", dir=scratch) as folder:
        connection = duckdb.connect(":memory:")
        try:
            connection.execute(f"SET memory_limit = '{_share.memory}MB'")
            connection.execute(f"SET temp_directory = {literal(Path(folder) / 'spill')}")
            connection.execute(f"SET threads = {threads or _share.threads}")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_progress_bar = false")
            # Every join here has the small side on the right. DuckDB cannot count a CSV file beforehand and, left to
            # itself, builds its hash table of ten million rows instead of two hundred.
            connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
            connection.execute("SET autoinstall_known_extensions = false")
            yield Database(connection, Path(folder))
        finally:
            connection.close()
