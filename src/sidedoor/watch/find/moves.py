"""Honest senders that moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from sidedoor.audit.hostname import specific_host
from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Finding, KnownSender, Severity
from sidedoor.watch.find.door import (
    DECIDED,
    addresses,
    closed_since,
    honest,
    strange,
    told_of,
    uses_door,
)
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, SenderSight, Sight, Thresholds

# A host that moved is never in two places: days that the old and the new one may overlap, since mail settles late.
_OVERLAP = timedelta(days=1)
_MOST_NAMES, _MOST_HOSTS, _MOST_ALIKE = 20, 5, 16


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """Those that moved, or seem to have."""
    new = successors(sight, baseline)
    for seen, known in belonging(sight, baseline):
        followers = new.get(seen.key, [])
        own, other = news(seen, known, followers)
        if own or other:
            yield _moved(seen, known, (own, other), followers, closed=closed_since(sight, baseline) is not None)


def belonging(sight: Sight, baseline: Baseline) -> Iterator[tuple[SenderSight, KnownSender]]:
    """The honest senders of the baseline that the history has, each with what is accepted of it."""
    for seen in sight.senders:
        known = baseline.senders.get(seen.key)
        if known is not None and known.accepted and honest(seen):
            yield seen, known


def successors(sight: Sight, baseline: Baseline) -> Mapping[str, list[SenderSight]]:
    """Key of an honest sender of the baseline -> new senders elsewhere that greet and write exactly as it did.

    Only where the old one has stopped, and where no two of the baseline could be meant.
    """
    strangers = [seen for seen in sight.senders if seen.key not in baseline.senders and _may_follow(seen)]
    if not strangers:
        return {}  # as in nearly every run
    habits: dict[tuple[str, str], set[str]] = {}
    old = {seen.key: seen for seen, _ in belonging(sight, baseline)}
    for seen in old.values():
        for habit in habits_of(seen):
            habits.setdefault(habit, set()).add(seen.key)
    found: dict[str, list[SenderSight]] = {}
    for seen in strangers:
        alike = {key for habit in habits_of(seen) for key in habits.get(habit, ())}
        if len(alike) > _MOST_ALIKE:
            continue  # a habit of so many tells nobody apart
        moved = [key for key in alike if _follows(seen, old[key], baseline.senders[key])]
        if len(moved) == 1:
            found.setdefault(moved[0], []).append(seen)
    return found


def _may_follow(seen: SenderSight) -> bool:
    return seen.word not in DECIDED and seen.assessment is not Verdict.SPOOFING and uses_door(seen.sender)


def habits_of(seen: SenderSight) -> list[tuple[str, str]]:
    """Envelope address and specific HELO, its commonest: lists that an attacker made long are not multiplied out."""
    hosts = dict.fromkeys(host for name in seen.sender.helo if (host := specific_host(name)))
    names = [address.lower() for address in seen.sender.mail_from if "@" in address]
    return [(address, host) for address in names[:_MOST_NAMES] for host in list(hosts)[:_MOST_HOSTS]]


def _follows(new: SenderSight, old: SenderSight, known: KnownSender) -> bool:
    elsewhere = bool(strange(new.places, known.places))
    return elsewhere and old.sender.last_seen <= new.sender.first_seen + _OVERLAP


def news(seen: SenderSight, known: KnownSender, followers: list[SenderSight]) -> tuple[list[str], list[str]]:
    """Strange addresses of the sender itself, and those of the senders that took its place."""
    # A service that SPF lists sends from wherever its network is today.
    device = seen.sender.service is None and seen.sender.submission is not Submission.INTERNET
    own = strange(seen.places, known.places) if device and addresses(known.places) else []
    return own, sorted({each for new in followers for each in strange(new.places, known.places)})


def _moved(
    seen: SenderSight,
    known: KnownSender,
    strangers: tuple[list[str], list[str]],
    followers: list[SenderSight],
    *,
    closed: bool,
) -> Finding:
    own, other = strangers
    again = (
        "A sender with the same HELO and envelope address appeared there when this one stopped; both can be copied"
        if other else "It is the same sender by its network and name"
    )  # fmt: skip
    text = (
        f"It now sends from {listed(own or other, 3)}, and was known at {listed(sorted(addresses(known.places)), 3)}. "
        f"{again}, so ask its owner. A connector by address does not know the new one."
    )
    return made(
        Kind.SENDER_MOVED, seen.key, seen.sender.name, text,
        severity=Severity.SERIOUS if closed else Severity.WARNING,
        evidence=[
            ("address", (own or other)[0]), ("new addresses", listed(own or other)), *told_of(seen)[:1],
            ("known addresses", listed(sorted(addresses(known.places)))), *told_of(seen)[3:],
            ("new report ids", listed([new.sender.id for new in followers])),
        ],
        since=min((new.sender.first_seen for new in followers), default=None),
    )  # fmt: skip
