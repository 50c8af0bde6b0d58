"""To which inbound connector a connection belongs: certificates, addresses, and the domains that give them standing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sidedoor.mail.domain import Domain
from sidedoor.policy.decision import Certainty
from sidedoor.policy.facts import ClientCertificate
from sidedoor.policy.switches import AddressesWithoutRestrict, CertificateNames, OnPremisesCertificateName, Switches
from sidedoor.policy.tables import ConnectorTable, Settled, comparable_name
from sidedoor.policy.world import World
from sidedoor.tenant.snapshot import ConnectorKind


class Attribution(NamedTuple):
    """Whose mail it is: `kind` None says "attributed to no connector"."""

    kind: ConnectorKind | None
    connector: str | None = None
    reasons: tuple[str, ...] = ()
    certainty: Certainty = Certainty.DOCUMENTED


UNATTRIBUTED = Attribution(None)


class Identified(NamedTuple):
    """Connectors (by index) whose address list or certificate name fits the client, restrictions aside."""

    addresses: frozenset[int]
    certificates: Mapping[int, bool]  # index -> whether only the subject's common name fitted
    names: tuple[str, ...]  # names of the client certificate in comparable form


NO_CERTIFICATES: Mapping[int, bool] = {}


def identify(world: World, switches: Switches) -> Identified:
    """Look the client's address and certificate up among the enabled connectors."""
    addresses = world.connectors.by_address(world.client_ip)
    if world.certificate is None:
        return Identified(addresses, NO_CERTIFICATES, ())
    names = tuple(_names(world.certificate, switches.certificate_names))
    fits: dict[int, bool] = {}
    for name, is_common_name in names:
        for index in world.connectors.by_certificate_name(name):
            fits.setdefault(index, is_common_name)
    return Identified(addresses, fits, tuple(name for name, _ in names))


def _names(certificate: ClientCertificate, which: CertificateNames) -> Iterator[tuple[str, bool]]:
    """Names to compare, subject alternative names first; the flag marks the subject's common name."""
    if which is not CertificateNames.CN:
        for name in certificate.dns_names:
            yield comparable_name(name), False
    if which is not CertificateNames.SAN and certificate.subject_cn is not None:
        yield comparable_name(certificate.subject_cn), True


def onpremises(world: World, switches: Switches, identified: Identified) -> Attribution:
    """Step 3. Certificate before address: the certificate's domain is the first identifier (MC1226222)."""
    rows = world.connectors.connectors
    unfit: tuple[str, ...] = ()
    for index in sorted(identified.certificates):
        if rows[index].row.kind is ConnectorKind.ON_PREMISES and _name_counts(rows[index], world, switches):
            why_not = _standing(rows[index], world, identified, by_certificate=True)
            if why_not is None:
                return _by_certificate(rows[index], "onpremises-by-certificate", identified.certificates[index])
            unfit = (why_not,)
    for index in sorted(identified.addresses):
        if rows[index].row.kind is ConnectorKind.ON_PREMISES:
            why_not = _standing(rows[index], world, identified, by_certificate=False)
            if why_not is None:
                return Attribution(ConnectorKind.ON_PREMISES, rows[index].row.name, ("onpremises-by-address",))
            unfit = (why_not,)
    return Attribution(None, None, unfit) if unfit else UNATTRIBUTED


def _by_certificate(connector: Settled, reason: str, common_name: bool) -> Attribution:
    reasons = (reason, "certificate-by-common-name") if common_name else (reason,)
    certainty = Certainty.ASSUMED if common_name else Certainty.DOCUMENTED
    return Attribution(connector.row.kind, connector.row.name, reasons, certainty)


def _name_counts(connector: Settled, world: World, switches: Switches) -> bool:
    """The hybrid article wants a name without wildcard to be an accepted domain itself; a switch, off by default."""
    name = connector.certificate
    if switches.onpremises_certificate_name is OnPremisesCertificateName.ANY or name.startswith("*."):
        return True
    return world.accepted.find(Domain(name)) is not None


def _standing(connector: Settled, world: World, identified: Identified, *, by_certificate: bool) -> str | None:
    """Why an OnPremises connector that fits may not be used, None where it may.

    Since November 2023 the certificate's domain or the envelope sender's must be an accepted domain (Microsoft Learn,
    Updated requirements for SMTP relay). The null reverse-path has none, so only the certificate's can be.
    """
    domains = [] if world.sender is None else [world.sender]
    names = identified.names
    if by_certificate:
        names = (*names, connector.certificate)
    domains += [Domain(name.removeprefix("*.")) for name in names if name]
    found = [accepted for accepted in map(world.accepted.find, domains) if accepted is not None]
    if not found:
        return "onpremises-domain-not-accepted"
    associated = connector.row.associated_accepted_domains
    if associated and not any(accepted.domain in associated for accepted in found):
        return "associated-domains-exclude"
    return None


def partner_by_identity(world: World, switches: Switches, index: int, identified: Identified) -> Attribution | None:
    """What one Partner connector that covers the envelope sender attributes: None where it does not identify.

    A connector that names only domains attributes nothing (Set-OrganizationConfig -RejectDirectSend, 2026-03-17).
    """
    connector = world.connectors.connectors[index]
    if violates(connector, index, identified):
        return None
    if index in identified.certificates:
        return _by_certificate(connector, "partner-by-certificate", identified.certificates[index])
    if index not in identified.addresses:
        return None
    if connector.restrict_addresses:
        return Attribution(ConnectorKind.PARTNER, connector.row.name, ("partner-by-address",))
    if switches.addresses_without_restrict is AddressesWithoutRestrict.IGNORED:
        return None
    reasons = ("partner-by-address", "address-without-restrict")
    return Attribution(ConnectorKind.PARTNER, connector.row.name, reasons, Certainty.ASSUMED)


def violates(connector: Settled, index: int, identified: Identified) -> bool:
    """Whether a restriction is not met: an empty address list lets nothing pass."""
    return (connector.restrict_addresses and index not in identified.addresses) or (
        connector.restrict_certificate and index not in identified.certificates
    )


def by_name(table: ConnectorTable, name: str) -> Settled | None:
    """The enabled connector of that name, without regard to case."""
    folded = name.strip().casefold()
    return next((row for row in table.connectors if row.row.name.strip().casefold() == folded), None)
