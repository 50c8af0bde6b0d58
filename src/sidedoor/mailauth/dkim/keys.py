"""Public keys from DNS (RFC 6376 section 3.6): TXT at selector._domainkey.domain."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sidedoor.mailauth.dkim.tags import TagError, parse_tags, words
from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver, askable

# RFC 8301 section 3.2: 1024 is the least; beyond 8192 a key only costs time.
LEAST_BITS, MOST_BITS = 1024, 8192
_PREHASHED = Prehashed(SHA256())
_PADDING = PKCS1v15()


class NoKeyError(Exception):
    """No key to verify with. `temporary`: a later try may find one."""

    def __init__(self, why: str, *, temporary: bool = False) -> None:
        """`why` is a phrase."""
        super().__init__(why)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key with what its record says of its use. `hashes` empty: any. `testing`: t=y. `strict`: t=s."""

    kind: str  # rsa or ed25519
    bits: int
    hashes: tuple[str, ...]
    testing: bool
    strict: bool
    _key: RSAPublicKey | Ed25519PublicKey

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Whether `signature` is of a SHA-256 `digest` (RFC 8463 section 3 signs the digest with Ed25519)."""
        try:
            if isinstance(self._key, RSAPublicKey):
                self._key.verify(signature, digest, _PADDING, _PREHASHED)
            else:
                self._key.verify(signature, digest)
        except (InvalidSignature, ValueError):
            return False
        return True


def key_of(domain: str, selector: str, resolver: Resolver) -> PublicKey:
    """Look the key up. Raises NoKeyError."""
    name = f"{selector}._domainkey.{domain}".lower().removesuffix(".")
    if not askable(name):
        raise NoKeyError(f"{name[:80]!r} is no name for DNS")
    answer = resolver.lookup(name, Kind.TXT)
    if isinstance(answer, Failure):
        raise NoKeyError(f"no answer from DNS for {name} ({answer.reason})", temporary=True)
    if not isinstance(answer, Records):
        raise NoKeyError(f"no key at {name}")
    found = _read(answer.values[0])
    if isinstance(found, str):
        raise NoKeyError(f"{found} at {name}")
    return found


@lru_cache(maxsize=1024)
def _read(text: str) -> PublicKey | str:
    """The key, or what is wrong with its record. Remembered, because a sender's next message needs it again."""
    try:
        tags = parse_tags(text)
    except TagError as error:
        return f"a key record that cannot be read ({error})"
    wrong = _wrong(tags)
    if wrong:
        return wrong
    flags = words(tags, "t")
    hashes = tuple(words(tags, "h")) if "h" in tags else ()
    try:
        kind, bits, key = _load(tags.get("k", "rsa").lower(), tags["p"])
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        return "a key that cannot be read"
    return PublicKey(kind, bits, hashes, "y" in flags, "s" in flags, key)


def _wrong(tags: Mapping[str, str]) -> str:
    """Why a key record is of no use for mail, "" where it is."""
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        return "a key record of another version"
    if not {"*", "email"} & set(words(tags, "s", "*")):
        return "a key that is not for mail"
    if not tags.get("p"):
        return "a revoked key" if "p" in tags else "a key record without a key"
    return ""


def _load(kind: str, text: str) -> tuple[str, int, RSAPublicKey | Ed25519PublicKey]:
    data = base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    if kind == "ed25519":
        return kind, 256, Ed25519PublicKey.from_public_bytes(data)
    key = load_der_public_key(data)
    if kind != "rsa" or not isinstance(key, RSAPublicKey):
        raise ValueError(kind)
    return kind, key.key_size, key
