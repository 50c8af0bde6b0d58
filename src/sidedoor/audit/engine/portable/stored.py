"""What lies in a place of records (`engine.records`), looked at before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import ibis.expr.types as ir

from sidedoor.audit.engine.portable.engine import Store
from sidedoor.audit.engine.portable.tables import remembered
from sidedoor.audit.engine.records import (
    RECORD,
    RECORD_KIND,
    REJECTED,
    REJECTED_KIND,
    SOURCE,
    SOURCE_KIND,
    SourceRow,
)
from sidedoor.errors import InputError
from sidedoor.evidence.record import RejectedRow

_EXPECTED = "a folder of records that `sidedoor audit --engine` made to its end"


def sources_of(store: Store, place: str) -> list[SourceRow]:
    """The files that the records were made of, in order. Raises InputError where some are missing, or ended the run."""
    rows = store.rows(store.read(place, SOURCE_KIND, SOURCE))
    sources = sorted((SourceRow(**dict(zip(SOURCE, row, strict=True))) for row in rows), key=lambda row: row.number)
    if not sources:
        raise InputError(place, "no records", _EXPECTED)
    if [source.number for source in sources] != list(range(sources[0].inputs)):
        raise InputError(place, f"{len(sources)} of {sources[0].inputs} files", _EXPECTED)
    for source in sources:
        if source.error:
            raise InputError(source.source, source.error, "a file that can be read, in a new place of records")
    return sources


def records_of(store: Store, place: str) -> ir.Table:
    """The records."""
    return store.read(place, RECORD_KIND, RECORD)


def tenants_of(store: Store, records: ir.Table) -> Mapping[str, str]:
    """Tenant id -> a file whose records are of that tenant."""
    return dict(sorted(store.rows(_tenants(records))))


@remembered
def _tenants(records: ir.Table) -> ir.Table:
    told = records.filter(records.tenant_id.notnull() & (records.tenant_id != ""))
    return told.group_by("tenant_id").agg(source=told.source.min())


def rejected_of(store: Store, place: str, sources: Sequence[SourceRow], most: int) -> Iterator[tuple[str, RejectedRow]]:
    """The first rejected rows, with their file. Raises InputError where some were lost."""
    rejected = store.read(place, REJECTED_KIND, REJECTED)
    counted: dict[str, int] = dict(store.rows(_counts(rejected)))
    for source in sources:
        if counted.get(source.source, 0) != source.rejected:
            found = f"{counted.get(source.source, 0):,} rejected rows of {source.source}"
            raise InputError(place, found, f"the {source.rejected:,} that were written")
    if counted:
        for name, *row in sorted(store.rows(_first(rejected, most)), key=lambda row: (row[-1], row[1], row[2])):
            yield name, RejectedRow(*row[:3])


@remembered
def _counts(rejected: ir.Table) -> ir.Table:
    return rejected.group_by("source").agg(n=rejected.count())


@remembered
def _first(rejected: ir.Table, most: int) -> ir.Table:
    ordered = rejected.order_by("number", "row", "why", "text").limit(most)
    return ordered.select("source", "row", "why", "text", "number")
