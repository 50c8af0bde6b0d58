"""Records of one message and recipient become one event: what `audit.engine.merge` says in DuckDB's SQL.

Records that stand alone, which most do, are not touched. The others go through `spread`, where a record without
recipient stands once for every recipient that another source names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from sidedoor.audit.engine.columns import CLASSED
from sidedoor.audit.engine.merge import OF_THE_CONNECTION, TREATMENT_ORDER, Listed, settle_kinds
from sidedoor.audit.engine.portable.engine import Engine, Identify
from sidedoor.audit.engine.portable.keyed import Division, classed
from sidedoor.audit.engine.portable.tables import count_where, remembered
from sidedoor.audit.listed import ListedSender
from sidedoor.evidence.precedence import rank
from sidedoor.evidence.record import FACTS, NULL_SENDER

MESSAGE = ("key", "recipient")
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one source shows of itself. nulls: null reverse-paths. listed: addresses of unspecified kind.

    general: records that speak of all recipients.
    """

    format: str
    records: int
    nulls: int
    listed: int
    general: int


@dataclass(frozen=True, slots=True)
class Told:
    """The sources whose sender column is the envelope sender, or the header From: whole formats, and single ones."""

    formats: Mapping[ListedSender, Names]
    sources: Mapping[ListedSender, Names]

    def __hash__(self) -> int:
        return hash((*self.formats.items(), *self.sources.items()))


@dataclass(frozen=True, slots=True)
class United:
    """The events of all records, with what was found on the way.

    events: a row per message and recipient, classed. kinds: source -> what its sender column was shown to be.
    spread: the records that met another; None where none did.
    """

    events: ir.Table
    sources: Mapping[str, Shown]
    kinds: Mapping[str, ListedSender]
    spread: ir.Table | None

    @property
    def formats(self) -> Names:
        """All formats, in order."""
        return tuple(sorted({source.format for source in self.sources.values()}))


def unite(engine: Engine, records: ir.Table, listed: Listed, division: Division) -> United:
    """The events of `records`."""
    rows = _identified(records, engine.identify)
    found = {source: Shown(*told) for source, *told in sorted(engine.rows(_sources(records)))}
    formats = tuple(sorted({source.format for source in found.values()}))
    spread = _spread(engine, rows, general=any(source.general for source in found.values()))
    shown = {name: (source.format, source.nulls) for name, source in found.items() if source.listed}
    kinds = settle_kinds(
        shown, listed, lambda unknown: [] if spread is None else _comparison(engine, spread, formats, unknown)
    )
    told = _told(shown, kinds)
    if spread is None:
        return United(_alone(rows, told, division), found, kinds, None)
    replaced = engine.keep("replaced", _replaced(spread))
    merged = engine.keep("merged", _merged(spread, told, formats))
    return United(_together(rows, replaced, merged, told, division), found, kinds, spread)


@remembered
def _identified(records: ir.Table, identify: Identify) -> ir.Table:
    return records.mutate(h=identify(records.key, records.recipient))


@remembered
def _sources(records: ir.Table) -> ir.Table:
    return records.group_by("source", "format").agg(
        records=records.count(),
        nulls=count_where(records, records.envelope_sender == NULL_SENDER),
        listed=records.listed_sender.count(),
        general=count_where(records, records.recipient.isnull()),
    )


def _spread(engine: Engine, rows: ir.Table, *, general: bool) -> ir.Table | None:
    """The records that share message and recipient with another, or speak of all recipients; None where none does."""
    doubled = engine.repeated("doubled", _hashes(rows))
    if general:
        several = _several(rows, doubled, engine.keep("general", _general(rows)))
        return engine.keep("spread", _over_recipients(engine.keep("several", several)))
    if engine.rows(_size(doubled))[0][0]:
        return engine.keep("spread", _repeated(rows, doubled))
    return None


@remembered
def _hashes(rows: ir.Table) -> ir.Table:
    return rows.select("h")


@remembered
def _general(rows: ir.Table) -> ir.Table:
    return rows.filter(rows.recipient.isnull()).select("key").distinct()


@remembered
def _size(table: ir.Table) -> ir.Table:
    return table.aggregate(n=table.count())


@remembered
def _repeated(rows: ir.Table, doubled: ir.Table) -> ir.Table:
    return rows.semi_join(doubled, "h")


@remembered
def _several(rows: ir.Table, doubled: ir.Table, general: ir.Table) -> ir.Table:
    return rows.semi_join(doubled, "h").union(rows.anti_join(doubled, "h").semi_join(general, "key"))


@remembered
def _over_recipients(several: ir.Table) -> ir.Table:
    named = several.filter(several.recipient.notnull())
    whom = named.select("key", whom=named.recipient).distinct()
    others = several.filter(several.recipient.isnull()).left_join(whom, "key")
    return named.union(others.mutate(recipient=others.whom).select(*named.columns))


@remembered
def _replaced(spread: ir.Table) -> ir.Table:
    return spread.select("h").distinct()


