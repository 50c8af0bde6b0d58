"""The tenant's settings apart from connectors: RejectDirectSend, accepted domains, allow list, transport rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sidedoor.mail.fact import Fact, Unknown, value_or
from sidedoor.mail.network import IPNetwork
from sidedoor.plan.lockdown import BESIDE_HEADER, TAG_HEADER
from sidedoor.report.words import count
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import AcceptedDomain, TenantSnapshot, TransportRule
from sidedoor.watch.find.made import listed, made, quoted
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, Sight, Source, Thresholds

WIDE = 256  # addresses: a /24, the widest that a connector takes, is one office or provider


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """What differs from the baseline; of what either does not tell, nothing."""
    yield from _switch(sight, baseline)
    before, now = baseline.snapshot, sight.snapshot
    yield from _domains(before, now)
    yield from _allowed(before, now)
    yield from _rules(before, now)


def _switch(sight: Sight, baseline: Baseline) -> Iterator[Finding]:
    before, now = baseline.snapshot.reject_direct_send, sight.snapshot.reject_direct_send
    if before is True and now is False:
        text = (
            "RejectDirectSend is off, and it was on. Anybody on the internet may hand in mail in your name again: "
            "spoofs that were refused come in."
        )
        evidence = [("RejectDirectSend", "off"), ("accepted", "on"), ("tenant", sight.snapshot.name)]
        yield made(Kind.DIRECT_SEND_REOPENED, "", "", text, evidence=evidence)
    if isinstance(now, Unknown) and Source.SETTINGS not in sight.untold:
        text = f"The settings do not tell it: {now.reason}. Nobody would see the door being opened."
        severity = Severity.SERIOUS if before is True else Severity.WARNING
        yield made(Kind.DIRECT_SEND_UNREADABLE, "", "", text, severity=severity, evidence=[("reason", now.reason)])


def _domains(before: TenantSnapshot, now: TenantSnapshot) -> Iterator[Finding]:
    if isinstance(before.accepted_domains, Unknown) or isinstance(now.accepted_domains, Unknown):
        return
    old, new = _by_name(before.accepted_domains), _by_name(now.accepted_domains)
    for name in sorted(new.keys() - old.keys()):
        row = new[name]
        text = f"{name} is an accepted domain now ({_type(row)}). Mail from outside in its name is Direct Send."
        evidence = [("domain", name), ("type", _type(row))]
        yield made(Kind.ACCEPTED_DOMAIN_ADDED, name, name, text, evidence=evidence)
    for name in sorted(old.keys() - new.keys()):
        text = f"{name} is no accepted domain any more. RejectDirectSend does not look at mail in its name."
        yield made(
            Kind.ACCEPTED_DOMAIN_REMOVED, name, name, text, evidence=[("domain", name), ("type", _type(old[name]))]
        )
    for name in sorted(old.keys() & new.keys()):
        changes = [*_domain_changes(old[name], new[name])]
        if changes:
            evidence = [("domain", name), *changes]
            text = f"{name}: {'; '.join(f'{what} {how}' for what, how in changes)}."
            yield made(Kind.ACCEPTED_DOMAIN_CHANGED, name, name, text, evidence=evidence)


def _by_name(rows: Iterable[AcceptedDomain]) -> dict[str, AcceptedDomain]:
    return {str(row.domain): row for row in rows}


def _type(row: AcceptedDomain) -> str:
    return "type unknown" if isinstance(row.kind, Unknown) else row.kind.value


def _domain_changes(old: AcceptedDomain, new: AcceptedDomain) -> Iterator[tuple[str, str]]:
    if differ(old.kind, new.kind):
        yield "type", f"was {_type(old)}, is {_type(new)}"
    if differ(old.match_subdomains, new.match_subdomains):
        yield "MatchSubDomains", f"was {old.match_subdomains}, is {new.match_subdomains}"


def differ(old: Fact[Any], new: Fact[Any]) -> bool:
    """Whether both are known and are not the same."""
    return not isinstance(old, Unknown) and not isinstance(new, Unknown) and old != new


def beyond(found: Iterable[IPNetwork], known: Collection[IPNetwork]) -> list[IPNetwork]:
    """Networks that none of `known` holds whole, in order; a few look-ups for each, however many are known."""
    holders = {(net.version, net.prefixlen, int(net.network_address)) for net in known}
    lengths = {version: sorted({net.prefixlen for net in known if net.version == version}) for version in (4, 6)}

    def held(net: IPNetwork) -> bool:
        return any(
            (net.version, length, int(net.supernet(new_prefix=length).network_address)) in holders
            for length in lengths[net.version]
            if length <= net.prefixlen
        )

    return sorted({net for net in found if not held(net)}, key=lambda net: (net.version, net))


def many(networks: Iterable[IPNetwork]) -> int:
    """How many IPv4 addresses; an IPv6 network counts as one customer's, so as one."""
    return sum(net.num_addresses if net.version == 4 else 1 for net in networks)


