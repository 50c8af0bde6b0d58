"""What is kept of a day beside its records: events, decision keys, flows with their profile, logins.

Made of the day's parts alone, so that a day that changed costs a day. Everything here rests on the classes of the
tenant's settings (`audit.classes`) and on DuckDB's hash; the history makes it anew where either is another.

messages.parquet  one row per message and recipient, with `key_hash` and, where a sender may be needed, `flow_hash`
keys.parquet      decision keys with their messages, and those of them between strangers
clients.parquet   addresses in networks that a setting names, with the connector that attributed their mail
flows.parquet     a row per flow; profile.parquet what its messages say, counted; recipients.parquet hashes of whom
logins.parquet    own addresses by decision key, to see who logs in
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidedoor.audit.classes import FIRST_OWN_CLASS, Classes
from sidedoor.audit.engine.columns import classify_seen, define_keyed, load_classes, may_need_sender, with_classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.days import PARQUET, UNDATED, many
from sidedoor.audit.engine.flows import KEY, PLACE_KEY, RESULTS, SENDER
from sidedoor.audit.engine.merge import Listed, disagreements, tenants_of, unite
from sidedoor.audit.engine.output import EVENT_COLUMNS, is_stranger
from sidedoor.audit.engine.staging import TEXT_FACTS, Staged
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Disagreement

DERIVED = ("messages", "keys", "clients", "flows", "profile", "recipients", "logins")


@dataclass(frozen=True, slots=True)
class Part:
    """One file's records of a day. format: its name, which says how well it is informed."""

    path: Path
    format: str


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What became of a day's records. kinds: format -> what its sender column was shown to be."""

    records: int
    messages: int
    kinds: Mapping[str, ListedSender]
    disagreements: tuple[Disagreement, ...]
    tenants: tuple[str, ...]


def derive(database: Database, classes: Classes, parts: Sequence[Part], listed: Listed, out: Path) -> DayCounts:
    """Write the files of DERIVED for one day into the folder `out`, which is there."""
    load_classes(database, classes)
    classify_seen(database, classes.addresses, many(part.path for part in parts))
    files = [_staged(number, part, classes) for number, part in enumerate(parts)]
    kinds = unite(database, files, listed, classes)
    define_keyed(database, "keyed", "events")
    names = ", ".join(KEY)
    flow = f"hash({names}, {', '.join(PLACE_KEY.values())})"
    need = may_need_sender(classes)
    database.run(
        f"CREATE TEMP VIEW hashed AS SELECT *, hash({names}) AS key_hash, {SENDER} AS sender, "
        f"CASE WHEN {need} THEN {flow} END AS flow_hash FROM keyed"
    )
    _copy(database, out, "messages", f"SELECT {', '.join(EVENT_COLUMNS)}, key_hash, flow_hash FROM hashed")
    _copy(
        database, out, "keys",
        f"SELECT {names}, key_hash, {_day(out)} AS day, count(*) AS n, count(*) FILTER ({is_stranger()}) AS strangers, "
        f"min(received_at) AS first, max(received_at) AS last FROM hashed GROUP BY {names}, key_hash",
    )  # fmt: skip
    _copy(
        database, out, "clients",
        "SELECT client_ip, connector, count(*) AS n, max(received_at) AS last FROM hashed "
        "WHERE ip_class > 0 AND connector <> '' GROUP BY ALL",
    )  # fmt: skip
    _copy(
        database, out, "logins",
        f"SELECT key_hash, sender, count(*) AS n FROM hashed WHERE coalesce(env_class, listed_class) "
        f"<= {FIRST_OWN_CLASS} GROUP BY ALL",
    )  # fmt: skip
    _flows(database, out)
    return DayCounts(
        records=sum(int(database.scalar(f"SELECT count(*) FROM {many([part.path])}")) for part in parts),
        messages=int(database.scalar(f"SELECT count(*) FROM {many([out / 'messages.parquet'])}")),
        kinds=kinds,
        disagreements=disagreements(database, files),
        tenants=tuple(tenants_of(database, files)),
    )


def _staged(number: int, part: Part, classes: Classes) -> Staged:
    raw = f"SELECT {number}::SMALLINT AS file, *, hash(key, recipient) AS h FROM read_parquet({literal(part.path)})"
    return Staged(part.path, part.format, query=with_classes(raw, frozenset(TEXT_FACTS), classes))


def _day(out: Path) -> str:
    """SQL: the day that the folder is of. Messages that met beside midnight count where they lie."""
    return "NULL::DATE" if out.name == UNDATED else f"DATE {literal(out.name)}"


def _flows(database: Database, out: Path) -> None:
    places = ", ".join(f"{expression} AS {name}" for name, expression in PLACE_KEY.items())
    columns = f"{places}, flow_hash, key_hash, received_at, recipient, header_from, sender, own"
    database.run(
        f"CREATE TEMP TABLE profiled AS SELECT {columns}, {', '.join(RESULTS)} FROM hashed WHERE flow_hash IS NOT NULL"
    )
    same = ", ".join(f"any_value({name}) AS {name}" for name in (*PLACE_KEY, "key_hash"))
    _copy(
        database, out, "flows",
        f"SELECT flow_hash, {same}, {_day(out)} AS day, count(*) AS n, "
        "count(*) FILTER (sender = recipient) AS to_itself, min(received_at) AS first, max(received_at) AS last, "
        "bool_or(own) AS own FROM profiled GROUP BY flow_hash",
    )  # fmt: skip
    _copy(database, out, "profile", " UNION ALL ".join(_counted(_TEXTS)))
    _copy(
        database, out, "recipients",
        "SELECT DISTINCT flow_hash, hash(recipient) AS recipient FROM profiled WHERE recipient IS NOT NULL",
    )  # fmt: skip


# Kind -> the text that is counted; "" is known absence, which says nothing of a result.
_TEXTS: Mapping[str, str] = {
    "sender": "sender",
    "header_from": "header_from",
    "hour": "hour(received_at)::VARCHAR",
    "day": "received_at::DATE::VARCHAR",
    **{name: f"nullif({name}, '')" for name in RESULTS},
}


def _counted(texts: Mapping[str, str]) -> Iterable[str]:
    for kind, text in texts.items():
        yield (
            f"SELECT flow_hash, {literal(kind)} AS kind, {text} AS text, count(*) AS n FROM profiled "
            f"WHERE {text} IS NOT NULL GROUP BY ALL"
        )


def _copy(database: Database, out: Path, name: str, query: str) -> None:
    partial = out / f".{name}.partial"
    database.run(f"COPY ({query}) TO {literal(partial)} ({PARQUET})")
    partial.replace(out / f"{name}.parquet")
