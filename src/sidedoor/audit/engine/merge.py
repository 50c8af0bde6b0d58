"""Records of one message and recipient become one event: fact by fact the better-informed source wins.

Most records stand alone, so the doubled ones are found first by hash and only those go through the merge. A record
without recipient (trace details) speaks of the message to every recipient that another source names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.columns import ABSENT, CLASSED, with_classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.staging import COLUMNS, Staged
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Disagreement
from sidedoor.evidence.precedence import rank
from sidedoor.evidence.record import FACTS

# Facts about which two sources can contradict each other; treatment is left out, because it changes with time.
COMPARED = ("envelope_sender", "header_from", "client_ip", "helo", "tls", "connector", "direction", "spf", "dkim")
# Of several fates told for one message the last in this order of mail flow is what became of it.
TREATMENT_ORDER = ("quarantined", "junked", "blocked", "failed", "replaced", "delivered", "expanded", "pending")


Source = TypeVar("Source", int, str)  # how a file is named
# What a person states about all list-type traces, or what is known of some formats; None lets the data show it.
Listed = ListedSender | Mapping[str, ListedSender] | None


def unite(database: Database, files: Sequence[Staged], listed: Listed, classes: Classes) -> Mapping[str, ListedSender]:
    """Create the views of events (one row per message and recipient); say what each format's sender column was.

    `events` has every event but the bulk of large files, which is in `rest_events`; `rest_classes` has the decision
    classes of that bulk without a second look at the files.
    """
    complete = [f"SELECT * FROM read_parquet({literal(path)})" for file in files for path in file.parquets]
    complete += [file.query for file in files if file.query]
    rest = [file.rest for file in files if file.rest]
    _staged_view(database, "staged", complete)
    _staged_view(database, "staged_rest", rest, "utc")
    _staged_view(database, "staged_slim", [f"SELECT * FROM {file.slim}" for file in files if file.slim])
    _rank_table(database, files)
    # A file taken on trust is alone, and looked at for doubles when it has been written.
    on_trust = any(file.on_trust for file in files)
    doubled = not on_trust and _find_doubled(database)
    kinds = _listed_kinds(database, files, listed, doubled=doubled)
    if doubled:
        _merge(database, kinds, classes)
    _events(database, "events", "staged", kinds, doubled=doubled, merged=doubled)
    _events(database, "rest_events", "staged_rest", kinds, "utc", doubled=doubled)
    _events(database, "rest_classes", "staged_slim", kinds, doubled=doubled)
    return {files[number].format: kind for number, kind in kinds.items()}


def _staged_view(database: Database, view: str, queries: Sequence[str], *more: str) -> None:
    """A view of COLUMNS (and `more`) over queries that may lack some of them: what is lacking is unknown."""
    columns = (*COLUMNS, *more)
    nothing = "SELECT " + ", ".join(f"NULL::{_sql_type(name)} AS {name}" for name in columns) + " WHERE false"
    union = " UNION ALL BY NAME ".join([nothing, *queries])
    database.run(f"CREATE TEMP VIEW {view} AS SELECT {', '.join(columns)} FROM ({union})")


def _sql_type(name: str) -> str:
    return {"received_at": "TIMESTAMP", "h": "UBIGINT", "file": "SMALLINT", "utc": "BOOLEAN"}.get(
        name, "SMALLINT" if name in CLASSED else "VARCHAR"
    )


def _rank_table(database: Database, files: Sequence[Staged]) -> None:
    """`ranks`: for each file and fact its place among the sources, 10 the best, two digits always."""
    columns = {"file": "SMALLINT", **{f"r_{fact}": "VARCHAR" for fact in FACTS}}
    rows = [
        [number, *(f"{min(99, 10 + rank(file.format, fact))}" for fact in FACTS)] for number, file in enumerate(files)
    ]
    database.load("ranks", columns, rows)


def _find_doubled(database: Database) -> bool:
    """Gather the records that share message and recipient with another, or speak of all recipients, in `spread`."""
    database.run(
        "CREATE TEMP TABLE doubled AS SELECT h FROM (SELECT h FROM staged UNION ALL SELECT h FROM staged_slim) "
        "GROUP BY h HAVING count(*) > 1"
    )
    database.run("CREATE TEMP TABLE general AS SELECT DISTINCT key FROM staged WHERE recipient IS NULL")
    if not database.scalar("SELECT (SELECT count(*) FROM doubled) + (SELECT count(*) FROM general)"):
        return False
    database.run(
        "CREATE TEMP TABLE several AS SELECT * FROM (FROM staged UNION ALL SELECT * EXCLUDE utc FROM staged_rest) "
        "WHERE h IN (SELECT h FROM doubled) OR key IN (SELECT key FROM general)"
    )
    database.run(
        "CREATE TEMP TABLE spread AS SELECT * FROM several WHERE recipient IS NOT NULL UNION ALL BY NAME "
        "SELECT d.* REPLACE (r.recipient AS recipient) FROM several d LEFT JOIN (SELECT DISTINCT key, recipient "
        "FROM several WHERE recipient IS NOT NULL) r USING (key) WHERE d.recipient IS NULL"
    )
    database.run("DROP TABLE several")
    database.run("CREATE TEMP TABLE replaced AS SELECT DISTINCT h FROM spread")
    return True


# Where Exchange Online told whom it saw, what a tracking log says of a device at the organisation's own server is of
# another connection.
OF_THE_CONNECTION = frozenset({"client_ip", "helo", "tls", "entry"})


def _best(fact: str) -> str:
    """SQL: the value of `fact` from the best-informed record of a group; a value before a known absence."""
    if fact == "received_at":
        return "arg_min(received_at, r_received_at || received_at::VARCHAR) FILTER (received_at IS NOT NULL)"
    order = f"CASE WHEN {fact} = '' THEN '1' ELSE '0' END"
    if fact == "treatment":
        cases = " ".join(f"WHEN '{word}' THEN '{place}'" for place, word in enumerate(TREATMENT_ORDER))
        return f"substr(min(CASE treatment {cases} ELSE '9' END || treatment), 2)"
    best = f"substr(min(r_{fact} || {order} || {fact}), 4)"
    if fact not in OF_THE_CONNECTION:
        return best
    seen = "count(client_ip) FILTER (entry IS DISTINCT FROM 'relayed') > 0"
    others = f"substr(min(r_{fact} || {order} || {fact}) FILTER (entry IS DISTINCT FROM 'relayed'), 4)"
    return f"CASE WHEN {seen} THEN {others} ELSE {best} END"


def _listed_kinds(
    database: Database, files: Sequence[Staged], listed: Listed, *, doubled: bool
) -> dict[int, ListedSender]:
    """What the sender column of each file with one holds: as stated, as shown by a null sender, or by comparison."""
    rows = database.rows(
        f"SELECT file, count(*) FILTER (env_class = {ABSENT}) FROM (SELECT file, env_class, listed_class "
        "FROM staged UNION ALL SELECT file, env_class, listed_class FROM staged_slim) GROUP BY file "
        "HAVING count(*) FILTER (listed_class IS NOT NULL) > 0"
    )
    shown = {number: (files[number].format, nulls) for number, nulls in rows}
    return settle_kinds(shown, listed, lambda numbers: _compared(database, numbers) if doubled else ())


def settle_kinds(
    shown: Mapping[Source, tuple[str, int]],
    listed: Listed,
    compare: Callable[[Sequence[Source]], Iterable[tuple[Source, int, int]]],
) -> dict[Source, ListedSender]:
    """What the sender column of each file holds. shown: file with such a column -> its format, its null senders.

    compare: of some files, how often their column was the envelope sender, and the header From, of a message of which
    better sources tell both and they differ.
    """
    if isinstance(listed, ListedSender):
        return dict.fromkeys(shown, listed)
    # Only an envelope sender is ever `<>`, so a file that shows one shows envelope senders (RFC 5321 section 4.5.5).
    kinds = {file: ListedSender.ENVELOPE if nulls else ListedSender.UNKNOWN for file, (_, nulls) in shown.items()}
    for file, as_envelope, as_header in compare([file for file in kinds if kinds[file] is ListedSender.UNKNOWN]):
        if bool(as_envelope) != bool(as_header):
            kinds[file] = ListedSender.ENVELOPE if as_envelope else ListedSender.HEADER
    by_format: dict[str, set[ListedSender]] = {name: {kind} for name, kind in (listed or {}).items()}
    for file, kind in kinds.items():
        by_format.setdefault(shown[file][0], set()).add(kind)
    return {file: _agreed(by_format[shown[file][0]], kind) for file, kind in kinds.items()}


def _agreed(kinds: set[ListedSender], own: ListedSender) -> ListedSender:
    """One format writes one kind: what one file of it shows holds for its others, unless they contradict."""
    shown = kinds - {ListedSender.UNKNOWN}
    return next(iter(shown)) if len(shown) == 1 else (own if own in shown else ListedSender.UNKNOWN)


def _compared(database: Database, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Where better sources tell both addresses of a message and they differ, see which of them a file listed."""
    chosen = ", ".join(str(number) for number in numbers)
    if not chosen:
        return []
    return database.rows(
        f"SELECT s.file, count(*) FILTER (s.listed_sender = t.e), count(*) FILTER (s.listed_sender = t.f) "
        f"FROM spread s JOIN (SELECT key, recipient, {_best('envelope_sender')} AS e, {_best('header_from')} AS f "
        f"FROM spread JOIN ranks USING (file) GROUP BY key, recipient) t "
        f"ON s.key = t.key AND s.recipient = t.recipient "
        f"WHERE t.e <> t.f AND s.listed_sender IS NOT NULL AND s.file IN ({chosen}) GROUP BY s.file"
    )


