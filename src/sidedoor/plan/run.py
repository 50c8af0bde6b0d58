"""A plan from end to end: facts, choices, connectors, replay, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sidedoor.audit.classes import classes_of
from sidedoor.audit.engine.kept import KeptHistory
from sidedoor.audit.model import Sender
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.errors import InputError
from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import applied, fingerprint
from sidedoor.plan.changes import changes
from sidedoor.plan.choose import choose
from sidedoor.plan.deadlines import for_methods
from sidedoor.plan.facts import Evidence, SenderFacts, gather
from sidedoor.plan.lockdown import behind_filter, beside_rule, lockdown, stands, tag_rule
from sidedoor.plan.methods import Door
from sidedoor.plan.model import Because, Choice, ConnectorProposal, Method, Plan, Replay, RuleProposal, TenantFacts
from sidedoor.plan.replay import Told, readings, replay
from sidedoor.plan.synthesis import Synthesis, synthesise
from sidedoor.plan.verdict import blockers, unsavable
from sidedoor.plan.words import FilterStage, Words
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import TenantSnapshot

_MOST_RECIPIENTS = 200


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
class _Draft:
    """Choices and connectors, with the history replayed over them."""

    choices: tuple[Choice, ...]
    synthesis: Synthesis
    told: Told
    replay: Replay

    @property
    def connectors(self) -> Sequence[ConnectorProposal]:
        return self.told.connectors

    @property
    def lock(self) -> ConnectorProposal | None:
        return next((each for each in self.connectors if each.lockdown), None)

    @property
    def harm(self) -> int:
        """Honest messages that it loses."""
        return self.replay.newly_restricted + self.replay.honest_refused + self.replay.honest_undetermined


def make_plan(question: Question) -> Plan:
    """The plan. Raises InputError where the report does not hold what a plan rests on."""
    _refuse_unknown(question)
    history = question.history
    evidence = Evidence.of(
        question.senders, history.places(), history.busiest_days(), question.snapshot, question.catalogue
    )
    facts = gather(evidence, question.words.senders)
    draft, notes = _best(question, facts)
    return _finished(question, facts, draft, notes)


def _refuse_unknown(question: Question) -> None:
    where = question.folder
    for name, value in (
        ("accepted domains", question.snapshot.accepted_domains),
        ("inbound connectors", question.snapshot.inbound_connectors),
    ):
        if isinstance(value, Unknown):
            cmdlet = "Get-AcceptedDomain" if name.startswith("accepted") else "Get-InboundConnector"
            raise InputError(where, f"unknown {name} ({value.reason})", f"an audit with {cmdlet} among its inputs")
    known = {sender.id for sender in question.senders}
    for sender in question.words.senders:
        if sender not in known:
            expected = "the id of a sender of the report (report.json)"
            raise InputError(question.words.path, f"the sender {sender[:60]!r}", expected)


def _best(question: Question, facts: Sequence[SenderFacts]) -> tuple[_Draft, list[Because]]:
    """With the lock-down where that is wanted and harms nobody honest; otherwise without, and why."""
    wanted = question.words.filter.stage
    lock = None
    if wanted in {FilterStage.AUTO, FilterStage.LOCKDOWN}:
        lock = lockdown(question.snapshot, question.words.filter)
    if lock is not None and wanted is FilterStage.LOCKDOWN:
        return _draft(question, facts, lock), []
    plain = _draft(question, facts, None)
    if lock is None:
        return plain, list(_why_no_lock(question))
    locked = _draft(question, facts, lock)
    if locked.harm <= plain.harm:
        return locked, []
    text = (
        f"a lock-down to the filter would refuse {locked.harm - plain.harm:,} honest messages that come beside it; "
        "the transport rule marks such mail until their senders have moved"
    )
    return plain, [Because("lockdown-would-harm", text)]


def _why_no_lock(question: Question) -> Sequence[Because]:
    if question.words.filter.stage is not FilterStage.AUTO or not behind_filter(question.snapshot):
        return ()
    if stands(question.snapshot):
        return (Because("lockdown-stands", "a connector takes mail from the filter only already"),)
    text = "nobody knows by what the filter is recognised: say certificate or addresses under [filter] in plan.toml"
    return (Because("filter-unknown", text),)


def _draft(question: Question, facts: Sequence[SenderFacts], lock: ConnectorProposal | None) -> _Draft:
    door = Door(question.snapshot, lockdown=lock is not None or stands(question.snapshot))
    choices = tuple(choose(fact, door) for fact in facts)
    made = synthesise(choices, facts, question.words, question.snapshot)
    connectors = (*made.connectors, *([lock] if lock else ()))
    classes = classes_of(applied(question.snapshot, connectors))
    flows = question.history.flows(classes)
    told = Told(question.snapshot, question.switches, classes, flows, choices, connectors)
    return _Draft(choices, made, told, replay(told))


def _rules(question: Question, draft: _Draft) -> tuple[RuleProposal, ...]:
    found = [tag_rule(question.snapshot, draft.connectors)]
    if draft.lock is None and question.words.filter.stage is not FilterStage.NONE:
        found.append(beside_rule(question.snapshot, draft.connectors, question.words.filter))
    return tuple(rule for rule in found if rule is not None)


def _finished(question: Question, facts: Sequence[SenderFacts], draft: _Draft, notes: Sequence[Because]) -> Plan:
    snapshot, choices = question.snapshot, draft.choices
    domains = snapshot.accepted_domains
    reject = snapshot.reject_direct_send
    rules = _rules(question, draft)
    lost = [choice.sender for choice in choices if choice.method is Method.UNSAVABLE]
    found = blockers(choices, facts, question.words, draft.replay)
    return Plan(
        generated_at=question.now,
        tenant=TenantFacts(
            snapshot.name,
            () if isinstance(domains, Unknown) else tuple(str(row.domain) for row in domains),
            None if isinstance(reject, Unknown) else reject,
            fingerprint(snapshot),
            behind_filter(snapshot),
        ),
        window=question.history.window(),
        choices=choices,
        connectors=tuple(draft.connectors),
        rules=rules,
        conflicts=draft.synthesis.conflicts,
        changes=changes(choices, draft.connectors, rules, closed=reject is True),
        deadlines=for_methods(choice.method for choice in choices),
        replay=replace(draft.replay, readings=tuple(readings(draft.told, draft.replay))),
        unsavable=unsavable(choices, draft.replay, question.history.recipients(lost, _MOST_RECIPIENTS)),
        ready=not found,
        blockers=found,
        notes=tuple(notes),
    )
