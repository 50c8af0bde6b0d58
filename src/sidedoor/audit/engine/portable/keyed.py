"""The columns the rule looks at, as small integers: what `audit.engine.columns` says in DuckDB's SQL.

`classed` adds CLASSED to records; `keyed` then adds the decision key of each event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, and_, or_

import ibis
import ibis.expr.types as ir

from sidedoor.audit.classes import FIRST_OWN_CLASS, FOREIGN_CLASS, AddressClasses, Classes
from sidedoor.audit.engine.columns import ABSENT, DOMAIN_CLASS, MOST_CASES, UNKNOWN, UNSAID
from sidedoor.audit.engine.portable.engine import Engine
from sidedoor.audit.engine.portable.tables import SMALL, domain_of, remembered
from sidedoor.mail.network import NetworkError, parse_ip

_DOMAINS = {"env": "envelope_sender", "listed": "listed_sender", "from": "header_from"}


@dataclass(frozen=True)
class Division:
    """How settings divide domains and addresses, as `Classes`; equal where expressions are.

    addresses: whether there is a table `address_class`.
    """

    exact: tuple[tuple[str, int], ...]
    suffixes: tuple[tuple[str, int], ...]
    every_sender: bool
    domain_table: ir.Table | None
    address_table: ir.Table | None


def divide(engine: Engine, classes: Classes, records: ir.Table) -> Division:
    """Tell the engine which classes there are. records: whose addresses lie in networks too wide to be spelled out."""
    exact = tuple(classes.domains.exact.items())
    domains = addresses = None
    if len(exact) > MOST_CASES:
        domains = engine.load("domain_class", {"domain": "string", "class": SMALL}, exact)
    if classes.addresses.networks.intervals:
        listed = dict(classes.addresses.listed()) | _seen_in_wide_networks(engine, classes.addresses, records)
        addresses = engine.load("address_class", {"address": "string", "class": SMALL}, list(listed.items()))
    return Division(exact, classes.domains.suffixes, classes.every_sender, domains, addresses)


def _seen_in_wide_networks(engine: Engine, addresses: AddressClasses, records: ir.Table) -> dict[str, int]:
    """Addresses of the records in networks too wide to be spelled out, with their class.

    Such are IPv6 prefixes on an IP list, and what an export holds and Exchange would refuse.
    """
    found: dict[str, int] = {}
    if addresses.all_listed:
        return found
    for (text,) in engine.rows(_beginning(records, addresses.wide_beginnings())):
        try:
            number = addresses.of(parse_ip(text))
        except NetworkError:
            continue
        if number:
            found[text] = number
    return found


@remembered
def _beginning(records: ir.Table, beginnings: Sequence[str]) -> ir.Table:
    """The addresses of records whose text begins so. A few groups of many spare a cluster from sending them all."""
    here = reduce(or_, (records.client_ip.startswith(text) for text in beginnings))
    return records.filter(here, records.client_ip != "").select("client_ip").distinct()


def classed(records: ir.Table, division: Division) -> ir.Table:
    """The records with the columns of CLASSED."""
    table, numbers = records, {}
    for name, text in DOMAIN_CLASS.items():
        if division.domain_table is None:
            numbers[name] = _by_cases(records[text], division)
        else:
            table = _joined(table, name, domain_of(records[text]), division.domain_table)
            numbers[name] = _by_join(table[text], table[f"{name}_exact"], division)
    in_network: ir.IntegerValue = ibis.literal(0, SMALL)
    if division.address_table is not None:
        table = _joined(table, "ip_class", table.client_ip, division.address_table)
        in_network = table.ip_class_exact.fill_null(0)
    numbers["ip_class"] = (table.client_ip == "").cast(SMALL) * ABSENT + in_network
    return table.select(*records.columns, **{name: number.cast(SMALL) for name, number in numbers.items()})


def _joined(table: ir.Table, name: str, text: ir.StringValue, numbers: ir.Table) -> ir.Table:
    """The table with the class of `text` in the column `name`_exact; the small side is on the right."""
    asked, exact, key = f"{name}_asked", f"{name}_exact", f"{name}_text"
    table = table.mutate(**{asked: text})
    small = numbers.select(**{key: numbers[0], exact: numbers[1]})
    return table.left_join(small, table[asked] == small[key]).drop(asked, key)


def _by_cases(text: ir.StringValue, division: Division) -> ir.IntegerValue:
    """The class of the domain of an address, by looking at its end. A sum is far cheaper here than a CASE."""
    suffixes = division.suffixes
    ends = [(f"@{domain}", number) for domain, number in division.exact]
    below = [
        (end, number - next((outer for other, outer in suffixes[place + 1 :] if end.endswith(other)), 0))
        for place, (end, number) in enumerate(suffixes)
    ]  # an address below an inner domain ends like one below the outer domain too: the sum then corrects itself
    inner = [
        (end, -outer)
        for end, _ in ends
        for outer in [next((number for other, number in suffixes if end[1:].endswith(other)), 0)]
        if outer
    ]
    terms = [text.endswith(end).cast(SMALL) * number for end, number in [*ends, *below, *inner]]
    return reduce(add, terms, (text == "<>").cast(SMALL) * ABSENT)


def _by_join(text: ir.StringValue, exact: ir.IntegerValue, division: Division) -> ir.IntegerValue:
    below: ir.IntegerValue = ibis.literal(FOREIGN_CLASS, SMALL)
    if division.suffixes:
        below = ibis.cases(*((text.endswith(end), number) for end, number in division.suffixes), else_=FOREIGN_CLASS)
    return ibis.cases((text.isnull(), ibis.null(SMALL)), (text == "<>", ABSENT), else_=exact.fill_null(below))


def keyed(events: ir.Table) -> ir.Table:
    """The events with the columns of `flows.KEY`, their sender, and the domains that tell flows apart."""
    env, listed, header = events.env_class, events.listed_class, events.from_class
    no_listed = listed.isnull() | (listed <= FIRST_OWN_CLASS)
    own = ibis.cases((header.notnull(), header), (env.isnull(), listed)) <= FIRST_OWN_CLASS
    tls = ibis.cases((events.tls.isnull(), UNKNOWN), (events.tls == "none", 0), else_=1)
    said = {f"k_{name}": events[name].fill_null(UNSAID) for name in ("connector", "direction", "entry")}
    return events.mutate(
        env=ibis.cases((env.notnull(), env), (no_listed, ibis.literal(UNKNOWN, SMALL)), else_=listed).cast(SMALL),
        assumed=env.isnull() & listed.notnull(),
        own=own.fill_null(False),
        ip=events.ip_class.fill_null(UNKNOWN).cast(SMALL),
        rcpt=events.rcpt_class.fill_null(UNKNOWN).cast(SMALL),
        tls_state=tls.cast("int8"),
        sender=ibis.coalesce(events.envelope_sender, events.listed_sender),
        **said,
        **{f"{name}_domain": domain_of(events[text]) for name, text in _DOMAINS.items()},
    )


def may_need_sender(events: ir.Table, division: Division) -> ir.BooleanValue:
    """True for more events than `wants_sender`, never for fewer."""
    if division.every_sender:
        return ibis.literal(True)
    # Own classes, null senders and cells that tell nothing are below zero; a header From may be own as well.
    shown = ibis.coalesce(events.env_class, events.listed_class, -1)
    return (shown < 0) | (events.from_class.fill_null(0) < 0)


def is_stranger(keyed_events: ir.Table, division: Division) -> ir.BooleanValue:
    """A sender is shown, and none that is shown is in an accepted domain."""
    own = sorted(domain for domain, number in division.exact if number < 0)
    texts = [keyed_events[text] for text in _DOMAINS.values()]
    shown = ibis.coalesce(*texts, ibis.literal("<>")) != "<>"
    if len(own) <= MOST_CASES:  # looking at an end is cheaper than taking a domain out
        foreign = [~text.endswith(f"@{domain}").fill_null(False) for text in texts for domain in own]
    else:
        foreign = [keyed_events[f"{name}_domain"].fill_null("").notin(own) for name in _DOMAINS]
    return reduce(and_, foreign, shown)