def _merge(database: Database, kinds: Mapping[int, ListedSender], classes: Classes) -> None:
    """Write merged.parquet: one row for each message and recipient of `spread`."""
    best = ", ".join(f"{_best(fact)} AS {fact}" for fact in FACTS if fact != "recipient")
    query = (
        f"SELECT key, recipient, {best} FROM (SELECT {_resolved(kinds)} FROM spread) JOIN ranks USING (file) "
        "GROUP BY key, recipient"
    )
    database.run(
        f"COPY ({with_classes(query, frozenset(FACTS), classes)}) TO {literal(_merged(database))} "
        "(FORMAT parquet, COMPRESSION snappy)"
    )


def _merged(database: Database) -> Path:
    return database.folder / "merged.parquet"


def _events(
    database: Database,
    view: str,
    source: str,
    kinds: Mapping[int, ListedSender],
    *more: str,
    doubled: bool,
    merged: bool = False,
) -> None:
    """One view of events over staged records, with listed senders put where their kind is known."""
    columns = ", ".join(("key", *FACTS, *CLASSED, *more))
    query = f"SELECT {columns} FROM (SELECT {_resolved(kinds)} FROM {source}"
    query += " WHERE h NOT IN (SELECT h FROM replaced))" if doubled else ")"
    if merged:
        query += f" UNION ALL BY NAME SELECT {columns} FROM read_parquet({literal(_merged(database))})"
    database.run(f"CREATE TEMP VIEW {view} AS {query}")


