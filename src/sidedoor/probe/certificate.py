"""What a server's certificate says of itself, in a phrase. It is a stranger's: nothing in it is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sidedoor.probe.wire import harmless

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MOST_NAMES, _MOST_SHOWN = 3, 60


def described(der: bytes | None, host: str) -> str:
    """Names, end, SHA-256, and what would not verify: expired, another name, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    if der is None:
        return "no certificate was shown"
    try:
        found = x509.load_der_x509_certificate(der)
        names, wrong = _names(found), list(_wrong(found, host))
        until, digest = found.not_valid_after_utc, found.fingerprint(SHA256()).hex()
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension) as error:
        return f"the certificate cannot be read ({type(error).__name__})"
    shown = ", ".join(harmless(name)[:_MOST_SHOWN] for name in names[:_MOST_NAMES]) or "nobody"
    verdict = f"it is {' and '.join(wrong)}" if wrong else "it was not verified"
    return f"certificate for {shown} until {until:%Y-%m-%d}, SHA-256 {digest}; {verdict}"


def _names(found: Certificate) -> list[str]:
    """DNS names of subjectAltName, then the common name (RFC 6125 section 6.4.4)."""
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        listed = []
    common = [str(each.value) for each in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    return list(dict.fromkeys([*listed, *common]))


def _wrong(found: Certificate, host: str) -> list[str]:
    now = datetime.now(UTC)
    tests = (
        (found.issuer == found.subject, "signed by itself"),
        (found.not_valid_after_utc < now, "expired"),
        (found.not_valid_before_utc > now, "not valid yet"),
        (not any(_covers(name.lower(), host.lower()) for name in _names(found)), f"not for {host}"),
    )
    return [word for wrong, word in tests if wrong]


def _covers(name: str, host: str) -> bool:
    """A wildcard stands for the leftmost label only (RFC 6125 section 6.4.3)."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
