"""Small tables together: the decision of each distinct key, once, by the rule, and the flows of all messages.

What the engine sends back is decision keys, flows, and of each flow its commonest words; never messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import ibis
import ibis.expr.types as ir

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.flows import KEY, MOST_ADDRESSES, MOST_FLOWS, PLACE_KEY, RESULTS, flow_of, key_of
from sidedoor.audit.engine.portable.derived import Derived
from sidedoor.audit.engine.portable.engine import Engine
from sidedoor.audit.engine.portable.tables import remembered
from sidedoor.audit.facts import Representatives, decide_key, wants_sender
from sidedoor.audit.flow import Flow
from sidedoor.audit.simulate import Tally
from sidedoor.policy.decision import Decision, Submission
from sidedoor.policy.rule import Rule

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # engines give naive times
_DECISIONS = {
    "decision": "int32", "submission": "string", "would_reject": "boolean", "wanted": "boolean",
    "certainty": "string", "missing": "string",
}  # fmt: skip
# Kind -> texts with their counts, the commonest first, and how many texts there are.
Profile = dict[str, tuple[dict[str, int], int]]


@dataclass(frozen=True, slots=True)
class Combined:
    """What an audit wants of a history.

    by_day: submission -> day -> messages. daily: flow -> day -> messages. connector_addresses: connector -> client
    address -> last attributed to it. flow_ids: engine's table of flow_hash and flow; decisions: of key_hash.
    """

    flows: list[Flow]
    tallies: list[Tally]
    by_day: dict[Submission, dict[date, int]]
    daily: Mapping[int, Mapping[date, int]]
    connector_addresses: dict[str, dict[str, datetime]]
    strangers: int
    window: tuple[datetime, datetime] | None
    authenticated: dict[str, int]
    flow_ids: ir.Table
    decisions: ir.Table


def combine(engine: Engine, rule: Rule, classes: Classes, tables: Derived, most_flows: int = MOST_FLOWS) -> Combined:
    """Decide the keys of all tables once, and put their flows together.

    Beyond `most_flows` the flows of a decision are one.
    """
    rows = sorted(engine.rows(_all_keys(tables.keys)), key=lambda row: row[: len(KEY)])
    representatives = Representatives(classes.domains.representatives, classes.addresses.representatives())
    made = [decide_key(rule, key_of(row), representatives) for row in rows]
    decisions = _load(engine, tables.keys, rows, made)
    wanted = engine.keep("wanted", _wanted(tables.flows, decisions))
    heaviest = engine.rows(_heaviest(wanted, most_flows))
    numbered = [(flow, *row[1:]) for flow, row in enumerate(heaviest, start=1)]
    flow_ids = engine.define("flow_ids", _flow_ids(wanted, _numbers(engine, wanted, heaviest), most_flows))
    profile = engine.keep("flow_profile", _flow_profile(tables.profile, flow_ids))
    profiles = _profiles(engine, profile)
    recipients: dict[int, int] = dict(engine.rows(_recipient_counts(tables.recipients, flow_ids)))
    times = [time for row in rows for time in row[-2:] if time is not None]
    return Combined(
        flows=[
            _flow(row, made[row[1]], profiles.get(row[0], {}), recipients.get(row[0], 0))
            for row in (*numbered, *_light(engine, wanted, flow_ids, most_flows, some=len(numbered) == most_flows))
        ],
        tallies=_tallies(rows, made),
        by_day=_by_day(engine.rows(_days(tables.keys)), dict(zip((row[len(KEY)] for row in rows), made, strict=True))),
        daily={flow: _days_of(kinds) for flow, kinds in profiles.items()},
        connector_addresses=_connector_addresses(engine.rows(_clients(tables.clients))),
        strangers=sum(row[-3] for row, one in zip(rows, made, strict=True) if one.submission is Submission.OUTBOUND),
        window=(min(times), max(times)) if times else None,
        authenticated=dict(engine.rows(_authenticated(tables.logins, decisions, profile))),
        flow_ids=flow_ids,
        decisions=decisions,
    )


@remembered
def _all_keys(keys: ir.Table) -> ir.Table:
    together = keys.group_by(*KEY, "key_hash").agg(
        n=keys.n.sum(), strangers=keys.strangers.sum(), first=keys["first"].min(), last=keys["last"].max()
    )
    return together.select(*KEY, "key_hash", "n", "strangers", "first", "last")


@remembered
def _days(keys: ir.Table) -> ir.Table:
    dated = keys.filter(keys.day.notnull())
    return dated.group_by("key_hash", "day").agg(n=dated.n.sum())


@remembered
def _clients(clients: ir.Table) -> ir.Table:
    timed = clients.filter(clients["last"].notnull())
    return timed.group_by("connector", "client_ip").agg(last=timed["last"].max())


def _load(engine: Engine, keys: ir.Table, rows: Sequence[tuple[Any, ...]], made: Sequence[Decision]) -> ir.Table:
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
        for number, (row, one) in enumerate(zip(rows, made, strict=True))
    )
    return engine.load("decisions", {"key_hash": str(keys.key_hash.type()), **_DECISIONS}, told)


@remembered
def _wanted(flows: ir.Table, decisions: ir.Table) -> ir.Table:
    """The flows whose sender the report must name; one row each, whatever the days."""
    asked = decisions.filter(decisions.wanted).select("key_hash", "decision")
    joined = flows.join(asked, "key_hash")
    return joined.group_by("flow_hash", "decision").agg(
        **{name: joined[name].arbitrary() for name in PLACE_KEY},
        n=joined.n.sum(),
        to_itself=joined.to_itself.sum(),
        first=joined["first"].min(),
        last=joined["last"].max(),
        own=joined.own.any(),
    )


@remembered
def _heaviest(wanted: ir.Table, most: int) -> ir.Table:
    """Ties are broken by what the flows are, so that every engine breaks them alike."""
    order = [wanted.n.desc(), *(wanted[name].asc(nulls_first=False) for name in ("first", *PLACE_KEY))]
    return wanted.order_by(*order, wanted.decision.asc()).limit(most)


def _numbers(engine: Engine, wanted: ir.Table, heaviest: Sequence[tuple[Any, ...]]) -> ir.Table:
    columns = {"flow_hash": str(wanted.flow_hash.type()), "flow": "int32"}
    return engine.load("numbers", columns, ((row[0], flow) for flow, row in enumerate(heaviest, start=1)))


@remembered
def _flow_ids(wanted: ir.Table, numbers: ir.Table, most: int) -> ir.Table:
    """The number of each flow; the lightest share one for each decision."""
    joined = wanted.select("flow_hash", "decision").left_join(numbers, "flow_hash")
    together = (joined.decision.cast("int32") + most + 1).cast("int32")
    return joined.select("flow_hash", "decision", flow=joined.flow.fill_null(together))


@remembered
def _flow_profile(profile: ir.Table, flow_ids: ir.Table) -> ir.Table:
    joined = profile.join(flow_ids.select("flow_hash", "flow"), "flow_hash")
    return joined.group_by("flow", "kind", "text").agg(n=joined.n.sum())


@remembered
def _commonest(profile: ir.Table) -> ir.Table:
    """Of addresses so many, the commonest; of anything else all. With how many there are."""
    within = [profile.flow, profile.kind]
    place = ibis.row_number().over(group_by=within, order_by=[profile.n.desc(), profile.text.asc()])
    several = profile.count().over(group_by=within)
    told = profile.mutate(place=place, several=several)
    few = told.filter(told.kind.notin(["sender", "header_from"]) | (told.place < MOST_ADDRESSES))
    return few.select("flow", "kind", "text", "n", "several")


def _profiles(engine: Engine, profile: ir.Table) -> dict[int, Profile]:
    found: dict[int, Profile] = {}
    rows = sorted(engine.rows(_commonest(profile)), key=lambda row: (row[0], row[1], -row[3], row[2]))
    for flow, kind, text, count, several in rows:
        found.setdefault(flow, {}).setdefault(kind, ({}, several))[0][text] = count
    return found


@remembered
def _recipient_counts(recipients: ir.Table, flow_ids: ir.Table) -> ir.Table:
    joined = recipients.join(flow_ids.select("flow_hash", "flow"), "flow_hash")
    one = joined.select("flow", "recipient").distinct()
    return one.group_by("flow").agg(n=one.count())


@remembered
def _collapsed(wanted: ir.Table, flow_ids: ir.Table, most: int) -> ir.Table:
    """The flows that share a number, one row each: what is not the same in all of them is unknown."""
    light = flow_ids.filter(flow_ids.flow > most).select("flow_hash", "flow")
    joined = wanted.join(light, "flow_hash")
    same = {
        name: ibis.cases(
            ((joined[name].min() == joined[name].max()) & (joined[name].count() == joined.count()), joined[name].min())
        )
        for name in PLACE_KEY
    }
    together = joined.group_by("flow", "decision").agg(
        **same,
        n=joined.n.sum(),
        to_itself=joined.to_itself.sum(),
        first=joined["first"].min(),
        last=joined["last"].max(),
        own=joined.own.any(),
    )
    return together.select("flow", "decision", *PLACE_KEY, "n", "to_itself", "first", "last", "own")


def _light(engine: Engine, wanted: ir.Table, flow_ids: ir.Table, most: int, *, some: bool) -> Sequence[tuple[Any, ...]]:
    return sorted(engine.rows(_collapsed(wanted, flow_ids, most)), key=lambda row: row[0]) if some else ()


def _flow(row: tuple[Any, ...], decision: Decision, profile: Profile, recipients: int) -> Flow:
    flow, _, *places = row[: 2 + len(PLACE_KEY)]
    messages, to_itself, first, last, own = row[2 + len(PLACE_KEY) :]
    counted = {kind: texts for kind, (texts, _) in profile.items()}
    hours = {int(hour): count for hour, count in counted.get("hour", {}).items()}
    senders = profile.get("sender", ({}, 0))
    return flow_of(
        (
            flow, None, *places, messages, senders[1], recipients, to_itself, first or _EPOCH, last or _EPOCH,
            sorted(_days_of(profile)), hours, own, *(counted.get(name) for name in RESULTS),
        ),
        decision,
        tuple(counted.get("sender", {}).items()),
        tuple(counted.get("header_from", {}).items()),
    )  # fmt: skip


def _days_of(profile: Profile) -> dict[date, int]:
    return {date.fromisoformat(text): count for text, count in profile.get("day", ({}, 0))[0].items()}


def _tallies(rows: Iterable[tuple[Any, ...]], made: Sequence[Decision]) -> list[Tally]:
    counts: dict[tuple[Submission, bool | None, tuple[str, ...]], int] = {}
    for row, one in zip(rows, made, strict=True):
        what = (one.submission, one.would_reject, one.missing)
        counts[what] = counts.get(what, 0) + row[len(KEY) + 1]
    return [Tally(*what, messages) for what, messages in counts.items()]


def _by_day(rows: Iterable[tuple[Any, ...]], decided: Mapping[object, Decision]) -> dict[Submission, dict[date, int]]:
    counts: dict[Submission, dict[date, int]] = {}
    for key, day, messages in sorted(rows, key=lambda row: row[1]):
        days = counts.setdefault(decided[key].submission, {})
        days[day] = days.get(day, 0) + messages
    return counts


def _connector_addresses(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[str, datetime]]:
    last: dict[str, dict[str, datetime]] = {}
    for connector, address, when in sorted(rows):
        last.setdefault(connector, {})[address] = when.replace(tzinfo=UTC)
    return last


@remembered
def _authenticated(logins: ir.Table, decisions: ir.Table, profile: ir.Table) -> ir.Table:
    """Senders of the flows -> how often the same address submits with a login, or mailbox to mailbox."""
    asked = decisions.filter(decisions.submission == Submission.AUTHENTICATED.value).select("key_hash")
    own = logins.semi_join(asked, "key_hash")
    known = profile.filter(profile.kind == "sender").select(sender=profile.text).distinct()
    told = own.semi_join(known, "sender")
    return told.group_by("sender").agg(n=told.n.sum())


@remembered
def flow_senders(flow_ids: ir.Table, senders: ir.Table) -> ir.Table:
    """flow_hash, sender_id, assessment. senders: the same of `flow`."""
    return flow_ids.join(senders, "flow").select("flow_hash", "sender_id", "assessment")