def _resolved(kinds: Mapping[int, ListedSender]) -> str:
    """SQL columns: `*`, with the listed sender taken for the address it was shown to be."""
    replaced = []
    for kind, column, number in (
        (ListedSender.ENVELOPE, "envelope_sender", "env_class"),
        (ListedSender.HEADER, "header_from", "from_class"),
    ):
        files = ", ".join(str(file) for file, other in kinds.items() if other is kind)
        if files:
            condition = f"CASE WHEN {column} IS NULL AND file IN ({files})"
            replaced.append(f"{condition} THEN listed_sender ELSE {column} END AS {column}")
            replaced.append(f"{condition} THEN listed_class ELSE {number} END AS {number}")
    return f"* REPLACE ({', '.join(replaced)})" if replaced else "*"


def tenants_of(database: Database, files: Sequence[Staged]) -> Mapping[str, str]:
    """Tenant id -> path of a file whose records are of that tenant."""
    rows = database.rows("SELECT tenant_id, min(file) FROM staged WHERE tenant_id <> '' GROUP BY tenant_id ORDER BY 1")
    return {tenant: str(files[number].path) for tenant, number in rows}


def disagreements(database: Database, files: Sequence[Staged]) -> tuple[Disagreement, ...]:
    """Facts of one message that two sources tell differently. Call after `unite`."""
    if not database.scalar("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'spread'"):
        return ()
    database.load("formats", {"file": "SMALLINT", "format": "VARCHAR"}, [[n, f.format] for n, f in enumerate(files)])
    found = [row for fact in COMPARED for row in _disagreements_about(database, fact)]
    return tuple(sorted(found, key=lambda row: (row.fact, row.believed, row.doubted)))


# Historical searches know two directions; what EmailEvents calls intra-org and outbound is originating to them.
ORIGINATING = ("intra-org", "outbound")
_ORIGINATING = f"CASE WHEN direction IN {ORIGINATING} THEN 'originating' ELSE direction END"


def _disagreements_about(database: Database, fact: str) -> list[Disagreement]:
    """Pairs of formats that differ about `fact`, with the number of messages and one example."""
    # Known absence against a value counts ("" and a name); silence (NULL) does not.
    value = _ORIGINATING if fact == "direction" else fact
    # A tracking log tells of the device at the organisation's own server, Exchange Online of that server: both right.
    both = " AND entry IS DISTINCT FROM 'relayed'" if fact in OF_THE_CONNECTION else ""
    rows = database.rows(
        f"WITH spoken AS (SELECT * FROM spread WHERE {fact} IS NOT NULL{both}), "
        f"differing AS (SELECT key, recipient FROM spoken GROUP BY key, recipient "
        f"HAVING min({value}) <> max({value})), told AS (SELECT s.key, s.recipient, f.format, s.{fact} AS value, "
        f"r.r_{fact} || CASE WHEN s.{fact} = '' THEN '1' ELSE '0' END || s.{fact} || ' ' || f.format AS place "
        f"FROM spoken s "
        f"JOIN differing d ON s.key = d.key AND s.recipient IS NOT DISTINCT FROM d.recipient "
        f"JOIN ranks r USING (file) JOIN formats f USING (file)), "
        f"best AS (SELECT key, recipient, arg_min(format, place) AS format, arg_min(value, place) AS value "
        f"FROM told GROUP BY key, recipient) "
        f"SELECT b.format, t.format, count(DISTINCT (b.key, b.recipient)), min(b.key || ': ' || b.value || ' / ' "
        f"|| t.value) FROM best b JOIN told t ON b.key = t.key AND b.recipient IS NOT DISTINCT FROM t.recipient "
        f"WHERE t.value <> b.value GROUP BY ALL"
    )
    return [
        Disagreement(fact, believed, doubted, count, str(example)[:200]) for believed, doubted, count, example in rows
    ]