def _allowed(before: TenantSnapshot, now: TenantSnapshot) -> Iterator[Finding]:
    old, new = before.connection_filter, now.connection_filter
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return
    added = beyond(new.allow, old.allow)
    if not added:
        return
    size = many(added)
    text = f"{listed(added, 5)}: {count(size, 'address', 'addresses')}. Mail from there is not filtered for spam."
    severity = Severity.SERIOUS if size > WIDE else Severity.WARNING
    evidence = [("added", listed(added)), ("addresses", f"{size:,}")]
    yield made(Kind.ALLOW_LIST_WIDENED, "", listed(added, 2), text, severity=severity, evidence=evidence)


def _rules(before: TenantSnapshot, now: TenantSnapshot) -> Iterator[Finding]:
    if isinstance(before.transport_rules, Unknown) or isinstance(now.transport_rules, Unknown):
        return
    ours = {str(row.domain) for row in value_or(before.accepted_domains, ())}
    present = {rule.name: rule for rule in now.transport_rules}
    for rule in before.transport_rules:
        if rule.enabled is True and protects(rule, ours):
            fault = _fault(present.get(rule.name), ours)
            if fault:
                text = f"The rule {fault}. It {_deed(rule)}, and does so no longer."
                severity = Severity.WARNING if _tags(rule) else Severity.SERIOUS
                yield made(
                    Kind.RULE_OFF, rule.name, rule.name, text, severity=severity,
                    evidence=[("rule", rule.name), ("what", fault)],
                    advice=f"Enable-TransportRule -Identity {quoted(rule.name)}, or accept the alert if the door is "
                    "closed and the rule is not needed any more.",
                )  # fmt: skip


def _fault(rule: TransportRule | None, ours: Collection[str]) -> str:
    """What is wrong with a rule that protected; "" where nothing is, or where nobody can tell."""
    if rule is None:
        return "is gone"
    if rule.enabled is False:
        return "is disabled"
    if not _enforced(rule):
        return f"is in mode {rule.mode} and only reports"
    return "" if protects(rule, ours) else "has other conditions or actions"


def _enforced(rule: TransportRule) -> bool:
    return rule.mode.lower() in {"", "enforce"}


_HOLDS: Mapping[str, str] = {
    "quarantine": "held mail in quarantine", "rejectmessagereasontext": "refused mail",
    "rejectmessageenhancedstatuscode": "refused mail", "deletemessage": "deleted mail",
}  # fmt: skip
_OUR_HEADERS = frozenset({TAG_HEADER.lower(), BESIDE_HEADER.lower()})
# What Exchange Online says of how a message was submitted: rules against Direct Send ask for it.
_SUBMITTED = ("x-ms-exchange-organization-authas", "x-ms-exchange-organization-isanonymousdirectsend")


def protects(rule: TransportRule, ours: Collection[str]) -> bool:
    """Whether an enforced rule holds or marks mail that claims to be ours: the plan's, and others that do so."""
    values = {key.lower(): value for key, value in rule.settings.items()}
    if not _enforced(rule) or not (_marks(values) or _held(values)):
        return False
    if _marks(values) or rule.name.startswith("Sidedoor"):
        return True
    names = " ".join(map(_text, (values.get("headercontainsmessageheader"), values.get("headermatchesmessageheader"))))
    domains = _text(values.get("senderdomainis")).lower().replace(",", " ").split()
    return any(name in names.lower() for name in _SUBMITTED) or any(domain in ours for domain in domains)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _marks(values: Mapping[str, object]) -> bool:
    return _text(values.get("setheadername")).lower() in _OUR_HEADERS


def _held(values: Mapping[str, object]) -> list[str]:
    return [deed for key, deed in _HOLDS.items() if _text(values.get(key)).lower() not in {"", "false", "$false"}]


def _tags(rule: TransportRule) -> bool:
    return not _held({key.lower(): value for key, value in rule.settings.items()})


def _deed(rule: TransportRule) -> str:
    held = _held({key.lower(): value for key, value in rule.settings.items()})
    return held[0] if held else "marked mail by Direct Send"
