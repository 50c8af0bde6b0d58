"""The connection and the envelope as the service's fields show them: address, HELO, TLS, envelope sender, time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sidedoor.evidence.message.facts import Header, believed, unknown
from sidedoor.evidence.message.lines import SMTP
from sidedoor.evidence.message.model import Hop, Sureness, Told
from sidedoor.mail.address import AddressError, EnvelopeSender, NullReversePath, parse_envelope_sender
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.mail.received import parse_date
from sidedoor.mailauth.authres import AuthResults, AuthResultsError, parse_authentication_results
from sidedoor.mailauth.stamps import ConnectingIp, parse_connecting_ip, report_ip

ATTRIBUTED = (
    "x-ms-exchange-organization-originalattributedtenantconnectingip",
    "x-ms-exchange-crosstenant-originalattributedtenantconnectingip",
)
Report = Told[Mapping[str, str]]


class Came(NamedTuple):
    """How a message came to the service, and what its fields disagree about."""

    client_ip: Told[IPAddress | None]
    helo: Told[str | None]
    authentication: Told[AuthResults]
    envelope_sender: Told[EnvelopeSender]
    envelope_domain: Told[Domain | None]
    oddities: tuple[str, ...]


def read_connection(header: Header, report: Report, tenant_id: str | None) -> Came:
    """The connection and the envelope of a message to the tenant `tenant_id`."""
    address, about_address = client_ip(header, report, tenant_id)
    said = helo(header, report)
    results, about_results = authentication(header)
    sender, domain, about_sender = envelope_sender(header, results, said)
    return Came(address, said, results, sender, domain, (*about_address, *about_sender, *about_results))


def client_ip(header: Header, report: Report, tenant_id: str | None) -> tuple[Told[IPAddress | None], tuple[str, ...]]:
    """The address that connected, the best source first, and where the sources disagree.

    Order: Organization-OriginalAttributedTenantConnectingIp, the CrossTenant one, Organization-OriginalClientIPAddress,
    CIP, the entry line; and only where there is no entry line, x-sender-ip, a name that nobody protects.
    """
    found = [told for told in _addresses(header, report, tenant_id) if not isinstance(told.value, Unknown)]
    if not found:
        return _address_of_hop(header), ()
    best = found[0]
    others = [f"{told.source} says {told.value}" for told in found[1:] if told.value != best.value]
    notes = (f"client address {best.value} by {best.source}, but {', '.join(others)}",) if others else ()
    if best.source.lower() == ATTRIBUTED[1] and others:
        # A CrossTenant field may be the last tenant's: where the trace of this one says otherwise, the trace counts.
        best = next((told for told in found[1:] if told.believed), best)
    return best, notes


def _addresses(header: Header, report: Report, tenant_id: str | None) -> list[Told[IPAddress | None]]:
    found: list[Told[IPAddress | None]] = []
    for name in ATTRIBUTED:
        told = header.service(parse_connecting_ip, name)
        of_this_tenant = isinstance(told.value, ConnectingIp) and told.value.tenant_id in {None, tenant_id}
        if isinstance(told.value, ConnectingIp) and told.value.client_ip is not None and of_this_tenant:
            found.append(Told(told.value.client_ip, told.sureness, told.source, told.line))
    found.append(header.service(_ip, "x-ms-exchange-organization-originalclientipaddress"))
    cip = None if isinstance(report.value, Unknown) else report_ip(report.value)
    found.extend([Told(cip, report.sureness, report.source + " CIP", report.line)] if cip else [])
    found.append(_address_of_hop(header))
    found.extend([header.author("x-sender-ip", _ip)] if header.entry is None else [])
    return found


def _ip(text: str) -> IPAddress | None:
    try:
        return parse_ip(text)
    except NetworkError:
        return None


def _address_of_hop(header: Header) -> Told[IPAddress | None]:
    hop = header.entry
    if hop is None:
        return unknown("no Received line of Exchange Online shows who connected")
    if (hop.parsed.protocol or "").lower() != SMTP:
        return Told(None, Sureness.CERTAIN, "Received", hop.line)  # begun in a mailbox: nobody connected by SMTP
    if hop.parsed.client_ip is None:
        return unknown("the entry line shows no address")
    return Told(hop.parsed.client_ip, Sureness.CERTAIN, "Received", hop.line)


def helo(header: Header, report: Report) -> Told[str | None]:
    """What the client called itself: the entry line's word, else the H of the report."""
    hop = header.entry
    if hop is not None and hop.parsed.helo and (hop.parsed.protocol or "").lower() == SMTP:
        return Told(hop.parsed.helo, Sureness.CERTAIN, "Received", hop.line)
    return from_report(report, "H")


