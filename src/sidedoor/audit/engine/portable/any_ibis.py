"""Whatever else Ibis connects to, by its URL, as an engine: a back end that reads Parquet can hold the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from operator import add
from typing import Any
from uuid import uuid4

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.columns import UNSAID
from sidedoor.audit.engine.normalise import RawFile
from sidedoor.audit.engine.portable.engine import Identify, Rows
from sidedoor.audit.engine.portable.local import listed, normalise_here, parts_of
from sidedoor.audit.engine.portable.tables import arrow_table, repeated_in, table
from sidedoor.errors import InputError, SidedoorError, UnreachableError, UsageError
from sidedoor.evidence.interface import ReadOptions


@contextmanager
def open_ibis(url: str) -> Iterator[IbisEngine]:
    """A connection for as long as the block; the tables that it made go with it."""
    try:
        connection = ibis.connect(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"--engine: Ibis has no back end for {url.partition(':')[0]!r} here ({error})") from error
    except Exception as error:  # each back end raises its own
        raise UnreachableError(f"--engine: no connection ({str(error).splitlines()[0][:200]})") from error
    engine = IbisEngine(connection)
    try:
        yield engine
    finally:
        engine.close()


class IbisEngine:
    """See `engine.Store`. Raw exports are read here; its storage are the folders that this machine sees."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._run = connection, uuid4().hex[:8]
        self._made: list[str] = []

    @property
    def identify(self) -> Identify:
        """No hash is the same everywhere, or is there at all: the values themselves, each behind its length."""
        return _spelled

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`. A view would outlive what it looks at in some back ends; so it is a table."""
        return self.keep(name, expression)

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        with _understood():
            self._connection.create_table(self._name(name), obj=expression)
        return table(self._made[-1], expression.schema())

    def repeated(self, name: str, expression: ir.Table) -> ir.Table:
        """See `engine.Engine`."""
        return self.keep(name, repeated_in(expression))

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """See `engine.Engine`."""
        with _understood():
            self._connection.create_table(self._name(name), schema=ibis.schema(dict(columns)))
            told = arrow_table(columns, rows)
            if told.num_rows:
                self._connection.insert(self._made[-1], told)
        return table(self._made[-1], columns)

    def rows(self, expression: ir.Table) -> Rows:
        """See `engine.Engine`."""
        with _understood():
            found = self._connection.to_pyarrow(expression)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def read(self, place: str, kind: str, columns: Mapping[str, str]) -> ir.Table:
        """See `engine.Store`."""
        parts = parts_of(place, kind)
        if not parts:
            return self.load(f"{kind}_rows", columns, ())
        with _understood():
            tables = [self._connection.read_parquet(str(part), table_name=self._name(f"{kind}_part")) for part in parts]
        told = (each.select(**{name: each[name].cast(type_) for name, type_ in columns.items()}) for each in tables)
        return reduce(ir.Table.union, told)

    def normalise(self, files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
        """See `engine.Store`."""
        normalise_here(files, options, place)

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """See `engine.Store`."""
        return listed(folder)

    def close(self) -> None:
        """Take away what was made; what is gone already is gone."""
        for name in reversed(self._made):
            with suppress(Exception):  # each back end raises its own
                self._connection.drop_table(name, force=True)
        with suppress(Exception):
            self._connection.disconnect()

    def _name(self, name: str) -> str:
        """A name that nobody else in this database has."""
        self._made.append(f"sidedoor_{self._run}_{len(self._made)}_{name}")
        return self._made[-1]


@contextmanager
def _understood() -> Iterator[None]:
    """What a back end throws, each its own, as errors of ours."""
    try:
        yield
    except NotImplementedError as error:
        raise UsageError(f"--engine: this back end cannot do that ({error})") from error
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        if "arquet" in said:
            raise InputError(
                "the records", f"what is no whole Parquet ({said})", "Parquet written to its end"
            ) from error
        raise SidedoorError(f"the engine could not answer: {said}") from error


def _spelled(*values: ir.Value) -> ir.Value:
    return reduce(add, map(_spelled_one, values))


def _spelled_one(value: ir.Value) -> ir.StringValue:
    text: ir.StringValue = value.cast("string").fill_null(UNSAID)
    return text.length().cast("string") + ":" + text
