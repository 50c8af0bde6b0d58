"""Drafts of a plan, held against the history: with and without a lock-down, and where connectors meet on a domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Network

from sidedoor.audit.classes import Classes, classes_of
from sidedoor.audit.engine.kept import KeptFlow, KeptHistory
from sidedoor.audit.model import Sender
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import connector
from sidedoor.plan.choose import choose_all
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.lockdown import (
    behind_filter,
    filter_networks,
    lockdown,
    lockdown_conflicts,
    stands,
    straight_to_the_tenant,
)
from sidedoor.plan.methods import Door
from sidedoor.plan.model import Because, Choice, Conflict, ConnectorProposal, Replay
from sidedoor.plan.replay import Told, readings, replay
from sidedoor.plan.synthesis import synthesise
from sidedoor.plan.words import FilterStage, Words
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, TenantSnapshot


@dataclass(frozen=True, slots=True)
class Question:
    """What a plan is made from; `folder` names the report in errors."""

    senders: Sequence[Sender]
    history: KeptHistory
    snapshot: TenantSnapshot
    switches: Switches
    words: Words
    catalogue: Catalogue
    now: datetime
    folder: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A sketch with the history replayed over it."""

    sketch: Sketch
    told: Told
    replay: Replay

    @property
    def choices(self) -> tuple[Choice, ...]:
        return self.sketch.choices

    @property
    def connectors(self) -> tuple[ConnectorProposal, ...]:
        return self.sketch.connectors

    @property
    def harm(self) -> int:
        """Messages it loses that should come in."""
        return self.replay.harmed


def best(question: Question, facts: Sequence[SenderFacts]) -> tuple[Draft, list[Because]]:
    """With the lock-down where that is wanted and harms nobody honest; otherwise without, and why."""
    wanted = question.words.filter.stage
    lock = None
    if wanted in {FilterStage.AUTO, FilterStage.LOCKDOWN}:
        lock = lockdown(question.snapshot, question.words.filter)
    sketches = [_sketch(question, facts, each) for each in ([None, lock] if lock else [None])]
    counted = _Counted.of(question, sketches)
    if lock is not None and wanted is FilterStage.LOCKDOWN:
        return _settled(question, facts, sketches[1], counted), [_ENHANCED]
    plain = _settled(question, facts, sketches[0], counted)
    if lock is None:
        return plain, list(_why_no_lock(question))
    if _unseen(lock, question):
        text = "say its addresses under [filter] in plan.toml as well: they tell in the history what came through it"
        return plain, [
            Because("filter-addresses-unknown", f"the filter's certificate alone proves no lock-down; {text}")
        ]
    locked = _settled(question, facts, sketches[1], counted)
    if locked.harm <= plain.harm:
        return locked, [_ENHANCED]
    return plain, [_harmful(question, locked.harm - plain.harm)]


_ENHANCED = Because(
    "enhanced-filtering",
    "behind the lock-down everything comes from the filter's addresses: turn on Enhanced Filtering for that connector, "
    "and take back rules that set SCL -1 for it",
)


def _unseen(lock: ConnectorProposal, question: Question) -> bool:
    """A certificate that no connector has asked for yet, and no addresses by which the filter could be told."""
    known = {row.tls_certificate_name for row in question.snapshot.known_connectors}
    by_new = lock.settings.restrict_to_certificate is True and lock.settings.certificate_name not in known
    return by_new and not filter_networks(question.snapshot, question.words.filter)


def _harmful(question: Question, messages: int) -> Because:
    straight = straight_to_the_tenant(question.snapshot)
    text = f"a lock-down to the filter would refuse {messages:,} messages beside it that nobody has called spoofs"
    if straight:
        text += f"; the MX of {', '.join(straight[:3])} leads straight to Exchange Online: lead it to the filter first"
    return Because("lockdown-would-harm", text)


def _why_no_lock(question: Question) -> Sequence[Because]:
    wanted = question.words.filter.stage
    if wanted is FilterStage.NONE:
        return ()
    if not behind_filter(question.snapshot):
        return tuple(_no_filter(question))
    if stands(question.snapshot):
        return (Because("lockdown-stands", "a connector takes mail from the filter only already"),)
    if wanted in {FilterStage.TAG, FilterStage.QUARANTINE}:
        return ()
    text = "nobody knows by what the filter is recognised: say certificate or addresses under [filter] in plan.toml"
    return (Because("filter-unknown", text),)


