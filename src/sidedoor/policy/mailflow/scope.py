"""FromScope and SentToScope: whether an address is inside the organization."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sidedoor.mail.address import Address
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.state import State
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.tenant.snapshot import AcceptedDomain, DomainKind

Accepted = Fact[tuple[AcceptedDomain, ...]]


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


def is_own(address: Address, accepted: Accepted) -> Fact[bool]:
    """Whether the address is in an accepted domain of the organization that is not an external relay domain."""
    if isinstance(accepted, Unknown):
        return Unknown(f"the accepted domains are unknown: {accepted.reason}")
    answer: Fact[bool] = False
    for row in accepted:
        if row.kind is DomainKind.EXTERNAL_RELAY:
            continue
        if row.covers(address.domain):
            return True
        if isinstance(row.match_subdomains, Unknown) and address.domain.is_under(row.domain):
            answer = Unknown(f"whether {row.domain} covers its subdomains is unknown")
    return answer


def sender_scope(state: State, place: Place, accepted: Accepted, reading: FromScopeReading) -> Fact[bool]:
    """Whether the sender in the header is in the place. Envelope senders are not looked at (SenderAddressLocation)."""
    found = state.addresses("from")
    if isinstance(found, Unknown):
        return found
    if not found:
        return _NO_FROM
    answers = {_sender(state, address, place, accepted, reading) for address in found}
    return answers.pop() if len(answers) == 1 else _MANY_FROM


def _sender(state: State, address: Address, place: Place, accepted: Accepted, reading: FromScopeReading) -> Fact[bool]:
    own = is_own(address, accepted)
    if own is False:
        return place is Place.OUTSIDE
    authenticated = state.view.authenticated
    if authenticated is False and place is Place.INSIDE:
        return False
    if isinstance(own, Unknown):
        return own
    if isinstance(authenticated, Unknown):
        return Unknown(f"whether the connection was authenticated is unknown: {authenticated.reason}")
    if authenticated:
        return place is Place.INSIDE
    return _ANONYMOUS_OWN[reading]


def recipient_scope(state: State, place: Place, accepted: Accepted) -> Fact[bool]:
    """Whether the recipient is in the place.

    The page asks InOrganization for a message "sent or received over an authenticated connection"; Microsoft's own
    rules for mail from outside use it, so only the address counts here.
    """
    recipient = state.recipient
    if isinstance(recipient, Unknown):
        return Unknown(f"the recipient is unknown: {recipient.reason}")
    own = is_own(recipient, accepted)
    return own if isinstance(own, Unknown) else own == (place is Place.INSIDE)
