"""Which ways of submitting would do for a sender: one function a method, all over the same facts.

Sources: Microsoft's comparison of SMTP AUTH, Direct Send and SMTP relay (how to set up a multifunction device), the
cmdlet's page New-InboundConnector, and the announcements named in `deadlines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from sidedoor.catalogue.entry import Answer, SmtpAuth
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.model import Alternative, Because, Method
from sidedoor.tenant.snapshot import TenantSnapshot

# SMTP AUTH client submission: 10,000 recipients a day, 30 messages a minute.
_SMTP_AUTH_A_DAY = 10_000
# Azure Communication Services Email with a domain of one's own, before a support request: 100 messages an hour.
_COMMUNICATION_SERVICES_A_DAY = 2_400
# RFC 1918 and RFC 6598: addresses that nobody outside ever sees.
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


@dataclass(frozen=True, slots=True)
class Door:
    """What the tenant contributes to the choice. lockdown: a `*` restriction stands, or is planned.

    contested: envelope domain -> why a Partner connector that restricts it to addresses would do harm.
    """

    snapshot: TenantSnapshot
    lockdown: bool
    contested: Mapping[str, str] = field(default_factory=dict)

    def contest(self, facts: SenderFacts) -> str:
        """Why Partner connectors by address are out for this sender; "" where they are not."""
        return next((self.contested[name] for name in facts.domains if name in self.contested), "")


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


def by_certificate(facts: SenderFacts, door: Door) -> Fit:
    """Partner connector by certificate: the firmest, since nobody else has the key."""
    inside = _needs_inside(facts)
    if facts.certificate is None:
        return _fit(inside, _no_certificate(facts))
    plain = Because("never-tls", "it was never seen to use TLS") if facts.plain and not facts.tls else None
    good = Because("certificate-known", f"it shows a certificate for {facts.certificate}")
    first = _LOCKDOWN_FIRST if door.lockdown and not facts.foreign else None
    return _fit(inside, plain if facts.word.certificate is None else None, first, good=(good,))


def _no_certificate(facts: SenderFacts) -> Because:
    if facts.entry is not None and facts.entry.supports.certificate is Answer.YES:
        text = f"{facts.entry.name} shows a TLS client certificate; say its name (certificate = ) in plan.toml"
        return Because("certificate-name-unknown", text)
    return Because("no-certificate-known", "nobody knows of a TLS client certificate that it shows")


_LOCKDOWN_FIRST = Because(
    "lockdown-first", "a connector for all senders refuses what is not its own; OnPremises connectors come before it"
)


def by_address(facts: SenderFacts, door: Door) -> Fit:
    """Partner connector by address, restricted to the sender's own envelope domain."""
    ruled = list(_against_addresses(facts))
    if door.lockdown:
        ruled.append(_LOCKDOWN_FIRST)
    contest = door.contest(facts)
    if contest:
        ruled.append(Because("domain-contested", contest))
    return _fit(_needs_inside(facts), *ruled, good=_address_reasons(facts))


def by_relay_connector(facts: SenderFacts, door: Door) -> Fit:
    """OnPremises connector: attributed before all Partner connectors, and may mail outside."""
    good = list(_address_reasons(facts))
    contest = door.contest(facts)
    if facts.external:
        good.append(Because("mails-outside", "it has to reach people outside, which only a relay connector allows"))
    elif door.lockdown:
        good.append(Because("lockdown-first", "an OnPremises connector comes before the one that locks the door"))
    elif contest:
        good.append(Because("domain-contested", f"{contest}; OnPremises connectors come before all of them"))
    if relays_by_certificate(facts, door):
        return _fit(good=(*good, Because("certificate-known", f"it shows a certificate for {facts.certificate}")))
    more = None
    if not facts.external and not door.lockdown and not contest:
        text = "it may relay to the internet, which this sender does not need"
        more = Because("more-rights-than-needed", text)
    lent = None
    if facts.lent and not facts.borrowed:
        # An OnPremises connector takes every accepted domain, so the domain that the spoof uses does not matter.
        lent = Because("spoof-from-the-same-address", f"a spoofing sender uses {facts.lent[0]} as well")
    return _fit(more, *_against_addresses(facts), lent, good=tuple(good))


def relays_by_certificate(facts: SenderFacts, door: Door) -> bool:
    """Whether its OnPremises connector asks for its certificate. Never a service's: its customers would relay too."""
    needed = facts.external or door.lockdown or bool(door.contest(facts))
    return facts.certificate is not None and needed and not facts.foreign and facts.shared == ""


