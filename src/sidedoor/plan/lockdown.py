"""Against mail that goes round the filter (sending directly): the `*` connector, or a transport rule in two stages.

Source: Microsoft's "Manage mail flow using a third-party cloud service" for the connector. RejectDirectSend does not
touch such mail, because its envelope sender is foreign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, collapse_addresses
from typing import TypeAlias

from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPNetwork
from sidedoor.plan.model import (
    Action,
    Because,
    Conflict,
    ConflictKind,
    ConnectorProposal,
    ConnectorSettings,
    RuleProposal,
    RuleStage,
)
from sidedoor.plan.ranges import ranges, written
from sidedoor.plan.synthesis import as_is, folded, free_name, whole
from sidedoor.plan.words import FilterStage, FilterWord
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, MailExchanger, TenantSnapshot

_NAME = "Sidedoor lock-down: mail through the filter only"
# Learn, "Use mail flow rules to inspect headers": what Exchange Online says of how a message was submitted.
_AUTH_AS = "X-MS-Exchange-Organization-AuthAs"
TAG_HEADER = "X-Sidedoor-Direct-Send"
BESIDE_HEADER = "X-Sidedoor-Beside-Filter"
_RANGES, _CALENDAR = "ExceptIfSenderIpRanges", "ExceptIfMessageTypeMatches"
_MOST_RULE = 7_000  # a mail flow rule has 8 KB at most (Exchange Online limits)
Parameters: TypeAlias = dict[str, str | bool | tuple[str, ...]]


def behind_filter(snapshot: TenantSnapshot) -> tuple[str, ...]:
    """Accepted domains whose published MX leads elsewhere, or partly so."""
    beside = {MailExchanger.ELSEWHERE, MailExchanger.MIXED}
    return tuple(sorted(str(name) for name, where in snapshot.mail_exchangers.items() if where in beside))


def stands(snapshot: TenantSnapshot) -> bool:
    """Whether a connector locks the door to all senders already."""
    return any(row.enabled is not False and _restricts(row) for row in _for_everybody(snapshot))


def lockdown(snapshot: TenantSnapshot, word: FilterWord) -> ConnectorProposal | None:
    """The `*` connector; None where nobody knows how the filter is recognised, or where one stands.

    A connector for `*` that exists is restricted, never doubled: which of two decides is undocumented.
    """
    if not behind_filter(snapshot) or stands(snapshot):
        return None
    text = "mail that does not come through the filter is refused with 5.7.51, whoever it says it is from"
    reasons = (Because("lockdown", text),)
    base = _base(snapshot)
    if base is not None:
        before = as_is(base)
        after = _restricted(before, word)
        return ConnectorProposal(Action.SET, base.name, base.kind, after, (), reasons, before, lockdown=True)
    if word.certificate is None and not word.addresses:
        return None
    settings = _restricted(ConnectorSettings(enabled=True, sender_domains=("*",)), word)
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


def _base(snapshot: TenantSnapshot) -> InboundConnector | None:
    """The enabled connector for `*` that is to be restricted: the one with the most addresses first."""
    rows = [row for row in _for_everybody(snapshot) if row.enabled is not False and whole(row)]
    return max(rows, key=lambda row: (len(row.sender_networks), row.name), default=None)


def _restricts(row: InboundConnector) -> bool:
    return row.restrict_to_addresses is True or row.restrict_to_certificate is True


def _restricted(before: ConnectorSettings, word: FilterWord) -> ConnectorSettings:
    """Restricted to the certificate that a person named, else to addresses, which the history shows; else to its own.

    Microsoft prefers the certificate; addresses that a person names with it only tell the filter's mail in history.
    """
    if word.certificate is not None:
        return replace(
            before, certificate_name=word.certificate, require_tls=True, restrict_to_certificate=True,
            restrict_to_addresses=False,
        )  # fmt: skip
    said = [*word.addresses, *(IPv4Network(text) for text in before.addresses if ":" not in text)]
    if said:
        addresses = tuple(map(written, ranges((), said)))
        return replace(before, addresses=addresses, restrict_to_addresses=True, restrict_to_certificate=False)
    return replace(before, require_tls=True, restrict_to_certificate=True, restrict_to_addresses=False)


def filter_networks(snapshot: TenantSnapshot, word: FilterWord) -> tuple[IPv4Network, ...]:
    """Where the filter sends from, as far as a person or a connector for `*` tells."""
    rows = [row for row in _for_everybody(snapshot) if row.enabled is not False]
    return ranges((), [*word.addresses, *(network for row in rows for network in row.sender_networks)])


def lockdown_conflicts(snapshot: TenantSnapshot, lock: ConnectorProposal) -> Iterator[Conflict]:
    """Partner connectors beside the lock, which it may refuse: which of several decides is undocumented."""
    for row in snapshot.known_connectors:
        if row.name == lock.name or row.enabled is False or row.kind is not ConnectorKind.PARTNER:
            continue
        if row.identifies_by_address_or_certificate:
            text = (
                f"the lock-down covers what {row.name!r} lets in; which of the two decides is undocumented, so the "
                "history was held against every way"
            )
            yield Conflict(ConflictKind.LOCKDOWN, lock.name, row.name, text)


def straight_to_the_tenant(snapshot: TenantSnapshot) -> tuple[str, ...]:
    """Accepted domains whose published MX leads to Exchange Online; Microsoft's own names for the tenant left out."""
    return tuple(
        sorted(
            str(name)
            for name, where in snapshot.mail_exchangers.items()
            if where is MailExchanger.EXCHANGE_ONLINE and not str(name).endswith(".onmicrosoft.com")
        )
    )


