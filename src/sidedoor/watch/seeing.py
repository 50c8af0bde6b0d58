"""What a run saw, put together: the report's senders under their lasting keys, what people said, settings and DNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sidedoor.audit.model import Sender
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Submission
from sidedoor.report.kept_report import KeptReport
from sidedoor.store.model import Decision, KnownSender
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.identity import identify
from sidedoor.watch.seen import Seen, SeenSender
from sidedoor.watch.sight import BounceSight, SenderSight, Sight, Source
from sidedoor.watch.sight_json import Surroundings

_NOTHING = SeenSender({}, frozenset())
_NOT_SAID = Decision("")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer in force, and who in it is whom. known: all known senders, those of the report as it has them."""

    report: KeptReport | None = None
    seen: Seen | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    known: tuple[KnownSender, ...] = ()


def answer_of(
    report: KeptReport | None, seen: Seen | None, known: Mapping[str, KnownSender], decisions: Mapping[str, Decision]
) -> Answer:
    """Match the report's senders with those that are known. `known`, `decisions`: as the store has them."""
    if report is None or seen is None:
        return Answer(known=tuple(known.values()))
    places = [(sender, seen.senders.get(sender.id, _NOTHING).places) for sender in report.senders]
    found = identify(places, known.values(), decisions.keys())
    return Answer(report, seen, found.keys, found.known)


def sight_of(
    answer: Answer, decisions: Mapping[str, Decision], around: Surroundings, bounces: Sequence[BounceSight]
) -> Sight:
    """All of it together."""
    report, seen = answer.report, answer.seen
    window = None if report is None else report.window
    return Sight(
        now=around.now,
        window=window,
        # What files tell is complete up to the last message in them, as far as anybody can say.
        history_until=around.history_until or (window[1] if window else None),
        senders=() if report is None or seen is None else tuple(
            _sender(sender, answer.keys[sender.id], decisions, seen) for sender in report.senders
        ),
        snapshot=around.snapshot,
        domains=around.domains,
        sent_directly={} if seen is None else seen.by_day.get(Submission.SENT_DIRECTLY, {}),
        connector_addresses={} if seen is None else seen.connector_addresses,
        certificates=around.certificates,
        probe=around.probe,
        bounces=tuple(bounces),
        reported=() if seen is None else seen.reported,
        untold=around.untold,
        truncated=around.truncated,
    )  # fmt: skip


def _sender(sender: Sender, key: str, decisions: Mapping[str, Decision], seen: Seen) -> SenderSight:
    said, told = decisions.get(key, _NOT_SAID), seen.senders.get(sender.id, _NOTHING)
    if sender.daily is not told.daily:  # report.json does not have it
        sender = replace(sender, daily=told.daily)
    return SenderSight(key, sender, said.assessment, told.places, told.blocked, told.last_blocked, said.method)


def unread_settings(snapshot: TenantSnapshot) -> Mapping[str, str]:
    """Source -> why, where the settings that matter most could not be read."""
    parts = {
        "accepted domains": snapshot.accepted_domains,
        "inbound connectors": snapshot.inbound_connectors,
    }
    whys = [f"{name}: {fact.reason}" for name, fact in parts.items() if isinstance(fact, Unknown)]
    return {Source.SETTINGS: "; ".join(whys)} if whys else {}
