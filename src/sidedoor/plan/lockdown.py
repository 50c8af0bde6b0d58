"""Against mail that goes round the filter (sending directly): the `*` connector, or a transport rule in two stages.

Source: Microsoft's "Manage mail flow using a third-party cloud service" for the connector. RejectDirectSend does not
touch such mail, because its envelope sender is foreign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from sidedoor.mail.fact import Unknown
from sidedoor.plan.model import Action, Because, ConnectorProposal, ConnectorSettings, RuleProposal, RuleStage
from sidedoor.plan.ranges import ranges, written
from sidedoor.plan.synthesis import as_is, folded, free_name
from sidedoor.plan.words import FilterStage, FilterWord
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, MailExchanger, TenantSnapshot

_NAME = "Sidedoor lock-down: mail through the filter only"
# Learn, "Use mail flow rules to inspect headers": what Exchange Online says of how a message was submitted.
_AUTH_AS = "X-MS-Exchange-Organization-AuthAs"
TAG_HEADER = "X-Sidedoor-Direct-Send"
BESIDE_HEADER = "X-Sidedoor-Beside-Filter"
_MOST_RANGES = 200  # a rule has 8 KB; more exceptions than these do not fit beside the rest


def behind_filter(snapshot: TenantSnapshot) -> tuple[str, ...]:
    """Accepted domains whose published MX leads elsewhere, or partly so."""
    beside = {MailExchanger.ELSEWHERE, MailExchanger.MIXED}
    return tuple(sorted(str(name) for name, where in snapshot.mail_exchangers.items() if where in beside))


def stands(snapshot: TenantSnapshot) -> bool:
    """Whether a connector locks the door to all senders already."""
    return any(row.enabled is not False and _restricts(row) for row in _for_everybody(snapshot))


def lockdown(snapshot: TenantSnapshot, word: FilterWord) -> ConnectorProposal | None:
    """The `*` connector; None where nobody knows how the filter is recognised, or where one stands."""
    if not behind_filter(snapshot) or stands(snapshot):
        return None
    text = "mail that does not come through the filter is refused with 5.7.51, whoever it says it is from"
    reasons = (Because("lockdown", text),)
    base = next((row for row in _for_everybody(snapshot) if row.enabled is not False), None)
    if word.certificate is None and not word.addresses and base is not None:
        return _restricting(base, reasons)
    settings = _settings(word)
    if settings is None:
        return None
    name = free_name(_NAME, {folded(row.name) for row in snapshot.known_connectors})
    return ConnectorProposal(Action.CREATE, name, ConnectorKind.PARTNER, settings, (), reasons, lockdown=True)


def _for_everybody(snapshot: TenantSnapshot) -> list[InboundConnector]:
    """Partner connectors for `*` that could recognise a filter."""
    return [
        row
        for row in snapshot.known_connectors
        if row.kind is ConnectorKind.PARTNER
        and row.identifies_by_address_or_certificate
        and any(pattern.domain is None for pattern in row.sender_domains)
    ]


def _restricts(row: InboundConnector) -> bool:
    return row.restrict_to_addresses is True or row.restrict_to_certificate is True


def _restricting(row: InboundConnector, reasons: tuple[Because, ...]) -> ConnectorProposal:
    """The connector of the filter that exists, restricted to its certificate where it asks for one."""
    before = as_is(row)
    by_certificate = before.certificate_name is not None
    settings = replace(
        before,
        require_tls=before.require_tls or by_certificate,
        restrict_to_addresses=not by_certificate,
        restrict_to_certificate=by_certificate,
    )
    return ConnectorProposal(Action.SET, row.name, row.kind, settings, (), reasons, before, lockdown=True)


def _settings(word: FilterWord) -> ConnectorSettings | None:
    if word.certificate is not None:
        return ConnectorSettings(
            enabled=True, sender_domains=("*",), certificate_name=word.certificate, require_tls=True,
            restrict_to_certificate=True,
        )  # fmt: skip
    if word.addresses:
        addresses = tuple(map(written, ranges((), word.addresses)))
        return ConnectorSettings(enabled=True, sender_domains=("*",), addresses=addresses, restrict_to_addresses=True)
    return None


def tag_rule(snapshot: TenantSnapshot, connectors: Iterable[ConnectorProposal]) -> RuleProposal | None:
    """Marks Direct Send that no connector takes, so that traces and reports name who still uses it."""
    domains = snapshot.accepted_domains
    if isinstance(domains, Unknown) or not domains:
        return None
    parameters: dict[str, str | bool | tuple[str, ...]] = {
        "SenderDomainIs": tuple(str(row.domain) for row in domains),
        "SenderAddressLocation": "Envelope",
        "HeaderContainsMessageHeader": _AUTH_AS,
        "HeaderContainsWords": ("Anonymous",),
        **_exceptions(snapshot, connectors),
        "SetHeaderName": TAG_HEADER,
        "SetHeaderValue": "1",
        "Mode": "Enforce",
    }
    text = "marks anonymous mail with an envelope sender of yours; changes nothing else"
    return RuleProposal("Sidedoor: tag Direct Send", RuleStage.TAG, parameters, (Because("tag-first", text),))


def beside_rule(
    snapshot: TenantSnapshot, connectors: Sequence[ConnectorProposal], word: FilterWord
) -> RuleProposal | None:
    """Marks or holds anonymous mail that did not come from the filter. None where its addresses are not known."""
    filters = ranges((), word.addresses) or _filter_addresses(snapshot)
    if not behind_filter(snapshot) or not filters:
        return None
    stage = RuleStage.QUARANTINE if word.stage is FilterStage.QUARANTINE else RuleStage.TAG
    action: dict[str, str | bool | tuple[str, ...]] = (
        {"Quarantine": True} if stage is RuleStage.QUARANTINE
        else {"SetHeaderName": BESIDE_HEADER, "SetHeaderValue": "1"}
    )  # fmt: skip
    parameters: dict[str, str | bool | tuple[str, ...]] = {
        "HeaderContainsMessageHeader": _AUTH_AS,
        "HeaderContainsWords": ("Anonymous",),
        **_exceptions(snapshot, connectors, filters),
        **action,
        "Mode": "Enforce",
    }
    done = "holds" if stage is RuleStage.QUARANTINE else "marks"
    text = f"{done} anonymous mail that came to Exchange Online by itself and not through the filter"
    return RuleProposal(
        f"Sidedoor: {stage.value} mail beside the filter", stage, parameters, (Because("beside-filter", text),)
    )


def _filter_addresses(snapshot: TenantSnapshot) -> tuple[IPv4Network, ...]:
    rows = [row for row in _for_everybody(snapshot) if row.enabled is not False]
    return ranges((), [network for row in rows for network in row.sender_networks])


def _exceptions(
    snapshot: TenantSnapshot, connectors: Iterable[ConnectorProposal], more: Iterable[IPv4Network] = ()
) -> dict[str, str | bool | tuple[str, ...]]:
    """Connectors' mail may be Anonymous as well, and calendar mail of ours comes back so."""
    known = [net for row in snapshot.known_connectors if row.enabled is not False for net in row.sender_networks]
    planned = [IPv4Network(text) for each in connectors for text in each.settings.addresses if ":" not in text]
    found = [written(network) for network in ranges((), [*known, *planned, *more])][:_MOST_RANGES]
    exceptions: dict[str, str | bool | tuple[str, ...]] = {"ExceptIfMessageTypeMatches": "Calendaring"}
    return {"ExceptIfSenderIpRanges": tuple(found), **exceptions} if found else exceptions