def _told(shown: Mapping[str, tuple[str, int]], kinds: Mapping[str, ListedSender]) -> Told:
    formats, sources = {}, {}
    for kind in (ListedSender.ENVELOPE, ListedSender.HEADER):
        chosen = [source for source, other in kinds.items() if other is kind]
        mixed = {shown[source][0] for source, other in kinds.items() if other is not kind}
        formats[kind] = tuple(sorted({shown[source][0] for source in chosen} - mixed))
        sources[kind] = tuple(sorted(source for source in chosen if shown[source][0] in mixed))
    return Told(formats, sources)


def _resolved(table: ir.Table, told: Told) -> ir.Table:
    """A listed sender put in the place of the address it was shown to be, and its class with it."""
    changed: dict[str, ir.Value] = {}
    for kind, column, number in (
        (ListedSender.ENVELOPE, "envelope_sender", "env_class"),
        (ListedSender.HEADER, "header_from", "from_class"),
    ):
        formats, sources = told.formats[kind], told.sources[kind]
        if not formats and not sources:
            continue
        here = table.format.isin(formats) if formats else ibis.literal(False)
        here = (here | table.source.isin(sources) if sources else here) & table[column].isnull()
        changed[column] = here.ifelse(table.listed_sender, table[column])
        if number in table.columns:
            changed[number] = here.ifelse(table.listed_class, table[number])
    return table.mutate(**changed) if changed else table


@remembered
def _alone(rows: ir.Table, told: Told, division: Division) -> ir.Table:
    return _resolved(classed(rows, division), told).select("key", *FACTS, *CLASSED)


@remembered
def _together(rows: ir.Table, replaced: ir.Table, merged: ir.Table, told: Told, division: Division) -> ir.Table:
    alone = _alone(rows.anti_join(replaced, "h"), told, division)
    return alone.union(classed(merged, division).select(*alone.columns))


def ranked(table: ir.Table, fact: str, formats: Sequence[str]) -> ir.StringValue:
    """The fact as text that begins with its source's place, two digits, and is least where it is to be believed.

    Of one source a value comes before a known absence.
    """
    places = {name: str(min(99, 10 + rank(name, fact))) for name in formats}
    place: ir.StringValue = table.format.cases(*places.items())
    return place + (table[fact] == "").ifelse("1", "0") + table[fact]


def _best(table: ir.Table, fact: str, formats: Sequence[str]) -> ir.Value:
    """The value of `fact` from the best-informed record of a group."""
    if fact == "received_at":
        return _best_time(table, formats)
    if fact == "treatment":
        order = table.treatment.cases(*((word, str(place)) for place, word in enumerate(TREATMENT_ORDER)), else_="9")
        return (order + table.treatment).min().substr(1)
    text = ranked(table, fact, formats)
    if fact not in OF_THE_CONNECTION:
        return text.min().substr(3)
    # Where Exchange Online told whom it saw, a tracking log tells of another connection.
    service = ~table.entry.identical_to("relayed")
    seen = table.client_ip.count(where=service) > 0
    return seen.ifelse(text.min(where=service), text.min()).substr(3)


def _best_time(table: ir.Table, formats: Sequence[str]) -> ir.TimestampValue:
    """The earliest of the best source. Engines write times as text differently, so that text cannot say which it is."""
    by_rank: dict[int, list[str]] = {}
    for name in formats:
        by_rank.setdefault(rank(name, "received_at"), []).append(name)
    times = [table.received_at.min(where=table.format.isin(by_rank[place])) for place in sorted(by_rank)]
    return ibis.coalesce(*times)


@remembered
def _merged(spread: ir.Table, told: Told, formats: Names) -> ir.Table:
    """One row for each message and recipient of `spread`."""
    table = _resolved(spread, told)
    best = {fact: _best(table, fact, formats) for fact in FACTS if fact != "recipient"}
    return table.group_by(*MESSAGE).agg(**best).select("key", *FACTS)


def _comparison(
    engine: Engine, spread: ir.Table, formats: Names, unknown: Sequence[str]
) -> Sequence[tuple[str, int, int]]:
    """What `settle_kinds` asks for: of sources, how often what they listed was either address of a message."""
    asked = set(unknown)
    counts = engine.rows(_compared(spread, formats)) if asked else ()
    return [(source, envelope, header) for source, envelope, header in sorted(counts) if source in asked]


@remembered
def _compared(spread: ir.Table, formats: Names) -> ir.Table:
    best = spread.group_by(*MESSAGE).agg(
        envelope=_best(spread, "envelope_sender", formats), header=_best(spread, "header_from", formats)
    )
    differing = best.filter(best.envelope != best.header)
    listed = spread.filter(spread.listed_sender.notnull()).select(*MESSAGE, "source", "listed_sender")
    told = listed.join(differing, list(MESSAGE))
    return told.group_by("source").agg(
        as_envelope=count_where(told, told.listed_sender == told.envelope),
        as_header=count_where(told, told.listed_sender == told.header),
    )