def _no_filter(question: Question) -> Iterator[Because]:
    wanted = question.words.filter.stage
    if wanted is not FilterStage.AUTO:
        text = f"stage = {wanted.value} in plan.toml does nothing: no accepted domain's MX is known to lead elsewhere"
        yield Because("no-filter", text)
    unknown = [str(name) for name, where in question.snapshot.mail_exchangers.items() if isinstance(where, Unknown)]
    if unknown:
        text = f"where the MX of {', '.join(sorted(unknown)[:3])} leads is not known: audit with DNS, or --dns"
        yield Because("mx-unknown", text)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Choices and connectors, not yet held against the history."""

    choices: tuple[Choice, ...]
    conflicts: tuple[Conflict, ...]
    connectors: tuple[ConnectorProposal, ...]
    lock: ConnectorProposal | None


def _sketch(
    question: Question,
    facts: Sequence[SenderFacts],
    lock: ConnectorProposal | None,
    contested: Mapping[str, str] | None = None,
) -> Sketch:
    door = Door(question.snapshot, lock is not None or stands(question.snapshot), contested or {})
    choices = choose_all(facts, door)
    made = synthesise(choices, facts, question.words, door)
    more = tuple(lockdown_conflicts(question.snapshot, lock)) if lock else ()
    return Sketch(choices, (*made.conflicts, *more), (*made.connectors, *([lock] if lock else ())), lock)


@dataclass(frozen=True, slots=True)
class _Counted:
    """The history, counted once for all sketches: classes that tell apart what any of their connectors does."""

    classes: Classes
    flows: Sequence[KeptFlow]
    filters: tuple[IPv4Network, ...]

    @staticmethod
    def of(question: Question, sketches: Sequence[Sketch]) -> _Counted:
        """Read the history. The connectors stand beside each other under names of their own, for the classes only."""
        filters = filter_networks(question.snapshot, question.words.filter)
        snapshot = question.snapshot
        rows = [
            connector(replace(each, name=f"{number} {each.name}"), None)
            for number, sketch in enumerate(sketches)
            for each in sketch.connectors
        ]
        said = [*filters, *(net for relay in question.words.relays.values() for net in relay.addresses)]
        rows.append(InboundConnector("", ConnectorKind.PARTNER, enabled=False, sender_networks=tuple(said)))
        classes = classes_of(replace(snapshot, inbound_connectors=(*snapshot.known_connectors, *rows)))
        return _Counted(classes, question.history.flows(classes), filters)


def _drafted(question: Question, sketch: Sketch, counted: _Counted) -> Draft:
    told = Told(
        question.snapshot, question.switches, counted.classes, counted.flows, sketch.choices, sketch.connectors,
        question.words.relays, counted.filters,
    )  # fmt: skip
    return Draft(sketch, told, replay(told))


def _settled(question: Question, facts: Sequence[SenderFacts], sketch: Sketch, counted: _Counted) -> Draft:
    """The draft; where several Partner connectors on a domain may harm somebody honest, one without them.

    Which of several decides is undocumented (domain facts 2.4), so that is asked every way. OnPremises connectors are
    asked before all Partner ones.
    """
    draft = _drafted(question, sketch, counted)
    worst = _worst(draft)
    if worst <= draft.replay.honest_refused:
        return draft
    why = "several Partner connectors would cover {}, and which of them decides is undocumented"
    contested = {
        name: why.format(name)
        for each in sketch.connectors
        if each.kind is ConnectorKind.PARTNER and not each.lockdown
        for name in each.settings.sender_domains
    }
    other = _drafted(question, _sketch(question, facts, sketch.lock, contested), counted)
    better = other.harm <= draft.harm and _worst(other) < worst
    return other if better else draft


def _worst(draft: Draft) -> int:
    """Honest messages refused under the least favourable precedence of Partner connectors."""
    found = readings(draft.told, draft.replay, ("partner-precedence",))
    return max((draft.replay.honest_refused, *(each.honest_refused for each in found)))
