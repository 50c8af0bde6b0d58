"""The days of a history together: the same flows as if all their records had been audited in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.days import PARQUET, many
from sidedoor.audit.engine.flows import KEY, MOST_ADDRESSES, MOST_FLOWS, PLACE_KEY, RESULTS, flow_of, key_of
from sidedoor.audit.facts import Representatives, decide_key, wants_sender
from sidedoor.audit.flow import Flow
from sidedoor.audit.model import Sender
from sidedoor.audit.simulate import Tally
from sidedoor.policy.decision import Decision, Submission
from sidedoor.policy.rule import Rule

Profile = Mapping[str, tuple[Sequence[str], Sequence[int], int]]
_EPOCH = "TIMESTAMP '1970-01-01'"


@dataclass(frozen=True, slots=True)
class Combined:
    """What an audit wants of a history.

    by_day: submission -> day -> messages. connector_addresses: connector -> client address -> last attributed to it.
    """

    flows: list[Flow]
    tallies: list[Tally]
    by_day: dict[Submission, dict[date, int]]
    connector_addresses: dict[str, dict[str, datetime]]
    strangers: int
    window: tuple[datetime, datetime] | None
    authenticated: dict[str, int]


def combine(database: Database, rule: Rule, classes: Classes, days: Sequence[Path]) -> Combined:
    """Decide the keys of all days once, and put their flows together. `days`: folders as `derive` fills them."""
    names = ", ".join(KEY)
    rows = database.rows(
        f"SELECT {names}, key_hash, sum(n)::BIGINT, sum(strangers)::BIGINT, min(first), max(last) "
        f"FROM {_of(days, 'keys')} GROUP BY {names}, key_hash ORDER BY ALL"
    )
    representatives = Representatives(classes.domains.representatives, classes.addresses.representatives())
    decisions = [decide_key(rule, key_of(row), representatives) for row in rows]
    _load_decisions(database, rows, decisions)
    times = [time for row in rows for time in row[-2:] if time is not None]
    outside = sum(row[-3] for row, one in zip(rows, decisions, strict=True) if one.submission is Submission.OUTBOUND)
    return Combined(
        flows=_flows(database, decisions, days),
        tallies=_tallies(rows, decisions),
        by_day=_by_day(database, days),
        connector_addresses=_connector_addresses(database, days),
        strangers=outside,
        window=(min(times), max(times)) if times else None,
        authenticated=dict(
            database.rows(
                f"SELECT sender, sum(n)::BIGINT FROM {_of(days, 'logins')} JOIN decisions USING (key_hash) "
                "WHERE submission = 'authenticated' AND sender IN (SELECT text FROM profile WHERE kind = 'sender') "
                "GROUP BY 1"
            )
        ),
    )


def _of(days: Sequence[Path], name: str) -> str:
    return many(day / f"{name}.parquet" for day in days)


def _load_decisions(database: Database, rows: Sequence[tuple[Any, ...]], decisions: Sequence[Decision]) -> None:
    columns = {
        "key_hash": "UBIGINT", "decision": "INTEGER", "submission": "VARCHAR", "would_reject": "BOOLEAN",
        "wanted": "BOOLEAN", "certainty": "VARCHAR", "missing": "VARCHAR",
    }  # fmt: skip
    told = (
        [
            row[len(KEY)],
            number,
            one.submission.value,
            one.would_reject,
            wants_sender(one, own=key_of(row).own),
            one.certainty.word,
            ",".join(one.missing),
        ]
        for number, (row, one) in enumerate(zip(rows, decisions, strict=True))
    )
    database.load("decisions", columns, told)


def _tallies(rows: Iterable[tuple[Any, ...]], decisions: Sequence[Decision]) -> list[Tally]:
    counts: dict[tuple[Submission, bool | None, tuple[str, ...]], int] = {}
    for row, one in zip(rows, decisions, strict=True):
        what = (one.submission, one.would_reject, one.missing)
        counts[what] = counts.get(what, 0) + row[len(KEY) + 1]
    return [Tally(*what, messages) for what, messages in counts.items()]


def _by_day(database: Database, days: Sequence[Path]) -> dict[Submission, dict[date, int]]:
    counts: dict[Submission, dict[date, int]] = {}
    for submission, day, messages in database.rows(
        f"SELECT submission, day, sum(n)::BIGINT FROM {_of(days, 'keys')} JOIN decisions USING (key_hash) "
        "WHERE day IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ):
        counts.setdefault(Submission(submission), {})[day] = messages
    return counts


def _connector_addresses(database: Database, days: Sequence[Path]) -> dict[str, dict[str, datetime]]:
    last: dict[str, dict[str, datetime]] = {}
    for connector, address, when in database.rows(
        f"SELECT connector, client_ip, max(last) FROM {_of(days, 'clients')} "
        "GROUP BY ALL HAVING max(last) IS NOT NULL ORDER BY ALL"
    ):
        last.setdefault(connector, {})[address] = when.replace(tzinfo=UTC)
    return last


def _flows(database: Database, decisions: Sequence[Decision], days: Sequence[Path]) -> list[Flow]:
    """As `flows.reduce_flows`, over what each day kept; beyond MOST_FLOWS the rest of each decision is one flow."""
    database.run(
        f"CREATE TEMP TABLE day_flows AS SELECT f.*, d.decision FROM {_of(days, 'flows')} f "
        "JOIN decisions d USING (key_hash) WHERE d.wanted"
    )
    database.run(
        "CREATE TEMP TABLE flow_ids AS SELECT flow_hash, decision, "
        f"CASE WHEN place <= {MOST_FLOWS} THEN place ELSE {MOST_FLOWS} + 1 + decision END::INTEGER AS flow FROM ("
        "SELECT flow_hash, decision, row_number() OVER (ORDER BY sum(n) DESC, min(first), flow_hash) AS place "
        "FROM day_flows GROUP BY flow_hash, decision)"
    )
    for table, columns in (("profile", "kind, text, sum(n)::BIGINT AS n"), ("recipients", "recipient")):
        database.run(
            f"CREATE TEMP TABLE {table} AS SELECT flow, {columns} FROM {_of(days, table)} "
            "JOIN flow_ids USING (flow_hash) GROUP BY ALL"
        )
    profiles = _profiles(database)
    recipients = dict(database.rows("SELECT flow, count(*) FROM recipients GROUP BY flow"))
    return [_flow(row, decisions[row[1]], profiles.get(row[0], {}), recipients) for row in _rows(database)]


def _rows(database: Database) -> list[tuple[Any, ...]]:
    value = "any_value({0})"
    if database.scalar(f"SELECT count(*) FROM flow_ids WHERE flow > {MOST_FLOWS}"):
        # A collapsed flow holds many addresses: what is not the same in all of them is unknown.
        value = "CASE WHEN count(DISTINCT {0}) = 1 AND count({0}) = count(*) THEN any_value({0}) END"
    key = ", ".join(value.format(name) for name in PLACE_KEY)
    return database.rows(
        f"SELECT flow, any_value(f.decision), {key}, sum(n)::BIGINT, sum(to_itself)::BIGINT, "
        f"coalesce(min(first), {_EPOCH}), coalesce(max(last), {_EPOCH}), bool_or(own) "
        "FROM day_flows f JOIN flow_ids USING (flow_hash) GROUP BY flow ORDER BY flow"
    )


def _profiles(database: Database) -> dict[int, dict[str, tuple[Sequence[str], Sequence[int], int]]]:
    """Flow -> kind -> texts, the commonest first, their counts, and how many there are."""
    found: dict[int, dict[str, tuple[Sequence[str], Sequence[int], int]]] = {}
    query = (
        "SELECT flow, kind, list(text ORDER BY n DESC, text), list(n ORDER BY n DESC, text), max(several) FROM ("
        "SELECT *, count(*) OVER (PARTITION BY flow, kind) AS several FROM profile QUALIFY "
        "kind NOT IN ('sender', 'header_from') OR row_number() OVER (PARTITION BY flow, kind ORDER BY n DESC, text) "
        f"<= {MOST_ADDRESSES}) GROUP BY flow, kind"
    )
    for batch in database.batches(query):
        for flow, kind, texts, counts, several in batch:
            found.setdefault(flow, {})[kind] = (texts, counts, several)
    return found


def _flow(row: tuple[Any, ...], decision: Decision, profile: Profile, recipients: Mapping[int, int]) -> Flow:
    flow, _, *places = row[: 2 + len(PLACE_KEY)]
    messages, to_itself, first, last, own = row[2 + len(PLACE_KEY) :]
    counted = {kind: dict(zip(texts, counts, strict=True)) for kind, (texts, counts, _) in profile.items()}
    days = tuple(sorted(map(date.fromisoformat, counted.get("day", {}))))
    hours = {int(hour): count for hour, count in counted.get("hour", {}).items()}
    senders = profile.get("sender", ((), (), 0))
    return flow_of(
        (
            flow, None, *places, messages, senders[2], recipients.get(flow, 0), to_itself, first, last, days, hours,
            own, *(counted.get(name) for name in RESULTS),
        ),
        decision,
        tuple(counted.get("sender", {}).items()),
        tuple(counted.get("header_from", {}).items()),
    )  # fmt: skip


def daily(database: Database, senders: Iterable[Sender]) -> dict[str, dict[date, int]]:
    """Sender id -> day -> messages; makes `flow_senders` on the way."""
    database.load(
        "flow_senders",
        {"flow": "INTEGER", "sender_id": "VARCHAR", "assessment": "VARCHAR"},
        ((flow, sender.id, sender.assessment.value) for sender in senders for flow in sender.flow_ids),
    )
    counts: dict[str, dict[date, int]] = {}
    for sender, day, messages in database.rows(
        "SELECT sender_id, text::DATE AS day, sum(n)::BIGINT FROM profile JOIN flow_senders USING (flow) "
        "WHERE kind = 'day' GROUP BY ALL ORDER BY ALL"
    ):
        counts.setdefault(sender, {})[day] = messages
    return counts


def write_index(database: Database, path: Path) -> None:
    """What joins the messages of all days with their senders and decisions: two files beside each other in `path`."""
    for name, query in (
        ("flow_senders", "SELECT flow_hash, sender_id, assessment FROM flow_ids JOIN flow_senders USING (flow)"),
        ("decisions", "SELECT key_hash, submission, would_reject, certainty, missing FROM decisions"),
    ):
        partial = path / f".{name}.partial"
        database.run(f"COPY ({query}) TO {literal(partial)} ({PARQUET})")
        partial.replace(path / f"{name}.parquet")
