"""What DKIM and ARC message signatures have in common: tags, hashes, the arithmetic (RFC 6376 section 6)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from sidedoor.mailauth.dkim.keys import LEAST_BITS, MOST_BITS, NoKeyError, PublicKey, key_of
from sidedoor.mailauth.dkim.message import Canonicalization, Field, SignedMessage
from sidedoor.mailauth.dkim.tags import TagError, binary, number, words
from sidedoor.mailauth.resolver import Resolver

_B_VALUE = re.compile(rb"(^|;)([ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_RETIRED = frozenset({"rsa-sha1"})  # RFC 8301 section 3.1: must not be used to sign or verify


class Word(StrEnum):
    """The result of one signature (RFC 8601 section 2.7.1)."""

    PASS = "pass"  # noqa: S105 - it verifies
    FAIL = "fail"  # it was readable, and header or body are not what was signed
    NEUTRAL = "neutral"  # it cannot be read
    TEMPERROR = "temperror"  # DNS gave no answer; a later try may
    PERMERROR = "permerror"  # there is no usable key, or the algorithm is retired


class SignatureError(Exception):
    """Why a signature does not verify, with its result word."""

    def __init__(self, word: Word, why: str) -> None:
        """`why` is a phrase."""
        super().__init__(why)
        self.word, self.why = word, why


class Terms(NamedTuple):
    """What a signature says it covers."""

    domain: str
    selector: str
    algorithm: str
    signature: bytes
    body_hash: bytes
    header_how: Canonicalization
    body_how: Canonicalization
    covered: tuple[str, ...]
    length: int | None


def read_terms(tags: Mapping[str, str], default_how: str = "simple/simple") -> Terms:
    """The tags that both kinds share. Raises SignatureError."""
    # h= may be empty in ARC (RFC 8617 section 4.1.2); DKIM asks for From in it elsewhere.
    missing = [name for name in ("a", "b", "bh", "d", "h", "s") if name not in tags or not (tags[name] or name == "h")]
    if missing:
        raise SignatureError(Word.NEUTRAL, f"without {', '.join(f'{name}=' for name in missing)}")
    algorithm = tags["a"].lower()
    if algorithm in _RETIRED:
        raise SignatureError(Word.PERMERROR, f"{algorithm}, which is retired (RFC 8301)")
    if algorithm not in _ALGORITHMS:
        raise SignatureError(Word.NEUTRAL, f"an unknown algorithm {algorithm[:40]!r}")
    try:
        header_how, _, body_how = tags.get("c", default_how).lower().partition("/")
        return Terms(
            tags["d"].lower().removesuffix("."), tags["s"].lower(), algorithm, binary(tags, "b"), binary(tags, "bh"),
            Canonicalization(header_how), Canonicalization(body_how or "simple"), tuple(words(tags, "h")),
            number(tags, "l"),
        )  # fmt: skip
    except TagError as error:
        raise SignatureError(Word.NEUTRAL, str(error)) from error
    except ValueError as error:
        raise SignatureError(Word.NEUTRAL, f"an unknown canonicalization {tags['c'][:40]!r}") from error


def check_body(message: SignedMessage, terms: Terms) -> None:
    """Compare the body's hash. Raises SignatureError."""
    body = message.canonical_body(terms.body_how)
    if terms.length is not None:
        if terms.length > len(body):
            raise SignatureError(Word.FAIL, f"l={terms.length} reaches beyond the body of {len(body)} octets")
        body = body[: terms.length]
    if hashlib.sha256(body).digest() != terms.body_hash:
        raise SignatureError(Word.FAIL, "the body is not what was signed")


def header_digest(fields: Iterable[Field], signature: Field, how: Canonicalization) -> bytes:
    """SHA-256 over `fields` and the signature's own field, its b= emptied and without the last CRLF (section 3.7)."""
    hashed = hashlib.sha256()
    for each in fields:
        hashed.update(each.canonical(how))
    bare = signature.raw.partition(b":")
    emptied = Field(signature.name, bare[0] + b":" + _B_VALUE.sub(rb"\1\2", bare[2].removesuffix(b"\r\n")) + b"\r\n")
    hashed.update(emptied.canonical(how).removesuffix(b"\r\n"))
    return hashed.digest()


def covered_fields(message: SignedMessage, names: Sequence[str]) -> list[Field]:
    """The fields that h= names, taken from the bottom up where a name stands several times (section 5.4.2)."""
    stacks: dict[bytes, list[Field]] = {}
    for each in message.fields:
        stacks.setdefault(each.name, []).append(each)
    found = []
    for name in names:
        stack = stacks.get(name.encode("utf-8", "replace"))
        if stack:
            found.append(stack.pop())
    return found


def find_key(terms: Terms, resolver: Resolver) -> PublicKey:
    """The key, fit for the algorithm. Raises SignatureError."""
    try:
        key = key_of(terms.domain, terms.selector, resolver)
    except NoKeyError as problem:
        raise SignatureError(Word.TEMPERROR if problem.temporary else Word.PERMERROR, str(problem)) from problem
    if key.kind != _ALGORITHMS[terms.algorithm]:
        raise SignatureError(Word.PERMERROR, f"a key of kind {key.kind} for a signature of {terms.algorithm}")
    if key.hashes and "sha256" not in key.hashes:
        raise SignatureError(Word.PERMERROR, "a key that is not for sha256")
    if key.kind == "rsa" and not LEAST_BITS <= key.bits <= MOST_BITS:
        raise SignatureError(
            Word.PERMERROR, f"a key of {key.bits} bits; between {LEAST_BITS} and {MOST_BITS} are taken (RFC 8301)"
        )
    return key
