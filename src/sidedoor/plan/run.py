"""A plan from end to end: facts, choices, connectors, replay, verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sidedoor.audit.engine.kept import MOST_PLACES, Place
from sidedoor.errors import InputError
from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import fingerprint
from sidedoor.plan.changes import changes
from sidedoor.plan.deadlines import for_methods
from sidedoor.plan.draft import Draft, Question, best
from sidedoor.plan.facts import Evidence, SenderFacts, gather
from sidedoor.plan.held import held
from sidedoor.plan.lockdown import behind_filter, beside_rule, filter_networks, stands, tag_rule
from sidedoor.plan.model import Because, Blocker, Method, Plan, RuleProposal, TenantFacts
from sidedoor.plan.replay import readings
from sidedoor.plan.verdict import blockers, unsavable
from sidedoor.plan.words import FilterStage

__all__ = ["Question", "make_plan"]

_MOST_RECIPIENTS = 200


def make_plan(question: Question) -> Plan:
    """The plan. Raises InputError where the report does not hold what a plan rests on."""
    _refuse_unknown(question)
    history = question.history
    places = history.places()
    _refuse_foreign(question, places)
    evidence = Evidence.of(question.senders, places, history.busiest_days(), question.snapshot, question.catalogue)
    facts = gather(evidence, question.words.senders)
    draft, notes = best(question, facts)
    return _finished(question, facts, draft, notes, _edited(question, places))


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
            line = question.words.line_of(sender)
            raise InputError(question.words.path, f"the sender {sender[:60]!r}", expected, line)


def _refuse_foreign(question: Question, places: Sequence[Place]) -> None:
    """A report and a history of two audits would prove nothing and say "ready"."""
    if len(places) >= MOST_PLACES:
        return  # not all of them are here
    told, found = {each.id for each in question.senders}, {place.sender for place in places}
    if told != found:
        sender = min(told ^ found)
        where = "report.json" if sender in told else "messages.parquet"
        raise InputError(
            str(Path(question.folder) / "report.json"),
            f"the sender {sender[:60]!r}, which only {where} has",
            "report.json and messages.parquet of one audit, as it wrote them",
        )


def _edited(question: Question, places: Sequence[Place]) -> tuple[Blocker, ...]:
    """A report whose numbers are not those of its history: what is planned for it is proven for another."""
    if len(places) >= MOST_PLACES:
        return ()
    counted: Counter[str] = Counter()
    refusable: Counter[str] = Counter()
    for place in places:
        counted[place.sender] += place.messages
        refusable[place.sender] += place.refusable
    found = []
    for each in question.senders:
        told = (each.messages, each.would_reject + each.would_reject_unknown)
        if told != (counted[each.id], refusable[each.id]):
            text = (
                f"report.json has {told[0]:,} messages of {each.name} ({told[1]:,} that may be refused) and "
                f"messages.parquet {counted[each.id]:,} ({refusable[each.id]:,}): audit again"
            )
            found.append(Blocker("report-differs", each.id, text))
    return tuple(found)


def _rules(question: Question, draft: Draft) -> tuple[tuple[RuleProposal, ...], list[Because]]:
    notes: list[Because] = []
    paths = [choice.return_path for choice in draft.choices if choice.return_path]
    found = [tag_rule(question.snapshot, draft.connectors, paths)]
    if found[0] is None and question.snapshot.reject_direct_send is not True:
        text = "the accepted domains do not fit into a mail flow rule (8 KB), so there is none that marks Direct Send"
        notes.append(Because("rule-too-long", text))
    wanted = question.words.filter.stage
    if draft.sketch.lock is None and not stands(question.snapshot) and wanted is not FilterStage.NONE:
        found.append(beside_rule(question.snapshot, draft.connectors, question.words.filter))
        if found[-1] is None and behind_filter(question.snapshot):
            notes.append(_no_beside_rule(question))
    return tuple(rule for rule in found if rule is not None), notes


def _no_beside_rule(question: Question) -> Because:
    why = "the filter's addresses are not known: say addresses under [filter] in plan.toml"
    if filter_networks(question.snapshot, question.words.filter):
        why = "the addresses it would have to leave alone do not fit into a mail flow rule (8 KB)"
    return Because("no-beside-rule", f"there is no rule for mail beside the filter, because {why}")


def _not_told(draft: Draft) -> Iterator[Because]:
    """Flags of existing connectors that the export does not hold and the plan has to do with."""
    flags = {
        "RequireTls": "require_tls", "RestrictDomainsToIPAddresses": "restrict_to_addresses",
        "RestrictDomainsToCertificate": "restrict_to_certificate", "Enabled": "enabled",
    }  # fmt: skip
    for each in draft.connectors:
        if each.before is None:
            continue
        unknown = [name for name, field in flags.items() if getattr(each.before, field) is None]
        if unknown:
            text = f"the export does not tell {', '.join(unknown)} of {each.name!r}: export Get-InboundConnector again"
            yield Because("connector-incomplete", text)


def _finished(  # what a plan is put together from
    question: Question, facts: Sequence[SenderFacts], draft: Draft, notes: Sequence[Because],
    edited: tuple[Blocker, ...],
) -> Plan:  # fmt: skip
    snapshot, choices = question.snapshot, draft.choices
    domains = snapshot.accepted_domains
    reject = snapshot.reject_direct_send
    rules, more = _rules(question, draft)
    lost = [choice.sender for choice in choices if choice.method is Method.UNSAVABLE]
    found = (*edited, *blockers(choices, facts, question.words, draft.replay, held(draft.told, rules)))
    return Plan(
        generated_at=question.now,
        tenant=TenantFacts(
            snapshot.name,
            () if isinstance(domains, Unknown) else tuple(str(row.domain) for row in domains),
            None if isinstance(reject, Unknown) else reject,
            fingerprint(snapshot),
            behind_filter(snapshot),
            ()
            if isinstance(domains, Unknown)
            else tuple(str(row.domain) for row in domains if row.match_subdomains is True),
        ),
        window=question.history.window(),
        choices=choices,
        connectors=draft.connectors,
        rules=rules,
        conflicts=draft.sketch.conflicts,
        changes=changes(choices, draft.connectors, rules, closed=reject is True),
        deadlines=for_methods(choice.method for choice in choices),
        replay=replace(draft.replay, readings=tuple(readings(draft.told, draft.replay))),
        unsavable=unsavable(choices, draft.replay, question.history.recipients(lost, _MOST_RECIPIENTS)),
        ready=not found,
        blockers=found,
        notes=(*notes, *more, *_not_told(draft)),
    )
