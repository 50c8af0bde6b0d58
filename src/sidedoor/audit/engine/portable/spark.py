"""Spark as an engine: the cluster that holds the records answers in SQL that Ibis wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.columns import UNSAID
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.tables import builtin, remembered, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class SparkEngine:
    """See `engine.Engine`."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._kept: list[DataFrame] = []

    @property
    def identify(self) -> Identify:
        """Spark's own hash of 64 bits."""
        return _xxhash64

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        self._session.sql(sql(expression)).createOrReplaceTempView(name)
        return table(name, expression.schema())

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`. Counted at once, so that Spark knows its size when it joins it."""
        frame = self._session.sql(sql(expression)).persist()
        frame.createOrReplaceTempView(name)
        self._kept.append(frame)
        frame.count()
        return table(name, expression.schema())

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """See `engine.Engine`. As Arrow, of which Spark knows the size: it sends a small table to every executor."""
        import pyarrow as pa

        cells = list(zip(*rows, strict=True)) or [()] * len(columns)
        arrays = [pa.array(values, pa.type_for_alias(kind)) for values, kind in zip(cells, columns.values(), strict=True)]
        frame = self._session.createDataFrame(pa.Table.from_arrays(arrays, list(columns)))
        frame.createOrReplaceTempView(name)
        return table(name, columns)

    def rows(self, expression: ir.Table) -> Rows:
        """See `engine.Engine`."""
        found = self._session.sql(sql(expression)).toArrow()
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def _xxhash64(*values: ir.Value) -> ir.Value:
    """NULL does not count in Spark's hash, so that (NULL, x) would be (x, NULL); texts get a word for it."""
    told = [value.fill_null(UNSAID) if value.type().is_string() else value for value in values]
    return builtin("xxhash64", "int64", *told)


@remembered
def sql(expression: ir.Table) -> str:
    """Spark's SQL of an expression."""
    return str(ibis.to_sql(expression, dialect="pyspark", pretty=False))
