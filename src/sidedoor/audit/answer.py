"""What was seen, and what stands beside it, put together into the answer of an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sidedoor.audit.context import AssessmentContext
from sidedoor.audit.coverage import (
    DECISIVE,
    collection_gaps,
    listed_sender_warnings,
    missing_facts,
    stranger_warnings,
)
from sidedoor.audit.dns import SpfLookups, client_names
from sidedoor.audit.elsewhere import reported_sources
from sidedoor.audit.flow import Flow
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Coverage, Disagreement, FileCoverage, Sender
from sidedoor.audit.simulate import Tally, readiness, simulate, timeline, totals
from sidedoor.audit.tenant import switch_rows, tenant_summary
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.evidence.collection import Collected
from sidedoor.evidence.dmarc_reports import Reported
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.facts import DnsFacts
from sidedoor.mailauth.resolver import Resolver
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import TenantSnapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """What a history showed. merged, expanded: as in `Coverage`. strangers: messages between strangers."""

    tallies: Sequence[Tally]
    strangers: int
    window: tuple[datetime, datetime] | None
    files: tuple[FileCoverage, ...]
    merged: int
    expanded: int
    disagreements: tuple[Disagreement, ...]
    kinds: Mapping[str, ListedSender]
    flows: Sequence[Flow]
    senders: Sequence[Sender]


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a history: settings, DNS, DMARC reports, what is remarkable about the settings, and what
    collections of the history say of themselves.
    """

    snapshot: TenantSnapshot
    dns: DnsFacts
    reported: Reported
    warnings: tuple[str, ...]
    collected: tuple[Collected, ...] = ()


def with_days(senders: Iterable[Sender], daily: Mapping[int, Mapping[date, int]]) -> list[Sender]:
    """The senders with their messages a day. daily: flow -> day -> messages."""
    dated = []
    for sender in senders:
        counts: Counter[date] = Counter()
        for flow in sender.flow_ids:
            counts.update(daily.get(flow, {}))
        dated.append(replace(sender, daily=dict(sorted(counts.items()))))
    return dated


def accepted_of(snapshot: TenantSnapshot) -> list[Domain]:
    """The accepted domains; none where no export told them."""
    if isinstance(snapshot.accepted_domains, Unknown):
        return []
    return [accepted.domain for accepted in snapshot.accepted_domains]


def context_of(
    beside: Beside,
    flows: Sequence[Flow],
    span: tuple[datetime, datetime],
    authenticated: Mapping[str, int],
    *,
    resolver: Resolver,
    catalogue: Catalogue,
) -> AssessmentContext:
    """What the assessment is told beside the flows."""
    addresses = sorted({flow.client_ip for flow in flows if flow.client_ip})
    return AssessmentContext(
        accepted_domains=frozenset(accepted_of(beside.snapshot)),
        window=span,
        spf=SpfLookups(beside.dns, resolver),
        reverse_names=client_names(addresses, resolver),
        authenticated_use=authenticated,
        reported=beside.reported,
        catalogue=catalogue,
    )


def answer_of(seen: Seen, beside: Beside, *, now: datetime, catalogue: Catalogue, switches: Switches) -> Audit:
    """The whole answer."""
    snapshot, messages = beside.snapshot, sum(tally.messages for tally in seen.tallies)
    domains_known = not isinstance(snapshot.accepted_domains, Unknown)
    # None is a stranger where nobody knows who is one.
    foreign = seen.strangers if domains_known else 0
    accepted = frozenset(accepted_of(snapshot))
    reported, reported_messages = reported_sources(beside.reported, seen.senders, accepted, catalogue)
    simulation = simulate(seen.tallies, seen.senders, seen.flows)
    # Mostly strangers: the history and the settings are hardly of one tenant, and "ready" would be about another.
    gaps = collection_gaps(beside.collected)
    known = domains_known and foreign * 2 <= messages and not any(gap.fact in DECISIVE for gap in gaps)
    spf_unknown = sorted(str(domain) for domain in beside.dns.spf_unknown)
    return Audit(
        tenant=tenant_summary(snapshot),
        window=seen.window,
        coverage=Coverage(
            messages=messages,
            files=seen.files,
            missing=(*gaps, *missing_facts(seen.tallies, snapshot, spf_unknown=spf_unknown)),
            merged_records=seen.merged,
            expanded_records=seen.expanded,
            disagreements=seen.disagreements,
            warnings=(*stranger_warnings(foreign, messages), *beside.warnings, *listed_sender_warnings(seen.kinds)),
        ),
        totals=totals(seen.tallies),
        senders=tuple(seen.senders),
        simulation=simulation,
        readiness=readiness(seen.senders, simulation, messages=messages, settings_known=known),
        timeline=timeline(seen.senders),
        generated_at=now,
        reported=reported,
        reported_messages=reported_messages,
        switches=switch_rows(switches),
        snapshot=snapshot,
    )
