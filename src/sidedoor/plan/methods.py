"""Which ways of submitting would do for a sender: one function a method, all over the same facts.

Sources: Microsoft's comparison of SMTP AUTH, Direct Send and SMTP relay (how to set up a multifunction device), the
cmdlet's page New-InboundConnector, and the announcements named in `deadlines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from sidedoor.catalogue.entry import Answer, SmtpAuth
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.model import Alternative, Because, Method
from sidedoor.tenant.snapshot import TenantSnapshot

# SMTP AUTH client submission: 10,000 recipients a day, 30 messages a minute.
_SMTP_AUTH_A_DAY = 10_000
# RFC 1918 and RFC 6598: addresses that nobody outside ever sees.
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


@dataclass(frozen=True, slots=True)
class Door:
    """What the tenant contributes to the choice. lockdown: a `*` restriction stands, or is planned."""

    snapshot: TenantSnapshot
    lockdown: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a method would do; `for_`: what speaks for it, `against`: what rules it out."""

    for_: tuple[Because, ...] = ()
    against: tuple[Because, ...] = ()

    @property
    def fits(self) -> bool:
        """Nothing rules it out."""
        return not self.against


def _fit(*reasons: Because | None, good: tuple[Because, ...] = ()) -> Fit:
    return Fit(good, tuple(reason for reason in reasons if reason is not None))


def by_certificate(facts: SenderFacts, _door: Door) -> Fit:
    """Partner connector by certificate: the firmest, since nobody else has the key."""
    inside = _needs_inside(facts)
    if facts.certificate is None:
        return _fit(inside, Because("no-certificate-known", "nobody knows of a TLS client certificate that it shows"))
    plain = Because("never-tls", "it was never seen to use TLS") if facts.plain and not facts.tls else None
    good = Because("certificate-known", f"it shows a certificate for {facts.certificate}")
    return _fit(inside, plain if facts.word.certificate is None else None, good=(good,))


def by_address(facts: SenderFacts, door: Door) -> Fit:
    """Partner connector by address, restricted to the sender's own envelope domain."""
    ruled = list(_against_addresses(facts))
    if door.lockdown:
        text = "a connector for all senders refuses what is not its own; OnPremises connectors come before it"
        ruled.append(Because("lockdown-first", text))
    return _fit(_needs_inside(facts), *ruled, good=_address_reasons(facts))


def by_relay_connector(facts: SenderFacts, door: Door) -> Fit:
    """OnPremises connector: attributed before all Partner connectors, and may mail outside."""
    good = list(_address_reasons(facts))
    if facts.external:
        good.append(Because("mails-outside", "it has to reach people outside, which only a relay connector allows"))
    elif door.lockdown:
        good.append(Because("lockdown-first", "an OnPremises connector comes before the one that locks the door"))
    if facts.certificate is not None and facts.external:
        return _fit(good=(*good, Because("certificate-known", f"it shows a certificate for {facts.certificate}")))
    more = None
    if not facts.external and not door.lockdown:
        text = "it may relay to the internet, which this sender does not need"
        more = Because("more-rights-than-needed", text)
    return _fit(more, *_against_addresses(facts), good=tuple(good))


def by_oauth(facts: SenderFacts, _door: Door) -> Fit:
    """SMTP AUTH with OAuth."""
    good = (Because("logs-in", "its product logs in with OAuth"),)
    if facts.smtp_auth is not SmtpAuth.OAUTH:
        known = facts.smtp_auth is not SmtpAuth.UNKNOWN
        text = "its product does not log in with OAuth" if known else "nobody knows whether it logs in with OAuth"
        return _fit(Because("no-oauth" if known else "oauth-unknown", text))
    return _fit(_too_many(facts), good=good)


def by_hve(facts: SenderFacts, _door: Door) -> Fit:
    """High Volume Email: log in, inside only."""
    can = facts.smtp_auth in {SmtpAuth.OAUTH, SmtpAuth.BASIC}
    known = facts.smtp_auth is not SmtpAuth.UNKNOWN
    text = "its product cannot log in" if known else "nobody knows whether its product can log in"
    cannot = Because("cannot-log-in" if known else "login-unknown", text)
    good = (Because("logs-in", "its product can log in"), Because("inside-only", "it mails people inside only"))
    return _fit(_needs_inside(facts), None if can else cannot, good=good)


def by_graph(facts: SenderFacts, _door: Door) -> Fit:
    """sendMail of Microsoft Graph."""
    if facts.graph is not Answer.YES:
        known = facts.graph is Answer.NO
        text = "its product does not speak Graph" if known else "nobody knows whether its product speaks Graph"
        return _fit(Because("no-graph" if known else "graph-unknown", text))
    return _fit(_too_many(facts), good=(Because("speaks-graph", "its product sends by Microsoft Graph"),))


def by_communication_services(facts: SenderFacts, _door: Door) -> Fit:
    """Azure Communication Services Email: made for mail to people outside."""
    inside = None if facts.external else Because("inside-only", "it mails people inside only; this is for mail outside")
    login = facts.smtp_auth in {SmtpAuth.OAUTH, SmtpAuth.BASIC}
    cannot = None if login else Because("login-unknown", "nobody knows whether its product can log in")
    return _fit(inside, cannot, good=(Because("mails-outside", "it has to reach people outside"),))


