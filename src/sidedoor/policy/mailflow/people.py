"""Conditions about addresses: the sender's, the recipient's, those in To and Cc, and the client's IP address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sidedoor.mail.address import Address, AddressError, NullReversePath, parse_address
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPNetwork, NetworkError, parse_networks, partition
from sidedoor.policy.mailflow.build import Build, NotEvaluatedError, SenderLocation
from sidedoor.policy.mailflow.scope import Place, recipient_scope, sender_scope
from sidedoor.policy.mailflow.state import Check, State
from sidedoor.policy.mailflow.text import Search, any_of

Addresses = Callable[[State], Fact[tuple[Address, ...]]]


def sender_addresses(location: SenderLocation) -> Callable[[State], Fact[tuple[Address, ...]]]:
    def envelope(state: State) -> Fact[tuple[Address, ...]]:
        sender = state.view.envelope_sender
        if isinstance(sender, Unknown):
            return Unknown(f"the envelope sender is unknown: {sender.reason}")
        return () if isinstance(sender, NullReversePath) else (sender,)

    def either(state: State) -> Fact[tuple[Address, ...]]:
        one, other = state.addresses("from"), envelope(state)
        if isinstance(one, Unknown):
            return one
        return other if isinstance(other, Unknown) else (*one, *other)

    def header(state: State) -> Fact[tuple[Address, ...]]:
        return state.addresses("from")

    return {SenderLocation.HEADER: header, SenderLocation.ENVELOPE: envelope, SenderLocation.EITHER: either}[location]


def recipients(state: State) -> Fact[tuple[Address, ...]]:
    recipient = state.recipient
    return Unknown(f"the recipient is unknown: {recipient.reason}") if isinstance(recipient, Unknown) else (recipient,)


def named(*names: str) -> Callable[[State], Fact[tuple[Address, ...]]]:
    return lambda state: state.addresses(*names)


def _on(read: Addresses, test: Callable[[Address], Fact[bool]]) -> Check:
    """True where the test holds for one of the addresses; False for no addresses."""

    def check(state: State) -> Fact[bool]:
        found = read(state)
        return found if isinstance(found, Unknown) else any_of([test(address) for address in found])

    return check


def _domains(texts: Sequence[str]) -> tuple[Domain, ...]:
    try:
        return tuple(parse_domain(text.removeprefix("*.")) for text in texts)
    except DomainError as error:
        raise NotEvaluatedError(f"a domain that is none: {error}") from error


def domain_is(build: Build, key: str, read: Addresses) -> Check:
    # "This condition matches domains and subdomains" (New-TransportRule -SenderDomainIs, -RecipientDomainIs).
    domains = _domains(build.entries(key))
    return _on(read, lambda address: any(address.domain.is_at_or_under(domain) for domain in domains))


def identity_is(build: Build, key: str, read: Addresses) -> Check:
    """Identities in an export are addresses as a rule; names, GUIDs and aliases cannot be resolved here."""
    found, others = set(), []
    for text in build.entries(key):
        try:
            found.add(parse_address(text.lower().removeprefix("smtp:")).folded)
        except AddressError:
            others.append(text)
    if not found:
        raise NotEvaluatedError(f"{others[0][:80]!r} is no address, and there is no directory to look it up in")
    left: Fact[bool] = Unknown(f"{others[0][:80]!r} of {key} is no address") if others else False
    return _on(read, lambda address: address.folded in found or left)


def address_search(search: Search, read: Addresses) -> Check:
    return _on(read, lambda address: search(address.folded))


def from_scope(build: Build) -> Check:
    place = _place(build, "FromScope")
    return lambda state: sender_scope(state, place, build.accepted, build.from_scope)


def sent_to_scope(build: Build) -> Check:
    place = _place(build, "SentToScope")
    return lambda state: recipient_scope(state, place, build.accepted)


def _place(build: Build, key: str) -> Place:
    text = build.text(key).lower()
    place = next((each for each in Place if each.value.lower() == text), None)
    if place is None:
        raise NotEvaluatedError(f"{text[:40]!r} is known to Exchange on-premises only")
    return place


def sender_ip(build: Build) -> Check:
    networks: list[IPNetwork] = []
    for text in build.entries("SenderIpRanges"):
        try:
            networks.extend(parse_networks(text))
        except NetworkError as error:
            raise NotEvaluatedError(str(error)) from error
    table = partition((network, True) for network in networks)

    def check(state: State) -> Fact[bool]:
        address = state.view.client_ip
        if isinstance(address, Unknown):
            return Unknown(f"the client address is unknown: {address.reason}")
        return address is not None and bool(table.labels_of(address))

    return check
