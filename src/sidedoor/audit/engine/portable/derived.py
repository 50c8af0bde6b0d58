"""What an answer needs of events, as small tables: what is kept of a day in a history, or asked of a cluster.

keys        decision keys with their messages, and those of them between strangers, by day
clients     addresses in networks that a setting names, with the connector that attributed their mail
logins      own addresses by decision key, to see who logs in
flows       a row per flow; profile: what its messages say, counted; recipients: what stands for whom
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import ibis
import ibis.expr.types as ir

from sidedoor.audit.classes import FIRST_OWN_CLASS
from sidedoor.audit.engine.flows import KEY, PLACE_KEY, RESULTS
from sidedoor.audit.engine.portable.engine import Engine, Identify
from sidedoor.audit.engine.portable.keyed import Division, is_stranger, keyed, may_need_sender
from sidedoor.audit.engine.portable.tables import count_where, remembered


@dataclass(frozen=True, slots=True)
class Derived:
    """The small tables."""

    keys: ir.Table
    clients: ir.Table
    logins: ir.Table
    flows: ir.Table
    profile: ir.Table
    recipients: ir.Table


@remembered
def identified(events: ir.Table, division: Division, identify: Identify) -> ir.Table:
    """The events with their decision key, what stands for it (`key_hash`), and for their flow (`flow_hash`).

    The latter is NULL where no sender can be needed.
    """
    table = keyed(events)
    flow = identify(*(table[name] for name in (*KEY, *PLACE_KEY)))
    need = may_need_sender(table, division)
    return table.mutate(key_hash=identify(*(table[name] for name in KEY)), flow_hash=ibis.cases((need, flow)))


def derive_tables(engine: Engine, events: ir.Table, division: Division) -> Derived:
    """The small tables of identified events."""
    profiled = engine.keep("profiled", _profiled(events))
    return Derived(
        keys=_keys(events, division),
        clients=_clients(events),
        logins=_logins(events),
        flows=_flows(profiled),
        profile=_profile(profiled),
        recipients=_recipients(profiled, engine.identify),
    )


@remembered
def _keys(events: ir.Table, division: Division) -> ir.Table:
    dated = events.mutate(day=events.received_at.date())
    return dated.group_by(*KEY, "key_hash", "day").agg(
        n=dated.count(),
        strangers=count_where(dated, is_stranger(dated, division)),
        first=dated.received_at.min(),
        last=dated.received_at.max(),
    )


@remembered
def _clients(events: ir.Table) -> ir.Table:
    attributed = events.filter((events.ip_class > 0) & (events.connector != ""))
    return attributed.group_by("client_ip", "connector").agg(n=attributed.count(), last=attributed.received_at.max())


@remembered
def _logins(events: ir.Table) -> ir.Table:
    own = events.filter(ibis.coalesce(events.env_class, events.listed_class) <= FIRST_OWN_CLASS)
    return own.group_by("key_hash", "sender").agg(n=own.count())


@remembered
def _profiled(events: ir.Table) -> ir.Table:
    columns = (*PLACE_KEY, "flow_hash", "key_hash", "received_at", "recipient", "header_from", "sender", "own")
    return events.filter(events.flow_hash.notnull()).select(*columns, *(name for name in RESULTS))


@remembered
def _flows(profiled: ir.Table) -> ir.Table:
    same = {name: profiled[name].arbitrary() for name in (*PLACE_KEY, "key_hash")}
    return profiled.group_by("flow_hash").agg(
        **same,
        n=profiled.count(),
        to_itself=count_where(profiled, profiled.sender == profiled.recipient),
        first=profiled.received_at.min(),
        last=profiled.received_at.max(),
        own=profiled.own.any(),
    )


@remembered
def _profile(profiled: ir.Table) -> ir.Table:
    """flow_hash, kind, text, n; "" is known absence, which says nothing of a result."""
    texts = {
        "sender": profiled.sender,
        "header_from": profiled.header_from,
        "hour": profiled.received_at.hour().cast("string"),
        "day": profiled.received_at.date().cast("string"),
        **{name: profiled[name].nullif("") for name in RESULTS},
    }
    told = reduce(ir.Table.union, (_told(profiled, kind, text) for kind, text in texts.items()))
    return told.group_by("flow_hash", "kind", "text").agg(n=told.count())


def _told(profiled: ir.Table, kind: str, text: ir.StringValue) -> ir.Table:
    table = profiled.select("flow_hash", kind=ibis.literal(kind), text=text)
    return table.filter(table.text.notnull())


@remembered
def _recipients(profiled: ir.Table, identify: Identify) -> ir.Table:
    told = profiled.filter(profiled.recipient.notnull())
    return told.select("flow_hash", recipient=identify(told.recipient)).distinct()
