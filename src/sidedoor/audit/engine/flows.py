"""Flow reduction: millions of events become a few thousand decision keys, then the flows that need a sender.

`decided` is `keyed` with the decision's number; `wanted` holds the events whose sender the report must name, each
with the hash of its flow; `flow_ids` maps that hash to the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from sidedoor.audit.classes import FOREIGN_CLASS, Classes
from sidedoor.audit.engine.columns import ABSENT, UNKNOWN, UNSAID, define_keyed, domain_of
from sidedoor.audit.engine.database import Database
from sidedoor.audit.facts import DecisionKey, Representatives, decide_key, wants_sender
from sidedoor.audit.flow import Flow
from sidedoor.errors import SidedoorError
from sidedoor.policy.decision import Decision
from sidedoor.policy.rule import Rule

# More flows than anybody reads: the lightest beyond these are counted together, one flow for each decision.
MOST_FLOWS = 100_000
MOST_ADDRESSES = 50
_MOST_POSSIBLE = 2_000
# The types are those of the view, because the hash of a number depends on its type.
KEY = {
    "env": "SMALLINT",
    "assumed": "BOOLEAN",
    "ip": "SMALLINT",
    "rcpt": "SMALLINT",
    "tls_state": "TINYINT",
    "k_connector": "VARCHAR",
    "k_direction": "VARCHAR",
    "own": "BOOLEAN",
    "k_entry": "VARCHAR",
}
# What tells flows of one decision apart.
PLACE_KEY = {
    "client_ip": "client_ip",
    "env_domain": domain_of("envelope_sender"),
    "listed_domain": domain_of("listed_sender"),
    "from_domain": domain_of("header_from"),
    "helo": "helo",
    "tls": "tls",
    "connector": "connector",
    "direction": "direction",
}
_FLOW_KEY = {"decision": "decision", **PLACE_KEY}
RESULTS = ("spf", "dkim", "dmarc", "compauth", "compauth_reason", "treatment", "entry", "mailer", "dkim_domain")
SENDER = "coalesce(envelope_sender, listed_sender)"


def decide_events(database: Database, rule: Rule, classes: Classes, *, on_trust: bool = False) -> list[Decision]:
    """Decide each distinct decision key once; join the decision back as the views `decided` and `rest_decided`.

    `on_trust`: the bulk has not been looked at, so every key it could have is decided. Returns the decisions by number.
    """
    views = {"keyed": "events", "rest_keyed": "rest_events", "slim_keyed": "rest_classes"}
    for view, events in views.items():
        define_keyed(database, view, events)
    names = ", ".join(KEY)
    rows = database.rows(
        f"SELECT DISTINCT {names} FROM (SELECT {names} FROM keyed UNION ALL SELECT {names} FROM slim_keyed)"
    )
    keys = sorted({*map(tuple, rows), *(possible_keys(classes) if on_trust else ())})
    representatives = Representatives(classes.domains.representatives, classes.addresses.representatives())
    decisions = [decide_key(rule, key_of(key), representatives) for key in keys]
    columns = {**KEY, "decision": "INTEGER", "submission": "VARCHAR", "would_reject": "BOOLEAN", "wanted": "BOOLEAN"}
    database.load(
        "decisions",
        {**columns, "certainty": "VARCHAR", "missing": "VARCHAR"},
        (
            [
                *key,
                number,
                decision.submission.value,
                decision.would_reject,
                wants_sender(decision, own=key_of(key).own),
                decision.certainty.word,
                ",".join(decision.missing),
            ]
            for number, (key, decision) in enumerate(zip(keys, decisions, strict=True))
        ),
    )
    _join_decisions(database, classes, on_trust=on_trust)
    return decisions


def possible_keys(classes: Classes) -> Iterator[tuple[Any, ...]]:
    """Every decision key of a row with a foreign sender in a file without connector, direction and TLS."""
    numbers = classes.domains.representatives
    senders = [number for number in numbers if number >= FOREIGN_CLASS]
    addresses = (UNKNOWN, ABSENT, *classes.addresses.numbers.values())
    for env, assumed, ip, rcpt in product(senders, (False, True), addresses, numbers):
        yield env, assumed, ip, rcpt, UNKNOWN, UNSAID, UNSAID, False, UNSAID


def few_possible_keys(classes: Classes) -> bool:
    """Whether `possible_keys` are so few that deciding them all costs less than looking for those that occur."""
    numbers = len(classes.domains.representatives)
    return numbers * numbers * 2 * (len(classes.addresses.numbers) + 2) <= _MOST_POSSIBLE


def _join_decisions(database: Database, classes: Classes, *, on_trust: bool) -> None:
    """The views `decided` (all columns of the key) and `rest_decided` (rows without connector, direction and TLS)."""
    # One number is joined much faster than eight columns, and a small dense one faster still (no hashing at all).
    names = ", ".join(KEY)
    code = _code(classes)
    database.run(f"ALTER TABLE decisions ADD COLUMN key_hash UBIGINT; UPDATE decisions SET key_hash = hash({names})")
    database.run(f"ALTER TABLE decisions ADD COLUMN code BIGINT; UPDATE decisions SET code = {code}")
    if database.scalar("SELECT count(*) - count(DISTINCT key_hash) FROM decisions"):
        raise SidedoorError("two decision keys have the same hash; please report this with the version of DuckDB")
    silent = f"k_connector = '{UNSAID}' AND k_direction = '{UNSAID}' AND k_entry = '{UNSAID}' AND tls_state = {UNKNOWN}"
    database.run(f"CREATE TEMP TABLE rest_decisions AS SELECT * FROM decisions WHERE {silent}")
    columns = "k.*, d.decision, d.would_reject, d.wanted, d.certainty, d.missing"
    database.run(
        f"CREATE TEMP VIEW decided AS SELECT {columns}, d.submission, "
        f"CASE WHEN d.wanted THEN hash({', '.join(_FLOW_KEY.values())}) END AS flow_hash "
        f"FROM keyed k JOIN decisions d ON hash({', '.join(f'k.{name}' for name in KEY)}) = d.key_hash"
    )
    # A time with an offset shows in the text only: such a row loses its time, and `write_messages` looks for that.
    time = " REPLACE (CASE WHEN utc THEN received_at END AS received_at)" if on_trust else ""
    database.run(
        f"CREATE TEMP VIEW rest_decided AS SELECT {columns.replace('k.*', f'k.*{time}', 1)}, d.submission "
        f"FROM (SELECT *, {code} AS code FROM rest_keyed) k JOIN rest_decisions d USING (code)"
    )


def _code(classes: Classes) -> str:
    """SQL: one small number for the numeric part of a decision key."""
    numbers = classes.domains.representatives
    lowest, domains = min(*numbers, ABSENT), len(numbers) + 3
    addresses = len(classes.addresses.numbers) + 2
    return (
        f"((((env::BIGINT - ({lowest})) * {domains} + rcpt - ({lowest})) * {addresses} + ip + 2) * 2 "
        "+ own::INTEGER) * 2 + assumed::INTEGER"
    )


def key_of(row: tuple[Any, ...]) -> DecisionKey:
    """A row that begins with the columns of `KEY` as a decision key."""
    env, assumed, ip, rcpt, tls, connector, direction, own, entry = row[:9]
    said = [None if text == UNSAID else str(text) for text in (connector, direction, entry)]
    return DecisionKey(env, assumed, ip, rcpt, tls, said[0], said[1], own, said[2])


def reduce_flows(database: Database, decisions: Sequence[Decision]) -> list[Flow]:
    """The flows of all wanted events, heaviest first; beyond MOST_FLOWS the rest of each decision is one flow."""
    key = [f"{expression} AS {name}" for name, expression in _FLOW_KEY.items()]
    columns = ", ".join((*key, "flow_hash", "received_at", "recipient", "header_from", *RESULTS))
    database.run(
        f"CREATE TEMP TABLE wanted AS SELECT {columns}, {SENDER} AS sender, submission, would_reject, own "
        "FROM decided WHERE wanted"
    )
    database.run(
        "CREATE TEMP TABLE flow_ids AS SELECT flow_hash, decision, "
        f"CASE WHEN place <= {MOST_FLOWS} THEN place ELSE {MOST_FLOWS} + 1 + decision END::INTEGER AS flow FROM ("
        "SELECT flow_hash, decision, row_number() OVER (ORDER BY count(*) DESC, min(received_at), flow_hash) AS place "
        "FROM wanted GROUP BY flow_hash, decision)"
    )
    senders = _addresses(database, "sender")
    header_froms = _addresses(database, "header_from")
    return [
        flow_of(row, decisions[row[1]], senders.get(row[0], ()), header_froms.get(row[0], ()))
        for row in _profiles(database)
    ]


def _profiles(database: Database) -> Iterator[tuple[Any, ...]]:
    """One row a flow: id, its key (NULL where a collapsed flow has several values), counts, time profile, results."""
    names = list(_FLOW_KEY)[1:]
    if database.scalar(f"SELECT count(*) FROM flow_ids WHERE flow > {MOST_FLOWS}"):
        # A collapsed flow holds many addresses: what is not the same in all of them is unknown.
        key = ", ".join(
            f"CASE WHEN count(DISTINCT {name}) = 1 AND count({name}) = count(*) THEN any_value({name}) END AS {name}"
            for name in names
        )
    else:
        key = ", ".join(f"any_value({name}) AS {name}" for name in names)
    results = ", ".join(f"histogram({name}) FILTER ({name} <> '')" for name in RESULTS)
    # A message without time (an event that only details tell) counts, but says nothing of when.
    query = (
        f"SELECT flow, w.decision, {key}, count(*), count(DISTINCT sender), count(DISTINCT recipient), "
        "count(*) FILTER (sender = recipient), coalesce(min(received_at), TIMESTAMP '1970-01-01'), "
        "coalesce(max(received_at), TIMESTAMP '1970-01-01'), "
        "coalesce(list_sort(list(DISTINCT received_at::DATE) FILTER (received_at IS NOT NULL)), []), "
        f"histogram(hour(received_at)), bool_or(own), {results} "
        "FROM wanted w JOIN flow_ids USING (flow_hash, decision) GROUP BY flow, w.decision ORDER BY flow"
    )
    for batch in database.batches(query):
        yield from batch


def _addresses(database: Database, column: str) -> dict[int, tuple[tuple[str, int], ...]]:
    """Flow -> its commonest addresses with their counts."""
    query = (
        f"SELECT flow, list({column} ORDER BY n DESC, {column}), list(n ORDER BY n DESC, {column}) FROM ("
        f"SELECT flow, {column}, count(*) AS n FROM wanted JOIN flow_ids USING (flow_hash, decision) "
        f"WHERE {column} IS NOT NULL GROUP BY flow, {column} "
        f"QUALIFY row_number() OVER (PARTITION BY flow ORDER BY n DESC, {column}) <= {MOST_ADDRESSES}) GROUP BY flow"
    )
    return {
        flow: tuple(zip(texts, counts, strict=True))
        for batch in database.batches(query)
        for flow, texts, counts in batch
    }


def flow_of(
    row: tuple[Any, ...],
    decision: Decision,
    senders: tuple[tuple[str, int], ...],
    header_froms: tuple[tuple[str, int], ...],
) -> Flow:
    """A row of a flow's id, its place, counts, time profile and results, as `_profiles` gives it, as a value."""
    (flow, _, client_ip, env, listed, header, helo, tls, connector, direction, *rest) = row
    messages, distinct_senders, recipients, self_addressed, first, last, days, hours, own, *results = rest
    spf, dkim, dmarc, compauth, reason, treatments, *more = (result or {} for result in results)
    null_sender = env is None and any(text == "<>" for text, _ in senders)
    return Flow(
        flow, client_ip, "<>" if null_sender else env, listed, header, helo, tls, connector, direction, decision,
        messages, distinct_senders, recipients, self_addressed, first, last, tuple(days),
        tuple((hours or {}).get(hour, 0) for hour in range(24)),
        senders, header_froms, spf, dkim, dmarc, compauth, reason, treatments, own, *more,
    )  # fmt: skip


def authenticated_use(database: Database) -> dict[str, int]:
    """Sender addresses of wanted events -> how often the same address submits with a login, or mailbox to mailbox."""
    return dict(
        database.rows(
            f"SELECT {SENDER}, count(*) FROM decided WHERE submission = 'authenticated' "
            f"AND {SENDER} IN (SELECT DISTINCT sender FROM wanted) GROUP BY 1"
        )
    )
