"""Raw exports read by Spark's workers, each file by one of them, with the readers of this package."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sidedoor.audit.engine.normalise import RawFile, normalise
from sidedoor.audit.engine.records import ALL
from sidedoor.errors import InputError
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.tenant_files import is_tenant_export

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

DDL: Mapping[str, str] = {
    "string": "STRING", "int32": "INT", "int64": "BIGINT", "boolean": "BOOLEAN", "timestamp(6)": "TIMESTAMP_NTZ",
}  # fmt: skip
_SCHEMA = ", ".join(f"`{name}` {DDL[type_]}" for name, type_ in ALL.items())
ROWS_AT_ONCE = "spark.sql.execution.arrow.maxRecordsPerBatch"
_TASK_BYTES = 256 * 1024 * 1024  # small files go several to a task, or the records would lie in as many small files
_SETTINGS = "the tenant's settings; --tenant names them, on this machine"


def from_paths(session: SparkSession, files: Sequence[RawFile], options: ReadOptions) -> DataFrame:
    """The rows of files that every worker sees under the same path."""
    told = session.sparkContext.broadcast((tuple(files), options))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chosen, how = told.value
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from normalise(chosen[number], how, threads=1)

    parallel = session.sparkContext.defaultParallelism
    tasks = min(max(1, len(files)), max(4 * parallel, sum(file.size for file in files) // _TASK_BYTES))
    return session.range(0, len(files), 1, tasks).mapInArrow(read, _SCHEMA)


def from_contents(session: SparkSession, files: Sequence[RawFile], options: ReadOptions) -> DataFrame:
    """The rows of files on storage that only Spark reaches; it hands over each file whole, so none beyond 2 GB."""
    told = session.sparkContext.broadcast(({file.path: file for file in files}, options))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chosen, how = told.value
        for batch in batches:
            for path, content in zip(batch.column(0).to_pylist(), batch.column(1), strict=True):
                if path in chosen:  # else it came after the files were listed
                    yield from _handed_over(chosen[path], content.as_buffer(), how)

    session.conf.set(ROWS_AT_ONCE, "1")  # each may be large
    # By the folder, as they were listed: a name of its own may hold what Spark takes for a pattern.
    reader = session.read.format("binaryFile").option("recursiveFileLookup", "true")
    found = reader.load(sorted({file.root for file in files}))
    return found.select("path", "content").mapInArrow(read, _SCHEMA)


def _handed_over(file: RawFile, content: object, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="sidedoor-") as scratch:
        copy = Path(scratch) / PurePosixPath(file.path).name
        copy.write_bytes(content)  # type: ignore[arg-type]
        told = replace(file, path=str(copy), shown=file.path)
        with suppress(InputError):  # which `normalise` meets again, and says
            told = replace(told, skipped=_SETTINGS if is_tenant_export(copy) else told.skipped)
        yield from normalise(told, options, threads=1)
