"""Inbound connectors against the baseline: added, removed, renamed, switched, widened, narrowed, made internal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPNetwork
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector
from sidedoor.watch.find.difference import Difference, Step, difference
from sidedoor.watch.find.door import closed_since
from sidedoor.watch.find.made import listed, made, quoted
from sidedoor.watch.kinds import KINDS, Kind
from sidedoor.watch.sight import Baseline, Sight, Thresholds

_AT_WORK = timedelta(days=30)  # an address that a connector took mail from since then is in use


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """What is different, and what makes mail internal."""
    before, now = baseline.snapshot.inbound_connectors, sight.snapshot.inbound_connectors
    if isinstance(now, Unknown):
        return
    if isinstance(before, Unknown):  # nothing to compare; what is bad in itself is so in the first run
        before = now
    old, new = {row.name: row for row in before}, {row.name: row for row in now}
    renamed = renames(before, now)
    for name in sorted(new):
        was = old.get(renamed.get(name, name))
        yield from _internal(new[name], was)
        if name in renamed:
            text = f"It was called {listed([renamed[name]])}, and is the same but for its name."
            yield _finding(Kind.CONNECTOR_CHANGED, new[name], text)
        elif was is None:
            yield _added(new[name])
        else:
            yield from _changed(was, new[name], sight)
    for name in sorted(old.keys() - new.keys() - set(renamed.values())):
        yield _removed(old[name], sight, baseline)


def renames(before: Sequence[InboundConnector], now: Sequence[InboundConnector]) -> dict[str, str]:
    """New name -> old name, where one went and one came that are the same but for the name."""
    names, olds = {row.name for row in now}, {row.name for row in before}
    gone = {_nameless(row): row.name for row in reversed(before) if row.name not in names}
    came = {_nameless(row): row.name for row in reversed(now) if row.name not in olds}
    return {name: gone[row] for row, name in came.items() if row in gone and row.identifies_by_address_or_certificate}


def _nameless(row: InboundConnector) -> InboundConnector:
    return replace(row, name="", changed_at=None, warnings=(), source="")


def _finding(
    kind: Kind, row: InboundConnector, text: str, *, severity: Severity | None = None, steps: Sequence[Step] = (),
    advice: str = "", more: Sequence[tuple[str, str]] = (),
) -> Finding:  # fmt: skip
    evidence = [
        ("connector", row.name), ("type", row.kind.value), ("enabled", _word(row.enabled)),
        ("addresses", listed(sorted(map(str, row.sender_networks)))),
        ("certificate", row.tls_certificate_name or ""), ("sender domains", listed(row.sender_domains)),
        ("restricts", _restricts(row)), *((step.setting, step.text) for step in steps), *more,
    ]  # fmt: skip
    return made(kind, row.name, row.name, text, severity=severity, evidence=evidence, advice=advice)


def _word(flag: Fact[bool]) -> str:
    return "unknown" if isinstance(flag, Unknown) else "yes" if flag else "no"


def _restricts(row: InboundConnector) -> str:
    flags = (("to addresses", row.restrict_to_addresses), ("to certificate", row.restrict_to_certificate))
    return " and ".join(word for word, flag in flags if flag is True)


def _told(kind: Kind, steps: Sequence[Step]) -> str:
    return f"{'; '.join(f'{step.setting} {step.text}' for step in steps)}. {KINDS[kind].means}"


def _added(row: InboundConnector) -> Finding:
    if row.enabled is False:
        text = "It is disabled, so it recognises and refuses nobody yet."
        return _finding(Kind.CONNECTOR_ADDED, row, text, severity=Severity.INFO)
    who = "by address or certificate" if row.identifies_by_address_or_certificate else "by nothing but domain names"
    text = f"It recognises senders {who}"
    refused = _restricts(row)
    text += (
        f", and refuses all other mail of {listed(row.sender_domains, 5) or 'its domains'} (5.7.51)."
        if refused
        else "."
    )
    return _finding(Kind.CONNECTOR_ADDED, row, text)


def _removed(row: InboundConnector, sight: Sight, baseline: Baseline) -> Finding:
    advice = "Make it again from the plan's scripts if its senders are still at work; else accept the alert."
    if row.enabled is False:
        return _finding(
            Kind.CONNECTOR_REMOVED,
            row,
            "It was disabled, so it recognised nobody when it went.",
            severity=Severity.INFO,
            advice=advice,
        )
    used = _used(row, row.sender_networks, sight)
    text = "Whom it recognised is a stranger now, and its mail Direct Send." + _use(used)
    if _restricts(row):
        text += f" What it kept out is let in: other mail of {listed(row.sender_domains, 5) or 'its domains'}."
    serious = bool(used) or bool(_restricts(row)) or closed_since(sight, baseline) is not None
    return _finding(
        Kind.CONNECTOR_REMOVED, row, text, severity=Severity.SERIOUS if serious else Severity.WARNING, advice=advice,
        more=[("used by", listed(used))],
    )  # fmt: skip


def _used(row: InboundConnector, networks: Sequence[IPNetwork], sight: Sight) -> list[str]:
    """Addresses in `networks` whose mail this connector took lately; for a connector by certificate, all its own."""
    found = sight.connector_addresses.get(row.name, {})
    late = sorted(address for address, last in found.items() if last > sight.now - _AT_WORK)
    return [address for address in late if not networks or _in(address, networks)]


def _in(address: str, networks: Sequence[IPNetwork]) -> bool:
    try:
        return any(ip_address(address) in net for net in networks)
    except ValueError:
        return False


def _use(used: Sequence[str]) -> str:
    return f" Mail came by it in the last 30 days, from {listed(used, 3)}." if used else ""


def _changed(old: InboundConnector, new: InboundConnector, sight: Sight) -> Iterator[Finding]:
    found = difference(old, new)
    if old.enabled is True and new.enabled is False:
        yield _disabled(old, new, sight)
        return
    if new.enabled is False:  # it was so, or nobody knows: nothing of it is in force
        steps = (*found.wider, *found.narrower, *found.other)
        if steps:
            yield _finding(
                Kind.CONNECTOR_CHANGED, new, f"It is disabled. {_told(Kind.CONNECTOR_CHANGED, steps)}", steps=steps
            )
        return
    if old.enabled is False and new.enabled is True:
        advice = f"Accept the alert if it was meant; else Set-InboundConnector {quoted(new.name)} -Enabled $false."
        text = "It was disabled and is enabled: it recognises and restricts senders now."
        yield _finding(Kind.CONNECTOR_ENABLED, new, text, advice=advice)
    yield from _in_force(new, found, sight)


def _disabled(old: InboundConnector, new: InboundConnector, sight: Sight) -> Finding:
    used = _used(old, old.sender_networks, sight)
    text = "It was enabled and is disabled: whom it recognised is a stranger now." + _use(used)
    return _finding(
        Kind.CONNECTOR_DISABLED, new, text,
        severity=Severity.SERIOUS if used or _restricts(old) else Severity.WARNING,
        advice=f"Set-InboundConnector {quoted(new.name)} -Enabled $true, or accept the alert.",
        more=[("used by", listed(used))],
    )  # fmt: skip


def _in_force(new: InboundConnector, found: Difference, sight: Sight) -> Iterator[Finding]:
    if found.wider:
        grave = any(step.grave for step in found.wider)
        severity = Severity.SERIOUS if grave else Severity.WARNING
        yield _finding(
            Kind.CONNECTOR_WIDENED,
            new,
            _told(Kind.CONNECTOR_WIDENED, found.wider),
            severity=severity,
            steps=found.wider,
        )
    if found.narrower:
        used = _used(new, found.removed, sight) if found.removed else []
        text = _told(Kind.CONNECTOR_NARROWED, found.narrower) + _use(used)
        severity = Severity.SERIOUS if used else Severity.WARNING
        yield _finding(
            Kind.CONNECTOR_NARROWED,
            new,
            text,
            severity=severity,
            steps=found.narrower,
            more=[("used by", listed(used))],
        )
    if found.other:
        yield _finding(Kind.CONNECTOR_CHANGED, new, _told(Kind.CONNECTOR_CHANGED, found.other), steps=found.other)


def _internal(row: InboundConnector, was: InboundConnector | None) -> Iterator[Finding]:
    """Microsoft's page of New-InboundConnector: honoured on OnPremises connectors only; the first skips filtering."""
    if row.enabled is False or row.kind is not ConnectorKind.ON_PREMISES:
        return
    by_address = row.tls_certificate_name is None
    if row.treat_messages_as_internal is True and (
        by_address or was is None or was.treat_messages_as_internal is False
    ):
        text = "Mail of an accepted domain that it recognises becomes internal and is not filtered for spam. "
        text += (
            "It recognises by address alone: whoever sends from there, or gets the address next, is you."
            if by_address else "It was switched on."
        )  # fmt: skip
        yield _finding(
            Kind.TREAT_AS_INTERNAL, row, text, severity=Severity.SERIOUS if by_address else Severity.WARNING,
            advice=f"Set-InboundConnector {quoted(row.name)} -TreatMessagesAsInternal $false, or recognise the sender "
            "by certificate.",
        )  # fmt: skip
    switched = was is not None and was.cloud_services_mail_enabled is False
    if row.cloud_services_mail_enabled is True and (switched or (was is None and row.source != "HybridWizard")):
        text = (
            "CloudServicesMailEnabled was switched on: headers from there that say that mail is internal are believed."
        )
        switch = f"Set-InboundConnector {quoted(row.name)} -CloudServicesMailEnabled $false"
        advice = f"{switch}, unless the hybrid wizard made it."
        yield _finding(Kind.CLOUD_SERVICES_MAIL, row, text, advice=advice)
