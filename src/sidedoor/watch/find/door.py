"""What several families ask of a sight: whether the door is closed, up to when mail is known, who uses the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from sidedoor.audit.model import Sender, Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.plan.model import OWNER_METHODS, Method
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Word
from sidedoor.watch.find.made import listed
from sidedoor.watch.sight import Baseline, Place, SenderSight, Sight, Source

# Microsoft's "Introducing more control over Direct Send": a change takes up to 30 minutes. As much again, because
# clocks differ and a message is stamped when it was begun.
SETTLED = timedelta(minutes=60)
# What is found of mail and of refusals is over when a week has shown no more of it.
WEEK = timedelta(days=7)
# A sender that a person gave one of these leaves Direct Send by their will: its silence here is no news.
_LEFT = frozenset(method.value for method in OWNER_METHODS) | {Method.REFUSE.value, Method.UNSAVABLE.value}
_NEAR = {4: 24, 6: 64}  # what a provider hands to one customer, as in `audit.grouping`


# Words by which a person has decided about a sender.
DECIDED = frozenset({Word.LEGITIMATE, Word.SPOOFING})


def known_until(sight: Sight) -> datetime:
    """The last time of which mail is known."""
    if sight.history_until is not None:
        return sight.history_until
    return sight.now if sight.window is None else sight.window[1]


def closed_since(sight: Sight, baseline: Baseline) -> datetime | None:
    """Since when the door is closed, by the settings, or by what was last known of them; None where it is not."""
    flag = sight.snapshot.reject_direct_send
    if Source.SETTINGS in sight.untold or isinstance(flag, Unknown):
        return baseline.closed_since
    return (baseline.closed_since or sight.now) if flag else None


def uses_door(sender: Sender) -> bool:
    """Whether its mail is Direct Send, or may be."""
    if sender.submission is Submission.UNDETERMINED:
        return bool(sender.would_reject or sender.would_reject_unknown)
    return sender.submission is Submission.DIRECT_SEND


def honest(seen: SenderSight) -> bool:
    """Held to be honest, by a person or the audit, and not to be refused."""
    return seen.assessment is Verdict.LEGITIMATE and seen.method != Method.REFUSE


def left(seen: SenderSight) -> bool:
    """Whether a person said that it leaves Direct Send."""
    return seen.method in _LEFT


def addresses(places: Iterable[Place]) -> frozenset[str]:
    """The client addresses of places, those that are known."""
    return frozenset(address for address, _ in places if address)


def neighbourhoods(found: Iterable[str]) -> frozenset[str]:
    """The /24 (IPv4) or /64 (IPv6) of each address."""
    return frozenset(_neighbourhood(address) for address in found)


def _neighbourhood(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return text  # no address: a neighbour of nobody but itself
    return str(ip_network((address, _NEAR[address.version]), strict=False))


def strange(places: Iterable[Place], known: Iterable[Place]) -> list[str]:
    """Addresses of `places` that lie in no neighbourhood of `known` ones, in order."""
    here, there = addresses(places), addresses(known)
    if here <= there:
        return []
    homes = neighbourhoods(there)
    return sorted(address for address in here - there if _neighbourhood(address) not in homes)


def attributed(sight: Sight) -> Mapping[str, datetime]:
    """Client address -> last time that mail of it was attributed to any connector."""
    last: dict[str, datetime] = {}
    for rows in sight.connector_addresses.values():
        for address, when in rows.items():
            last[address] = max(when, last.get(address, when))
    return last


def told_of(seen: SenderSight) -> list[tuple[str, str]]:
    """Evidence that every finding about a sender shows. The first address stands alone, for programs."""
    sender, known = seen.sender, sorted(addresses(seen.places))
    return [
        ("sender", sender.name),
        ("address", known[0] if known else ""),
        ("more addresses", listed(known[1:])),
        ("HELO", listed(sender.helo, 3)),
        ("envelope senders", listed(sender.mail_from, 5)),
        ("assessment", f"{seen.assessment.value}{', by a person' if seen.word else ''}"),
        ("messages", f"{sender.messages:,} to {sender.recipients:,} recipients on {sender.active_days:,} days"),
        ("first seen", sender.first_seen.isoformat(timespec="minutes")),
        ("last seen", sender.last_seen.isoformat(timespec="minutes")),
        ("report id", sender.id),
    ]
