"""What happens to settings, connectors and what they recognise senders by."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    SenderDomainPattern,
)
from sidedoor.watch.sight import Baseline, CertificateSight, Sight
from tests.watch.case import Case
from tests.watch.kit import (
    CONTOSO,
    OTHER_RULE,
    QUARANTINE_RULE,
    TAG_RULE,
    ago,
    baseline_of,
    certified,
    connector,
    migrated,
    shut,
    sight,
    with_settings,
)

_OWN = AcceptedDomain(CONTOSO, DomainKind.AUTHORITATIVE, match_subdomains=False)
_NEW = AcceptedDomain(Domain("fabrikam.example"), DomainKind.AUTHORITATIVE, match_subdomains=False)
_LOST = Unknown("the export does not tell")


def _accepts(*rows: AcceptedDomain) -> Sight:
    return with_settings(accepted_domains=rows)


def _allows(*networks: str) -> Sight:
    return with_settings(connection_filter=ConnectionFilter(tuple(map(ip_network, networks))))


def _rules(*rules: Any) -> Sight:
    return with_settings(transport_rules=rules)


SETTINGS = [
    Case("direct-send-reopened", "it was on and is off", sight(), shut(), finds={"": "critical"}),
    Case("direct-send-reopened", "it was never on", sight()),
    Case("direct-send-reopened", "it was off and is on", migrated(0)),
    Case(
        "direct-send-reopened",
        "the settings cannot be read",
        replace(with_settings(migrated(10), reject_direct_send=False), untold={"settings": "401"}),
        shut(),
    ),
    Case(
        "direct-send-unreadable",
        "never known",
        with_settings(reject_direct_send=_LOST),
        baseline_of(with_settings(reject_direct_send=_LOST)),
        finds={"": "warning"},
    ),
    Case(
        "direct-send-unreadable",
        "known to be on before",
        with_settings(migrated(10), reject_direct_send=_LOST),
        shut(),
        finds={"": "serious"},
    ),
    Case(
        "direct-send-unreadable",
        "no settings at all is another matter",
        replace(with_settings(reject_direct_send=_LOST), untold={"settings": "401"}),
    ),
    Case("accepted-domain-added", "one more", _accepts(_OWN, _NEW), finds={"fabrikam.example": "warning"}),
    Case("accepted-domain-added", "an export that does not tell", with_settings(accepted_domains=_LOST)),
    Case(
        "accepted-domain-removed",
        "one less",
        sight(),
        baseline_of(_accepts(_OWN, _NEW)),
        finds={"fabrikam.example": "warning"},
    ),
    Case(
        "accepted-domain-removed",
        "nobody knew them before",
        sight(),
        baseline_of(with_settings(accepted_domains=_LOST)),
    ),
    Case(
        "accepted-domain-changed",
        "another type",
        _accepts(replace(_OWN, kind=DomainKind.INTERNAL_RELAY)),
        finds={"contoso.com": "info"},
    ),
    Case("accepted-domain-changed", "a type that is not told", _accepts(replace(_OWN, kind=_LOST))),
    Case("allow-list-widened", "an address", _allows("192.0.2.0/28", "198.18.1.1/32"), finds={"": "warning"}),
    Case("allow-list-widened", "a large network", _allows("192.0.2.0/28", "198.18.0.0/16"), finds={"": "serious"}),
    Case("allow-list-widened", "part of what is there", _allows("192.0.2.0/29", "192.0.2.4/30")),
    Case("allow-list-widened", "fewer", _allows()),
    Case("rule-off", "removed", _rules(TAG_RULE, OTHER_RULE), finds={QUARANTINE_RULE.name: "serious"}),
    Case(
        "rule-off",
        "disabled",
        _rules(QUARANTINE_RULE, replace(TAG_RULE, enabled=False)),
        finds={TAG_RULE.name: "warning"},
    ),
    Case(
        "rule-off",
        "only reports",
        _rules(replace(QUARANTINE_RULE, mode="Audit"), TAG_RULE),
        finds={QUARANTINE_RULE.name: "serious"},
    ),
    Case(
        "rule-off",
        "another action",
        _rules(replace(QUARANTINE_RULE, settings={"SetSCL": 1}), TAG_RULE),
        finds={QUARANTINE_RULE.name: "serious"},
    ),
    Case("rule-off", "a rule of another matter", _rules(QUARANTINE_RULE, TAG_RULE)),
    Case("rule-off", "the export does not tell", with_settings(transport_rules=_LOST)),
    Case("rule-off", "whether it is enabled is not told", _rules(QUARANTINE_RULE, replace(TAG_RULE, enabled=_LOST))),
]
_BASE = (connector(), certified())
_IDLE = ip_network("198.51.100.99/32")


def _with(*rows: Any, **more: Any) -> Sight:
    return with_settings(sight(**more), inbound_connectors=rows)


def _was(*rows: Any) -> Baseline:
    return baseline_of(_with(*rows))


_ADDED = (*connector().sender_networks, ip_network("198.18.4.0/28"))
_MADE_INTERNAL = connector(
    kind=ConnectorKind.ON_PREMISES, restrict_to_addresses=False, treat_messages_as_internal=True
)  # fmt: skip
_WATCHED = (*sight().certificates, replace(sight().certificates[0], connector="New"))
CONNECTORS = [
    Case("connector-added", "one more", _with(*_BASE, connector("New", changed_at=ago(1))), finds={"New": "warning"}),
    Case(
        "connector-added", "one more, disabled", _with(*_BASE, connector("New", enabled=False)), finds={"New": "info"}
    ),
    Case(
        "connector-added",
        "renamed",
        _with(connector("Branches", changed_at=ago(1)), certified()),
        finds={("connector-changed", "Branches"): "info"},
    ),
    Case("connector-removed", "one that is in use", _with(certified()), finds={"Offices": "serious"}),
    Case("connector-removed", "one that nobody uses", _with(connector()), finds={"Relay": "warning"}),
    Case(
        "connector-removed",
        "while the door is closed",
        with_settings(migrated(10), inbound_connectors=(connector(),)),
        shut(),
        finds={"Relay": "serious"},
    ),
    Case(
        "connector-removed",
        "a disabled one",
        _with(*_BASE),
        _was(*_BASE, connector("Old", enabled=False)),
        finds={"Old": "info"},
    ),
    Case("connector-removed", "the export lost a list", with_settings(inbound_connectors=_LOST)),
    Case(
        "connector-widened",
        "more addresses",
        _with(connector(sender_networks=_ADDED, changed_at=ago(1)), certified()),
        finds={"Offices": "warning"},
    ),
    Case(
        "connector-widened",
        "very many",
        _with(connector(sender_networks=(*_ADDED, ip_network("198.18.0.0/23")), changed_at=ago(1)), certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "connector-widened",
        "all domains",
        _with(connector(sender_domains=(SenderDomainPattern(None),), restrict_to_addresses=False), certified()),
        _was(connector(restrict_to_addresses=False), certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "connector-widened",
        "another domain of one that restricts",
        _with(
            connector(sender_domains=(SenderDomainPattern(CONTOSO), SenderDomainPattern(Domain("fabrikam.example")))),
            certified(),
        ),
        finds={"Offices": "warning", ("connector-narrowed", "Offices"): "warning"},
    ),
    Case(
        "connector-widened",
        "subdomains too",
        _with(connector(sender_domains=(SenderDomainPattern(CONTOSO, with_subdomains=True),)), certified()),
        finds={"Offices": "warning", ("connector-narrowed", "Offices"): "warning"},
    ),
    Case(
        "connector-narrowed",
        "subdomains no more, which are under the domain that stays",
        _with(*_BASE),
        _was(connector(sender_domains=(SenderDomainPattern(CONTOSO, with_subdomains=True),)), certified()),
        finds={"Offices": "warning"},
    ),
    Case(
        "connector-widened",
        "a wildcard",
        _with(connector(), certified(tls_certificate_name="*.contoso.com")),
        finds={"Relay": "serious"},
    ),
    Case(
        "connector-widened",
        "the restriction is off",
        _with(connector(restrict_to_addresses=False), certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "connector-widened",
        "TLS is not required",
        _with(connector(), certified(require_tls=False)),
        finds={"Relay": "warning"},
    ),
    Case(
        "connector-widened",
        "Partner became OnPremises",
        _with(connector(kind=ConnectorKind.ON_PREMISES), certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "connector-widened",
        "the same addresses in other pieces",
        _with(
            connector(sender_networks=(ip_network("198.51.100.7/32"), ip_network("198.51.100.8/32"))[::-1]), certified()
        ),
    ),
    Case("connector-widened", "a flag that is not told", _with(connector(restrict_to_addresses=_LOST), certified())),
    Case(
        "connector-narrowed",
        "an address that is in use",
        _with(connector(sender_networks=connector().sender_networks[:1]), certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "connector-narrowed",
        "an address that nobody uses",
        _with(connector(), certified()),
        _was(connector(sender_networks=(*connector().sender_networks, _IDLE)), certified()),
        finds={"Offices": "warning"},
    ),
    Case(
        "connector-narrowed",
        "restricted now",
        _with(connector(), certified()),
        _was(connector(restrict_to_addresses=False), certified()),
        finds={"Offices": "warning"},
    ),
    Case(
        "connector-narrowed",
        "no wildcard any more",
        _with(*_BASE),
        _was(connector(), certified(tls_certificate_name="*.contoso.com")),
        finds={"Relay": "warning"},
    ),
    Case(
        "connector-narrowed",
        "of a disabled one",
        _with(*_BASE[:1], certified(enabled=False, tls_certificate_name="a.b")),
        _was(*_BASE[:1], certified(enabled=False)),
        finds={("connector-changed", "Relay"): "info"},
    ),
    Case(
        "connector-enabled",
        "it was disabled",
        _with(*_BASE),
        _was(connector(enabled=False), certified()),
        finds={"Offices": "warning"},
    ),
    Case("connector-enabled", "nobody knew whether it was", _with(*_BASE), _was(connector(enabled=_LOST), certified())),
    Case(
        "connector-disabled", "one in use", _with(connector(enabled=False), certified()), finds={"Offices": "serious"}
    ),
    Case(
        "connector-disabled",
        "one that nobody uses",
        _with(connector(), certified(enabled=False)),
        finds={"Relay": "warning"},
    ),
    Case("connector-disabled", "nobody knows whether it is", _with(connector(enabled=_LOST), certified())),
    Case(
        "connector-changed",
        "enhanced filtering",
        _with(connector(), certified(ef_skip_last_ip=True)),
        finds={"Relay": "info"},
    ),
    Case("connector-changed", "only its date", _with(connector(changed_at=ago(1)), certified())),
    Case(
        "treat-as-internal",
        "by address, from the first run on",
        _with(_MADE_INTERNAL, certified()),
        _was(_MADE_INTERNAL, certified()),
        finds={"Offices": "serious"},
    ),
    Case(
        "treat-as-internal",
        "switched on, by certificate",
        _with(connector(), certified(treat_messages_as_internal=True)),
        finds={"Relay": "warning"},
    ),
    Case(
        "treat-as-internal",
        "a new connector by certificate",
        _with(*_BASE, certified("New", treat_messages_as_internal=True), certificates=_WATCHED),
        finds={"New": "warning", ("connector-added", "New"): "warning"},
    ),
    Case(
        "treat-as-internal",
        "by certificate, known",
        _with(connector(), certified(treat_messages_as_internal=True)),
        _was(connector(), certified(treat_messages_as_internal=True)),
    ),
    Case(
        "treat-as-internal",
        "a Partner connector does not honour it",
        _with(connector(treat_messages_as_internal=True), certified()),
    ),
    Case(
        "treat-as-internal",
        "a disabled one",
        _with(replace(_MADE_INTERNAL, enabled=False), certified()),
        _was(replace(_MADE_INTERNAL, enabled=False), certified()),
    ),
    Case(
        "cloud-services-mail",
        "switched on",
        _with(connector(), certified(cloud_services_mail_enabled=True)),
        finds={"Relay": "warning"},
    ),
    Case(
        "cloud-services-mail",
        "the hybrid wizard's new connector",
        _with(
            *_BASE,
            certified(
                "Hybrid",
                cloud_services_mail_enabled=True,
                source="HybridWizard",
                tls_certificate_name="relay.contoso.com",
            ),
            certificates=(*sight().certificates, replace(sight().certificates[0], connector="Hybrid")),
        ),
        finds={("connector-added", "Hybrid"): "warning"},
    ),
]


def _ends(*days: float, name: str = "Relay") -> Sight:
    rows = [CertificateSight(name, ("relay.contoso.com",), ago(-each), f"host{n}:25") for n, each in enumerate(days)]
    return sight(certificates=(*rows, *(() if name == "Relay" else sight().certificates)))


_LONG_LISTED = connector(sender_networks=(*connector().sender_networks, _IDLE))
CERTIFICATES = [
    Case("certificate-expiring", "in 29 days", _ends(29), finds={"Relay": "warning"}),
    Case("certificate-expiring", "in six days", _ends(6), finds={"Relay": "serious"}),
    Case("certificate-expiring", "since yesterday", _ends(-1), finds={"Relay": "critical"}),
    Case("certificate-expiring", "the first of two", _ends(200, 20), finds={"Relay": "warning"}),
    Case("certificate-expiring", "in 31 days", _ends(31)),
    Case("certificate-expiring", "of a connector that is gone", _ends(3, name="Gone")),
    Case(
        "certificate-expiring",
        "of a disabled connector",
        replace(
            _ends(3), snapshot=replace(sight().snapshot, inbound_connectors=(connector(), certified(enabled=False)))
        ),
        _was(connector(), certified(enabled=False)),
    ),
    Case("certificate-unwatched", "nobody looks", sight(certificates=()), finds={"Relay": "info"}),
    Case(
        "certificate-unwatched", "they could not be had", sight(certificates=(), untold={"certificates": "no answer"})
    ),
    Case(
        "connector-address-unused",
        "for two months",
        _with(_LONG_LISTED, certified()),
        _was(_LONG_LISTED, certified()),
        finds={"Offices": "info"},
    ),
    Case(
        "connector-address-unused",
        "added lately",
        _with(replace(_LONG_LISTED, changed_at=ago(5)), certified()),
        _was(replace(_LONG_LISTED, changed_at=ago(5)), certified()),
    ),
    Case(
        "connector-address-unused",
        "added since the baseline, by an export without dates",
        _with(replace(_LONG_LISTED, changed_at=None), certified()),
        replace(_was(replace(connector(), changed_at=None), certified()), at=ago(80)),
        finds={("connector-widened", "Offices"): "warning"},
    ),
    Case(
        "connector-address-unused",
        "seen once, long ago, by an export without dates",
        _with(
            replace(_LONG_LISTED, changed_at=None),
            certified(),
            connector_addresses={"Offices": {"198.51.100.7": ago(1), "198.51.100.8": ago(1), "198.51.100.99": ago(70)}},
        ),
        _was(replace(_LONG_LISTED, changed_at=None), certified()),
        finds={"Offices": "info"},
    ),
    Case(
        "connector-address-unused",
        "a short history",
        replace(_with(_LONG_LISTED, certified()), window=(ago(30), ago())),
        _was(_LONG_LISTED, certified()),
    ),
    Case(
        "connector-address-unused",
        "a history that names no connectors",
        _with(_LONG_LISTED, certified(), connector_addresses={}),
        _was(_LONG_LISTED, certified()),
    ),
]
CASES = [*SETTINGS, *CONNECTORS, *CERTIFICATES]
