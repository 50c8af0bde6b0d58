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
    results = engine.keep("results", _results(profiled))
    return Derived(
        keys=_keys(events, division, engine.identify),
        clients=_clients(events),
        logins=_logins(profiled),
        flows=_flows(profiled),
        profile=_profile(profiled, results),
        recipients=_recipients(profiled, engine.identify),
    )


@remembered
def _keys(events: ir.Table, division: Division, identify: Identify) -> ir.Table:
    dated = events.mutate(day=events.received_at.date())
    counted = dated.group_by(*KEY, "day").agg(
        n=dated.count(),
        strangers=count_where(dated, is_stranger(dated, division)),
        first=dated.received_at.min(),
        last=dated.received_at.max(),
    )
    # Of few groups, not of each message.
    return counted.mutate(key_hash=identify(*(counted[name] for name in KEY)))


@remembered
def _clients(events: ir.Table) -> ir.Table:
    attributed = events.filter((events.ip_class > 0) & (events.connector != ""))
    return attributed.group_by("client_ip", "connector").agg(n=attributed.count(), last=attributed.received_at.max())


@remembered
def _profiled(events: ir.Table) -> ir.Table:
    """The events of flows; all of own addresses are among them (`may_need_sender`)."""
    submitted = ibis.coalesce(events.env_class, events.listed_class) <= FIRST_OWN_CLASS
    columns = (*PLACE_KEY, "flow_hash", "key_hash", "received_at", "recipient", "header_from", "sender", "own")
    told = events.mutate(submitted=submitted.fill_null(False)).filter(events.flow_hash.notnull())
    return told.select(*columns, "submitted", *(name for name in RESULTS))


@remembered
def _logins(profiled: ir.Table) -> ir.Table:
    own = profiled.filter(profiled.submitted)
    return own.group_by("key_hash", "sender").agg(n=own.count())


@remembered
def _flows(profiled: ir.Table) -> ir.Table:
    # The hash stands for all of the others, which are named because some engines sort where a group is to show one.
    return profiled.group_by("flow_hash", "key_hash", *PLACE_KEY).agg(
        n=profiled.count(),
        to_itself=count_where(profiled, profiled.sender == profiled.recipient),
        first=profiled.received_at.min(),
        last=profiled.received_at.max(),
        own=profiled.own.any(),
    )


@remembered
def _results(profiled: ir.Table) -> ir.Table:
    """What messages were found to be, together: few combinations of many messages."""
    return profiled.group_by("flow_hash", *RESULTS).agg(n=profiled.count())


@remembered
def _profile(profiled: ir.Table, results: ir.Table) -> ir.Table:
    """flow_hash, kind, text, n; "" is known absence, which says nothing of a result."""
    times = profiled.select("flow_hash", day=profiled.received_at.date(), hour=profiled.received_at.hour())
    told = [
        *(_told(profiled, name, profiled[name]) for name in ("sender", "header_from")),
        *(_told(times, name, times[name]) for name in ("hour", "day")),
        *(_told(results, name, results[name].nullif("")) for name in RESULTS),
    ]
    return reduce(ir.Table.union, told)


def _told(table: ir.Table, kind: str, text: ir.Value) -> ir.Table:
    said = table.mutate(text=text).filter(text.notnull())
    counted = said.group_by("flow_hash", "text").agg(n=said.n.sum() if "n" in table.columns else said.count())
    return counted.select("flow_hash", kind=ibis.literal(kind), text=counted.text.cast("string"), n=counted.n)


@remembered
def _recipients(profiled: ir.Table, identify: Identify) -> ir.Table:
    """A row per message; who wants them once says so."""
    told = profiled.filter(profiled.recipient.notnull())
    return told.select("flow_hash", recipient=identify(told.recipient))
