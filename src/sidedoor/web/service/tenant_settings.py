"""The tenant's settings as they were read last, and what has changed since they were accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.plan.apply import differences
from sidedoor.tenant.snapshot import AcceptedDomain, InboundConnector, TransportRule
from sidedoor.watch.sight import Baseline, DomainSight
from sidedoor.watch.sight_json import Surroundings
from sidedoor.web.book import Book
from sidedoor.web.service.describe import doc
from sidedoor.web.tenant import Tenant


@dataclass(frozen=True, slots=True)
class DomainView:
    """An accepted domain."""

    domain: str
    kind: Annotated[str, doc("Authoritative, InternalRelay, ExternalRelay; empty: not known.")]
    mx: Annotated[str, doc("Where its MX leads: exchange-online, elsewhere, mixed, none; empty: not known.")]
    records: Annotated[dict[str, str | None], doc("MX, SPF and DMARC as published; null: none; left out: not known.")]
    spf_lookups: Annotated[int | None, doc("Terms of the SPF record that ask DNS; 10 are allowed.")]
    changed: Annotated[tuple[str, ...], doc("Which of the records are not as they were accepted.")]


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """An inbound connector."""

    name: str
    kind: str
    enabled: bool | None
    sender_domains: tuple[str, ...]
    matches: Annotated[tuple[str, ...], doc("Addresses and the certificate's name that it knows its own by.")]
    restricts: Annotated[tuple[str, ...], doc("What it refuses mail of its domains by.")]
    require_tls: bool | None
    treat_messages_as_internal: bool | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleView:
    """A transport rule."""

    name: str
    enabled: bool | None
    mode: str
    priority: int


@dataclass(frozen=True, slots=True)
class SettingsView:
    """All of it. Null, for a list: no export told it, and why is in `unknown`."""

    read_at: datetime
    organisation: str
    reject_direct_send: bool | None
    domains: tuple[DomainView, ...] | None
    connectors: tuple[ConnectorView, ...] | None
    rules: tuple[RuleView, ...] | None
    always_allowed: Annotated[tuple[str, ...] | None, doc("Addresses that pass the filters.")]
    always_refused: tuple[str, ...] | None
    unknown: Annotated[dict[str, str], doc("Setting to why it is not known.")]
    accepted_at: Annotated[datetime | None, doc("Since when there is something to compare with.")]
    changes: Annotated[tuple[str, ...] | None, doc("How they differ from what was accepted; null: nothing to compare.")]


def settings(tenant: Tenant, book: Book) -> SettingsView:
    """The settings for showing. Raises SidedoorError."""
    snapshot, baseline = book.settings.snapshot, tenant.baseline()
    accepted = baseline if isinstance(baseline, Baseline) else None
    around = tenant.surroundings()
    facts: dict[str, Fact[Any]] = {
        "RejectDirectSend": snapshot.reject_direct_send, "Accepted domains": snapshot.accepted_domains,
        "Inbound connectors": snapshot.inbound_connectors, "Transport rules": snapshot.transport_rules,
        "Connection filter": snapshot.connection_filter,
    }  # fmt: skip
    lists = _known(snapshot.connection_filter)
    domains, connectors, rules = map(
        _known, (snapshot.accepted_domains, snapshot.inbound_connectors, snapshot.transport_rules)
    )
    return SettingsView(
        book.settings.generated_at,
        snapshot.name,
        _known(snapshot.reject_direct_send),
        None if domains is None else tuple(
            _domain(row, _word(snapshot.mail_exchangers.get(row.domain)), around, accepted) for row in domains
        ),
        None if connectors is None else tuple(map(_connector, connectors)),
        None if rules is None else tuple(map(_rule, rules)),
        None if lists is None else tuple(map(str, lists.allow)),
        None if lists is None else tuple(map(str, lists.block)),
        {name: fact.reason for name, fact in facts.items() if isinstance(fact, Unknown)},
        None if accepted is None else accepted.at,
        None if accepted is None else tuple(differences(accepted.snapshot, snapshot)),
    )  # fmt: skip


def _domain(row: AcceptedDomain, mx: str, around: Fact[Surroundings | None], accepted: Baseline | None) -> DomainView:
    name = str(row.domain)
    now = around.domains.get(name) if isinstance(around, Surroundings) else None
    before = None if accepted is None else accepted.domains.get(name)
    records, were = _records(now), _records(before)
    changed = tuple(each for each in records if each in were and records[each] != were[each])
    return DomainView(name, _word(row.kind), mx, records, None if now is None else now.spf_lookups, changed)


def _records(of: DomainSight | None) -> dict[str, str | None]:
    """What is known of a domain's records."""
    if of is None:
        return {}
    mx = of.mx if isinstance(of.mx, Unknown) else (", ".join(of.mx) or None)
    facts = {"MX": mx, "SPF": of.spf, "DMARC": of.dmarc}
    return {name: fact for name, fact in facts.items() if not isinstance(fact, Unknown)}


def _known(fact: Fact[Any]) -> Any:
    return None if isinstance(fact, Unknown) else fact


def _word(fact: Any) -> str:
    return "" if fact is None or isinstance(fact, Unknown) else str(fact.value)


def _connector(row: InboundConnector) -> ConnectorView:
    restricts = (
        ("addresses", row.restrict_to_addresses), ("certificate", row.restrict_to_certificate),
    )  # fmt: skip
    certificate = () if row.tls_certificate_name is None else (f"certificate {row.tls_certificate_name}",)
    return ConnectorView(
        row.name, row.kind.value, _known(row.enabled), tuple(map(str, row.sender_domains)),
        (*map(str, row.sender_networks), *certificate), tuple(name for name, value in restricts if value is True),
        _known(row.require_tls), _known(row.treat_messages_as_internal), row.warnings,
    )  # fmt: skip


def _rule(row: TransportRule) -> RuleView:
    return RuleView(row.name, _known(row.enabled), row.mode, row.priority)