def tag_rule(
    snapshot: TenantSnapshot, connectors: Sequence[ConnectorProposal], return_paths: Iterable[str] = ()
) -> RuleProposal | None:
    """Marks Direct Send that no connector takes, so that traces and reports name who still uses it.

    SenderDomainIs takes in subdomains: the return paths that the plan gives away are no Direct Send. None where the
    accepted domains do not fit into a rule, and where the door is closed: rules never see what that refuses.
    """
    domains = snapshot.accepted_domains
    if isinstance(domains, Unknown) or not domains or snapshot.reject_direct_send is True:
        return None
    paths = tuple(return_paths)
    basic: Parameters = {
        "SenderDomainIs": tuple(str(row.domain) for row in domains),
        "SenderAddressLocation": "Envelope",
        **({"ExceptIfSenderDomainIs": paths} if paths else {}),
        "HeaderContainsMessageHeader": _AUTH_AS,
        "HeaderContainsWords": ("Anonymous",),
    }
    action: Parameters = {"SetHeaderName": TAG_HEADER, "SetHeaderValue": "1", "Mode": "Enforce"}
    text = "marks anonymous mail with an envelope sender of yours; changes nothing else"
    parameters = basic if _too_many(connectors) else basic | _exceptions(snapshot, connectors) | action
    if _too_many(connectors) or not _fits(parameters):
        parameters = basic | {_CALENDAR: "Calendaring"} | action
        text += "; marks what connectors take as well, because their addresses do not fit into a rule"
    if not _fits(parameters):
        return None
    return RuleProposal("Sidedoor: tag Direct Send", RuleStage.TAG, parameters, (Because("tag-first", text),))


def beside_rule(
    snapshot: TenantSnapshot, connectors: Sequence[ConnectorProposal], word: FilterWord
) -> RuleProposal | None:
    """Marks or holds anonymous mail that did not come from the filter. None where its addresses are not known.

    Only for recipients in domains whose MX leads to the filter: mail to the others comes straight by right.
    """
    filters = filter_networks(snapshot, word)
    behind = behind_filter(snapshot)
    if not behind or not filters or _too_many(connectors):
        return None
    stage = RuleStage.QUARANTINE if word.stage is FilterStage.QUARANTINE else RuleStage.TAG
    action: Parameters = (
        {"Quarantine": True} if stage is RuleStage.QUARANTINE
        else {"SetHeaderName": BESIDE_HEADER, "SetHeaderValue": "1"}
    )  # fmt: skip
    parameters: Parameters = {
        "RecipientDomainIs": behind,
        "HeaderContainsMessageHeader": _AUTH_AS,
        "HeaderContainsWords": ("Anonymous",),
        **_exceptions(snapshot, connectors, filters),
        **action,
        "Mode": "Enforce",
    }
    if not _fits(parameters):
        return None
    done = "holds" if stage is RuleStage.QUARANTINE else "marks"
    text = f"{done} anonymous mail that came to Exchange Online by itself and not through the filter"
    return RuleProposal(
        f"Sidedoor: {stage.value} mail beside the filter", stage, parameters, (Because("beside-filter", text),)
    )


def excepted(rule: RuleProposal) -> tuple[IPv4Network, ...]:
    """The addresses that a rule leaves alone."""
    found = rule.parameters.get(_RANGES, ())
    return tuple(IPv4Network(text) for text in found) if isinstance(found, tuple) else ()


def _too_many(connectors: Iterable[ConnectorProposal]) -> bool:
    """Whether the ranges of one connector alone are too long for a rule: nine characters each at the least."""
    return any(9 * len(each.settings.addresses) > _MOST_RULE for each in connectors)


def _fits(parameters: Parameters) -> bool:
    return len(repr(dict(parameters))) <= _MOST_RULE


def _exceptions(
    snapshot: TenantSnapshot, connectors: Iterable[ConnectorProposal], more: Iterable[IPv4Network] = ()
) -> Parameters:
    """Connectors' mail may be Anonymous as well, and calendar mail of ours comes back so."""
    known = [net for row in snapshot.known_connectors if row.enabled is not False for net in row.sender_networks]
    planned = [IPv4Network(text) for each in connectors for text in each.settings.addresses if ":" not in text]
    found = [str(network) for network in collapse_addresses([*planned, *more, *_ipv4(known)])]
    ranges_ = {_RANGES: tuple(text.removesuffix("/32") for text in found)} if found else {}
    return {**ranges_, _CALENDAR: "Calendaring"}


def _ipv4(networks: Iterable[IPNetwork]) -> Iterator[IPv4Network]:
    yield from (network for network in networks if isinstance(network, IPv4Network))
