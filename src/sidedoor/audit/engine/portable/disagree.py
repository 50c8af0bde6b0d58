"""Facts of one message that two sources tell differently."""

from __future__ import annotations

import ibis.expr.types as ir

from sidedoor.audit.engine.merge import COMPARED, OF_THE_CONNECTION, ORIGINATING
from sidedoor.audit.engine.portable.engine import Engine
from sidedoor.audit.engine.portable.merge import MESSAGE, Names, United, ranked
from sidedoor.audit.engine.portable.tables import remembered
from sidedoor.audit.model import Disagreement


def disagreements(engine: Engine, united: United) -> tuple[Disagreement, ...]:
    """Pairs of formats that differ about a fact, with the number of messages and one example."""
    if united.spread is None:
        return ()
    found = [
        Disagreement(fact, believed, doubted, count, str(example)[:200])
        for fact in COMPARED
        for believed, doubted, count, example in engine.rows(_about(united.spread, fact, united.formats))
    ]
    return tuple(sorted(found, key=lambda row: (row.fact, row.believed, row.doubted)))


@remembered
def _about(spread: ir.Table, fact: str, formats: Names) -> ir.Table:
    # Known absence against a value counts ("" and a name); silence (NULL) does not.
    spoken = spread.filter(spread[fact].notnull())
    if fact in OF_THE_CONNECTION:
        # A tracking log tells of the device at the organisation's own server, Exchange Online of that server.
        spoken = spoken.filter(~spoken.entry.identical_to("relayed"))
    alike = spoken[fact]
    if fact == "direction":
        alike = alike.isin(ORIGINATING).ifelse("originating", alike)
    # A record without recipient meets others of its kind: NULL stands for one recipient here.
    whom = spoken.recipient.fill_null("")
    # Of two formats that nobody ranks the name decides, or each engine would believe another.
    place = ranked(spoken, fact, formats) + " " + spoken.format
    spoken = spoken.select(*MESSAGE, "format", whom=whom, alike=alike, value=spoken[fact], place=place)
    same = spoken.group_by("key", "whom").agg(least=spoken.alike.min(), most=spoken.alike.max())
    told = spoken.semi_join(same.filter(same.least != same.most), ["key", "whom"])
    best = told.group_by("key", "whom").agg(believed=told.format.argmin(told.place), best=told.value.argmin(told.place))
    pairs = told.join(best, ["key", "whom"])
    pairs = pairs.filter(pairs.value != pairs.best)
    pairs = pairs.select(
        "key", "whom", "believed", doubted=pairs.format, example=pairs.key + ": " + pairs.best + " / " + pairs.value
    )
    messages = pairs.group_by("believed", "doubted", "key", "whom").agg(example=pairs.example.min())
    return messages.group_by("believed", "doubted").agg(n=messages.count(), example=messages.example.min())
