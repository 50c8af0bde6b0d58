"""When certificates of connectors end: read from files, and from the servers that show them.

A connector names a certificate (TlsSenderCertificateName); nobody but its owner has it. So somebody says where it is:
a PEM or DER file, or the mail server that presents it, which as a rule shows the same one to those who connect to it.
What cannot be read is a value too: a certificate nobody can read ends unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.errors import UnreachableError
from sidedoor.mail.fact import Unknown
from sidedoor.policy.tables import comparable_name, connector_tables
from sidedoor.probe.shown import SECONDS, shown_certificate
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.sight import CertificateSight

if TYPE_CHECKING:
    from cryptography import x509

_MOST_FILE = 1 << 20
_MOST_NAMES = 200
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Unread:
    """A certificate that could not be read, or (then `connector` says whose) that nobody has shown."""

    where: str
    why: str
    connector: str = ""


@dataclass(frozen=True, slots=True)
class CertificateReading:
    """What was read, what could not be, and what is remarkable (a server's certificate that does not verify)."""

    certificates: tuple[CertificateSight, ...] = ()
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """names: of the subject alternative names and the common name, lower case. where: file or host:port."""

    names: tuple[str, ...]
    not_after: datetime
    where: str
    note: str = ""


def read_certificates(
    files: Iterable[Path], hosts: Iterable[tuple[str, int]], snapshot: TenantSnapshot, seconds: float = SECONDS
) -> CertificateReading:
    """The certificates at the given places, and to which connectors they belong. Never raises for what is out there."""
    read = [*(from_file(path) for path in files), *(from_host(host, port, seconds) for host, port in hosts)]
    found = [each for each in read if isinstance(each, ReadCertificate)]
    unread = [each for each in read if isinstance(each, Unread)]
    if isinstance(snapshot.inbound_connectors, Unknown):
        why = f"the inbound connectors are not known: {snapshot.inbound_connectors.reason}"
        return CertificateReading((), (*unread, *(Unread(each.where, why) for each in found)), _notes(found))
    sights, homeless = _matched(found, snapshot)
    told = {each.connector for each in sights}
    missing = [
        Unread("", f"no certificate for {name} was shown", connector) for connector, name in _asked(snapshot)
        if connector not in told
    ]  # fmt: skip
    return CertificateReading(tuple(sights), (*unread, *homeless, *missing), _notes(found))


def from_file(path: Path) -> ReadCertificate | Unread:
    """The first certificate in a PEM or DER file that is no authority's: chains and keys may stand beside it."""
    from cryptography import x509

    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_FILE + 1)
        if len(data) > _MOST_FILE:
            return Unread(str(path), f"a file of more than {_MOST_FILE >> 20} MB")
        pem = b"-----BEGIN CERTIFICATE" in data
        chain = x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
    except OSError as error:
        return Unread(str(path), f"no readable file ({error.strerror or type(error).__name__})")
    except _damage():
        return Unread(str(path), "neither a PEM nor a DER certificate")
    return _read(next((each for each in chain if not _is_authority(each)), chain[0]), str(path))


def from_host(host: str, port: int, seconds: float = SECONDS) -> ReadCertificate | Unread:
    """The certificate that a mail server shows after STARTTLS."""
    from cryptography import x509

    where = f"{host}:{port}"
    try:
        shown = shown_certificate(host, port, seconds)
        certificate = x509.load_der_x509_certificate(shown.der)
    except UnreachableError as error:
        return Unread(where, str(error).removeprefix(f"{where}: "))
    except _damage():
        return Unread(where, "it shows a certificate that cannot be read")
    note = "" if shown.verified else f"{where}: its certificate does not verify ({shown.why_not[:_SHOWN]})"
    return _read(certificate, where, note)


def _damage() -> tuple[type[Exception], ...]:
    """What the library raises for certificates that are none; not all of it is a ValueError."""
    from cryptography import x509

    return (
        ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
        x509.ExtensionNotFound,
    )  # fmt: skip


def _read(certificate: x509.Certificate, where: str, note: str = "") -> ReadCertificate | Unread:
    try:
        names = tuple(dict.fromkeys(name for name in map(comparable_name, _names(certificate)) if name))[:_MOST_NAMES]
        return ReadCertificate(names, certificate.not_valid_after_utc, where, note)
    except _damage() as error:
        return Unread(where, f"a certificate that cannot be read ({type(error).__name__})")


def _names(certificate: x509.Certificate) -> Iterator[str]:
    """Subject alternative names, then the common name: a connector is matched with both (policy.switches)."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield from names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        pass
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield str(attribute.value)


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except _damage():
        return False


def _matched(found: Sequence[ReadCertificate], snapshot: TenantSnapshot) -> tuple[list[CertificateSight], list[Unread]]:
    """By the rule's own look-up of names; a connector whose state is unknown may be on, so it counts."""
    tables = connector_tables(snapshot.known_connectors)
    sights: dict[tuple[str, str], CertificateSight] = {}
    homeless = []
    for each in found:
        owners = {
            table.connectors[index].row.name for table in tables for name in each.names
            for index in table.by_certificate_name(name)
        }  # fmt: skip
        for owner in sorted(owners):
            sights[owner, each.where] = CertificateSight(owner, each.names, each.not_after, each.where)
        if not owners:
            named = ", ".join(each.names[:5]) or "no name"
            homeless.append(Unread(each.where, f"it is for {named}, which no enabled connector asks for"))
    return list(sights.values()), homeless


def _asked(snapshot: TenantSnapshot) -> Iterator[tuple[str, str]]:
    """(connector, certificate name) of each that is not known to be off and asks for one."""
    for row in snapshot.known_connectors:
        if row.tls_certificate_name and row.enabled is not False:
            yield row.name, row.tls_certificate_name


def _notes(found: Iterable[ReadCertificate]) -> tuple[str, ...]:
    return tuple(each.note for each in found if each.note)
