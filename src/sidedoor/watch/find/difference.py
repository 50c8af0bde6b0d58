"""How an inbound connector differs from what it was: what lets in more, what lets in less, and the rest.

Fields and their meaning: Microsoft's page of New-InboundConnector. What either side does not tell makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sidedoor.mail.network import IPNetwork
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, SenderDomainPattern
from sidedoor.watch.find.made import listed
from sidedoor.watch.find.settings import WIDE, beyond, differ, many


@dataclass(frozen=True, slots=True)
class Step:
    """One difference: the setting, a phrase, and whether it matters much."""

    setting: str
    text: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """All of them. removed: networks that it does not list any more."""

    wider: tuple[Step, ...] = ()
    narrower: tuple[Step, ...] = ()
    other: tuple[Step, ...] = ()
    removed: tuple[IPNetwork, ...] = ()


def difference(old: InboundConnector, new: InboundConnector) -> Difference:
    """What changed, apart from Enabled and from what makes mail internal."""
    removed = beyond(old.sender_networks, new.sender_networks)
    narrower = (*_wider(new, old, back=True), *_refused(old, new))
    return Difference(tuple(_wider(old, new)), narrower, tuple(_other(old, new)), tuple(removed))


def _refused(old: InboundConnector, new: InboundConnector) -> Iterator[Step]:
    """A connector that restricts refuses everybody else of its domains, so each more is a refusal too."""
    domains = _uncovered(new.sender_domains, old.sender_domains)
    if domains and (new.restrict_to_addresses is True or new.restrict_to_certificate is True):
        yield Step("SenderDomains", f"mail of {listed(domains, 6)} from anywhere else is refused (5.7.51)")


def _wider(old: InboundConnector, new: InboundConnector, *, back: bool = False) -> Iterator[Step]:
    """Where `new` lets in more than `old`. back: the phrases are for the way from `new` to `old`, which narrows."""
    added = beyond(new.sender_networks, old.sender_networks)
    if added:
        text = f"{'removed' if back else 'added'} {listed(added, 6)}"
        yield Step("SenderIPAddresses", text, many(added) > WIDE)
    domains = _uncovered(new.sender_domains, old.sender_domains)
    if domains:
        every = any(pattern.domain is None for pattern in domains)
        yield Step("SenderDomains", f"{'removed' if back else 'added'} {listed(domains, 6)}", every)
    yield from _certificate(old, new, back=back)
    yield from _restrictions(old, new, back=back)
    if old.kind is ConnectorKind.PARTNER and new.kind is ConnectorKind.ON_PREMISES:
        yield Step("ConnectorType", "OnPremises became Partner" if back else "Partner became OnPremises", grave=True)
    yield from _organisations(old, new, back=back)


def _uncovered(
    found: Iterable[SenderDomainPattern], known: tuple[SenderDomainPattern, ...]
) -> list[SenderDomainPattern]:
    def covered(pattern: SenderDomainPattern) -> bool:
        if pattern.domain is None:
            return any(each.domain is None for each in known)
        return any(
            each.covers(pattern.domain) and (each.domain is None or each.with_subdomains or not pattern.with_subdomains)
            for each in known
        )

    return sorted({pattern for pattern in found if not covered(pattern)}, key=str)


def _certificate(old: InboundConnector, new: InboundConnector, *, back: bool) -> Iterator[Step]:
    name, before = new.tls_certificate_name, old.tls_certificate_name
    if name is None or name == before or _within(name, before):
        return
    was, now = (name, before) if back else (before, name)
    text = f"was {listed([was]) if was else 'none'}, is {listed([now]) if now else 'none'}"
    yield Step("TlsSenderCertificateName", text, name.startswith("*") and before is not None)


def _within(name: str, wildcard: str | None) -> bool:
    """Whether a wildcard takes the name too; it stands for one label or more."""
    return wildcard is not None and wildcard.startswith("*.") and name.removeprefix("*.").endswith(wildcard[1:])


def _restrictions(old: InboundConnector, new: InboundConnector, *, back: bool) -> Iterator[Step]:
    flags = (
        ("RestrictDomainsToIPAddresses", old.restrict_to_addresses, new.restrict_to_addresses, True),
        ("RestrictDomainsToCertificate", old.restrict_to_certificate, new.restrict_to_certificate, True),
        ("RequireTls", old.require_tls, new.require_tls, False),
    )
    for name, before, now, grave in flags:
        if before is True and now is False:
            yield Step(name, "switched on" if back else "switched off", grave)


def _organisations(old: InboundConnector, new: InboundConnector, *, back: bool) -> Iterator[Step]:
    """Other tenants that are trusted, and domains it is limited to, of which none means no limit."""
    trusted = sorted(set(new.trusted_organizations) - set(old.trusted_organizations))
    if trusted:
        yield Step("TrustedOrganizations", f"{'removed' if back else 'added'} {listed(trusted, 6)}", grave=True)
    before, now = set(old.associated_accepted_domains), set(new.associated_accepted_domains)
    if before and (not now or now - before):
        limit = listed(sorted(map(str, before if back else now)), 6) or "none"
        yield Step("AssociatedAcceptedDomains", f"is {limit}")


def _other(old: InboundConnector, new: InboundConnector) -> Iterator[Step]:
    if differ(old.ef_skip_last_ip, new.ef_skip_last_ip):
        yield Step("EFSkipLastIP", f"was {old.ef_skip_last_ip}, is {new.ef_skip_last_ip}")
    if set(old.ef_skip_networks) != set(new.ef_skip_networks):
        yield Step("EFSkipIPs", f"is {listed(sorted(map(str, new.ef_skip_networks)), 6) or 'none'}")
