"""The tables that expressions are about, and the few functions that Ibis has no words for."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    import pyarrow as pa


SMALL = "int16"  # classes; sums of them are cast back
KEY_TYPES: Mapping[str, str] = {
    "env": SMALL, "assumed": "boolean", "ip": SMALL, "rcpt": SMALL, "tls_state": "int8", "k_connector": "string",
    "k_direction": "string", "own": "boolean", "k_entry": "string",
}  # fmt: skip
remembered = lru_cache(maxsize=256)
"""For functions that make an expression, or compile one: what they were asked last is at hand."""


def table(name: str, columns: Mapping[str, object]) -> ir.Table:
    """The table `name`; the same object for the same columns, so that what is cached for it is found."""
    return _table(name, tuple((column, str(kind)) for column, kind in columns.items()))


@remembered
def _table(name: str, columns: tuple[tuple[str, str], ...]) -> ir.Table:
    return ibis.table(dict(columns), name=name)


def arrow_table(columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> pa.Table:
    """A small table for those who take Arrow. columns: name -> Ibis type, as everywhere."""
    import pyarrow as pa

    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(values, pa.type_for_alias(kind)) for values, kind in zip(cells, columns.values(), strict=True)]
    return pa.Table.from_arrays(arrays, list(columns))


def builtin(name: str, returns: str, *values: ir.Value) -> ir.Value:
    """A call of a function that the engine has and Ibis does not know."""

    def function() -> None: ...

    parameters = [inspect.Parameter(f"a{n}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in range(len(values))]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call = ibis.udf.scalar.builtin(function, name=name, signature=(tuple(value.type() for value in values), returns))
    result: ir.Value = call(*values)
    return result


def count_where(table: ir.Table, condition: ir.BooleanValue) -> ir.IntegerScalar:
    """How many rows of a group are so. Ibis has Spark sum the condition: NULL where it is NULL for all of them."""
    return table.count(where=condition.fill_null(False))


def domain_of(text: ir.StringValue) -> ir.StringValue:
    """The text behind the last @; NULL where there is no @."""
    last = builtin("split_part", "string", text, ibis.literal("@"), ibis.literal(-1, "int32"))
    return ibis.cases((text.contains("@"), last))


@remembered
def repeated_in(expression: ir.Table) -> ir.Table:
    """The values that stand more than once in the one column of an expression."""
    (name,) = expression.columns
    counted = expression.group_by(name).agg(times=expression.count())
    return counted.filter(counted.times > 1).select(name)
