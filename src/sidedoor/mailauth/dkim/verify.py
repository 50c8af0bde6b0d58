"""DKIM signatures of a message, each with its result (RFC 6376 section 6)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sidedoor.mailauth.dkim.message import Field, MessageError, SignedMessage, parse_message
from sidedoor.mailauth.dkim.signature import (
    SignatureError,
    Terms,
    Word,
    check_body,
    covered_fields,
    find_key,
    header_digest,
    read_terms,
)
from sidedoor.mailauth.dkim.tags import TagError, number, parse_tags
from sidedoor.mailauth.resolver import Resolver

MAX_SIGNATURES = 10
"""More than these are not looked at, the topmost first: each costs a look-up that its sender chose."""
_SIGNATURE = b"dkim-signature"


class DkimResult(NamedTuple):
    """One signature.

    domain, selector, identity: d=, s= and i= as far as they could be read, "" otherwise. reason: a sentence's middle,
    "" for pass. bits: of the key, None where none was found. covers_all: no l= leaves the end of the body unsigned.
    testing: the key says t=y, which asks that the signature count for nothing special.
    """

    word: Word
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    reason: str = ""
    bits: int | None = None
    covers_all: bool = True
    testing: bool = False


def verify_dkim(message: bytes | SignedMessage, resolver: Resolver, now: datetime) -> tuple[DkimResult, ...]:
    """A result for each DKIM-Signature, the topmost first; empty where there is none. Raises nothing."""
    try:
        parsed = parse_message(message) if isinstance(message, bytes) else message
    except MessageError as error:
        return (DkimResult(Word.NEUTRAL, reason=str(error)),)
    return tuple(_verify(parsed, each, resolver, now) for each in parsed.named(_SIGNATURE)[:MAX_SIGNATURES])


def _verify(message: SignedMessage, signature: Field, resolver: Resolver, now: datetime) -> DkimResult:
    try:
        tags = parse_tags(signature.value.decode("utf-8", "replace"))
    except TagError as error:
        return DkimResult(Word.NEUTRAL, reason=str(error))
    about = DkimResult(
        Word.NEUTRAL, tags.get("d", "").lower(), tags.get("s", "").lower(), _identity(tags), tags.get("a", "").lower(),
        covers_all="l" not in tags,
    )  # fmt: skip
    try:
        return _checked(message, signature, tags, about, resolver, now)
    except SignatureError as problem:
        return about._replace(word=problem.word, reason=problem.why)


def _checked(  # noqa: PLR0917  # the parts of one signature
    message: SignedMessage, signature: Field, tags: dict[str, str], about: DkimResult, resolver: Resolver, now: datetime
) -> DkimResult:
    terms = read_terms(tags)
    _check_dkim(tags, terms, now)
    key = find_key(terms, resolver)
    if key.strict and about.identity.rpartition("@")[2] != terms.domain:
        raise SignatureError(Word.PERMERROR, "the key wants i= in the very domain of d= (t=s)")
    about = about._replace(word=Word.PASS, bits=key.bits, testing=key.testing)
    digest = header_digest(covered_fields(message, terms.covered), signature, terms.header_how)
    if not key.verifies(terms.signature, digest):
        return about._replace(word=Word.FAIL, reason="the header is not what was signed")
    try:
        check_body(message, terms)
    except SignatureError as problem:
        return about._replace(word=problem.word, reason=problem.why)
    return about


def _identity(tags: dict[str, str]) -> str:
    """i=, which is @d where it is missing (section 3.5)."""
    return tags.get("i") or f"@{tags.get('d', '')}".lower()


def _check_dkim(tags: dict[str, str], terms: Terms, now: datetime) -> None:
    """What only DKIM asks of a signature (sections 3.5 and 6.1.1). Raises SignatureError."""
    if tags.get("v") != "1":
        raise SignatureError(Word.NEUTRAL, f"of version {tags.get('v', 'none')[:40]!r}")
    if "from" not in terms.covered:
        raise SignatureError(Word.PERMERROR, "header From is not signed")
    inside = _identity(tags).lower().rpartition("@")[2]
    if inside != terms.domain and not inside.endswith(f".{terms.domain}"):
        raise SignatureError(Word.PERMERROR, "i= is not in the domain of d=")
    if "dns/txt" not in tags.get("q", "dns/txt").lower().split(":"):
        raise SignatureError(Word.NEUTRAL, "its key is to be found by an unknown method")
    try:
        made, ends = number(tags, "t"), number(tags, "x")
    except TagError as error:
        raise SignatureError(Word.NEUTRAL, str(error)) from error
    if ends is not None and made is not None and ends < made:
        raise SignatureError(Word.NEUTRAL, "it ends before it begins (x= before t=)")
    if ends is not None and ends < now.timestamp():
        raise SignatureError(Word.FAIL, "it has expired (x=)")