def by_return_path(facts: SenderFacts, door: Door) -> Fit:
    """An envelope sender in a subdomain that is no accepted domain: then it is no Direct Send at all."""
    if not facts.service and facts.shared == "":
        return _fit(Because("own-host", "a device or server of the organisation: a connector or login is simpler"))
    if facts.own_return_path is Answer.NO:
        return _fit(Because("no-own-return-path", "its product puts no subdomain of yours into the envelope sender"))
    covered = [name for name in facts.domains if not subdomain_is_free(name, door.snapshot)]
    if covered and facts.word.return_path is None:
        text = f"every subdomain of {covered[0]} counts as accepted (MatchSubDomains)"
        return _fit(Because("subdomains-accepted", text))
    good = Because(
        "no-direct-send-then", "with bounces to a subdomain of its own it is no Direct Send and needs nothing else"
    )
    return _fit(good=(good,))


def by_local_relay(facts: SenderFacts, _door: Door) -> Fit:
    """A relay of the organisation takes its mail as it is and hands it on with an identity."""
    if facts.service:
        return _fit(Because("not-ours", "a service on somebody else's machines does not send through a relay of yours"))
    return _fit(good=(Because("takes-it-as-it-is", "a relay inside takes its mail as it is and logs in for it"),))


def subdomain_is_free(name: str, snapshot: TenantSnapshot) -> bool:
    """Whether a new subdomain of `name` would be outside the accepted domains."""
    return not snapshot.accepts(Domain(f"sidedoor-probe.{name}"))


FITS: Mapping[Method, Callable[[SenderFacts, Door], Fit]] = {
    Method.PARTNER_CERTIFICATE: by_certificate,
    Method.PARTNER_ADDRESS: by_address,
    Method.ONPREMISES_RELAY: by_relay_connector,
    Method.RETURN_PATH: by_return_path,
    Method.GRAPH: by_graph,
    Method.SMTP_AUTH_OAUTH: by_oauth,
    Method.HVE: by_hve,
    Method.COMMUNICATION_SERVICES: by_communication_services,
    Method.LOCAL_RELAY: by_local_relay,
}
_SERVICE = (Method.RETURN_PATH, Method.PARTNER_CERTIFICATE, Method.GRAPH, Method.SMTP_AUTH_OAUTH, Method.HVE)
_OWN = (
    Method.PARTNER_CERTIFICATE, Method.PARTNER_ADDRESS, Method.ONPREMISES_RELAY, Method.GRAPH, Method.SMTP_AUTH_OAUTH,
    Method.HVE, Method.RETURN_PATH, Method.COMMUNICATION_SERVICES, Method.LOCAL_RELAY,
)  # fmt: skip


def preference(facts: SenderFacts) -> tuple[Method, ...]:
    """Methods in the order to try: what changes least at the sender and is firmest comes first."""
    if facts.service or facts.shared != "":
        return (*_SERVICE, *(method for method in _OWN if method not in _SERVICE))
    return _OWN


def alternatives(facts: SenderFacts, door: Door) -> tuple[Alternative, ...]:
    """All methods, the preferred first, each with what speaks for or against it."""
    found = []
    for method in preference(facts):
        fit = FITS[method](facts, door)
        found.append(Alternative(method, fit.fits, fit.for_ if fit.fits else fit.against))
    return tuple(found)


def _needs_inside(facts: SenderFacts) -> Because | None:
    return Because("mails-outside", "it has to reach people outside") if facts.external else None


def _too_many(facts: SenderFacts) -> Because | None:
    if facts.busiest_day <= _SMTP_AUTH_A_DAY:
        return None
    text = f"{facts.busiest_day:,} messages on its busiest day; a mailbox may send to 10,000 recipients"
    return Because("too-many-a-day", text)


def _address_reasons(facts: SenderFacts) -> tuple[Because, ...]:
    number = len(facts.addresses)
    where = str(facts.addresses[0]) if number == 1 else f"{number} addresses"
    return (Because("fixed-address", f"seen at {where}, which stayed the same"),) if number else ()


def _against_addresses(facts: SenderFacts) -> Iterator[Because]:
    """Why a connector by address would not do. An override in plan.toml is held against the same list."""
    if not facts.word.addresses:
        yield from _against_seen(facts)
    if isinstance(facts.shared, Unknown):
        yield Because("sharing-unknown", f"{facts.shared.reason}; say shared = false in plan.toml if nobody does")
    elif facts.shared:
        yield Because("shared-addresses", facts.shared)
    if facts.borrowed:
        address, domain = facts.borrowed[0]
        yield Because("spoof-from-the-same-address", f"a spoofing sender uses {address} with {domain} as well")


def _against_seen(facts: SenderFacts) -> Iterator[Because]:
    """What is wrong with the addresses seen, which ranges of a person's stand in for."""
    if not facts.addresses:
        yield Because("no-address-known", "no export shows its address")
    elif facts.unlocated:
        yield Because("address-partly-unknown", f"of {facts.unlocated:,} of its messages no export shows the address")
    if facts.ipv6:
        yield Because("ipv6", "connectors list no IPv6 addresses (New-InboundConnector -SenderIPAddresses)")
    if any(address.version == 4 and address in network for address in facts.addresses for network in _PRIVATE):
        yield Because("private-address", "the address is a private one, which Exchange Online never sees")
    if facts.moving:
        yield Because("address-changes", facts.moving)
