"""One raw export becomes rows of `records`, wherever the file lies: on this machine, or in a worker of a cluster.

Needs no settings of a tenant, so that what was normalised once can be asked under any.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.audit.classes import classes_of
from sidedoor.audit.engine.columns import load_classes
from sidedoor.audit.engine.database import Database, literal, open_database, own_csv_writer, read_own_csv
from sidedoor.audit.engine.days import KEPT, define_incoming
from sidedoor.audit.engine.records import ALL, RECORD_KIND, REJECTED, REJECTED_KIND, SOURCE_KIND, SourceRow
from sidedoor.audit.engine.staging import COLUMNAR_FROM_BYTES, Staged, Stager, stage_refused
from sidedoor.errors import InputError
from sidedoor.evidence.coverage import announces_more, notes
from sidedoor.evidence.formats.message import recognise_messages, recognised_folder
from sidedoor.evidence.interface import ReadOptions, Recognised
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.registry import recognise
from sidedoor.tenant.snapshot import TenantSnapshot

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 50_000  # of a batch
_NOBODY = classes_of(TenantSnapshot())
_TYPES: Mapping[str, str] = {
    "string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "boolean": "BOOLEAN", "timestamp(6)": "TIMESTAMP",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RawFile:
    """One input. number: its place among all `inputs`. parts: the message files of a folder that is one input.

    named: a person named this very file, so that it must be read. skipped: why it is not to be read at all. size: in
    bytes, as far as known. shown: the name it has in the report, where that is not its path. root: the input it was
    listed under on the engine's own storage, "" for a file that is read by its path.
    """

    number: int
    inputs: int
    path: str
    named: bool = False
    parts: tuple[str, ...] = ()
    skipped: str = ""
    size: int = 0
    shown: str = ""
    root: str = ""

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.shown or self.path


def normalise(
    file: RawFile, options: ReadOptions, *, columnar_from: int = COLUMNAR_FROM_BYTES, threads: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of one file, its records first and the row about itself last.

    A file that cannot be read as a whole loses nothing: its rows are rejected, or, where a person named it, its `error`
    says why, and whoever reads that ends the run.
    """
    with tempfile.TemporaryDirectory(prefix="sidedoor-") as scratch, open_database(Path(scratch), threads) as database:
        try:
            recognised = _recognised(file)
        except InputError as error:
            yield _about(database, _failed(file, error))
            return
        if file.skipped or recognised is None:
            skipped = file.skipped or "no known export format"
            yield _about(
                database, SourceRow(file.name, "skipped", file.number, file.inputs, 0, 0, 0, 0, skipped=skipped)
            )
            return
        yield from _read(database, file, recognised, options, columnar_from)


def _recognised(file: RawFile) -> Recognised | None:
    path = Path(file.path)
    if file.skipped:
        return None
    if file.parts:
        return recognised_folder(path, [Path(part) for part in file.parts])
    return recognise_messages(path) or recognise(path)


def _failed(file: RawFile, error: InputError) -> SourceRow:
    """A file that cannot even be recognised."""
    if file.named:
        return SourceRow(file.name, "", file.number, file.inputs, 0, 0, 0, 0, error=str(error))
    return SourceRow(file.name, "skipped", file.number, file.inputs, 0, 0, 0, 0, skipped=str(error))


def _read(
    database: Database, file: RawFile, recognised: Recognised, options: ReadOptions, columnar_from: int
) -> Iterator[pa.RecordBatch]:
    load_classes(database, _NOBODY)
    rejected = database.folder / "rejected.csv"
    with rejected.open("w", encoding="utf-8", newline="") as out:
        writer = own_csv_writer(out)

        def reject(_: str, row: RejectedRow) -> None:
            writer.writerow([row.row, row.why.replace("\0", "\ufffd"), row.text.replace("\0", "\ufffd")])

        try:
            staged = _staged(database, file, recognised, options, columnar_from=columnar_from, reject=reject)
        except InputError as error:
            yield _about(database, _failed(file, error))
            return
    yield from _records(database, file, staged)
    yield from _rejected(database, file, rejected, staged)
    remark, more = notes(recognised, staged.rows), not file.parts and announces_more(recognised.path)
    counts = (staged.rows, staged.rejected, staged.records, staged.expanded)
    yield _about(
        database, SourceRow(file.name, staged.format, file.number, file.inputs, *counts, staged.note, remark, more)
    )


def _staged(
    database: Database,
    file: RawFile,
    recognised: Recognised,
    options: ReadOptions,
    *,
    columnar_from: int,
    reject: Callable[[str, RejectedRow], None],
) -> Staged:
    stager = Stager(
        database, _NOBODY, options, reject, lambda _: None, keep_partial=not file.named, columnar_from=columnar_from
    )
    try:
        return stager.stage(0, recognised)
    except InputError as error:
        if file.named:
            raise
        return stage_refused(recognised, error, reject)


def _records(database: Database, file: RawFile, staged: Staged) -> Iterator[pa.RecordBatch]:
    queries = [f"SELECT * FROM read_parquet({literal(path)})" for path in staged.parquets]
    queries += [staged.rest] if staged.rest else []
    if queries:
        define_incoming(database, queries)
        columns = {name: name for name in KEPT} | {"source": literal(file.name), "format": literal(staged.format)}
        yield from database.arrow(_widened(RECORD_KIND, columns, "incoming"), _ROWS)


def _rejected(database: Database, file: RawFile, path: Path, staged: Staged) -> Iterator[pa.RecordBatch]:
    if staged.rejected:
        own = {name: _TYPES[REJECTED[name]] for name in ("row", "why", "text")}
        columns = {name: name for name in own} | {"source": literal(file.name), "number": str(file.number)}
        yield from database.arrow(_widened(REJECTED_KIND, columns, read_own_csv(path, own)), _ROWS)


def _about(database: Database, row: SourceRow) -> pa.RecordBatch:
    database.load("about", {name: _TYPES[ALL[name]] for name in asdict(row)}, [list(asdict(row).values())])
    return next(database.arrow(_widened(SOURCE_KIND, {name: name for name in asdict(row)}, "about"), _ROWS))


def _widened(kind: str, columns: Mapping[str, str], source: str) -> str:
    """SQL: all columns of `records.ALL`. `columns`: name -> SQL for those that rows of this kind have."""
    told = {"kind": literal(kind), **columns}
    texts = (f"({told.get(name, 'NULL')})::{_TYPES[type_]} AS {name}" for name, type_ in ALL.items())
    return f"SELECT {', '.join(texts)} FROM {source}"
