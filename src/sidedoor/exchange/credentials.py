"""An application's certificate with its key, out of a PEM or PKCS #12 file, as MSAL wants it. Stays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_MOST = 1 << 20
_EXPECTED = "a PEM or PKCS #12 file with an RSA key and its certificate"


def certificate(path: Path, passphrase: str | None = None) -> Mapping[str, str]:
    """MSAL's credential. Raises InputError, whose text quotes nothing of the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from None
    key, found = _loaded(path, data[:_MOST], None if passphrase is None else passphrase.encode())
    return _credential(key, found)


def ends(path: Path, passphrase: str | None = None) -> datetime:
    """When the certificate is no longer valid. Raises InputError as `certificate` does."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from None
    _, found = _loaded(path, data[:_MOST], None if passphrase is None else passphrase.encode())
    return found.not_valid_after_utc


def _loaded(path: Path, data: bytes, passphrase: bytes | None) -> tuple[RSAPrivateKey, Certificate]:
    """Key and certificate. A file may hold the issuers' certificates too: ours is the one of the key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        key, certificates = _pem(data, passphrase) if b"-----BEGIN" in data else _pkcs12(data, passphrase)
    except TypeError:
        raise InputError(
            str(path), "a key under a passphrase", "--certificate-passphrase-env with its passphrase"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        found = "no key and certificate that can be read" + ("" if passphrase is None else " with this passphrase")
        raise InputError(str(path), found, _EXPECTED) from None
    if not isinstance(key, RSAPrivateKey):
        raise InputError(str(path), "no RSA key", _EXPECTED)
    numbers = key.public_key().public_numbers()
    for each in certificates:
        public = each.public_key()
        if getattr(public, "public_numbers", lambda: None)() == numbers:
            return key, each
    raise InputError(str(path), f"{len(certificates)} certificates, none of them the key's", _EXPECTED)


def _pem(data: bytes, passphrase: bytes | None) -> tuple[object, list[Certificate]]:
    """Raises ValueError; TypeError for a key under a passphrase that was not given."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    begin = data.find(b"-----BEGIN")
    for block in data[begin:].split(b"-----BEGIN "):
        if b"PRIVATE KEY-----" in block.partition(b"\n")[0]:
            text = b"-----BEGIN " + block
            under = b"ENCRYPTED" in text.partition(b"\n\n")[0][:200]
            key = load_pem_private_key(text, passphrase if under else None)
            return key, x509.load_pem_x509_certificates(data)
    raise ValueError("no key")


def _pkcs12(data: bytes, passphrase: bytes | None) -> tuple[object, list[Certificate]]:
    """Raises ValueError."""
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    key, own, others = load_key_and_certificates(data, passphrase)
    return key, [*([own] if own else []), *others]


def _credential(key: RSAPrivateKey, found: Certificate) -> Mapping[str, str]:
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "private_key": pem.decode("ascii"),
        # Entra finds the certificate by its SHA-1 thumbprint; nothing is proven by it.
        "thumbprint": found.fingerprint(SHA1()).hex(),  # noqa: S303
        "public_certificate": found.public_bytes(Encoding.PEM).decode("ascii"),
    }
