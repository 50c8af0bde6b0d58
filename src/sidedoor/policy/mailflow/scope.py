"""FromScope and SentToScope: whether an address is inside the organization."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sidedoor.mail.address import Address
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.state import State
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.text import any_of
from sidedoor.tenant.snapshot import AcceptedDomain, DomainKind


class Place(Enum):
    """The values of FromScope and SentToScope that Exchange Online has."""

    INSIDE = "InOrganization"  # see `sender_scope`
    OUTSIDE = "NotInOrganization"  # in no accepted domain, or in one that is an external relay domain


_NO_FROM = Unknown("the message has no address in From")
_MANY_FROM = Unknown("addresses in From are in different places")
_DIRECT_SEND = Unknown(
    "the header From is in an accepted domain and the connection is anonymous: the documentation calls such a sender "
    "neither inside nor outside (switch FromScopeReading)"
)

_ANONYMOUS_OWN: Mapping[FromScopeReading, Fact[bool]] = {
    FromScopeReading.OPEN: _DIRECT_SEND,
    FromScopeReading.DOCUMENTED: False,
    FromScopeReading.OUTSIDE: True,
}


class OwnDomains:
    """The accepted domains that are no external relay domains, to be asked in time that does not grow with them."""

    def __init__(self, accepted: Fact[tuple[AcceptedDomain, ...]]) -> None:
        self._unknown = accepted if isinstance(accepted, Unknown) else None
        rows = () if isinstance(accepted, Unknown) else accepted
        inner = [row for row in rows if row.kind is not DomainKind.EXTERNAL_RELAY]
        self._exact = frozenset(row.domain.ascii for row in inner)
        self._wide = {row.domain.ascii: row.match_subdomains for row in inner if row.match_subdomains is not False}

    def holds(self, address: Address) -> Fact[bool]:
        """Whether the address is in one of them; subdomains only where MatchSubDomains is on."""
        if self._unknown is not None:
            return Unknown(f"the accepted domains are unknown: {self._unknown.reason}")
        name = address.domain.ascii
        if name in self._exact:
            return True
        return any_of([self._below(name[at + 1 :]) for at, char in enumerate(name) if char == "."])

    def _below(self, parent: str) -> Fact[bool]:
        """Whether subdomains of a domain are own by it."""
        covers = self._wide.get(parent, False)
        return Unknown(f"whether {parent} covers its subdomains is unknown") if isinstance(covers, Unknown) else covers


def sender_scope(state: State, place: Place, accepted: OwnDomains, reading: FromScopeReading) -> Fact[bool]:
    """Whether the sender in the header is in the place. Envelope senders are not looked at (SenderAddressLocation)."""
    found = state.addresses("from")
    if isinstance(found, Unknown):
        return found
    if not found:
        return _NO_FROM
    answers = {_sender(state, address, place, accepted, reading) for address in found}
    return answers.pop() if len(answers) == 1 else _MANY_FROM


def _sender(state: State, address: Address, place: Place, own: OwnDomains, reading: FromScopeReading) -> Fact[bool]:
    inside = own.holds(address)
    if inside is False:
        return place is Place.OUTSIDE
    authenticated = state.view.authenticated
    if authenticated is False and place is Place.INSIDE:
        return False
    if isinstance(inside, Unknown):
        return inside
    if isinstance(authenticated, Unknown):
        return Unknown(f"whether the connection was authenticated is unknown: {authenticated.reason}")
    if authenticated:
        return place is Place.INSIDE
    return _ANONYMOUS_OWN[reading]


def recipient_scope(state: State, place: Place, accepted: OwnDomains) -> Fact[bool]:
    """Whether the recipient is in the place.

    The page asks InOrganization for a message "sent or received over an authenticated connection"; Microsoft's own
    rules for mail from outside use it, so only the address counts here.
    """
    recipient = state.recipient
    if isinstance(recipient, Unknown):
        return Unknown(f"the recipient is unknown: {recipient.reason}")
    own = accepted.holds(recipient)
    return own if isinstance(own, Unknown) else own == (place is Place.INSIDE)