def by_oauth(facts: SenderFacts, _door: Door) -> Fit:
    """SMTP AUTH with OAuth."""
    good = (Because("logs-in", "its product logs in with OAuth"),)
    if facts.smtp_auth is SmtpAuth.BASIC:
        text = (
            "its product logs in with user name and password only, which Exchange Online switches off by default at "
            "the end of December 2026"
        )
        return _fit(Because("basic-only", text))
    if facts.smtp_auth is not SmtpAuth.OAUTH:
        known = facts.smtp_auth is not SmtpAuth.UNKNOWN
        text = "its product does not log in with OAuth" if known else "nobody knows whether it logs in with OAuth"
        return _fit(Because("no-oauth" if known else "oauth-unknown", text))
    return _fit(_too_many(facts), good=good)


def by_hve(facts: SenderFacts, _door: Door) -> Fit:
    """High Volume Email: log in, inside only."""
    good = (Because("logs-in", "its product can log in"), Because("inside-only", "it mails people inside only"))
    return _fit(_needs_inside(facts), _cannot_log_in(facts), good=good)


def _cannot_log_in(facts: SenderFacts) -> Because | None:
    if facts.smtp_auth in {SmtpAuth.OAUTH, SmtpAuth.BASIC}:
        return None
    known = facts.smtp_auth is not SmtpAuth.UNKNOWN
    text = "its product cannot log in" if known else "nobody knows whether its product can log in"
    return Because("cannot-log-in" if known else "login-unknown", text)


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
    good = [Because("mails-outside", "it has to reach people outside")]
    if facts.busiest_day > _COMMUNICATION_SERVICES_A_DAY:
        text = f"{facts.busiest_day:,} messages on its busiest day: more than 100 an hour want a support request first"
        good.append(Because("raise-the-limit", text))
    return _fit(inside, _cannot_log_in(facts), good=tuple(good))


def by_return_path(facts: SenderFacts, door: Door) -> Fit:
    """An envelope sender in a subdomain that is no accepted domain: then it is no Direct Send at all."""
    if not facts.foreign and facts.shared == "":
        return _fit(Because("own-host", "a device or server of the organisation: a connector or login is simpler"))
    if facts.in_passing:
        return _fit(Because("hands-mail-on", "it hands on mail whose envelope sender is not its own to choose"))
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
    if facts.foreign:
        return _fit(Because("not-ours", "what runs on somebody else's machines does not send through a relay of yours"))
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
_LOGINS = (Method.PARTNER_CERTIFICATE, Method.GRAPH, Method.SMTP_AUTH_OAUTH, Method.HVE)
_OWN = (
    Method.PARTNER_CERTIFICATE, Method.PARTNER_ADDRESS, Method.ONPREMISES_RELAY, Method.GRAPH, Method.SMTP_AUTH_OAUTH,
    Method.HVE, Method.RETURN_PATH, Method.COMMUNICATION_SERVICES, Method.LOCAL_RELAY,
)  # fmt: skip


def preference(facts: SenderFacts) -> tuple[Method, ...]:
    """Methods in the order to try: what changes least at the sender and is firmest comes first."""
    if not facts.foreign and facts.shared == "":
        return _OWN
    known = facts.own_return_path is Answer.YES or facts.word.return_path is not None
    # What nobody knows to be possible comes after what somebody does.
    service = (Method.RETURN_PATH, *_LOGINS) if known else (*_LOGINS, Method.RETURN_PATH)
    return (*service, *(method for method in _OWN if method not in service))


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


def lists_addresses(facts: SenderFacts) -> bool:
    """Whether a connector may list its addresses."""
    return next(_against_addresses(facts), None) is None


def _against_addresses(facts: SenderFacts) -> Iterator[Because]:
    """Why a connector by address would not do. An override in plan.toml is held against the same list."""
    if not facts.word.addresses:
        yield from _against_seen(facts)
    if any(network.overlaps(other) for network in facts.word.addresses if network.version == 4 for other in _PRIVATE):
        yield _PRIVATE_ADDRESS
    if isinstance(facts.shared, Unknown):
        yield Because("sharing-unknown", f"{facts.shared.reason}; say shared = false in plan.toml if nobody else does")
    elif facts.shared:
        yield Because("shared-addresses", facts.shared)
    if facts.borrowed:
        address, domain = facts.borrowed[0]
        yield Because("spoof-from-the-same-address", f"a spoofing sender uses {address} with {domain} as well")


_PRIVATE_ADDRESS = Because("private-address", "the address is a private one, which Exchange Online never sees")


def _against_seen(facts: SenderFacts) -> Iterator[Because]:
    """What is wrong with the addresses seen, which ranges of a person's stand in for."""
    if not facts.addresses:
        yield Because("no-address-known", "no export shows its address")
    elif facts.unlocated:
        yield Because("address-partly-unknown", f"of {facts.unlocated:,} of its messages no export shows the address")
    if facts.ipv6:
        text = (
            "connectors list no IPv6 addresses (New-InboundConnector -SenderIPAddresses); over IPv4 it could have one"
        )
        yield Because("ipv6", text)
    if any(address.version == 4 and address in network for address in facts.addresses for network in _PRIVATE):
        yield _PRIVATE_ADDRESS
    if facts.moving:
        yield Because("address-changes", facts.moving)
