"""What connectors recognise senders by: certificates that end or are not watched, addresses that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPNetwork
from sidedoor.report.words import count, day
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import InboundConnector
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, CertificateSight, Sight, Source, Thresholds

_SOON = timedelta(days=7)


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """Certificates, then addresses."""
    connectors = sight.snapshot.inbound_connectors
    # Where the connectors are not known, a certificate that ends matters as much.
    live = (
        None if isinstance(connectors, Unknown) else {row.name: row for row in connectors if row.enabled is not False}
    )
    watched: dict[str, list[CertificateSight]] = {}
    for each in sight.certificates:
        watched.setdefault(each.connector, []).append(each)
    for name in sorted(watched):
        if live is None or name in live:
            yield from _ending(name, watched[name], sight.now, thresholds)
    for name, row in sorted((live or {}).items()):
        if row.tls_certificate_name and name not in watched and Source.CERTIFICATES not in sight.untold:
            yield _unwatched(row)
        yield from _unused(row, sight, baseline, thresholds)


def _ending(name: str, rows: list[CertificateSight], now: datetime, thresholds: Thresholds) -> Iterator[Finding]:
    """One for a connector, about the certificate that ends first."""
    first = min(rows, key=lambda row: (row.not_after, row.where))
    rest = first.not_after - now
    if rest > timedelta(days=thresholds.certificate_days):
        return
    if rest <= timedelta(0):
        severity, state = Severity.CRITICAL, f"ended on {day(first.not_after)}"
    else:
        severity = Severity.SERIOUS if rest <= _SOON else Severity.WARNING
        state = f"ends in {count(max(rest.days, 1), 'day')}, on {day(first.not_after)}"
    past = severity is Severity.CRITICAL
    text = (
        f"The certificate that {first.where} shows {state}. "
        f"{'Mail that was recognised by it is' if past else 'Past that, mail recognised by it is'} a stranger's: "
        "Direct Send, and refused where the door is closed or the connector restricts."
    )
    yield made(
        Kind.CERTIFICATE_EXPIRING, name, f"{name}, {day(first.not_after)}", text, severity=severity,
        evidence=[
            ("connector", name), ("ends", first.not_after.isoformat(timespec="minutes")), ("read from", first.where),
            ("names", listed(first.names)),
            ("others", listed([f"{row.where}: {day(row.not_after)}" for row in rows if row is not first], 5)),
        ],
    )  # fmt: skip


def _unwatched(row: InboundConnector) -> Finding:
    text = (
        f"It asks for a certificate for {listed([row.tls_certificate_name])}. When that ends, mail of its sender is "
        "refused from one minute to the next, and nobody would know before."
    )
    evidence = [("connector", row.name), ("certificate", row.tls_certificate_name or "")]
    return made(Kind.CERTIFICATE_UNWATCHED, row.name, row.name, text, evidence=evidence)


def _unused(row: InboundConnector, sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """Networks of a connector with no mail for long, told where the history is long enough and names connectors."""
    start = sight.now - timedelta(days=thresholds.address_days)
    if not sight.connector_addresses or sight.window is None or sight.window[0] > start:
        return
    # Without a date, or with one whose zone an export left out, only what was in use once is known to be old enough.
    changed = row.changed_at if row.changed_at is not None and row.changed_at.tzinfo is not None else None
    if changed is not None and changed > start:
        return
    seen = sight.connector_addresses.get(row.name, {})
    busy = _holders([address for address, last in seen.items() if last > start], row.sender_networks)
    old = _accepted(row, baseline) & (
        _holders(seen, row.sender_networks) if changed is None else {*row.sender_networks}
    )
    idle = [net for net in row.sender_networks if net in old and net not in busy]
    if not idle:
        return
    rest = len(row.sender_networks) - len(idle)
    text = (
        f"No mail came by it from {listed(idle, 5)} for {thresholds.address_days} days. "
        + (f"{count(rest, 'other entry', 'other entries')} in use or new." if rest else "No entry of it is in use.")
    )  # fmt: skip
    yield made(
        Kind.CONNECTOR_ADDRESS_UNUSED, row.name, row.name, text,
        evidence=[("connector", row.name), ("addresses", listed(sorted(map(str, idle)), 15)), ("in use", f"{rest}")],
    )  # fmt: skip


def _holders(addresses: Iterable[str], networks: Iterable[IPNetwork]) -> set[IPNetwork]:
    """The networks that hold an address, in a few look-ups for each."""
    known = set(networks)
    lengths = sorted({(net.version, net.prefixlen) for net in known})
    found = set[IPNetwork]()
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        found.update(ip_network((address, n), strict=False) for version, n in lengths if version == address.version)
    return found & known


def _accepted(row: InboundConnector, baseline: Baseline) -> set[IPNetwork]:
    before = next((each for each in baseline.snapshot.known_connectors if each.name == row.name), None)
    return set() if before is None else set(before.sender_networks)
