"""Spark as an engine: the cluster that holds the records answers in SQL that Ibis wrote."""

from __future__ import annotations

import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import ibis
import ibis.expr.types as ir
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from sidedoor.audit.engine.columns import UNSAID
from sidedoor.audit.engine.normalise import RawFile
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.spark_files import DDL, ROWS_AT_ONCE, from_contents, from_paths
from sidedoor.audit.engine.portable.tables import arrow_table, builtin, remembered, table
from sidedoor.errors import InputError, OutputError, SidedoorError, UnreachableError, UsageError
from sidedoor.evidence.interface import ReadOptions

_LOCAL = re.compile(r"local(-cluster)?\b")
# Without a word from Spark's own configuration: one machine, seen by nobody else, memory like DuckDB's.
_ALONE = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "3g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.sql.shuffle.partitions": "8",
}
_ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",
    # The three kinds of rows are written side by side; else Spark sorts all rows by their kind first.
    "spark.sql.maxConcurrentOutputFileWriters": "4",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.codegen.hugeMethodLimit": "8000",  # the JVM compiles no method beyond that, it would interpret it
    "spark.sql.execution.replaceHashWithSortAgg": "true",  # where rows come sorted anyway
}


@contextmanager
def open_spark(master: str, scratch: str) -> Iterator[SparkEngine]:
    """A session of our own; `master` as Spark names it, "" for what Spark's configuration says, else this machine.

    scratch: a folder on the engine's storage, which is made and taken away.
    """
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise UsageError("--engine spark needs Java 17 or newer: apt-get install default-jre-headless, or JAVA_HOME")
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    # Workers on this machine run the Python that has Sidedoor; those of a cluster what the cluster says.
    if _LOCAL.match(master or "local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("sidedoor")
    settings = {**_ALWAYS, **(_ALONE if _LOCAL.match(master or "local") else {})}
    for name, value in settings.items():
        builder = builder.config(name, value)
    if master:
        builder = builder.master(master)
    try:
        session = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise UnreachableError(f"Spark ({master or 'as configured'}) does not start: {_first_line(error)}") from error
    try:
        yield SparkEngine(session, scratch)
    finally:
        with suppress(Py4JError, PySparkException, OSError):
            _delete(session, scratch)
            session.stop()


def _delete(session: SparkSession, folder: str) -> None:
    """PySpark itself deletes nothing; Hadoop's file system, which knows every storage that Spark does, can."""
    context = session.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(folder)  # type: ignore[union-attr]  # noqa: SLF001
    path.getFileSystem(context._jsc.hadoopConfiguration()).delete(path, True)  # noqa: SLF001


class SparkEngine:
    """See `engine.Store`. Its storage is whatever Spark reads: folders that all machines see, HDFS, S3."""

    def __init__(self, session: SparkSession, scratch: str) -> None:
        """`scratch`: a folder on the engine's storage, for tables that are kept for the length of the run."""
        self._session, self._scratch = session, scratch
        self._kept = 0

    @property
    def identify(self) -> Identify:
        """Spark's own hash of 64 bits."""
        return _xxhash64

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        with _understood():
            self._session.sql(sql(expression)).createOrReplaceTempView(name)
        return table(name, expression.schema())

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`.

        Written and read again: what Spark caches it plans from the start nevertheless, in time that doubles with each
        table that rests on others; and what an executor cached dies with it.
        """
        with _understood():
            return self._written(name, self._session.sql(sql(expression)), expression)

    def repeated(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`. Values that are nearly all single are counted faster, and in less memory, by sorting."""
        (column,) = expression.columns
        with _understood():
            spread = self._session.sql(sql(expression)).repartition(column).sortWithinPartitions(column)
            counted = spread.groupBy(column).count()
            return self._written(name, counted.where("count > 1").select(column), expression)

    def _written(self, name: str, frame: DataFrame, expression: ir.Table) -> ir.Table:
        self._kept += 1
        place = f"{self._scratch}/{self._kept:02d}-{name}"
        frame.write.option("compression", "snappy").parquet(place)
        self._session.read.schema(frame.schema).parquet(place).createOrReplaceTempView(name)
        return table(name, expression.schema())

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """See `engine.Engine`. As Arrow, of which Spark knows the size: it sends a small table to every executor."""
        with _understood():
            self._session.createDataFrame(arrow_table(columns, rows)).createOrReplaceTempView(name)
        return table(name, columns)

    def rows(self, expression: ir.Table) -> Rows:
        """See `engine.Engine`."""
        with _understood():
            found = self._session.sql(sql(expression)).toArrow()
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def read(self, place: str, kind: str, columns: Mapping[str, str]) -> ir.Table:
        """See `engine.Store`."""
        schema = ", ".join(f"`{name}` {DDL[type_]}" for name, type_ in columns.items())
        with _understood():
            try:
                frame = self._session.read.schema(schema).parquet(f"{place.rstrip('/')}/kind={kind}")
            except AnalysisException as error:
                if error.getCondition() != "PATH_NOT_FOUND":
                    raise
                frame = self._session.createDataFrame([], schema)
            frame.createOrReplaceTempView(f"{kind}_rows")
        return table(f"{kind}_rows", columns)

    def normalise(self, files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
        """See `engine.Store`. Workers read the files themselves where they see them, else Spark hands them over."""
        with _understood(place):
            near, far = [file for file in files if not file.root], [file for file in files if file.root]
            tagged = from_paths(self._session, near, options)
            if far:
                tagged = tagged.union(from_contents(self._session, far, options))
            tagged.write.partitionBy("kind").parquet(place)
            self._session.conf.unset(ROWS_AT_ONCE)

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """See `engine.Store`."""
        with _understood():
            found = self._session.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder)
            return sorted((row.path, row.length) for row in found.select("path", "length").toLocalIterator())


@contextmanager
def _understood(written: str = "") -> Iterator[None]:
    """What Spark throws, as errors of ours. written: the place that is being written."""
    try:
        yield
    except (ConnectionError, Py4JNetworkError) as error:
        raise UnreachableError("Spark went away in the middle of the run") from error
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if isinstance(error, PySparkException) and error.getCondition() == "PATH_ALREADY_EXISTS":
            raise OutputError(f"{written}: there is something already") from error
        if isinstance(error, PySparkException) and error.getCondition() == "PATH_NOT_FOUND":
            raise InputError(_first_line(error), "nothing there", "a file or folder of exports") from error
        broken = re.search(r"(?:reading|footer for|open) file:? ?([^\s]+\.parquet)", text)
        if broken and "arquet" in text:
            raise InputError(broken[1], "what is no whole Parquet", "Parquet written to its end") from error
        raise SidedoorError(f"Spark could not answer: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _xxhash64(*values: ir.Value) -> ir.Value:
    """NULL does not count in Spark's hash, so that (NULL, x) would be (x, NULL); texts get a word for it."""
    told = [value.fill_null(UNSAID) if value.type().is_string() else value for value in values]
    return builtin("xxhash64", "int64", *told)


@remembered
def sql(expression: ir.Table) -> str:
    """Spark's SQL of an expression."""
    return str(ibis.to_sql(expression, dialect="pyspark", pretty=False))