def from_report(report: Report, key: str) -> Told[str | None]:
    """One key of X-Forefront-Antispam-Report; None where it is there and empty."""
    if isinstance(report.value, Unknown):
        return unknown(report.value.reason)
    if key not in report.value:
        return unknown(f"{report.source} has no {key}")
    return Told(report.value[key] or None, report.sureness, f"{report.source} {key}", report.line)


def tls(header: Header) -> Told[str | None]:
    """`TLS1.2` of the entry line; None where a front end wrote none (no `version=`: in clear, by inference)."""
    hop = header.entry
    if hop is None:
        return unknown("no Received line of Exchange Online shows it")
    if (hop.parsed.protocol or "").lower() != SMTP:
        return unknown("the message was not handed in by SMTP")
    return Told(hop.parsed.tls, Sureness.CERTAIN if hop.parsed.tls else Sureness.LIKELY, "Received", hop.line)


def authentication(header: Header) -> tuple[Told[AuthResults], tuple[str, ...]]:
    """The results that Exchange Online wrote: above the boundary, the nearest to it. Others are noted."""
    read = [(field, _results(field.value)) for field in header.all("authentication-results")]
    above = [(field, results) for field, results in read if results and field.line < header.boundary_line]
    below = [field for field, _ in read if field.line > header.boundary_line]
    notes = tuple(
        f"line {field.line}: an Authentication-Results field from before the message came in is not believed"
        for field in below[:3]
    )
    if above:
        field, results = above[-1]
        return Told(results, Sureness.CERTAIN, field.name, field.line), notes
    claimed = next(((field, results) for field, results in read if results), None)
    if claimed is None:
        return unknown("there is no Authentication-Results field"), notes
    return Told(claimed[1], Sureness.CLAIMED, claimed[0].name, claimed[0].line), notes


def _results(value: str) -> AuthResults | None:
    try:
        return parse_authentication_results(value)
    except AuthResultsError:
        return None


def spf_domain(results: Told[AuthResults]) -> Domain | None:
    """smtp.mailfrom of the service's own SPF result: the envelope sender's domain, or the HELO for a null one."""
    found = believed(results)
    value = next((spf.value("smtp", "mailfrom") for spf in found.of("spf")), None) if found else None
    try:
        return parse_domain(value.rpartition("@")[2]) if value else None
    except DomainError:
        return None


def envelope_sender(
    header: Header, results: Told[AuthResults], said: Told[str | None]
) -> tuple[Told[EnvelopeSender], Told[Domain | None], tuple[str, ...]]:
    """(5321.MailFrom, its domain, disagreements) from Return-Path and smtp.mailfrom."""
    path: Told[EnvelopeSender] = header.service(_path, "return-path")
    checked = spf_domain(results)
    if isinstance(path.value, Unknown):
        if checked is None:
            return path, unknown(path.value.reason), ()
        return unknown(path.value.reason), _checked_domain(checked, results, said), ()
    if isinstance(path.value, NullReversePath):
        # For a null reverse-path SPF checks the HELO name instead (RFC 7208 section 2.4), and smtp.mailfrom shows it.
        return path, Told(None, path.sureness, path.source, path.line), ()
    domain = path.value.domain
    if checked is None or checked == domain:
        sure = path.sureness if checked is None else Sureness.CERTAIN
        return path._replace(sureness=sure), Told(domain, sure, path.source, path.line), ()
    note = f"Return-Path says {domain}, the SPF check was of {checked}: one of them is not the envelope sender"
    return unknown(note), unknown(note), (note,)


def _checked_domain(checked: Domain, results: Told[AuthResults], said: Told[str | None]) -> Told[Domain | None]:
    """Without Return-Path: smtp.mailfrom, unless it is the HELO name and so perhaps stands for a null sender."""
    named = said.value
    if isinstance(named, str) and named.lower().rstrip(".") == checked.ascii:
        return unknown("smtp.mailfrom is the HELO name, as it is for a null envelope sender")
    return Told(checked, results.sureness, f"{results.source} smtp.mailfrom", results.line)


def _path(value: str) -> EnvelopeSender | None:
    if not value.strip():
        return None
    try:
        return parse_envelope_sender(value)
    except AddressError:
        return None


def received_at(header: Header) -> Told[datetime]:
    """When the service took it: OriginalArrivalTime has the fractions of the second; else the entry line."""
    told = header.service(
        parse_date,
        "x-ms-exchange-crosstenant-originalarrivaltime",
        "x-ms-exchange-organization-originalarrivaltime",
    )
    hop: Hop | None = header.entry
    if told.believed and not isinstance(told.value, Unknown):
        return told
    if hop is not None and hop.parsed.date is not None:
        return Told(hop.parsed.date, Sureness.CERTAIN, "Received", hop.line)
    newest = next((each for each in header.hops if each.parsed.date is not None), None)
    if newest is not None and newest.parsed.date is not None:
        return Told(newest.parsed.date, Sureness.CLAIMED, "Received", newest.line)
    return told
