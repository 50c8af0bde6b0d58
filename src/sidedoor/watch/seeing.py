"""What a run saw, put together: the report's senders under their lasting keys, what people said, settings and DNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sidedoor.audit.model import Sender
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Decision, Word
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.seen import Seen, SeenSender
from sidedoor.watch.sight import SenderSight, Source

_NOTHING = SeenSender({}, frozenset())
_NOT_SAID = Decision("")


def sender_sights(
    senders: Sequence[Sender], keys: Mapping[str, str], decisions: Mapping[str, Decision], seen: Seen
) -> tuple[SenderSight, ...]:
    """The report's senders. keys: id -> lasting key. decisions: by key."""
    return tuple(
        _sight(sender, keys[sender.id], decisions, seen.senders.get(sender.id, _NOTHING)) for sender in senders
    )


def _sight(sender: Sender, key: str, decisions: Mapping[str, Decision], seen: SeenSender) -> SenderSight:
    word = decisions.get(key, _NOT_SAID).assessment
    return SenderSight(key, sender, Word(word), seen.places, seen.blocked, seen.last_blocked)


def sent_directly(seen: Seen) -> Mapping[date, int]:
    """Messages a day that went round the filter."""
    return seen.by_day.get(Submission.SENT_DIRECTLY, {})


def unread_settings(snapshot: TenantSnapshot) -> Mapping[str, str]:
    """Source -> why, where the settings that matter most could not be read."""
    parts = {
        "accepted domains": snapshot.accepted_domains,
        "inbound connectors": snapshot.inbound_connectors,
    }
    whys = [f"{name}: {fact.reason}" for name, fact in parts.items() if isinstance(fact, Unknown)]
    return {Source.SETTINGS: "; ".join(whys)} if whys else {}


def history_until(collected: datetime | None, window: tuple[datetime, datetime] | None) -> datetime | None:
    """Up to when the history is complete: what the collection says, else the last message that a file told of."""
    return collected or (window[1] if window else None)
