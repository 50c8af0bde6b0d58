"""Every input file becomes Parquet of the same columns: the records, typed and classed, before any merging.

Two ways lead there and must agree (tests/audit/test_staging.py): the row readers of `evidence`, exact about every
broken row; and DuckDB's own CSV reader for large files of one row per recipient. DuckDB's way is left for the row
reader as soon as it meets a line that it cannot split into cells, because it cannot tell where such a line ends.

DuckDB parses CSV faster than it writes anything, so of a large file only the decision classes of every row and the text
of rows that may need a sender are staged. The other rows, the bulk, are read from the CSV again when they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.columns import CLASSED, classify_seen, may_need_sender, with_classes
from sidedoor.audit.engine.database import (
    NULL_MARK,
    Database,
    DatabaseInputError,
    literal,
    own_csv_writer,
    read_own_csv,
)
from sidedoor.audit.engine.fastcsv import own_text, staged_expressions
from sidedoor.errors import InputError
from sidedoor.evidence.interface import CsvShape, ReadOptions, Recognised
from sidedoor.evidence.record import FACTS, Record, RejectedRow
from sidedoor.evidence.registry import recognise

# From this size on DuckDB reads a CSV file itself; below, the row reader is as fast and starts at once.
COLUMNAR_FROM_BYTES = 8 * 1024 * 1024

TEXT_FACTS = tuple(fact for fact in FACTS if fact != "received_at")
STAGED = ("file", "key", "received_at", *TEXT_FACTS, "tenant_id")
# `h` names message and recipient; it finds doubles without comparing text.
COLUMNS = (*STAGED, *CLASSED, "h")
# With these columns in a file the rule looks at more than classes, and every row is staged with all its text.
_TEXT_OF_THE_RULE = {"tls", "connector", "direction"}
RejectSink = Callable[[str, RejectedRow], None]
Progress = Callable[[int], None]


@dataclass(slots=True)
class Staged:
    """One staged file. `rows` counts the data rows read, rejected ones included; `records` those written.

    parquets: complete records; of a large CSV only those that may need a sender. `rest` is then the query that reads
    its other records again, and the table `slim` has the classes of those. Where there is no such table, the rest is
    taken on trust: nobody has looked at it yet, `rows` and `records` are not counted, and `write_messages` must.
    """

    path: Path
    format: str
    parquets: list[Path] = field(default_factory=list)
    query: str = ""  # complete records too, kept elsewhere: a query that gives the columns of a record
    rest: str = ""
    slim: str = ""
    rows: int = 0
    rejected: int = 0
    records: int = 0
    expanded: int = 0  # records beyond the first of their row
    note: str = ""

    @property
    def on_trust(self) -> bool:
        """Whether nobody has looked at the rest yet."""
        return bool(self.rest) and not self.slim


@dataclass(frozen=True, slots=True)
class Stager:
    """What staging any file needs. Raises InputError where a file as a whole is unreadable."""

    database: Database
    classes: Classes
    options: ReadOptions
    reject: RejectSink
    progress: Progress
    keep_partial: bool = False  # keep the rows before the point where a file breaks off
    trusting: bool = False  # a large file may be looked at once only, on trust that every row is plain and single
    columnar_from: int = COLUMNAR_FROM_BYTES

    def stage(self, number: int, source: Recognised) -> Staged:
        """Read one recognised file, the fast way where that is possible."""
        shape = None
        # Networks too wide to be listed are looked up by address afterwards, which needs every address at hand.
        large = source.path.stat().st_size >= self.columnar_from and self.classes.addresses.all_listed
        if source.csv is not None and large:
            shape = source.csv(self.options)
            # A row with a NUL anywhere is rejected, and DuckDB would not look at cells that nobody asks for.
            if shape is not None and (_TEXT_OF_THE_RULE & set(shape.columns) or _has_nul(source.path)):
                shape = None
        staged = None
        if shape is not None and self.trusting and not self.classes.every_sender:
            staged = self.stage_on_trust(number, source, shape)
        if shape is not None and staged is None:
            staged = self.stage_columns(number, source, shape)
        return staged or self.stage_rows(number, source, source.read(self.options))

    def stage_rows(self, number: int, source: Recognised, readings: Iterator[Record | RejectedRow]) -> Staged:
        """The exact way: records from the row reader, through a CSV file of our own."""
        staged = Staged(source.path, source.format.name)
        own = self.database.folder / f"records-{number}.csv"
        with own.open("w", encoding="utf-8", newline="") as file:
            own_csv_writer(file).writerows(cells_of(number, record) for record in self._counted(staged, readings))
        if staged.records:
            staged.parquets.append(self.database.folder / f"records-{number}.parquet")
            columns = {name: "SMALLINT" if name == "file" else "VARCHAR" for name in STAGED}
            classify_seen(self.database, self.classes.addresses, read_own_csv(own, columns))
            # TRY_CAST: a time that a reader lets through and DuckDB does not know must not stop the audit.
            query = (
                "SELECT * REPLACE (TRY_CAST(received_at AS TIMESTAMP) AS received_at), hash(key, recipient) AS h "
                f"FROM {read_own_csv(own, columns)}"
            )
            self._to_parquet(with_classes(query, frozenset(TEXT_FACTS), self.classes), staged.parquets[0])
        own.unlink()
        return staged

    def _counted(self, staged: Staged, readings: Iterator[Record | RejectedRow]) -> Iterator[Record]:
        """Pass the records on while counting rows, rejects and records beyond the first of a row."""
        last_row = -1
        for reading in self._until_broken(staged, readings):
            if isinstance(reading, RejectedRow):
                staged.rows += 1
                staged.rejected += 1
                self.reject(str(staged.path), reading)
                continue
            staged.records += 1
            if reading.row == last_row:
                staged.expanded += 1
            else:
                staged.rows += 1
                last_row = reading.row
                if staged.rows % 10_000 == 0:
                    self.progress(10_000)
            yield reading
        self.progress(staged.rows % 10_000)

    def _until_broken(self, staged: Staged, readings: Iterator[Record | RejectedRow]) -> Iterator[Record | RejectedRow]:
        """The readings; a file that breaks off keeps its rows where that is wanted, and the break is a rejected row."""
        try:
            yield from readings
        except InputError as error:
            if not (self.keep_partial and staged.records):
                raise
            staged.note = f"breaks off: {error}"
            yield RejectedRow(staged.rows + 1, f"the file breaks off here: {error.found}", "")

    def stage_on_trust(self, number: int, source: Recognised, shape: CsvShape) -> Staged | None:
        """The fastest way: only rows that may need a sender are staged. None where they are not all plain."""
        table = csv_table(source.path, shape)
        condition = own_text(shape, self.classes.domains)
        some = self._classed(number, shape, f"(SELECT * FROM {table} WHERE {condition})" if condition else table)
        kept = self.database.folder / f"records-{number}-kept.parquet"
        filled = ", ".join(name for name in STAGED if name in {*shape.columns, "file", "key", "envelope_sender"})
        try:
            self._to_parquet(
                f"SELECT {filled}, {', '.join(CLASSED)}, h, plain FROM ({some}) WHERE {may_need_sender(self.classes)}",
                kept,
            )
            trouble = self.database.scalar("SELECT count(*) FROM reject_errors") or self.database.scalar(
                f"SELECT count(*) FROM read_parquet({literal(kept)}) WHERE NOT coalesce(plain, false)"
            )
        except DatabaseInputError:
            return None
        finally:
            self.database.run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        if trouble:
            kept.unlink()
            return None
        rest = f"SELECT * FROM ({self._classed(number, shape, table)}) WHERE NOT {may_need_sender(self.classes)}"
        return Staged(source.path, source.format.name, [kept], rest=rest)

    def _classed(self, number: int, shape: CsvShape, table: str) -> str:
        """A query over raw cells that gives the staged columns, `plain`, `h` and the classes."""
        selected = ", ".join(f"{text} AS {name}" for name, text in staged_expressions(number, shape).items())
        query = f"SELECT {selected}, hash(key, recipient) AS h FROM {table}"
        return with_classes(query, frozenset(shape.columns) | {"envelope_sender"}, self.classes)

    def stage_columns(self, number: int, source: Recognised, shape: CsvShape) -> Staged | None:
        """The fast way: plain rows by DuckDB, odd ones by the row reader. None where a line is broken."""
        classed = self._classed(number, shape, csv_table(source.path, shape))
        filled = [name for name in STAGED if name in {*shape.columns, "key", "envelope_sender"}]
        texts = (
            f"CASE WHEN {may_need_sender(self.classes)} THEN [{', '.join(f'{name}::VARCHAR' for name in filled)}] END"
        )
        slim = f"SELECT file, h, {', '.join(CLASSED)}, plain, {texts} AS texts FROM ({classed})"
        if not self._create_slim(f"slim_{number}", slim):
            return None
        counts = f"SELECT count(*), count(*) FILTER (NOT coalesce(plain, false)) FROM slim_{number}"
        rows, odd = self.database.rows(counts)[0]
        staged = Staged(source.path, source.format.name, rows=rows, records=rows, slim=f"slim_{number}")
        staged.rest = f"SELECT * FROM ({classed}) WHERE NOT {may_need_sender(self.classes)}"
        staged.rest += " AND coalesce(plain, false)" if odd else ""
        if odd:
            self._stage_odd_rows(number, staged, shape)
        self._keep_texts(number, staged, filled)
        self.progress(rows)
        return staged

    def _create_slim(self, table: str, query: str) -> bool:
        """Classes and kept texts of every row; False where DuckDB cannot split some line into cells."""
        try:
            self.database.run(f"CREATE TEMP TABLE {table} AS {query}")
            broken_lines = self.database.scalar("SELECT count(*) FROM reject_errors")
        except DatabaseInputError:
            return False
        finally:
            self.database.run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        if broken_lines:
            self.database.run(f"DROP TABLE {table}")
        return not broken_lines

    def _keep_texts(self, number: int, staged: Staged, filled: list[str]) -> None:
        """Move the rows with text from the slim table to a Parquet file of complete records."""
        texts = {name: f"texts[{place}]" for place, name in enumerate(filled, start=1)}
        texts["received_at"] += "::TIMESTAMP"
        columns = ", ".join(f"{text} AS {name}" for name, text in texts.items())
        kept = self.database.folder / f"records-{number}-kept.parquet"
        rows = f"FROM {staged.slim} WHERE texts IS NOT NULL AND coalesce(plain, false)"
        self._to_parquet(f"SELECT file, {columns}, {', '.join(CLASSED)}, h {rows}", kept)
        staged.parquets.append(kept)
        # What stays is the classes of the rest; the texts would fill the memory.
        self.database.run(
            f"CREATE TEMP TABLE {staged.slim}_rest AS SELECT * EXCLUDE (texts, plain) FROM {staged.slim} "
            "WHERE texts IS NULL AND coalesce(plain, false)"
        )
        self.database.run(f"DROP TABLE {staged.slim}")
        staged.slim += "_rest"

    def _stage_odd_rows(self, number: int, staged: Staged, shape: CsvShape) -> None:
        """Take the rows that are not plain out of `staged` and read them with the row reader instead."""
        numbers, mini = self._extract_odd_rows(number, staged.path, shape)
        source = recognise(mini)
        if source is None:
            raise InputError(str(staged.path), "rows of another format in between", staged.format)
        stated = ReadOptions(date_format=None if shape.timestamp == "iso" else shape.timestamp)
        readings = (reading._replace(row=numbers[reading.row - 1]) for reading in source.read(stated))
        as_one = Stager(
            self.database, self.classes, stated, lambda _, row: self.reject(str(staged.path), row), lambda _: None
        )
        odd = as_one.stage_rows(number, source, readings)
        mini.unlink()
        staged.parquets.extend(odd.parquets)
        staged.records += odd.records - len(numbers)
        staged.rejected += odd.rejected
        staged.expanded += odd.expanded

    def _extract_odd_rows(self, number: int, path: Path, shape: CsvShape) -> tuple[list[int], Path]:
        """Write the rows that are not plain to a CSV file of the same columns; their row numbers in the original."""
        mini = self.database.folder / f"odd-{number}.csv"
        condition = staged_expressions(number, shape)["plain"]
        self.database.run("SET preserve_insertion_order = true")  # row_number() must count as the file does
        self.database.run(
            "CREATE TEMP TABLE odd AS SELECT * FROM (SELECT row_number() OVER () AS row_in_file, * "
            f"FROM {csv_table(path, shape)}) WHERE NOT coalesce({condition}, false)"
        )
        self.database.run(
            f"COPY (SELECT * EXCLUDE row_in_file FROM odd ORDER BY row_in_file) TO {literal(mini)} "
            f"(HEADER, DELIMITER {literal(shape.delimiter)}, FORCE_QUOTE *)"
        )
        numbers = [row[0] for row in self.database.rows("SELECT row_in_file FROM odd ORDER BY row_in_file")]
        self.database.run("DROP TABLE odd; DROP TABLE reject_errors; DROP TABLE reject_scans")
        self.database.run("SET preserve_insertion_order = false")
        return numbers, mini

    def _to_parquet(self, query: str, path: Path) -> None:
        self.database.run(f"COPY (SELECT * FROM ({query})) TO {literal(path)} (FORMAT parquet, COMPRESSION snappy)")


def stage_refused(source: Recognised, error: InputError, reject: RejectSink) -> Staged:
    """A file in a folder that stays unread, for ambiguous dates mostly: each of its rows is rejected, none is lost."""
    staged = Staged(source.path, source.format.name, note=f"not read: {error}")
    last_row = 0
    try:
        # Any order of day and month will do to walk over the rows: no time is kept.
        for reading in source.read(ReadOptions(date_format="mdy")):
            if reading.row != last_row:
                reject(str(source.path), RejectedRow(reading.row, f"the file is not read: found {error.found}", ""))
                staged.rows += 1
            last_row = reading.row
    except InputError:
        staged.note += " (its rows could not even be counted)"
    staged.rejected = staged.rows
    return staged


def _has_nul(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\0" in chunk for chunk in iter(partial(file.read, 1 << 20), b""))


def cells_of(number: int, record: Record) -> list[object]:
    """The STAGED columns of one record."""
    facts = [getattr(record, fact) for fact in TEXT_FACTS]
    values = [number, message_identity(record), record.received_at, *facts, record.tenant_id]
    return [NULL_MARK if value is None else value for value in values]


def message_identity(record: Record) -> str:
    """What makes two records speak of one message: the network message id, else Message-ID, client address and sender.

    A Message-ID alone is the sender's own word: a spoofer who copies one must not vanish in an honest message.
    """
    if record.message_key:
        return record.message_key
    return f"{record.message_id or ''}|{record.client_ip or ''}|{record.listed_sender or record.envelope_sender or ''}"


def csv_table(path: Path, shape: CsvShape) -> str:
    """A table expression over the raw cells of a CSV export; lines that DuckDB cannot split go to `reject_errors`."""
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in shape.header)
    return (
        f"read_csv({literal(path)}, header = true, skip = {shape.skip_lines}, auto_detect = false, "
        f"delim = {literal(shape.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
        f"nullstr = {literal(NULL_MARK)}, store_rejects = true, max_line_size = 1048576, columns = {{{columns}}})"
    )
