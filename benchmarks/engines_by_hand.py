"""The flow reduction in DuckDB's SQL, written by hand: what `sidedoor.audit.engine.portable` says in Ibis.

The peer of `engines.py`, and what days of a history were made with before the expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidedoor.audit.classes import FIRST_OWN_CLASS, Classes
from sidedoor.audit.engine.columns import classify_seen, define_keyed, load_classes, may_need_sender, with_classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.flows import KEY, MOST_ADDRESSES, MOST_FLOWS, PLACE_KEY, RESULTS, SENDER, key_of
from sidedoor.audit.engine.merge import unite
from sidedoor.audit.engine.output import is_stranger
from sidedoor.audit.engine.staging import TEXT_FACTS, Staged
from sidedoor.audit.facts import Representatives, decide_key, wants_sender
from sidedoor.policy.rule import Rule

TEXTS = {
    "sender": "sender",
    "header_from": "header_from",
    "hour": "hour(received_at)::VARCHAR",
    "day": "received_at::DATE::VARCHAR",
    **{name: f"nullif({name}, '')" for name in RESULTS},
}


def reduce_by_hand(database: Database, rule: Rule, classes: Classes, place: Path) -> tuple[int, int, int]:
    """Messages, flows, and recipients of flows, of the records in a place."""
    records = f"read_parquet({literal(place / 'kind=record' / '*.parquet')}, hive_partitioning = false)"
    load_classes(database, classes)
    classify_seen(database, classes.addresses, records)
    raw = f"SELECT 0::SMALLINT AS file, * EXCLUDE (source, format), hash(key, recipient) AS h FROM {records}"
    query = with_classes(raw, frozenset(TEXT_FACTS), classes)
    unite(database, [Staged(place, "message-trace-v2", query=query)], None, classes)
    database.rows(f"SELECT source, format, count(*), count(listed_sender) FROM {records} GROUP BY ALL")
    define_keyed(database, "keyed", "events")
    _derive(database, classes)
    return _combine(database, rule, classes)


def _derive(database: Database, classes: Classes) -> None:
    names, places = ", ".join(KEY), ", ".join(f"{expression} AS {name}" for name, expression in PLACE_KEY.items())
    flow = f"hash({names}, {', '.join(PLACE_KEY.values())})"
    database.run(
        f"CREATE TEMP VIEW hashed AS SELECT *, hash({names}) AS key_hash, {SENDER} AS sender, "
        f"CASE WHEN {may_need_sender(classes)} THEN {flow} END AS flow_hash FROM keyed"
    )
    database.run(
        f"CREATE TEMP TABLE profiled AS SELECT {places}, flow_hash, key_hash, received_at, recipient, header_from, "
        f"sender, own, {', '.join(RESULTS)} FROM hashed WHERE flow_hash IS NOT NULL"
    )
    database.run(
        f"CREATE TEMP TABLE keys AS SELECT {names}, key_hash, received_at::DATE AS day, count(*) AS n, "
        f"count(*) FILTER ({is_stranger()}) AS strangers, min(received_at) AS first, max(received_at) AS last "
        f"FROM hashed GROUP BY {names}, key_hash, day"
    )


def _combine(database: Database, rule: Rule, classes: Classes) -> tuple[int, int, int]:
    messages = _decide(database, rule, classes)
    same = ", ".join(f"any_value({name}) AS {name}" for name in (*PLACE_KEY, "key_hash"))
    database.run(
        f"CREATE TEMP TABLE wanted AS SELECT f.*, d.decision FROM (SELECT flow_hash, {same}, count(*) AS n, "
        "count(*) FILTER (sender = recipient) AS to_itself, min(received_at) AS first, max(received_at) AS last, "
        "bool_or(own) AS own FROM profiled GROUP BY flow_hash) f JOIN decisions d USING (key_hash) WHERE d.wanted"
    )
    database.run(
        "CREATE TEMP TABLE flow_ids AS SELECT flow_hash, decision, "
        f"CASE WHEN place <= {MOST_FLOWS} THEN place ELSE {MOST_FLOWS} + 1 + decision END::INTEGER AS flow FROM ("
        "SELECT flow_hash, decision, row_number() OVER (ORDER BY n DESC, first, flow_hash) AS place FROM wanted)"
    )
    database.run(
        f"CREATE TEMP TABLE profile AS SELECT flow, kind, text, sum(n)::BIGINT AS n FROM ("
        f"{' UNION ALL '.join(_counted())}) JOIN flow_ids USING (flow_hash) GROUP BY ALL"
    )
    flows = database.rows("SELECT f.* FROM wanted f JOIN flow_ids USING (flow_hash)")
    database.rows(
        "SELECT flow, kind, text, n, count(*) OVER (PARTITION BY flow, kind) FROM profile QUALIFY "
        "kind NOT IN ('sender', 'header_from') OR row_number() OVER (PARTITION BY flow, kind ORDER BY n DESC, text) "
        f"<= {MOST_ADDRESSES}"
    )
    recipients = database.rows(
        "SELECT flow, count(*) FROM (SELECT DISTINCT flow, hash(recipient) AS recipient FROM profiled "
        "JOIN flow_ids USING (flow_hash) WHERE recipient IS NOT NULL) GROUP BY flow"
    )
    database.rows(
        f"SELECT sender, count(*) FROM hashed JOIN decisions USING (key_hash) WHERE submission = 'authenticated' "
        f"AND coalesce(env_class, listed_class) <= {FIRST_OWN_CLASS} "
        "AND sender IN (SELECT text FROM profile WHERE kind = 'sender') GROUP BY 1"
    )
    return messages, len(flows), sum(count for _, count in recipients)


def _decide(database: Database, rule: Rule, classes: Classes) -> int:
    names = ", ".join(KEY)
    rows = database.rows(f"SELECT {names}, key_hash, sum(n)::BIGINT FROM keys GROUP BY {names}, key_hash ORDER BY ALL")
    representatives = Representatives(classes.domains.representatives, classes.addresses.representatives())
    made = [decide_key(rule, key_of(row), representatives) for row in rows]
    columns = {"key_hash": "UBIGINT", "decision": "INTEGER", "submission": "VARCHAR", "wanted": "BOOLEAN"}
    told = (
        [row[len(KEY)], number, one.submission.value, wants_sender(one, own=key_of(row).own)]
        for number, (row, one) in enumerate(zip(rows, made, strict=True))
    )
    database.load("decisions", columns, told)
    return sum(row[-1] for row in rows)


def _counted() -> Iterator[str]:
    for kind, text in TEXTS.items():
        yield (
            f"SELECT flow_hash, {literal(kind)} AS kind, {text} AS text, count(*) AS n FROM profiled "
            f"WHERE {text} IS NOT NULL GROUP BY ALL"
        )
