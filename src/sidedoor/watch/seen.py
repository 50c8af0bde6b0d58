"""seen.json beside a report: what only the history told (days, places, refusals), for runs that find nothing new.

Senders are those of report.json, by its ids; the rest of what they are stands there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidedoor.audit.flow import Flow
from sidedoor.audit.history import Assessed
from sidedoor.audit.model import Sender
from sidedoor.policy.decision import Submission
from sidedoor.report.packed import packed, unpacked
from sidedoor.watch.sight import Place, ReportedSight

NAME = "seen.json.gz"
SCHEMA = "sidedoor/seen/1"
_EXPECTED = f"the {NAME} of a workspace's report ({SCHEMA}); the next `sidedoor watch` makes one"
_MOST_PLACES = 2_000  # of one sender; an attacker has as many as he likes
_BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class SeenSender:
    """Of one sender: messages a day, its places (the busiest, up to 2,000), and what a door with a log refused."""

    daily: Mapping[date, int]
    places: frozenset[Place]
    blocked: int = 0
    last_blocked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The file. fingerprint: of what the answer rests on beside the history. by_day: submission -> day -> messages."""

    fingerprint: str
    generated_at: datetime
    senders: Mapping[str, SeenSender] = field(default_factory=dict)
    by_day: Mapping[Submission, Mapping[date, int]] = field(default_factory=dict)
    connector_addresses: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    reported: tuple[ReportedSight, ...] = ()


def seen_of(assessed: Assessed, fingerprint: str) -> Seen:
    """What a fresh assessment told."""
    flows = {flow.id: flow for flow in assessed.flows}
    audit = assessed.audit
    return Seen(
        fingerprint,
        audit.generated_at,
        {sender.id: _sender(sender, [flows[n] for n in sender.flow_ids if n in flows]) for sender in audit.senders},
        assessed.by_day,
        assessed.connector_addresses,
        tuple(
            ReportedSight(row.address, row.sender, row.passed, row.failed, row.last)
            for row in audit.reported
            if row.last is not None
        ),
    )


def _sender(sender: Sender, flows: Iterable[Flow]) -> SeenSender:
    places: dict[Place, int] = {}
    blocked, last = 0, None
    for flow in flows:
        place = (flow.client_ip or "", flow.envelope_domain or flow.listed_domain or "")
        places[place] = places.get(place, 0) + flow.messages
        # Defender's "Blocked" is no refusal at the door; only a log of the door itself tells how mail came in.
        if flow.treatments.get(_BLOCKED) and flow.entries:
            blocked += flow.treatments[_BLOCKED]
            last = max(last or flow.last_seen, flow.last_seen)
    busiest = sorted(places, key=lambda place: (-places[place], place))[:_MOST_PLACES]
    return SeenSender(sender.daily, frozenset(busiest), blocked, _utc(last))


def _utc(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def dump(seen: Seen) -> bytes:
    """The file's bytes: gzip, the same for the same values."""
    body = {
        "schema": SCHEMA,
        "fingerprint": seen.fingerprint,
        "generated_at": seen.generated_at.isoformat(),
        "senders": {
            name: {
                "daily": _days(one.daily), "places": sorted(one.places), "blocked": one.blocked,
                "last_blocked": None if one.last_blocked is None else one.last_blocked.isoformat(),
            }
            for name, one in seen.senders.items()
        },
        "by_day": {submission.value: _days(counts) for submission, counts in seen.by_day.items()},
        "connector_addresses": {
            name: {address: last.isoformat() for address, last in rows.items()}
            for name, rows in seen.connector_addresses.items()
        },
        "reported": [
            [row.address, row.sender, row.passed, row.failed, row.last.isoformat()] for row in seen.reported
        ],
    }  # fmt: skip
    return packed(body)


def _days(counts: Mapping[date, int]) -> dict[str, int]:
    return {day.isoformat(): messages for day, messages in sorted(counts.items())}


def read(folder: Path) -> Seen | None:
    """The file in a report's folder; None where there is none yet. Raises InputError."""
    return unpacked(folder / NAME, SCHEMA, _EXPECTED, _seen)


def _seen(body: Mapping[str, Any]) -> Seen:
    return Seen(
        str(body["fingerprint"]),
        datetime.fromisoformat(body["generated_at"]),
        {str(name): _read_sender(one) for name, one in body["senders"].items()},
        {Submission(name): _read_days(counts) for name, counts in body["by_day"].items()},
        {
            str(name): {str(address): datetime.fromisoformat(last) for address, last in rows.items()}
            for name, rows in body["connector_addresses"].items()
        },
        tuple(
            ReportedSight(str(address), sender, int(passed), int(failed), datetime.fromisoformat(last))
            for address, sender, passed, failed, last in body["reported"]
        ),
    )


def _read_sender(one: Mapping[str, Any]) -> SeenSender:
    last = one["last_blocked"]
    return SeenSender(
        _read_days(one["daily"]),
        frozenset((str(address), str(domain)) for address, domain in one["places"]),
        int(one["blocked"]),
        None if last is None else datetime.fromisoformat(last),
    )


def _read_days(counts: Mapping[str, Any]) -> dict[date, int]:
    return {_day(day): int(messages) for day, messages in counts.items()}


@lru_cache(maxsize=10_000)
def _day(text: str) -> date:
    """A few days stand in the file once for each sender: one value of each is enough."""
    return date.fromisoformat(text)
