"""Whether anything but a report's own word says who wrote it.

A report is a message like any other: its author writes what he likes. What Exchange Online itself has put into the
header can be believed, and proves at most that the report came from the server it names, never that what it says is
true.
"""

from __future__ import annotations

from collections.abc import Iterator

from sidedoor.evidence.message.facts import believed
from sidedoor.evidence.message.model import MessageEvidence
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mailauth.alignment import organization_by_list
from sidedoor.mailauth.authres import Result

# Method -> properties that name the domain which passed.
_NAMES = {
    "dkim": (("header", "d"), ("header", "i")),
    "dmarc": (("header", "from"),),
    "spf": (("smtp", "mailfrom"), ("smtp", "helo")),
}
_INSIDE = {
    "onpremises": "it came by an OnPremises connector of the tenant",
    "authenticated": "it was sent by a mailbox of the tenant",
}


def vouched(evidence: MessageEvidence, reporting_mta: str) -> str:
    """Who vouches for the report's origin, a phrase; "" for nobody."""
    entry = believed(evidence.entry)
    if entry in _INSIDE:
        return _INSIDE[entry]
    reporter = _organization(reporting_mta)
    if reporter is None:
        return ""
    for method, name in _passes(evidence):
        if _organization(name) == reporter:
            return f"{method.upper()} passes for {name}, the domain of the server that reports"
    return ""


def _passes(evidence: MessageEvidence) -> Iterator[tuple[str, str]]:
    """(method, domain) of every check that passed, by Exchange Online's own word."""
    results = believed(evidence.authentication)
    for each in results.results if results else ():
        if each.result is Result.PASS and each.method in _NAMES:
            for ptype, name in _NAMES[each.method]:
                if value := each.value(ptype, name):
                    yield each.method, value.rpartition("@")[2]


def _organization(name: str) -> Domain | None:
    try:
        domain = parse_domain(name)
    except DomainError:
        return None
    return organization_by_list(domain) if "." in domain.ascii else None
