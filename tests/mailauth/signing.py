"""Keys made for the tests, and an independent signer: dkimpy."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sidedoor.mailauth.memory import MemoryResolver

DOMAIN, SELECTOR = "contoso.com", "sel"
MESSAGE = (
    b"From: Scanner <scan@contoso.com>\r\nTo: helpdesk@contoso.com\r\nSubject: Scan  from\r\n\tHQ3\r\n"
    b"Date: Tue, 03 Nov 2026 08:15:20 +0000\r\nMessage-ID: <1@contoso.com>\r\n\r\nfirst  line \r\n\tsecond\r\n\r\n\r\n"
)


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def record(bits: int = 2048, more: str = "") -> str:
    """The TXT record of an RSA key."""
    public = rsa_key(bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; {more}p={base64.b64encode(public).decode()}"


def ed_record() -> str:
    public = ed_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"


def zone(text: str | None = None, domain: str = DOMAIN, selector: str = SELECTOR) -> MemoryResolver:
    return MemoryResolver({f"{selector}._domainkey.{domain}": {"TXT": [record() if text is None else text]}})


def signed(message: bytes = MESSAGE, bits: int = 2048, **options: Any) -> bytes:
    """The message with a DKIM-Signature by dkimpy."""
    pem = rsa_key(bits).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    options.setdefault("canonicalize", (b"relaxed", b"relaxed"))
    field: bytes = dkim.sign(message, SELECTOR.encode(), DOMAIN.encode(), pem, **options)
    return field + message


def signed_by_ed25519(message: bytes = MESSAGE) -> bytes:
    seed = base64.b64encode(ed_key().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    field: bytes = dkim.sign(message, SELECTOR.encode(), DOMAIN.encode(), seed, signature_algorithm=b"ed25519-sha256")
    return field + message


def sealed(message: bytes, domain: str, times: int = 1) -> bytes:
    """The message with `times` ARC sets by dkimpy, each claiming what the Authentication-Results field says."""
    pem = rsa_key(2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    for _ in range(times):
        before = b"; arc=pass" if b"ARC-Seal" in message else b""
        results = domain.encode() + b"; spf=pass smtp.mailfrom=a@x.example" + before
        stamped = b"Authentication-Results: " + results + b"\r\n" + message
        names = [b"from", b"to", b"subject", b"date", b"message-id"]
        fields = dkim.arc_sign(stamped, SELECTOR.encode(), domain.encode(), pem, domain.encode(), include_headers=names)
        message = b"".join(fields) + message
    return message
