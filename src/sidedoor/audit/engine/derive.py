"""What is kept of a day beside its records: events, decision keys, flows with their profile, logins.

Made of the day's parts alone, so that a day that changed costs a day. Everything here rests on the classes of the
tenant's settings (`audit.classes`) and on DuckDB's hash; the history makes it anew where either is another.

messages.parquet  one row per message and recipient, with `key_hash` and, where a sender may be needed, `flow_hash`
the others        the tables of `portable.derived`, those of decision keys and of flows with the day
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.days import PARQUET, UNDATED, many
from sidedoor.audit.engine.flows import PLACE_KEY
from sidedoor.audit.engine.merge import Listed
from sidedoor.audit.engine.output import EVENT_COLUMNS
from sidedoor.audit.engine.portable.derived import Derived, derive_tables, identified
from sidedoor.audit.engine.portable.disagree import disagreements
from sidedoor.audit.engine.portable.duckdb import DuckDBEngine, sql
from sidedoor.audit.engine.portable.keyed import divide
from sidedoor.audit.engine.portable.merge import unite
from sidedoor.audit.engine.portable.tables import KEY_TYPES, table
from sidedoor.audit.engine.records import RECORD
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Disagreement, Sender

DERIVED = ("messages", "keys", "clients", "flows", "profile", "recipients", "logins")
_HASHES, _TIMES = {"key_hash": "uint64", "flow_hash": "uint64"}, {"first": "timestamp(6)", "last": "timestamp(6)"}
_KEPT: Mapping[str, Mapping[str, str]] = {
    "keys": {**KEY_TYPES, "key_hash": "uint64", "day": "date", "n": "int64", "strangers": "int64", **_TIMES},
    "clients": {"client_ip": "string", "connector": "string", "n": "int64", "last": "timestamp(6)"},
    "logins": {"key_hash": "uint64", "sender": "string", "n": "int64"},
    "flows": {
        **_HASHES, **dict.fromkeys(PLACE_KEY, "string"), "n": "int64", "to_itself": "int64", **_TIMES, "own": "boolean",
    },
    "profile": {"flow_hash": "uint64", "kind": "string", "text": "string", "n": "int64"},
    "recipients": {"flow_hash": "uint64", "recipient": "uint64"},
}  # fmt: skip
_OF_THE_DAY = {
    "keys": "* REPLACE ({day} AS day)",
    "flows": "*, {day} AS day",
    "profile": "* REPLACE (n::BIGINT AS n)",  # a sum of DuckDB's is wider, and Parquet would have it as a float
    "recipients": "DISTINCT *",
}


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


def derive(database: Database, classes: Classes, parts: Sequence[Part], listed: Listed, out: Path) -> DayCounts:
    """Write the files of DERIVED for one day into the folder `out`, which is there."""
    engine = DuckDBEngine(database)
    database.run(f"CREATE TEMP VIEW records AS {_records(parts)}")
    records = table("records", RECORD)
    division = divide(engine, classes, records)
    united = unite(engine, records, listed, division)
    events = engine.define("identified", identified(united.events, division, engine.identify))
    _copy(database, out, "messages", f"SELECT {', '.join(EVENT_COLUMNS)}, key_hash, flow_hash FROM identified")
    tables = derive_tables(engine, events, division)
    for name in DERIVED[1:]:
        _copy(database, out, name, f"SELECT {_columns(name, out)} FROM ({sql(getattr(tables, name))})")
    return DayCounts(
        records=sum(source.records for source in united.sources.values()),
        messages=int(database.scalar(f"SELECT count(*) FROM read_parquet({literal(out / 'messages.parquet')})")),
        kinds={united.sources[source].format: kind for source, kind in united.kinds.items()},
        disagreements=disagreements(engine, united),
    )


def _records(parts: Sequence[Part]) -> str:
    """SQL: the records of all parts, with the name of their part as source."""
    return " UNION ALL BY NAME ".join(
        f"SELECT {', '.join(name for name in RECORD if name not in {'source', 'format'})}, "
        f"{literal(part.path.name)} AS source, {literal(part.format)} AS format FROM read_parquet({literal(part.path)})"
        for part in parts
    )


def _columns(name: str, out: Path) -> str:
    """SQL: the columns of a table. Messages that met beside midnight count on the day where they lie."""
    day = "NULL::DATE" if out.name == UNDATED else f"DATE {literal(out.name)}"
    return _OF_THE_DAY.get(name, "*").format(day=day)


def _copy(database: Database, out: Path, name: str, query: str) -> None:
    partial = out / f".{name}.partial"
    database.run(f"COPY ({query}) TO {literal(partial)} ({PARQUET})")
    partial.replace(out / f"{name}.parquet")


def kept_tables(database: Database, days: Sequence[Path]) -> Derived:
    """The tables of several days together. `days`: folders as `derive` fills them."""
    for name, columns in _KEPT.items():
        files = many(day / f"{name}.parquet" for day in days)
        database.run(f"CREATE OR REPLACE TEMP VIEW kept_{name} AS SELECT {', '.join(columns)} FROM {files}")
    return Derived(**{name: table(f"kept_{name}", columns) for name, columns in _KEPT.items()})


def write_index(database: Database, senders: Iterable[Sender], out: Path) -> None:
    """What joins the messages of all days with their senders and decisions: two files beside each other in `out`.

    Call after `combine`, whose tables it reads.
    """
    database.load(
        "senders",
        {"flow": "INTEGER", "sender_id": "VARCHAR", "assessment": "VARCHAR"},
        ((flow, sender.id, sender.assessment.value) for sender in senders for flow in sender.flow_ids),
    )
    _copy(
        database, out, "flow_senders", "SELECT flow_hash, sender_id, assessment FROM flow_ids JOIN senders USING (flow)"
    )
    _copy(database, out, "decisions", "SELECT key_hash, submission, would_reject, certainty, missing FROM decisions")
