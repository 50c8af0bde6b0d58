"""What an engine is: it holds the records, is asked in Ibis expressions, and gives back rows that are few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sidedoor.audit.engine.normalise import RawFile
from sidedoor.evidence.interface import ReadOptions

if TYPE_CHECKING:
    import ibis.expr.types as ir

Rows = Sequence[tuple[Any, ...]]
Identify = Callable[..., "ir.Value"]
"""What stands for all its arguments together: the same for the same values, NULL told from every text."""


class Engine(Protocol):
    """One connection. Tables are known by name; a name that is given again means the new table from then on.

    Raises InputError for data that cannot be read, UnreachableError where the engine has gone away.
    """

    @property
    def identify(self) -> Identify:
        """The engine's own hash, of 64 bits at least."""

    def define(self, name: str, expression: ir.Table) -> ir.Table:
        """A name for an expression, which is evaluated wherever the name is used."""

    def keep(self, name: str, expression: ir.Table) -> ir.Table:
        """A name for the rows of an expression, which is evaluated once."""

    def repeated(self, name: str, expression: ir.Table) -> ir.Table:
        """As `keep`, of the values that stand more than once in the one column of an expression: few of billions."""

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> ir.Table:
        """A small table out of Python rows. columns: name -> Ibis type; None becomes NULL."""

    def rows(self, expression: ir.Table) -> Rows:
        """All rows of an expression whose result is small by construction. Times are naive and UTC."""


class Store(Engine, Protocol):
    """An engine that keeps records too, in Parquet that it can reach (`engine.records`)."""

    def read(self, place: str, kind: str, columns: Mapping[str, str]) -> ir.Table:
        """The rows of one kind in a place; none where there is no such part."""

    def normalise(self, files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
        """Turn raw exports into records. Raises OutputError where something is there already."""

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """The files below a folder of the engine's storage, with their sizes."""
