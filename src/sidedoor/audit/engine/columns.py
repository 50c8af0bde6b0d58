"""The columns the rule looks at, as small integers: classes of domains and addresses instead of their text.

Staging adds to every record (`with_classes`):
env_class, listed_class, from_class, rcpt_class  class of the address's domain; -2 for `<>`; NULL unknown
ip_class  class of the client address; -2 where there was no SMTP client; NULL unknown

The view `keyed` then has the decision key of each event:
env  class of the envelope sender's domain; -1 unknown, -2 null reverse-path
assumed  true where `env` comes from a sender column of unspecified kind
own  class of the header From's domain is an accepted domain (or the listed sender's, where that is all there is)
ip, rcpt  as above with -1 for unknown; tls_state  0 none, 1 some, -1 unknown
k_connector, k_direction, k_entry  the text, or UNSAID where unknown, so that joins need no NULL
"""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.audit.classes import FIRST_OWN_CLASS, FOREIGN_CLASS, AddressClasses, Classes, DomainClasses
from sidedoor.audit.engine.database import Database, literal
from sidedoor.mail.network import NetworkError, parse_ip

UNKNOWN, ABSENT = -1, -2
UNSAID = "\ue001"  # a private-use character: no export writes it
DOMAIN_CLASS: Mapping[str, str] = {
    "env_class": "envelope_sender",
    "listed_class": "listed_sender",
    "from_class": "header_from",
    "rcpt_class": "recipient",
}
CLASSED = (*DOMAIN_CLASS, "ip_class")
# So many domains are compared one after the other; more go through a join.
MOST_CASES = 12


def load_classes(database: Database, classes: Classes) -> None:
    """Create `domain_class` and `address_class`: text -> class. Before staging."""
    database.load("domain_class", {"domain": "VARCHAR", "class": "SMALLINT"}, list(classes.domains.exact.items()))
    database.load("address_class", {"address": "VARCHAR", "class": "SMALLINT"}, classes.addresses.listed())


def with_classes(source: str, present: frozenset[str], classes: Classes) -> str:
    """A query over the query `source` that adds the columns of CLASSED; `present` are text columns not all NULL."""
    columns, joins = ["s.*"], []
    for name, text in DOMAIN_CLASS.items():
        if text not in present:
            columns.append(f"NULL::SMALLINT AS {name}")
        elif len(classes.domains.exact) <= MOST_CASES:
            columns.append(f"({_by_cases(text, classes.domains)})::SMALLINT AS {name}")
        else:
            joins.append(f"LEFT JOIN domain_class {name} ON {name}.domain = {domain_of(f's.{text}')}")
            columns.append(f"{_by_join(name, text, classes.domains)}::SMALLINT AS {name}")
    in_network = "0"
    if classes.addresses.networks.intervals:
        joins.append("LEFT JOIN address_class a ON a.address = s.client_ip")
        in_network = "coalesce(a.class, 0)"
    columns.append(f"((s.client_ip = '')::SMALLINT * {ABSENT} + {in_network})::SMALLINT AS ip_class")
    return f"SELECT {', '.join(columns)} FROM ({source}) s {' '.join(joins)}"


def _by_cases(text: str, domains: DomainClasses) -> str:
    """SQL: the class of the domain of an address, by looking at its end. A sum is far cheaper here than a CASE."""
    ends = [(f"@{domain}", number) for domain, number in domains.exact.items()]
    below = [
        (end, number - next((outer for other, outer in domains.suffixes[place + 1 :] if end.endswith(other)), 0))
        for place, (end, number) in enumerate(domains.suffixes)
    ]  # an address below an inner domain ends like one below the outer domain too: the sum then corrects itself
    terms = [f"ends_with(s.{text}, {literal(end)})::SMALLINT * {number}" for end, number in [*ends, *below]]
    inner = [
        f"ends_with(s.{text}, {literal(end)})::SMALLINT * {-outer}"
        for end, _ in ends
        for outer in [next((n for other, n in domains.suffixes if end[1:].endswith(other)), 0)]
        if outer
    ]
    return " + ".join([f"(s.{text} = '<>')::SMALLINT * {ABSENT}", *terms, *inner])


def _by_join(name: str, text: str, domains: DomainClasses) -> str:
    suffixes = " ".join(f"WHEN ends_with(s.{text}, {literal(end)}) THEN {number}" for end, number in domains.suffixes)
    below = f"CASE {suffixes} ELSE {FOREIGN_CLASS} END" if suffixes else str(FOREIGN_CLASS)
    return (
        f"CASE WHEN s.{text} IS NULL THEN NULL WHEN s.{text} = '<>' THEN {ABSENT} "
        f"ELSE coalesce({name}.class, {below}) END"
    )


def define_keyed(database: Database, view: str, events: str) -> None:
    """Create the view `view` of decision keys over the view `events`."""
    database.run(
        f"""
        CREATE TEMP VIEW {view} AS SELECT e.*,
          CASE WHEN env_class IS NOT NULL THEN env_class
               WHEN listed_class IS NULL OR listed_class <= {FIRST_OWN_CLASS} THEN {UNKNOWN}
               ELSE listed_class END::SMALLINT AS env,
          env_class IS NULL AND listed_class IS NOT NULL AS assumed,
          coalesce(CASE WHEN from_class IS NOT NULL THEN from_class
               WHEN env_class IS NULL THEN listed_class END <= {FIRST_OWN_CLASS}, false) AS own,
          coalesce(ip_class, {UNKNOWN})::SMALLINT AS ip, coalesce(rcpt_class, {UNKNOWN})::SMALLINT AS rcpt,
          CASE WHEN tls IS NULL THEN {UNKNOWN} WHEN tls = 'none' THEN 0 ELSE 1 END::TINYINT AS tls_state,
          coalesce(connector, {literal(UNSAID)}) AS k_connector, coalesce(direction, {literal(UNSAID)}) AS k_direction,
          coalesce(entry, {literal(UNSAID)}) AS k_entry
        FROM {events} e
        """
    )


def may_need_sender(classes: Classes) -> str:
    """SQL condition over classes; true for more rows than `wants_sender`, never for fewer."""
    if classes.every_sender:
        return "true"
    # Own classes, null senders and cells that tell nothing are below zero; a header From may be own as well.
    return "(coalesce(env_class, listed_class, -1) < 0 OR coalesce(from_class, 0) < 0)"


def classify_seen(database: Database, addresses: AddressClasses, records: str) -> None:
    """Add to `address_class` the addresses of `records` that lie in networks too wide to be spelled out.

    Such are IPv6 prefixes on an IP list, and what an export holds and Exchange would refuse.
    """
    if addresses.all_listed:
        return
    found = []
    for batch in database.batches(f"SELECT DISTINCT client_ip FROM {records} WHERE client_ip <> ''"):
        for (text,) in batch:
            try:
                number = addresses.of(parse_ip(text))
            except NetworkError:
                continue
            found.extend([(text, number)] if number else [])
    database.load("address_seen", {"address": "VARCHAR", "class": "SMALLINT"}, found)
    database.run("INSERT INTO address_class SELECT * FROM address_seen ANTI JOIN address_class USING (address)")
    database.run("DROP TABLE address_seen")


def domain_of(column: str) -> str:
    """SQL: the text behind the last @; NULL where there is no @."""
    return f"CASE WHEN contains({column}, '@') THEN split_part({column}, '@', -1) END"
